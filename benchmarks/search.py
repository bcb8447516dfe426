"""Does TPE beat chance? `wide` searched on invented networks, by both with the same budget.

    python benchmarks/search.py [--worlds 10] [--figure curves.png]

The plans, the queue, the journal and its rungs are the real ones, and so is the search space; invented are
the learning curves (invented_networks.py). First with early stopping as in the file and a budget of epochs,
then without and with a budget of trials. Reported is what the best configuration found so far reaches in the
long run, free of the noise that chose it, as the mean over strata: median and quartiles over worlds, and the
mean lead with its standard error.
"""

import math
import statistics
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from invented_networks import World, curve_of, wide_world
from matplotlib.figure import Figure
from played_sweeps import Played, altered, play
from rich.console import Console
from rich.table import Table

from glsweep.config.space import load_space
from glsweep.randomness import generator_for
from glsweep.search import make_plan

WIDE = Path(__file__).resolve().parents[1] / "search_spaces" / "wide.yaml"
PARTS = 8
Curves = dict[str, np.ndarray]


@dataclass
class Options:
    """What is tried."""

    worlds: Annotated[int, tyro.conf.arg(help="how many")] = 10
    figure: Annotated[Path | None, tyro.conf.arg(help="where to draw the curves")] = None


@dataclass(frozen=True)
class Contest:
    """On what terms TPE and chance compete."""

    title: str
    epochs: int
    search: dict[str, Any]


CONTESTS = (
    Contest("early stopping as in the file, a budget of 4,000 epochs", 4000, {"budget": {"epochs": 4000}}),
    Contest(
        "no early stopping, 360 trials of 27 epochs",
        360 * 27,
        {"budget": {"trials": 360}, "scheduler": {"name": "none"}},
    ),
)


def compete(number: int, sampler: str, contest: Contest) -> list[float]:
    """What the best configuration so far reaches, after each part of the budget."""
    wide = load_space(WIDE)
    parallel = wide.search.parallel if sampler == "tpe" else None
    space = altered(wide, sampler=sampler, parallel=parallel, replicates=1, **contest.search)
    world = wide_world(number)
    played = play(
        make_plan(space, seed=number, source=WIDE),
        space.search,
        lambda trial: curve_of(trial, world, space.search.epochs),
        generator_for(number, "arrival"),
        places=24,
    )
    return [_reached(played, world, contest.epochs * part / PARTS) for part in range(1, PARTS + 1)]


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


def curves(worlds: int, contest: Contest, pool: Executor) -> Curves:
    """By sampler: worlds x parts of the budget."""
    numbers, terms = range(worlds), [contest] * worlds
    return {
        sampler: np.array(list(pool.map(compete, numbers, [sampler] * worlds, terms)))
        for sampler in ("random", "tpe")
    }


def table_rows(found: Curves, epochs: int) -> list[list[str]]:
    """One row a part of the budget."""
    lead = found["tpe"] - found["random"]
    return [
        [
            f"{epochs * (part + 1) // PARTS}",
            *(_spread(found[name][:, part]) for name in found),
            _mean(lead[:, part]),
            f"{(lead[:, part] > 0).sum()} of {len(lead)}",
        ]
        for part in range(PARTS)
    ]


def draw(found: Sequence[Curves], path: Path) -> None:
    """Draw the curves of each contest with their quartiles."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, contest, one in zip(figure.subplots(1, len(found)), CONTESTS, found, strict=True):
        for name, values in one.items():
            low, middle, high = np.percentile(values, [25, 50, 75], axis=0)
            spent = contest.epochs * np.arange(1, PARTS + 1) / PARTS
            axes.plot(spent, middle, marker="o", label=name)
            axes.fill_between(spent, low, high, alpha=0.2)
        axes.set(title=contest.title, xlabel="epochs spent", ylabel="best so far, mean over strata")
        axes.legend()
    figure.savefig(path, dpi=150)


def _spread(values: np.ndarray) -> str:
    if np.isnan(values).any():
        return "-"
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def _mean(values: np.ndarray) -> str:
    if np.isnan(values).any():
        return "-"
    return f"{values.mean():+.4f} +- {values.std(ddof=1) / len(values) ** 0.5:.4f}"


def main(options: Options) -> None:
    """Print a table for each contest."""
    console = Console(width=120)
    with ProcessPoolExecutor() as pool:
        found = [curves(options.worlds, contest, pool) for contest in CONTESTS]
    for contest, one in zip(CONTESTS, found, strict=True):
        columns = ["epochs", *one, "mean lead of tpe", "tpe ahead"]
        table = Table(*columns, title=f"`wide`, {contest.title}", title_justify="left", box=None)
        for row in table_rows(one, contest.epochs):
            table.add_row(*row)
        console.print(table)
    if options.figure is not None:
        draw(found, options.figure)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
