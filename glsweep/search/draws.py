"""Configurations, each taken once: those that a space names to be tried first, and random draws."""

import hashlib
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator

from glsweep.config.dimension import Dimension, Span, as_tuples, parameters_of, span_of
from glsweep.config.settings import Keys, refusal, validate
from glsweep.config.space import SearchSpace
from glsweep.config.trial import Stratum, TrialParameters, canonical
from glsweep.errors import ConfigError
from glsweep.randomness import generator_for, seed_for
from glsweep.search.plan import (
    EarlierTrial,
    ListedPlan,
    NoProposal,
    Picked,
    Plan,
    PlannedTrial,
    Point,
    draw,
    grid_pick,
    grid_points,
    is_finite,
    place_label,
    random_pick,
    strata_of,
    traverse,
)


class Configurations:
    """Makes trials of points, and remembers which configurations have been taken.

    Each trial has its own seed: with a common one, a seed that suits narrow networks badly would spoil
    a whole stratum.
    """

    def __init__(self, space: SearchSpace, *, seed: int, source: Path) -> None:
        self._space = space
        self._fixed = {canonical(name): value for name, value in space.fixed.items()}
        self._seed, self._source = seed, source
        self._taken: set[TrialParameters] = set()

    def parameters(self, point: Point) -> TrialParameters:
        """Return the whole configuration of a point.

        Raises
        ------
        ConfigError
            When a value is missing or not allowed; the message names the file of the space.
        """
        return validate(
            {**self._fixed, **point.values},
            TrialParameters,
            self._source,
            written=lambda keys: self._place_in_file(point, str(keys[0]) if keys else ""),
        )

    def _place_in_file(self, point: Point, parameter: str) -> Keys:
        """Return where in the file a parameter of a point is set, or should be."""
        dimensions = self._space.dimensions
        set_in = [name for name in point.picked if parameter in parameters_of(name, dimensions[name])]
        named = (name for name in self._space.fixed if canonical(name) == parameter)
        return ("dimensions", set_in[-1]) if set_in else ("fixed", next(named, parameter))

    def is_new(self, point: Point) -> bool:
        """Whether no trial has this configuration yet."""
        return self.parameters(point) not in self._taken

    def take(self, point: Point) -> PlannedTrial | None:
        """Return the next trial, or None if its configuration has been taken."""
        parameters = self.parameters(point)
        if parameters in self._taken:
            return None
        index = len(self._taken)
        self._taken.add(parameters)
        fingerprint = hashlib.sha256(parameters.model_dump_json().encode()).hexdigest()[:8]
        return PlannedTrial(
            trial_id=f"{place_label(index)}-{fingerprint}",
            index=index,
            seed=seed_for(self._seed, "trial", fingerprint),
            parameters=parameters,
            choices=point.picked,
        )

    def recall(self, trial: PlannedTrial) -> None:
        """Note a trial that was made in an earlier run of the sweep."""
        self._taken.add(trial.parameters)


# --- Configurations that are tried first

DRAWS = 100


def first_points(space: SearchSpace, *, seed: int, source: Path) -> list[Point]:
    """Return a point for each entry of `search.first`; dimensions that it leaves out are drawn.

    Raises
    ------
    ConfigError
        When an entry names something that the space lacks, or dimensions that never exist together.
    """
    return [
        _Entry(space, source, number).complete(generator_for(seed, "first", number))
        for number in range(len(space.search.first))
    ]


