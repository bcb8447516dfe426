"""How much each dimension decides a trial's figure, and how sure that is: fANOVA on bootstrap draws.

Functional analysis of variance (Hutter, Hoos & Leyton-Brown 2014, ICML) fits a random forest to the
figures and splits its variance over the dimensions. Optuna's implementation does the work. Drawn
anew from the trials again and again, with another forest each time, it also tells how far its
answer is chance; and a shuffled copy of each dimension, which cannot matter, tells what it gives
to a dimension without effect.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import optuna
from optuna.distributions import BaseDistribution
from optuna.importance import FanovaImportanceEvaluator

DRAWS = 30
TREES = 8
DEPTH = 6  # the time a tree takes grows with the square of its leaves
MOST_DRAWN = 300  # a draw of fewer trials than there are only widens the interval
SHUFFLED = "shuffled "


@dataclass(frozen=True)
class Coordinate:
    """One dimension: each trial's place in it (a label or a number), and what there is to choose from."""

    places: npt.NDArray[np.object_]
    distribution: BaseDistribution


@dataclass(frozen=True)
class Share:
    """The share of the variance between trials that one dimension explains by itself.

    `low`, `median` and `high` are the 10th, 50th and 90th percentile over the draws; `chance` is
    the 90th percentile of what its shuffled copy is given.
    """

    name: str
    low: float
    median: float
    high: float
    chance: float


def shares(
    coordinates: Mapping[str, Coordinate], figures: npt.NDArray[np.float64], generator: np.random.Generator
) -> list[Share]:
    """Return the share of each dimension, in the order of `coordinates`.

    Parameters
    ----------
    coordinates : mapping of str to Coordinate
        Dimensions in which the N trials differ.
    figures : float array (N,)
        What the trials reached; not all equal.
    generator : numpy.random.Generator
        Draws trials, shuffles and forests.
    """
    draws: list[dict[str, float]] = []
    with _quiet():
        while len(draws) < DRAWS:
            drawn = generator.integers(len(figures), size=min(len(figures), MOST_DRAWN))
            if np.ptp(figures[drawn]) > 0:
                draws.append(_draw(coordinates, figures, drawn, generator))
    return [_summary(name, draws) for name in coordinates]


def _draw(
    coordinates: Mapping[str, Coordinate],
    figures: npt.NDArray[np.float64],
    drawn: npt.NDArray[np.int64],
    generator: np.random.Generator,
) -> dict[str, float]:
    places = {name: coordinate.places[drawn] for name, coordinate in coordinates.items()}
    places |= {
        SHUFFLED + name: generator.permutation(coordinate.places)[drawn]
        for name, coordinate in coordinates.items()
    }
    distributions = {name: coordinate.distribution for name, coordinate in coordinates.items()}
    distributions |= {SHUFFLED + name: distribution for name, distribution in distributions.items()}
    study = optuna.create_study()
    study.add_trials(
        [
            optuna.trial.create_trial(
                params={name: column[row] for name, column in places.items()},
                distributions=distributions,
                value=float(value),
            )
            for row, value in enumerate(figures[drawn])
        ]
    )
    forest_seed = int(generator.integers(2**31))
    return FanovaImportanceEvaluator(n_trees=TREES, max_depth=DEPTH, seed=forest_seed).evaluate(study)


def _summary(name: str, draws: list[dict[str, float]]) -> Share:
    low, median, high = np.percentile([draw[name] for draw in draws], [10, 50, 90])
    chance = np.percentile([draw[SHUFFLED + name] for draw in draws], 90)
    return Share(name, float(low), float(median), float(high), float(chance))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from announcing every study that it holds in memory."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
