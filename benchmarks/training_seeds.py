"""Whether a network learns as well in bfloat16: best relaxed F1 over seeds, in both arithmetics.

Patches are speckle with a slanted line a little brighter than it, so that nobody finds all of it. Seeds
decide weights, order and augmentation; the patches stay. What bfloat16 changes must be small against
what a seed changes.

Run: `python benchmarks/training_seeds.py` (some minutes).
"""

import statistics
from dataclasses import dataclass, replace
from typing import get_args

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table
from training_contender import POSTING_M, noise

from glsweep.config.trial import ARCHITECTURE_TITLES, Architecture, TrialParameters
from glsweep.patches.arrays import PatchArrays
from glsweep.training.fit import Schedule, fit
from glsweep.training.state import fresh_state

PRECISIONS = ("float32", "bfloat16")


@dataclass(frozen=True)
class Options:
    """What is trained."""

    networks: tuple[Architecture, ...] = get_args(Architecture)
    seeds: int = 5
    epochs: int = 12
    patches: int = 192
    size_px: int = 64
    width: int = 4
    brightness: float = 0.7
    """Of the line, of which 1 is the speckle's standard deviation."""
    tolerance_m: float = 100.0


def with_bright_lines(patches: int, options: Options, seed: int) -> PatchArrays:
    """Return patches whose line can be seen, if not well."""
    arrays = noise(patches, options.size_px, seed)
    image = arrays.image + options.brightness * arrays.mask[:, None].astype(np.float32)
    return replace(arrays, image=image)


def best_f1(network: Architecture, precision: str, seed: int, options: Options) -> float:
    """Train one network, and return its best relaxed F1 on patches that it has not seen."""
    parameters = TrialParameters.model_validate(
        {
            "architecture": network,
            "patch_size_px": options.size_px,
            "base_width": options.width,
            "fn_weight": 0.5,
            "fp_weight": 0.5,
            "gamma": 4 / 3,
            "bce_weight": 0.3,
            "learning_rate": 5e-3,
            "weight_decay": 0.0,
            "batch_size": 16,
            "gradient_clip": 1.0,
            "channels": ["real", "imag"],
            "augmentation": ["dihedral"],
            "precision": precision,
        }
    )
    train, val = (with_bright_lines(options.patches // part, options, part) for part in (1, 3))
    state = fresh_state(parameters, seed=seed, device=torch.device("cpu"))
    schedule = Schedule(options.epochs, options.tolerance_m, "relaxed_f1")
    return max(report.relaxed_f1 for report in fit(state, parameters, train, val, schedule, seed=seed))


def main(options: Options) -> None:
    """Train everything, and print means and spreads."""
    torch.set_num_threads(1)
    table = Table(
        "network", *(f"{p}: mean (lowest to highest)" for p in PRECISIONS), "spread of a seed", "apart"
    )
    for network in options.networks:
        found = {
            precision: [best_f1(network, precision, seed, options) for seed in range(options.seeds)]
            for precision in PRECISIONS
        }
        means = [statistics.mean(found[precision]) for precision in PRECISIONS]
        table.add_row(
            ARCHITECTURE_TITLES[network],
            *(
                f"{mean:.3f} ({min(found[p]):.3f} to {max(found[p]):.3f})"
                for p, mean in zip(PRECISIONS, means, strict=True)
            ),
            f"{statistics.stdev(found['float32']):.3f}",
            f"{means[1] - means[0]:+.3f}",
        )
    Console(width=120).print(table)
    print(
        f"{options.seeds} seeds, {options.epochs} epochs, {options.patches} patches of {options.size_px} px, "
        f"width {options.width}, {POSTING_M:.0f} m a pixel"
    )


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
