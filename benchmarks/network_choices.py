"""What pays in training the network in the package: one choice changed at a time, over seeds.

Networks are trained as the one in the package, but shorter, on simulated scenes of its three kinds, each with
the same number of patches passed, and judged on scenes of other seeds, as noisy as real ones and `wide`:
relaxed F1 within 200 m of the thinned prediction, so that wide answers are judged as narrow ones are, at the
best of a few thresholds, of raw phase and of phase behind a boxcar. `--other FOLDER` adds scenes of another
make, on which what is learnt of one simulator alone shows: there the tolerance is a kilometre, since their
lines may follow another convention. Differences are those from the first row with the same seed.

Run: `python benchmarks/network_choices.py` (three minutes on one core a choice and seed; `--only NAME...`)
"""

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import tyro
from network_variants import SPACE, WEIGHTS
from rich.console import Console
from rich.table import Table
from skimage.morphology import skeletonize
from torch import Tensor

from glsweep import __version__
from glsweep.config.data_card import C_BAND_WAVELENGTH_M, LabelRule, Simulation
from glsweep.config.space import load_space
from glsweep.config.trial import FilterName, TrialParameters
from glsweep.metrics.thresholds import Truth, count_at_thresholds, truth_within
from glsweep.nets import has_data
from glsweep.nets.filters import boxcar
from glsweep.nets.member import ModelCard
from glsweep.patches import PatchArrays
from glsweep.patches.prepare import annotated_scenes
from glsweep.prediction.blend import Member, member_probability
from glsweep.randomness import generator_for
from glsweep.scenes import UNSURE
from glsweep.scenes.cards import load_card, load_data
from glsweep.scenes.catalogue import open_catalogue
from glsweep.scenes.masks import line_mask, mark_unsure, training_target
from glsweep.scenes.scene import Scene
from glsweep.simulation import floating_ice, simulate_scene
from glsweep.training.fit import Schedule, fit
from glsweep.training.memory import keep_freed_memory
from glsweep.training.state import fresh_state

CARD = Path(__file__).parent.parent / "datasets" / "embedded.yaml"
KINDS = {"wide": 3, "strong": 1, "real": 2}
"""Scenes of each kind, of six."""
PATCH_PX, POSTING_M = 128, 100.0
TOLERANCE_M, OTHER_TOLERANCE_M = 200.0, 1000.0
WITH_LINE, WITHOUT_LINE = 12, 5
"""Patches of a scene."""
LEAST_DATA = 0.2
FLOATING = np.uint8(1)
"""Of a target: no line, but floating ice."""
TRAINED, JUDGED = 0, 1000
"""Seeds of the scenes."""
TAUS = (0.3, 0.5, 0.7, 0.9)


@dataclass(frozen=True)
class Choice:
    """What differs from the network in the package.

    Attributes
    ----------
    parameters : dict
        Changed parameters of the trial.
    share : float
        Share of the scenes that are trained on; with fewer, each is seen more often.
    label : tuple of str and float, optional
        Rule and width in metres of the label, if not those of the package's data card.
    unsure : {"ignored", "line", "background"}
        What pixels are taught to be of which nobody can tell whether they are line.
    turned : bool
        Whether predictions are means over flips and quarter turns.
    filters : tuple of str
        Over what of the phase they are.
    zones : bool
        Whether the target says which ice floats, for `with_zones`.
    """

    parameters: dict[str, object] = field(default_factory=dict)
    share: float = 1.0
    label: tuple[LabelRule, float] | None = None
    unsure: str = "ignored"
    turned: bool = False
    filters: tuple[FilterName, ...] = ("raw",)
    zones: bool = False


