"""TPE against chance, a Gaussian process and a multi-fidelity sampler, on recorded sweeps of real networks.

    python benchmarks/samplers.py [--repetitions 20] [--contests grid] [--samplers tpe gp]

Sweeps are played through the real plan, queue, journal and rungs, with four places a stratum, on the learning
curves of `recorded_grid.csv.gz` and between those of `recorded_wide.csv.gz` (recorded_worlds.py). A sampler
hands on what a user would take: in each stratum the configuration that was seen best, in its best epoch,
among those that ran in full. Its regret is how far that one's figure, without the noise that chose it, lies
below the best of the stratum. Shown is the mean over strata and repetitions, with a 95 % bootstrap interval,
and beside it by how much it is less than TPE's in the same repetitions.

1. Nothing is stopped, after 20, 40 and 80 trials: of the whole grid, of each stratum in the wide space.
2. ASHA as in `wide.yaml`, with rungs after epochs 1 and 3, after as many epochs as 10, 20 and 40 of these
   trials take in full.

A repetition in the wide space takes some seconds with TPE, half a minute with conformal quantile regression,
a minute with the Gaussian process. Syne Tune's sampler needs
`pip install syne-tune==0.16.0 huggingface_hub`.
"""

import math
import os
import statistics
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from itertools import product, repeat
from typing import Any, Literal

import numpy as np
import tyro
from played_sweeps import altered, play
from recorded_worlds import GridWorld, WideWorld, World
from rich.console import Console
from rich.table import Table
from scipy.stats import bootstrap

from glsweep.randomness import generator_for
from glsweep.search import make_plan
from glsweep.search.plan import strata_of
from glsweep.sweep.records import TrialRecord

PLACES = 4
Name = Literal["chance", "tpe", "gp", "cqr"]
SAMPLERS: dict[Name, dict[str, Any]] = {
    "chance": {"sampler": "sampler_rivals:Chance"},
    "tpe": {"sampler": "tpe", "parallel": PLACES},
    "gp": {"sampler": "sampler_rivals:Gp"},
    "cqr": {"sampler": "sampler_cqr:Cqr"},
}
TRIALS = 20, 40, 80
TRIALS_OF_EPOCHS = 10, 20, 40
RULES: dict[str, dict[str, Any]] = {
    "none": {"name": "none"},
    "asha": {"name": "asha", "grace_epochs": 1, "reduction_factor": 3},
}


@dataclass(frozen=True)
class Options:
    """What competes."""

    repetitions: int = 20
    first: int = 0
    """Number of the first repetition."""
    contests: tuple[Literal["grid", "wide"], ...] = ("grid",)
    """`wide` once it is recorded."""
    rules: tuple[Literal["none", "asha"], ...] = ("none", "asha")
    samplers: tuple[Name, ...] = tuple(SAMPLERS)
    processes: int = field(default_factory=lambda: os.cpu_count() or 1)


@dataclass(frozen=True)
class Contest:
    """On what terms samplers compete."""

    where: Literal["grid", "wide"]
    rule: Literal["none", "asha"]


@cache
def wide_world() -> WideWorld:
    """Return the wide space; its forests are grown once in a process."""
    return WideWorld()


def compete(contest: Contest, name: Name, number: int) -> list[float]:
    """Return a sampler's regret at each mark of a contest, and how long it took.

    Marks are trials, of all strata together on the grid and of each in the wide space, or epochs.
    """
    world: World = GridWorld(number) if contest.where == "grid" else wide_world()
    strata, epochs = len(strata_of(world.space)), world.space.search.epochs
    share = 1 if contest.where == "grid" else strata
    if contest.rule == "none":
        marks = [trials * share for trials in TRIALS]
        budget = {"trials": marks[-1]}
    else:
        marks = [trials * share * epochs for trials in TRIALS_OF_EPOCHS]
        budget = {"epochs": marks[-1]}
    search = {"budget": budget, "scheduler": RULES[contest.rule], "replicates": 1, **SAMPLERS[name]}
    space = altered(world.space, **search)
    plan = make_plan(space, seed=number, source=world.file)
    arrival = generator_for(number, "arrival")
    played = play(plan, space.search, world.curve, arrival, places=PLACES * strata)
    if contest.rule == "none":
        begun = [(record.trial.index + 1, record) for record in played.records.firsts.values()]
        return [regret(begun, mark, world) for mark in marks]
    return [regret(played.completed, mark, world) for mark in marks]


def regret(completed: Sequence[tuple[int, TrialRecord]], mark: int, world: World) -> float:
    """Return the mean regret of what is handed on at a mark; not a number while a stratum has nothing yet."""
    taken: dict[str, tuple[float, TrialRecord]] = {}
    for place, record in completed:
        found, key = record.best("relaxed_f1"), record.trial.stratum.key
        if place <= mark and found is not None and (key not in taken or found[1] > taken[key][0]):
            taken[key] = found[1], record
    strata = [stratum.key for stratum in strata_of(world.space)]
    if len(taken) < len(strata):
        return math.nan
    return statistics.fmean(world.best(key) - world.quality(taken[key][1].trial) for key in strata)


# --- What is shown


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean over repetitions."""
    found = bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(0))
    return found.confidence_interval


def shown(values: np.ndarray, sign: str = "") -> str:
    """Return a mean and its interval in thousandths; a dash where a stratum had nothing in a repetition."""
    if np.isnan(values).any():
        return "-"
    mean, low, high = (f"{1000 * figure:{sign}.1f}" for figure in (values.mean(), *interval(values)))
    return f"{mean} ({low} to {high})"


def table_of(contest: Contest, regrets: dict[Name, np.ndarray]) -> Table:
    """Return one row a sampler; `regrets` are repetitions x marks."""
    unit = "trials" if contest.rule == "none" else "trials' epochs"
    marks = TRIALS if contest.rule == "none" else TRIALS_OF_EPOCHS
    of = "the whole grid" if contest.where == "grid" else "each stratum"
    title = f"{contest.where}, rule `{contest.rule}`: regret in thousandths, after {unit} of {of}"
    columns = [f"{mark}{what}" for mark in marks for what in ("", ", less than tpe by")]
    table = Table("sampler", *columns, title=title, title_justify="left", box=None)
    for name, found in regrets.items():
        row = []
        for place in range(len(marks)):
            row.append(shown(found[:, place]))
            is_other = name != "tpe" and "tpe" in regrets
            row.append(shown(regrets["tpe"][:, place] - found[:, place], "+") if is_other else "")
        table.add_row(name, *row)
    return table


def main(options: Options) -> None:
    """Print how good the forest is, and a table a contest."""
    console = Console(width=150)
    if "wide" in options.contests:
        columns = (
            "stratum",
            "configurations",
            "their sd",
            "sd of what is off",
            "explained",
            "rank correlation",
        )
        checked = Table(*columns, title="wide: the forest, cross-validated", title_justify="left", box=None)
        for row in wide_world().check():
            checked.add_row(*row)
        console.print(checked)
    numbers = range(options.first, options.first + options.repetitions)
    with ProcessPoolExecutor(options.processes) as pool:
        for where, rule in product(options.contests, options.rules):
            contest, regrets = Contest(where, rule), {}
            for name in options.samplers:
                found = pool.map(compete, repeat(contest), repeat(name), numbers)
                regrets[name] = np.array(list(found))
            console.print(table_of(contest, regrets))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
