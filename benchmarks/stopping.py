"""What early stopping costs and loses, on invented learning curves and on recorded ones.

    python benchmarks/stopping.py [--sweeps 40]

The grid of 160 configurations is swept many times, each time in another order and with other seeds, under
the package's rules (`glsweep.sweep.rungs`, in the plan's order) and under Ray Tune's and Syne Tune's own
(stopping_rivals.py; Syne Tune's rows need `pip install syne-tune==0.13.0`, the last one with PASHA). Invented
are twenty worlds of invented_networks.py, half of them with slow starters; recorded is the grid of
recorded_grid.yaml, of whose seeds one is drawn for each configuration.

`lost` is by how much the winner's own run, trained in full, is behind the best run of the stratum, and
`configuration lost` by how much its configuration is behind the best one, as the mean of seeds that chose
nothing: what another seed can expect. Both are means over strata, with the standard error over sweeps; less
is better. `told apart` is the share of winners that a paired t test over the recorded seeds (one-sided, 5 %)
finds worse than the best configuration of the grid. A sixth and a third of the configurations, taken at
random and trained in full, are what any rule must beat.
"""

import platform
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tyro
from invented_networks import curve_of, grid_world
from measured import Measured, MeasuredFile, add
from recorded_sweeps import FIGURE, Recorded, read_recorded
from rich.console import Console
from rich.table import Table
from scipy.stats import ttest_rel
from stopping_rivals import Rule, rivals

from glsweep.config.space import SearchSpace, load_space
from glsweep.config.stopping import Asha, Halving, Median, NoStopping, Stopping
from glsweep.search import plan_trials
from glsweep.search.plan import PlannedTrial
from glsweep.sweep.records import TrialRecord
from glsweep.sweep.replay import Configuration, replay_trials

HERE = Path(__file__).parent
RECORDED = HERE / "recorded_grid.csv.gz"
RECORDED_SPACE = HERE / "recorded_grid.yaml"
GRID = HERE.parent / "search_spaces" / "seed_asha.yaml"
SLOW = 0.25
SIGNIFICANT = 0.05
ASHA = "Ray Tune's ASHA 1, 3"
OWN = (
    NoStopping(),
    Median(grace_epochs=2),
    *(Asha(grace_epochs=grace, reduction_factor=factor) for grace, factor in ((1, 3), (1, 4), (2, 3))),
    *(
        Halving(grace_epochs=grace, reduction_factor=factor)
        for grace, factor in ((1, 2), (1, 3), (1, 4), (1, 8), (1, 16), (2, 4), (2, 8), (3, 8))
    ),
)


@dataclass(frozen=True)
class Options:
    """How much is played."""

    sweeps: int = 40
    """Of each kind."""
    measured: MeasuredFile = None


@dataclass(frozen=True)
class Stratum:
    """The trials of a stratum in the plan's order, with the curve of each in full.

    Attributes
    ----------
    curves : array of shape (trials, epochs)
    truths : array of shape (trials,)
        What other seeds of each configuration come to.
    seeds : array of shape (trials, seeds), or None
        The best figure of every recorded seed.
    """

    trials: list[PlannedTrial]
    curves: np.ndarray
    truths: np.ndarray
    seeds: np.ndarray | None = None


@dataclass(frozen=True)
class Outcome:
    """What a rule did in one sweep: epochs as a share of the grid's, and means over strata."""

    share: float
    lost: float
    configuration_lost: float
    told_apart: float


# --- Sweeps to be played


def by_stratum(trials: Iterable[PlannedTrial]) -> list[list[PlannedTrial]]:
    """Return the trials of each stratum, in their order."""
    strata: dict[str, list[PlannedTrial]] = {}
    for trial in trials:
        strata.setdefault(trial.stratum.key, []).append(trial)
    return list(strata.values())


def invented_sweep(number: int, space: SearchSpace) -> Iterator[Stratum]:
    """Yield the strata of the grid in a world of invented networks."""
    world = grid_world(number, slow=SLOW * (number % 2))
    for trials in by_stratum(plan_trials(space, seed=number, source=GRID)):
        curves = np.array([curve_of(trial, world, space.search.epochs) for trial in trials])
        yield Stratum(trials, curves, np.array([world(trial.parameters).quality for trial in trials]))


def recorded_sweep(number: int, space: SearchSpace, recorded: Recorded) -> Iterator[Stratum]:
    """Yield the strata of the recorded grid, with a seed drawn for each configuration."""
    for trials in by_stratum(plan_trials(space, seed=number, source=RECORDED_SPACE)):
        drawn = [recorded.drawn(trial, number) for trial in trials]
        seeds = np.array([recorded.of(trial).max(axis=1) for trial in trials])
        curves, truths = (np.array(part) for part in zip(*drawn, strict=True))
        yield Stratum(trials, curves, truths, seeds)


# --- Rules


def own_rule(stopping: Stopping, stratum: Stratum) -> np.ndarray:
    """Return the epochs that each trial trains under one of the package's rules."""
    epochs = stratum.curves.shape[1]
    configurations = [
        Configuration(
            TrialRecord(
                trial,
                0.0,
                epochs={epoch: {FIGURE: float(value)} for epoch, value in enumerate(curve, start=1)},
                reached=epochs,
                outcome="completed",
            )
        )
        for trial, curve in zip(stratum.trials, stratum.curves, strict=True)
    ]
    return np.array([one.epochs for one in replay_trials(configurations, stopping, "relaxed_f1", epochs)])