OWN_LOSS: dict[str, object] = dict.fromkeys(WEIGHTS)
PLAIN = ("dihedral", "conjugation", "phase_rotation")
CHOICES = {
    "as shipped": Choice(),
    "turned": Choice(turned=True),
    "mean of raw and boxcar": Choice(filters=("raw", "boxcar3")),
    "a third of the scenes": Choice(share=1 / 3),
    "no filters in training": Choice({"augmentation": PLAIN}),
    "unsure is background": Choice(unsure="background"),
    "unsure is line": Choice(unsure="line"),
    "label 100 m to each side": Choice(label=("buffered", 100.0)),
    "label 200 m to each side": Choice(label=("buffered", 200.0)),
    "label of one pixel": Choice(label=("buffered", 10.0)),
    "label soft over 100 m": Choice(label=("soft", 100.0)),
    "with clDice": Choice({"loss": "network_variants:with_cl_dice", **OWN_LOSS}),
    "with skeleton recall": Choice({"loss": "network_variants:with_skeleton_recall", **OWN_LOSS}),
    "head of zones": Choice(
        {"architecture": "network_variants:ZonedUNet", "loss": "network_variants:with_zones", **OWN_LOSS},
        zones=True,
    ),
    "width 12": Choice({"base_width": 12}),
    "U-Net++ of width 8": Choice({"architecture": "unetpp", "base_width": 8}),
}


@dataclass(frozen=True)
class Options:
    """How much is trained."""

    only: tuple[str, ...] = ()
    """Names of choices; all unless named."""
    seeds: int = 3
    passes: int = 6_120
    """Patches that pass through each network in training."""
    scenes: int = 120
    judged_scenes: int = 16
    other: Path | None = None
    """A folder of scenes of another make with their lines."""
    keep: Path | None = None
    """A file of what was found, a line of JSON each; what it holds is not done again."""


# --- Scenes and patches


def kinds_of(scenes: int) -> list[tuple[str, int]]:
    """Return kind and number of so many scenes."""
    order = [kind for kind, count in KINDS.items() for _ in range(count)]
    return [(order[n % len(order)], n) for n in range(scenes)]


@cache
def settings_of(kind: str) -> Simulation:
    """Return what a card of the network in the package has simulated."""
    settings = load_card(CARD.with_suffix("") / f"{kind}.yaml").simulation
    assert isinstance(settings, Simulation)
    return settings


@cache
def shipped_label() -> tuple[LabelRule, float]:
    """Return rule and width in metres of the label of the network in the package."""
    card = load_card(CARD)
    assert card.label_width_m is not None
    return card.label, card.label_width_m


@dataclass(frozen=True)
class Patches:
    """Patches with the line and where it is unsure apart, so that choices can combine them."""

    image: npt.NDArray[np.float32]
    mask: npt.NDArray[np.uint8]
    unsure: npt.NDArray[np.uint8]
    floating: npt.NDArray[np.bool_]

    def arrays(self, choice: Choice, count: int) -> PatchArrays:
        """Return the first patches as a choice teaches them."""
        rule, width_m = choice.label or shipped_label()
        targets = []
        stacks = (self.mask[:count], self.unsure[:count], self.floating[:count])
        for mask, unsure, floating in zip(*stacks, strict=True):
            line = mask | unsure if choice.unsure == "line" else mask
            target = training_target(line, rule, width_m, POSTING_M)
            if choice.zones:
                target = np.where((target == 0) & floating, FLOATING, target)
            if choice.unsure == "ignored":
                target = mark_unsure(target, unsure, 500.0, POSTING_M)
            targets.append(target)
        return PatchArrays(self.image[:count], self.mask[:count], POSTING_M, 1.0, np.stack(targets))


