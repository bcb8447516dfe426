"""A plan, which proposes the trials of a sweep, and the traversal of a search space that samplers share."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol, Self

import numpy as np
from pydantic import Field

from glsweep.config.dimension import Dimension, Span, exists_with, parameters_of, set_by, span_of
from glsweep.config.settings import Settings
from glsweep.config.space import SearchSpace
from glsweep.config.trial import Outcome, ParameterValue, Stratum, TrialParameters, canonical
from glsweep.errors import ConfigError
from glsweep.randomness import seed_for


def place_label(index: int) -> str:
    """Return the place in the sweep as identifiers begin with it."""
    return f"{index:04d}"


class PlannedTrial(Settings):
    """One configuration with one seed, and its place in the sweep.

    `index` orders the configurations of a sweep; early stopping compares a trial with earlier ones
    only, so that its decisions do not depend on how fast trials run. `choices` says what was picked in
    each dimension: the number of the choice, or the value of a range.
    `replicate` counts the seeds of one configuration from 0.
    """

    trial_id: str
    index: int
    seed: int
    parameters: TrialParameters
    choices: dict[str, int | float] = Field(default_factory=dict)
    replicate: int = 0

    @property
    def stratum(self) -> Stratum:
        """The stratum, with whose trials this one is compared."""
        return self.parameters.stratum

    @property
    def configuration(self) -> str:
        """Identifier of the configuration: that of its first trial."""
        return self.trial_id.removesuffix(f"-r{self.replicate}") if self.replicate else self.trial_id

    @property
    def identity(self) -> tuple[TrialParameters, int]:
        """Configuration and seed, by which it is the same trial in another plan."""
        return self.parameters, self.seed

    def moved_to(self, index: int) -> Self:
        """Return the same trial at another place; its identifier changes accordingly."""
        trial_id = self.trial_id.replace(place_label(self.index), place_label(index), 1)
        return self.model_copy(update={"index": index, "trial_id": trial_id})

    def replicated(self, replicate: int) -> Self:
        """Return the same configuration with another seed; `self` is its first trial."""
        return self.model_copy(
            update={
                "trial_id": f"{self.trial_id}-r{replicate}",
                "seed": seed_for(self.seed, "replicate", replicate),
                "replicate": replicate,
            }
        )


@dataclass(frozen=True)
class EarlierTrial:
    """An earlier trial, its outcome (None while it runs) and its metric at each epoch."""

    trial: PlannedTrial
    outcome: Outcome | None
    metrics: Mapping[int, float]


class NoProposal(Enum):
    """What a plan returns when it proposes no trial."""

    WAIT = "the proposal depends on trials that are not over"
    END = "there is no other configuration"


class Plan(Protocol):
    """Proposes configurations one after another; the same ones for the same seed and past."""

    @property
    def strata(self) -> tuple[Stratum, ...]:
        """Every stratum that a trial may belong to, sorted."""

    @property
    def size(self) -> int | None:
        """How many configurations there are; None when only a budget of epochs or hours ends them."""

    def propose(self, index: int, past: Callable[[int], EarlierTrial]) -> PlannedTrial | NoProposal:
        """Return trial number `index`; repeated calls return the same one.

        `past` returns any trial with a lower index, each of which was proposed and has begun.
        """


class ListedPlan:
    """A plan whose trials are all known beforehand.

    Parameters
    ----------
    trials : iterable of PlannedTrial
        In their order.
    begun : sequence of PlannedTrial
        Those that the sweep has begun, in the order of their index, perhaps by an earlier, smaller plan.
        They keep their places, and the others come after them.
    most : int, optional
        The largest number of configurations.
    """

    def __init__(
        self, trials: Iterable[PlannedTrial], *, begun: Sequence[PlannedTrial] = (), most: int | None = None
    ) -> None:
        known = {trial.identity for trial in begun}
        others = [trial for trial in trials if trial.identity not in known]
        moved = (trial.moved_to(index) for index, trial in enumerate(others, start=len(begun)))
        self.trials = (*begun, *moved)[: None if most is None else max(most, len(begun))]

    @property
    def strata(self) -> tuple[Stratum, ...]:
        """Every stratum of the trials, sorted."""
        return tuple(sorted({trial.stratum for trial in self.trials}))

    @property
    def size(self) -> int | None:
        """How many trials there are."""
        return len(self.trials)

    def propose(self, index: int, past: Callable[[int], EarlierTrial]) -> PlannedTrial | NoProposal:
        """Return trial number `index`, whatever the outcome of earlier ones."""
        return self.trials[index] if index < len(self.trials) else NoProposal.END


def patch_sizes_px(strata: Iterable[Stratum]) -> list[int]:
    """Return the patch sizes of `strata` in pixels, ascending."""
    return sorted({stratum.patch_size_px for stratum in strata})


# --- The traversal of a search space

Picked = int | float
Pick = Callable[[str, Dimension], Picked]


@dataclass(frozen=True)
class Point:
    """One point of a search space.

    Attributes
    ----------
    picked : dict
        By dimension: the number of the choice, or the value of a range.
    values : dict
        By parameter; tuples of tied parameters are split.
    """

    picked: dict[str, Picked]
    values: dict[str, ParameterValue]


def traverse(dimensions: Mapping[str, Dimension], pick: Pick) -> Point:
    """Walk the dimensions in order, picking in each.

    A dimension whose `when` is not met is skipped, so that its parameter is absent.

    Parameters
    ----------
    dimensions : mapping of str to Dimension
        In the order in which they are decided; `when` may name earlier ones only.
    pick : callable
        Called as `pick(name, dimension)`; returns the number of one of its choices, or a value in
        its range.
    """
    picked: dict[str, Picked] = {}
    values: dict[str, ParameterValue] = {}
    for name, dimension in dimensions.items():
        if exists_with(dimension, values):
            picked[name] = pick(name, dimension)
            values.update(set_by(name, dimension, picked[name]))
    return Point(picked, values)


def grid_points(dimensions: Mapping[str, Dimension]) -> Iterator[Point]:
    """Yield every combination that the conditions allow, once, the last dimension fastest.

    Raises
    ------
    ConfigError
        When a range has no `grid` to enumerate.
    """
    path: list[int] = []
    while True:
        sizes: list[int] = []

        def pick(name: str, dimension: Dimension, sizes: list[int] = sizes) -> Picked:
            options = grid_options(name, dimension)
            if len(sizes) == len(path):
                path.append(0)
            sizes.append(len(options))
            return options[path[len(sizes) - 1]]

        yield traverse(dimensions, pick)
        while path and path[-1] == sizes[len(path) - 1] - 1:
            path.pop()
        if not path:
            return
        path[-1] += 1


def enumerate_grid(dimensions: Mapping[str, Dimension]) -> Iterator[dict[str, ParameterValue]]:
    """Yield the values of every grid point; see `grid_points`."""
    return (point.values for point in grid_points(dimensions))


def grid_options(name: str, dimension: Dimension) -> Sequence[Picked]:
    """Return everything that can be picked in a dimension of a grid."""
    if dimension.choices is not None:
        return range(len(dimension.choices))
    span = span_of(name, dimension)
    if dimension.grid is not None:
        return [span.as_picked(value) for value in dimension.grid]
    if not span.is_enumerable:
        raise ConfigError(
            f"dimensions.{name}: a range needs `grid` to be enumerated; add it, or a `step`, or use "
            "`sampler: random`"
        )
    return span.values()


def is_finite(name: str, dimension: Dimension) -> bool:
    """Return whether all values of a dimension can be enumerated."""
    return dimension.choices is not None or span_of(name, dimension).is_enumerable


def random_pick(generator: np.random.Generator) -> Pick:
    """Return the pick that draws: choices evenly, ranges evenly or log-evenly."""

    def pick(name: str, dimension: Dimension) -> Picked:
        if dimension.choices is not None:
            return int(generator.integers(len(dimension.choices)))
        return _drawn(span_of(name, dimension), generator)

    return pick


def _drawn(span: Span, generator: np.random.Generator) -> Picked:
    if span.step is None:
        if not span.log:
            return float(generator.uniform(span.low, span.high))
        # Rounding may push the exponential just beyond an end.
        drawn = float(np.exp(generator.uniform(np.log(span.low), np.log(span.high))))
        return min(max(drawn, span.low), span.high)
    if not span.log:
        return span.at(int(generator.integers(span.first, span.last + 1)))
    # Each point gets the share of the numbers that are rounded to it, also at the ends.
    number = np.exp(generator.uniform(np.log(span.first - 0.5), np.log(span.last + 0.5)))
    return span.at(min(max(round(number), span.first), span.last))


def grid_pick(generator: np.random.Generator) -> Pick:
    """Return the pick that draws among the options of a grid."""

    def pick(name: str, dimension: Dimension) -> Picked:
        options = grid_options(name, dimension)
        return options[int(generator.integers(len(options)))]

    return pick


def draw(dimensions: Mapping[str, Dimension], generator: np.random.Generator) -> Point:
    """Draw one point at random."""
    return traverse(dimensions, random_pick(generator))


# --- The strata of a search space, and what can be picked within one

SET_BY_STRATUM = set(Stratum._fields)


def strata_of(space: SearchSpace) -> tuple[Stratum, ...]:
    """Return every stratum that a configuration of `space` may belong to, sorted.

    Raises
    ------
    ConfigError
        When a range that cannot be enumerated decides on the stratum.
    """
    fixed = {canonical(name): value for name, value in space.fixed.items()}
    points = grid_points(_deciding(space.dimensions))
    return tuple(sorted({_stratum({**fixed, **point.values}) for point in points}))


def picks_within(stratum: Stratum, name: str, dimension: Dimension) -> list[Picked]:
    """Return the picks that a trial of `stratum` may have in a dimension that affects the stratum."""
    wanted = stratum._asdict()
    return [
        picked
        for picked in grid_options(name, dimension)
        if all(
            value == wanted[parameter]
            for parameter, value in set_by(name, dimension, picked).items()
            if parameter in SET_BY_STRATUM
        )
    ]


def _deciding(dimensions: Mapping[str, Dimension]) -> dict[str, Dimension]:
    """Return the dimensions that set the stratum, and those that conditions on them name."""
    needed = set(SET_BY_STRATUM)
    for name in reversed(list(dimensions)):
        if parameters_of(name, dimensions[name]) & needed:
            needed |= {canonical(key) for key in dimensions[name].when}
    return {name: d for name, d in dimensions.items() if parameters_of(name, d) & needed}


def _stratum(values: Mapping[str, Any]) -> Stratum:
    return Stratum(values["architecture"], int(values["patch_size_px"]))
