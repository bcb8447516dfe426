"""Part 2 of search.py: `wide` searched by TPE and at random, with the same budget of epochs."""

import math
import statistics
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
from invented_networks import World, wide_world
from invented_sweeps import Played, altered, sweep
from matplotlib.figure import Figure

from glsweep.config.space import load_space

WIDE = Path(__file__).resolve().parents[1] / "search_spaces" / "wide.yaml"
PARTS = 8
Curves = dict[str, np.ndarray]


def search_wide(number: int, sampler: str, epochs: int) -> list[float]:
    """What the best configuration so far reaches, after each part of the budget."""
    space = altered(
        load_space(WIDE),
        sampler=sampler,
        parallel=load_space(WIDE).search.parallel if sampler == "tpe" else None,
        budget={"epochs": epochs},
        replicates=1,
    )
    world = wide_world(number)
    played = sweep(space, WIDE, world, number)
    return [_reached(played, world, epochs * part / PARTS) for part in range(1, PARTS + 1)]


def _reached(played: Played, world: World, epochs: float) -> float:
    """Mean over strata of what the best so far reaches; NaN until each stratum has one that ran in full."""
    best: dict[str, tuple[float, float]] = {}
    for spent, record in played.completed:
        found = record.best("relaxed_f1")
        if spent <= epochs and found is not None:
            key, quality = record.trial.stratum.key, world(record.trial.parameters).quality
            best[key] = max(best.get(key, (0.0, 0.0)), (found[1], quality))
    if len(best) < len(played.records.strata):
        return math.nan
    return statistics.fmean(quality for _, quality in best.values())


def curves(worlds: int, epochs: int, pool: Executor) -> Curves:
    """By sampler: worlds x parts of the budget."""
    return {
        sampler: np.array(list(pool.map(search_wide, range(worlds), [sampler] * worlds, [epochs] * worlds)))
        for sampler in ("random", "tpe")
    }


def table_rows(found: Curves, epochs: int) -> list[list[str]]:
    """One row a part of the budget."""
    lead = found["tpe"] - found["random"]
    return [
        [
            f"{epochs * (part + 1) // PARTS}",
            *(_spread(found[name][:, part]) for name in found),
            _spread(lead[:, part], sign="+"),
            f"{(lead[:, part] > 0).sum()} of {len(lead)}",
        ]
        for part in range(PARTS)
    ]


def draw(found: Curves, epochs: int, path: Path) -> None:
    """Draw both curves with their quartiles."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for name, values in found.items():
        low, middle, high = np.percentile(values, [25, 50, 75], axis=0)
        spent = epochs * np.arange(1, PARTS + 1) / PARTS
        axes.plot(spent, middle, marker="o", label=name)
        axes.fill_between(spent, low, high, alpha=0.2)
    axes.set(xlabel="epochs spent", ylabel="reached by the best so far, mean over strata")
    axes.legend()
    figure.savefig(path, dpi=150)


def _spread(values: np.ndarray, *, sign: str = "") -> str:
    if np.isnan(values).any():
        return "-"
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"