def cut(kinds: Sequence[tuple[str, int]], seed: int) -> Patches:
    """Simulate scenes, and cut patches from each: most about the line, some without one."""
    images, masks, unsures, zones = [], [], [], []
    for kind, number in kinds:
        settings, name = settings_of(kind), f"{kind}{number}"
        scene = simulate_scene(settings, seed=seed, name=name, origin_xy_m=(0.0, 0.0))
        floating = floating_ice(settings, seed=seed, name=name)
        line, unsure = (
            line_mask(lines, scene.shape, scene.transform, "all_touched")
            for lines in (scene.lines, scene.unsure)
        )
        for row, col in _windows(scene, line, generator_for(seed, "windows", kind, number)):
            window = np.s_[row : row + PATCH_PX, col : col + PATCH_PX]
            signal = scene.interferogram[window]
            images.append(np.stack([signal.real, signal.imag]))
            masks.append(line[window] * scene.valid[window])
            unsures.append(unsure[window])
            zones.append(floating[window])
    return Patches(np.stack(images), np.stack(masks), np.stack(unsures), np.stack(zones))


def _windows(
    scene: Scene, line: npt.NDArray[np.uint8], generator: np.random.Generator
) -> list[tuple[int, int]]:
    on_line, last = np.argwhere(line), np.array(scene.shape) - PATCH_PX
    found: dict[bool, list[tuple[int, int]]] = {True: [], False: []}
    for attempt in range(300):
        near = attempt % 2 and len(on_line)
        start = (
            on_line[generator.integers(len(on_line))] - generator.integers(0, PATCH_PX, 2)
            if near
            else generator.integers(0, last + 1)
        )
        row, col = np.clip(start, 0, last).tolist()
        window = np.s_[row : row + PATCH_PX, col : col + PATCH_PX]
        has_line = bool(line[window].any())
        if (
            scene.valid[window].mean() >= LEAST_DATA
            and len(found[has_line]) < (WITHOUT_LINE, WITH_LINE)[has_line]
        ):
            found[has_line].append((row, col))
    return found[True] + found[False]


@dataclass(frozen=True)
class Judged:
    """Patches that no training saw: (N, 2, S, S), and what is true there."""

    image: Tensor
    truth: Truth


def judged_patches(options: Options) -> dict[str, Judged]:
    """Return what choices are judged on, by the table's column."""
    columns: dict[str, Judged] = {}
    for kind in ("real", "wide"):
        held = cut([(kind, n) for n in range(options.judged_scenes)], JUDGED).arrays(Choice(), 10**6)
        assert held.target is not None
        seen = has_data(held.image) & (held.target != UNSURE)
        truth = truth_within(held.mask, TOLERANCE_M, POSTING_M, has_data=seen)
        image = torch.from_numpy(held.image)
        columns |= {f"{kind}, raw": Judged(image, truth), f"{kind}, boxcar": Judged(boxcar(image, 5), truth)}
    return columns if options.other is None else {**columns, "other, 1 km": _of_another_make(options.other)}


