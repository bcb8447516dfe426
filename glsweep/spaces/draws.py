"""Random search: configurations drawn one after another, each once."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from numpy.random import Generator

from glsweep.config.space import SearchSpace
from glsweep.config.trial import Stratum
from glsweep.randomness import generator_for
from glsweep.spaces.configurations import Configurations
from glsweep.spaces.first import first_points
from glsweep.spaces.plan import Answer, Past, PlannedTrial
from glsweep.spaces.strata import strata_of
from glsweep.spaces.traversal import Point, draw, grid_points, is_finite

DRAWS = 100


class RandomPlan:
    """Those named first, then random draws until the budget is spent or the space is drawn out.

    Each draw follows from the seed, from its number, and from what was tried before: trials of an
    earlier run keep their places, also where the space was smaller then.
    """

    def __init__(self, space: SearchSpace, *, seed: int, source: Path) -> None:
        self._space, self._seed = space, seed
        self._configurations = Configurations(space, seed=seed, source=source)
        self._first = first_points(space, seed=seed, source=source)
        self._trials: list[PlannedTrial] = []

    @property
    def strata(self) -> tuple[Stratum, ...]:
        """Every stratum of the space, sorted."""
        return strata_of(self._space)

    @property
    def size(self) -> int | None:
        """How many configurations there are; None when only a budget of epochs or hours ends them."""
        return size_of(self._space)

    def propose(self, index: int, past: Callable[[int], Past]) -> PlannedTrial | Answer:
        """Return draw number `index`, whatever became of earlier ones."""
        for known in range(len(self._trials), index):
            trial = past(known).trial
            self._configurations.recall(trial)
            self._trials.append(trial)
        if index == len(self._trials):
            drawn = self._named() or self._draw(generator_for(self._seed, "random search", index))
            if drawn is None:
                return Answer.END
            self._trials.append(drawn)
        return self._trials[index]

    def _named(self) -> PlannedTrial | None:
        """Return the next of those named first, if any is left."""
        taken = map(self._configurations.take, self._first)
        return next((trial for trial in taken if trial is not None), None)

    def _draw(self, generator: Generator) -> PlannedTrial | None:
        for _ in range(DRAWS):
            trial = self._configurations.take(draw(self._space.dimensions, generator))
            if trial is not None:
                return trial
        left = untried(self._space, self._configurations)
        return self._configurations.take(left[generator.integers(len(left))]) if left else None


def untried(space: SearchSpace, configurations: Configurations) -> list[Point]:
    """Return the points that are left of a space; none of one with ranges that have no lattice.

    Meant for when draws yield nothing new: then there are few more points than were tried.
    """
    if not _is_finite(space):
        return []
    return [point for point in grid_points(space.dimensions) if configurations.is_new(point)]


def size_of(space: SearchSpace) -> int | None:
    """Return how many configurations may be drawn from `space`, None without a budget of trials."""
    budget = space.search.budget.trials
    if budget is None or not _is_finite(space):
        return budget
    return sum(1 for _ in islice(grid_points(space.dimensions), budget))


def _is_finite(space: SearchSpace) -> bool:
    return all(is_finite(name, dimension) for name, dimension in space.dimensions.items())
