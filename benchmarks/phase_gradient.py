"""Makes the member that `--model phase-gradient` names: its numbers and its threshold, from simulation.

Run: `python benchmarks/phase_gradient.py --out glsweep/prediction/phase_gradient` (half a minute).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro

from glsweep import __version__
from glsweep.config.space import Calibration
from glsweep.nets.member import ModelCard, save_member
from glsweep.patches import PatchArrays
from glsweep.scenes import FULL, UNSURE
from glsweep.scenes.cards import load_card
from glsweep.scenes.masks import line_mask
from glsweep.scenes.scene import Scene
from glsweep.simulation import simulate_scene
from glsweep.training.memory import calibrate_on
from glsweep.training.phase_gradient import CHANNELS, tune_phase_gradient

CARD = Path(__file__).parent.parent / "datasets" / "embedded.yaml"
SIZE_PX, TOLERANCE_M = 128, 200.0
NOISES = (0.5, 1.0)
THRESHOLDS = Calibration(lowest=0.05, highest=0.95, count=37, criterion="relaxed_f1")


@dataclass(frozen=True)
class Options:
    """Where the member goes, and from what it is made."""

    out: Path
    scenes: int = 2
    """Of each part of the card, at each noise."""
    seed: int = 20_000_003


def patches_of(scenes: list[Scene], posting_m: float) -> PatchArrays:
    """Cut scenes into patches side by side."""
    images, masks, targets = [], [], []
    for scene in scenes:
        line, unsure = (
            line_mask(lines, scene.shape, scene.transform, "all_touched")
            for lines in (scene.lines, scene.unsure)
        )
        image = np.stack([scene.interferogram.real, scene.interferogram.imag])
        target = np.where(line > 0, FULL, np.where(unsure > 0, UNSURE, 0)).astype(np.uint8)
        for row in range(0, scene.shape[0] - SIZE_PX + 1, SIZE_PX):
            for col in range(0, scene.shape[1] - SIZE_PX + 1, SIZE_PX):
                at = (..., slice(row, row + SIZE_PX), slice(col, col + SIZE_PX))
                images.append(image[at])
                masks.append(line[at])
                targets.append(target[at])
    return PatchArrays(np.stack(images), np.stack(masks), posting_m, 1.0, target=np.stack(targets))


def main(options: Options) -> None:
    """Tune on fresh scenes of each part of the card, and write the member."""
    card = load_card(CARD)
    scenes = [
        simulate_scene(
            part.simulation, seed=options.seed, name=f"{part.name}{n}", origin_xy_m=(0.0, 0.0), noise=noise
        )
        for part in card.data_sets
        if part.simulation is not None
        for noise in NOISES
        for n in range(options.scenes)
    ]
    val = patches_of(scenes, 100.0)
    network = tune_phase_gradient(val, tolerance_m=TOLERANCE_M)
    curve = calibrate_on(val, network, CHANNELS, THRESHOLDS, tolerance_m=TOLERANCE_M)
    print(network.numbers, f"tau {curve.tau:.3f}, relaxed F1 {max(curve.values):.3f}, {len(val)} patches")
    options.out.mkdir(parents=True, exist_ok=True)
    made = ModelCard(
        architecture="phase_gradient",
        patch_size_px=SIZE_PX,
        channels=CHANNELS,
        amplitude_scale=1.0,
        posting_m=100.0,
        wavelength_m=card.data_sets[0].wavelength_m,
        tau=round(curve.tau, 4),
        uncertainty_unknown="the phase gradient has not been measured",
        trained_on=f"nothing; its numbers were chosen on {len(scenes)} simulated scenes",
        line="analyst",
        data_card_hash="",
        seed=options.seed,
        trial_id="",
        parameters={},
        best_epoch=0,
        figures={"relaxed_f1": max(curve.values)},
        glsweep_version=__version__,
    )
    save_member(options.out, network, made)


if __name__ == "__main__":
    main(tyro.cli(Options))
