"""Whether a network learns as well in bfloat16, and in a cohort: best relaxed F1 over seeds.

Patches are speckle with a slanted line a little brighter than it, so that nobody finds all of it. Seeds
decide weights, order and augmentation; the patches stay. What another way of training changes must be
small against what a seed changes, and on average nothing: `apart` is the mean difference from float32 of
the same seeds, with its standard error.

Run: `python benchmarks/training_seeds.py` (a quarter of an hour).
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.table import Table
from training_contender import POSTING_M, noise

from glsweep.config.trial import TrialParameters
from glsweep.patches import PatchArrays
from glsweep.registry import ARCHITECTURES
from glsweep.training import EpochReport
from glsweep.training.cohort import CohortTrial, fit_cohort
from glsweep.training.fit import Schedule, fit
from glsweep.training.state import fresh_state

# Arithmetic, and how many seeds train as one network.
WAYS = {"float32": ("float32", 1), "bfloat16": ("bfloat16", 1), "bfloat16, cohorts of 4": ("bfloat16", 4)}


@dataclass(frozen=True)
class Options:
    """What is trained."""

    networks: tuple[str, ...] = tuple(ARCHITECTURES.built_in)
    seeds: int = 12
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


def best_f1(network: str, precision: str, seeds: Sequence[int], options: Options) -> list[float]:
    """Train one network for each seed, and return their best relaxed F1 on patches that they have not seen.

    Several train as one.
    """
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
    schedule = Schedule(options.epochs, options.tolerance_m, "relaxed_f1")
    members = {
        str(seed): CohortTrial(
            fresh_state(parameters, seed=seed, device=torch.device("cpu")), parameters, seed
        )
        for seed in seeds
    }
    if len(members) == 1:
        ((name, member),) = members.items()
        epochs = ({name: of} for of in fit(member.state, parameters, train, val, schedule, seed=member.seed))
    else:
        epochs = fit_cohort(members, train, val, schedule)
    best = dict.fromkeys(members, 0.0)
    for told in epochs:
        for name, report in told.items():
            assert isinstance(report, EpochReport), report
            best[name] = max(best[name], report.relaxed_f1)
    return list(best.values())


def main(options: Options) -> None:
    """Train everything, and print means and spreads."""
    torch.set_num_threads(1)
    table = Table("network", "way", "mean (lowest to highest)", "spread of a seed", "apart")
    for network in options.networks:
        alone: list[float] = []
        for way, (precision, size) in WAYS.items():
            parts = [range(options.seeds)[begin : begin + size] for begin in range(0, options.seeds, size)]
            found = [value for seeds in parts for value in best_f1(network, precision, seeds, options)]
            alone = alone or found
            apart = [a - b for a, b in zip(found, alone, strict=True)]
            table.add_row(
                ARCHITECTURES.title(network) if found is alone else "",
                way,
                f"{statistics.mean(found):.3f} ({min(found):.3f} to {max(found):.3f})",
                f"{statistics.stdev(found):.3f}",
                ""
                if found is alone
                else f"{statistics.mean(apart):+.3f} ± {statistics.stdev(apart) / len(apart) ** 0.5:.3f}",
            )
    Console(width=120).print(table)
    print(
        f"{options.seeds} seeds, {options.epochs} epochs, {options.patches} patches of {options.size_px} px, "
        f"width {options.width}, {POSTING_M:.0f} m a pixel"
    )


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