class _Entry:
    """One entry of `search.first`, with its place in the file."""

    def __init__(self, space: SearchSpace, source: Path, number: int) -> None:
        self._space, self._source = space, source
        self._where: Keys = ("search", "first", number)
        self._given = space.search.first[number]

    def complete(self, generator: np.random.Generator) -> Point:
        """Return the point of this entry; what it leaves out is drawn."""
        given: dict[str, Picked] = {}
        for name, value in self._given.items():
            dimension = self._dimension(name)
            if dimension in given:
                raise self._refused(name, f"sets {dimension}, which is named there already; remove one")
            given[dimension] = self._pick(name, dimension, value)
        rest = grid_pick(generator) if self._space.search.sampler == "grid" else random_pick(generator)

        def pick(name: str, dimension: Dimension) -> Picked:
            return given[name] if name in given else rest(name, dimension)

        unmet: list[str] = []
        for _ in range(DRAWS):
            point = traverse(self._space.dimensions, pick)
            unmet = [name for name in self._given if self._dimension(name) not in point.picked]
            if not unmet:
                return point
        raise self._refused(unmet[0], "does not exist beside the others named there; mind its `when`")

    def _dimension(self, name: str) -> str:
        """Return the name of the dimension that `name` stands for."""
        dimensions = self._space.dimensions
        for known in (name, *dimensions):
            if known in dimensions and canonical(known) == canonical(name):
                return known
        known_names = ", ".join(dimensions)
        raise self._refused(name, f"{name!r} is not a dimension of this space; known: {known_names}")

    def _pick(self, name: str, dimension: str, value: Any) -> Picked:
        known_dimension = self._space.dimensions[dimension]
        if isinstance(value, bool):  # which equals 1 or 0
            raise self._refused(name, f"{str(value).lower()} is none of its values; write one of those")
        if known_dimension.choices is None:
            return self._in_range(name, span_of(dimension, known_dimension), value)
        choices = [as_tuples(choice) for choice in known_dimension.choices]
        if as_tuples(value) in choices:
            return choices.index(as_tuples(value))
        labels = known_dimension.labels or ()
        if value in labels:
            return labels.index(value)
        known = ", ".join([*map(repr, known_dimension.model_dump(mode="json")["choices"]), *labels])
        raise self._refused(name, f"{value!r} is none of its choices; known: {known}")

    def _in_range(self, name: str, span: Span, value: Any) -> Picked:
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            fault = f"{value!r} is not a number; choose one from {span.low:g} to {span.high:g}"
            raise self._refused(name, fault) from error
        if not span.low <= number <= span.high:
            fault = f"{value!r} is out of range; choose a number from {span.low:g} to {span.high:g}"
            raise self._refused(name, fault)
        if not span.holds(number):
            below, above = span.neighbours(number)
            raise self._refused(name, f"{value!r} lies between two steps; choose {below:g} or {above:g}")
        return span.as_picked(number)

    def _refused(self, name: str, fault: str) -> ConfigError:
        return refusal(self._source, (*self._where, name), fault)


# --- Random search


class RandomPlan:
    """Configurations named in `search.first`, then random draws until the budget or the space is used up.

    Each draw follows from the seed, its number and what was tried before. Trials of an earlier run keep
    their places, even if the space was smaller then.
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

    def propose(self, index: int, past: Callable[[int], EarlierTrial]) -> PlannedTrial | NoProposal:
        """Return draw number `index`, whatever the outcome of earlier ones."""
        for known in range(len(self._trials), index):
            trial = past(known).trial
            self._configurations.recall(trial)
            self._trials.append(trial)
        if index == len(self._trials):
            drawn = self._next_of_first() or self._draw(generator_for(self._seed, "random search", index))
            if drawn is None:
                return NoProposal.END
            self._trials.append(drawn)
        return self._trials[index]

    def _next_of_first(self) -> PlannedTrial | None:
        """Return the next configuration of `search.first`, if any is left."""
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
    """Return the points of a space that were not tried; none if it has ranges without a lattice.

    Meant for when draws yield nothing new, so that few points are left.
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


# --- What a sweep may train

SAMPLED = 200


def trials_of(space: SearchSpace, plan: Plan, source: Path) -> Iterable[TrialParameters]:
    """Return the plan's trials; of one that is drawn as the sweep goes, as many as chance would draw."""
    if isinstance(plan, ListedPlan):
        return (trial.parameters for trial in plan.trials)
    configurations = Configurations(space, seed=0, source=source)
    picks = (random_pick(generator_for(0, "start", str(number))) for number in range(SAMPLED))
    return (configurations.parameters(traverse(space.dimensions, pick)) for pick in picks)