def _of_another_make(folder: Path) -> Judged:
    """Cut all scenes of a folder, side by side."""
    images, masks = [], []
    entries, _ = annotated_scenes(open_catalogue(folder, load_data((folder,))))
    for entry in entries:
        signal, line = entry.read_pixels(), entry.line_mask("all_touched")
        for row, col in np.ndindex(*(side // PATCH_PX for side in entry.shape)):
            here = np.s_[row * PATCH_PX : (row + 1) * PATCH_PX, col * PATCH_PX : (col + 1) * PATCH_PX]
            has_signal = signal[here] != 0
            if has_signal.mean() >= LEAST_DATA:
                images.append(np.stack([signal[here].real, signal[here].imag]))
                masks.append(line[here] * has_signal)
    image, mask = np.stack(images), np.stack(masks)
    truth = truth_within(mask, OTHER_TOLERANCE_M, POSTING_M, has_data=has_data(image))
    return Judged(torch.from_numpy(image), truth)


# --- Training and judging


def parameters_of(choice: Choice) -> TrialParameters:
    """Return the parameters of the network in the package with what a choice changes."""
    values = {"architecture": "unet", "patch_size_px": PATCH_PX, **load_space(SPACE).fixed}
    changed = {**values, **choice.parameters}
    return TrialParameters.model_validate({k: v for k, v in changed.items() if v is not None})


def trained(choice: Choice, patches: Patches, options: Options, seed: int) -> Member:
    """Train a network as a choice says."""
    parameters = parameters_of(choice)
    train = patches.arrays(choice, round(choice.share * len(patches.image)))
    few = replace(train, image=train.image[:8], mask=train.mask[:8], target=None)
    epochs = max(1, round(options.passes / len(train)))
    state = fresh_state(parameters, seed=seed, device=torch.device("cpu"))
    for _ in fit(
        state,
        parameters,
        train,
        few,
        Schedule(epochs, TOLERANCE_M, "relaxed_f1", annealing="cosine"),
        seed=seed,
    ):
        pass
    card = ModelCard(
        architecture=parameters.architecture,
        patch_size_px=PATCH_PX,
        channels=parameters.channels,
        amplitude_scale=train.amplitude_scale,
        posting_m=POSTING_M,
        wavelength_m=C_BAND_WAVELENGTH_M,
        data_card_hash="",
        seed=seed,
        trial_id="",
        parameters={},
        best_epoch=epochs,
        figures={},
        glsweep_version=__version__,
    )
    return Member("choice", state.network.eval(), card)


def relaxed_f1(member: Member, choice: Choice, judged: Judged) -> float:
    """Return the relaxed F1 of the thinned prediction on patches, at the best threshold of `TAUS`."""
    probability = torch.cat(
        [
            member_probability([member], batch, turned=choice.turned, filters=choice.filters)[0]
            for batch in judged.image.split(16)
        ]
    )
    found = []
    for tau in TAUS:
        masks = (probability >= tau).numpy()
        thin = np.stack([skeletonize(one) for one in masks])  # type: ignore[no-untyped-call]
        drawn = torch.from_numpy(thin.astype(np.float32))
        found.append(float(count_at_thresholds(drawn, judged.truth, torch.tensor([0.5])).relaxed_f1()[0]))
    return max(found)


def main(options: Options) -> None:
    """Train and judge every choice, and print a row each."""
    torch.set_num_threads(1)
    keep_freed_memory()
    names = ["as shipped", *(name for name in options.only or CHOICES if name != "as shipped")]
    patches = cut(kinds_of(options.scenes), TRAINED)
    judged = judged_patches(options)
    found = _kept(options.keep)
    for seed in range(options.seeds):
        networks: dict[str, Member] = {}
        for name in names:
            choice = CHOICES[name]
            if f"{name}, {seed}" in found:
                continue
            basis = json.dumps([choice.parameters, choice.share, choice.label, choice.unsure])
            if basis not in networks:
                networks[basis] = trained(choice, patches, options, seed)
            found[f"{name}, {seed}"] = {
                column: relaxed_f1(networks[basis], choice, one) for column, one in judged.items()
            }
            _keep(options.keep, f"{name}, {seed}", found[f"{name}, {seed}"])
    Console(width=140).print(_table(names, found, options.seeds))


def _kept(file: Path | None) -> dict[str, dict[str, float]]:
    if file is None or not file.is_file():
        return {}
    return dict(json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())


def _keep(file: Path | None, name: str, found: dict[str, float]) -> None:
    if file is not None:
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps([name, found]) + "\n")


def _table(names: Sequence[str], found: dict[str, dict[str, float]], seeds: int) -> Table:
    columns = list(found[f"{names[0]}, 0"])
    table = Table("choice", *columns)
    for name in names:
        cells = []
        for column in columns:
            values = [found[f"{name}, {seed}"][column] for seed in range(seeds)]
            apart = [v - found[f"{names[0]}, {seed}"][column] for seed, v in enumerate(values)]
            error = statistics.stdev(apart) / math.sqrt(seeds) if seeds > 1 else math.nan
            more = "" if name == names[0] else f" ({statistics.mean(apart):+.3f} ± {error:.3f})"
            cells.append(f"{statistics.mean(values):.3f}{more}")
        table.add_row(name, *cells)
    return table


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
