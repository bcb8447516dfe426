"""Part 1 of search.py: the grid of `seed_asha` in full, and under rules of early stopping."""

import statistics
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from invented_networks import Learner, curve, grid_world
from invented_sweeps import altered, sweep

from glsweep.config.space import Asha, NoStopping, load_space
from glsweep.sweep.outcomes import winners

GRID = Path(__file__).resolve().parents[1] / "search_spaces" / "seed_asha.yaml"
OTHER_RULES = [
    Asha(grace_epochs=1, reduction_factor=2),
    Asha(grace_epochs=1, reduction_factor=4),
    Asha(grace_epochs=2, reduction_factor=3),
]
SLOW = (0.0, 0.25)
SEEDS_FOR_NOISE = 40
COLUMNS = (
    "slow starters",
    "grace, reduction",
    "share of epochs",
    "same winner",
    "or within noise",
    "behind",
    "noise of two seeds",
    "strata",
)


@dataclass(frozen=True)
class Found:
    """What early stopping found in one stratum of one world, against the grid."""

    is_same: bool
    behind: float
    noise: float


def noise_of_two_seeds(learner: Learner, epochs: int) -> float:
    """By how much the best figures of two runs of one configuration differ, as a standard deviation."""
    bests = [max(curve(learner, seed, epochs)) for seed in range(SEEDS_FOR_NOISE)]
    return statistics.stdev(bests) * 2**0.5


def stop_early(number: int, slow: float, rules: Sequence[Asha]) -> list[tuple[float, list[Found]]]:
    """For each rule the share of the grid's epochs, and what was found in each stratum."""
    space, world = load_space(GRID), grid_world(number, slow=slow)
    full = sweep(altered(space, scheduler=NoStopping().model_dump()), GRID, world, number).records
    best = winners(full, "relaxed_f1")
    results = []
    for rule in rules:
        stopped = sweep(altered(space, scheduler=rule.model_dump()), GRID, world, number).records
        found = []
        for key, won in winners(stopped, "relaxed_f1").items():
            learner = world(full.trials[best[key].trial_id].trial.parameters)
            found.append(
                Found(
                    is_same=won.trial_id == best[key].trial_id,
                    behind=best[key].value - won.value,
                    noise=noise_of_two_seeds(learner, space.search.epochs),
                )
            )
        results.append((stopped.epochs / full.epochs, found))
    return results


def table_rows(worlds: int, pool: Executor) -> list[list[str]]:
    """One row a rule and kind of world."""
    rows = []
    own = load_space(GRID).search.scheduler
    assert isinstance(own, Asha)
    rules = [own, *OTHER_RULES]
    for slow in SLOW:
        results = list(pool.map(stop_early, range(worlds), [slow] * worlds, [rules] * worlds))
        for number, rule in enumerate(rules):
            shares = [result[number][0] for result in results]
            found = [one for result in results for one in result[number][1]]
            rows.append(
                [
                    f"{slow:.0%}",
                    f"{rule.grace_epochs}, {rule.reduction_factor}" + (" (seed_asha)" if rule == own else ""),
                    f"{statistics.fmean(shares):.2f} ({min(shares):.2f}-{max(shares):.2f})",
                    f"{statistics.fmean(one.is_same for one in found):.0%}",
                    f"{statistics.fmean(one.behind <= one.noise for one in found):.0%}",
                    f"{statistics.fmean(one.behind for one in found):.4f}",
                    f"{statistics.fmean(one.noise for one in found):.4f}",
                    f"{len(found)}",
                ]
            )
    return rows