def some_in_full(parts: int) -> Rule:
    """Return the rule that trains one configuration in so many in full, and no other."""

    def rule(curves: np.ndarray, _generator: np.random.Generator) -> np.ndarray:
        taken = np.arange(len(curves)) < max(round(len(curves) / parts), 1)
        return np.where(taken, curves.shape[1], 0)

    return rule


def title(stopping: Stopping) -> str:
    """Return how a rule of the package is called in the table."""
    numbers = ", ".join(str(value) for name, value in stopping if name != "name")
    return f"glsweep, {stopping.name} {numbers}".strip()


def plays(stratum: Stratum, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the epochs of each trial under every rule."""
    others = {"1 in 6, in full": some_in_full(6), "1 in 3, in full": some_in_full(3), **rivals()}
    return {title(stopping): own_rule(stopping, stratum) for stopping in OWN} | {
        name: rule(stratum.curves, generator) for name, rule in others.items()
    }


def outcomes(strata: list[Stratum], generator: np.random.Generator) -> dict[str, Outcome]:
    """Play one sweep under every rule."""
    played = [plays(stratum, generator) for stratum in strata]
    found = {}
    for name in played[0]:
        winners = [winner(stratum, one[name]) for stratum, one in zip(strata, played, strict=True)]
        pairs = list(zip(strata, winners, strict=True))
        found[name] = Outcome(
            share=sum(one[name].sum() for one in played) / sum(stratum.curves.size for stratum in strata),
            lost=statistics.fmean(float(lost(s.curves.max(axis=1), won)) for s, won in pairs),
            configuration_lost=statistics.fmean(lost(reference(s), won, s.truths) for s, won in pairs),
            told_apart=statistics.fmean(is_told_apart(s, won) for s, won in pairs),
        )
    return found


def winner(stratum: Stratum, epochs: np.ndarray) -> int:
    """Return the trial with the best figure of those that went furthest, the first of equals."""
    furthest = np.flatnonzero(epochs == epochs.max())
    return int(furthest[stratum.curves[furthest, : epochs.max()].max(axis=1).argmax()])


def reference(stratum: Stratum) -> np.ndarray:
    """Return what each configuration comes to, by all that is known of it."""
    return stratum.truths if stratum.seeds is None else stratum.seeds.mean(axis=1)


def lost(values: np.ndarray, won: int, of_winner: np.ndarray | None = None) -> float:
    """Return by how much a winner is behind the best."""
    return float(values.max() - (values if of_winner is None else of_winner)[won])


def is_told_apart(stratum: Stratum, won: int) -> bool:
    """Whether a paired test over seeds finds the winner worse than the best configuration."""
    if stratum.seeds is None:
        return False
    best = int(stratum.seeds.mean(axis=1).argmax())
    if best == won:
        return False
    return bool(
        ttest_rel(stratum.seeds[best], stratum.seeds[won], alternative="greater").pvalue < SIGNIFICANT
    )


# --- The tables


def with_error(values: Iterable[float]) -> str:
    """Return a mean with its standard error."""
    listed = list(values)
    return f"{statistics.fmean(listed):.4f} +- {statistics.stdev(listed) / len(listed) ** 0.5:.4f}"


def table_of(kind: str, sweeps: list[dict[str, Outcome]], *, has_seeds: bool) -> Table:
    """Return a row for each rule, the cheapest first."""
    table = Table("rule", "share of epochs", "lost", "configuration lost", title=kind, title_justify="left")
    if has_seeds:
        table.add_column("told apart")
    for name in sorted(sweeps[0], key=lambda name: statistics.fmean(one[name].share for one in sweeps)):
        of_rule = [one[name] for one in sweeps]
        shares = [one.share for one in of_rule]
        row = [
            name,
            f"{statistics.fmean(shares):.3f} ({min(shares):.3f} to {max(shares):.3f})",
            with_error(one.lost for one in of_rule),
            with_error(one.configuration_lost for one in of_rule),
        ]
        apart = f"{statistics.fmean(one.told_apart for one in of_rule):.1%}"
        table.add_row(*row, *([apart] if has_seeds else []))
    return table


def main(options: Options) -> None:
    """Print both tables."""
    console = Console(width=120)
    grid, small = load_space(GRID), load_space(RECORDED_SPACE)
    recorded = read_recorded(RECORDED)
    kinds = {
        "invented": [list(invented_sweep(number, grid)) for number in range(options.sweeps)],
        "recorded": [list(recorded_sweep(number, small, recorded)) for number in range(options.sweeps)],
    }
    default = title(grid.search.scheduler)
    for kind, sweeps in kinds.items():
        found = [outcomes(strata, np.random.default_rng(number)) for number, strata in enumerate(sweeps)]
        console.print(table_of(f"{kind}, {len(found)} sweeps", found, has_seeds=kind == "recorded"))
        share, asha_share = (statistics.fmean(one[name].share for one in found) for name in (default, ASHA))
        loss, asha_loss = (statistics.fmean(one[name].lost for one in found) for name in (default, ASHA))
        add(
            [
                Measured(f"epochs, {default}, {kind}", "the whole grid", share, at_most=1 / 6),
                Measured(f"epochs, {default}, {kind}", ASHA, share / asha_share, at_most=1),
                Measured(f"lost, {default}, {kind}", ASHA, loss / asha_loss, at_most=1),
            ],
            options.measured,
        )
    print(f"Python {platform.python_version()}, ray {version('ray')}; {time.strftime('%d %B %Y')}")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
