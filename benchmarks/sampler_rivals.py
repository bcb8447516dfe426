"""Chance and other people's samplers, as samplers of one's own: a search space names them by import path.

Strata take turns as with the package's own, each with a searcher of its own, which is told of every epoch as
soon as it is over. Which trials are stopped is not theirs to say: that is the package's rule for all.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from recorded_worlds import drawn_within

from glsweep.config.dimension import Dimension, parameters_of, span_of
from glsweep.config.space import SearchSpace
from glsweep.config.trial import Stratum
from glsweep.randomness import generator_for, seed_for
from glsweep.search.draws import Configurations, size_of, untried
from glsweep.search.plan import (
    SET_BY_STRATUM,
    EarlierTrial,
    NoProposal,
    Picked,
    PlannedTrial,
    Point,
    strata_of,
    traverse,
)

# After so many proposals of what was tried already, one of the untried is drawn.
ATTEMPTS = 10


class Searcher(Protocol):
    """Searches one stratum."""

    def ask(self, seed: int) -> Mapping[str, Picked]:
        """Return what to pick; of dimensions that do not exist beside the others, anything."""

    def tell(self, earlier: EarlierTrial) -> None:
        """Learn of an epoch of an earlier trial, or of its end."""


class RivalPlan:
    """Asks the strata's searchers in turn."""

    def __init__(self, space: SearchSpace, *, seed: int, source: Path) -> None:
        self._space, self._seed = space, seed
        self._configurations = Configurations(space, seed=seed, source=source)
        self.strata = strata_of(space)
        self._searchers = {
            stratum: self.searcher(stratum, seed_for(seed, "searcher", stratum.key))
            for stratum in self.strata
        }
        self._trials: list[PlannedTrial] = []
        self._told: dict[int, tuple[int, bool]] = {}

    def searcher(self, stratum: Stratum, seed: int) -> Searcher:
        """Return the searcher of a stratum."""
        raise NotImplementedError

    @property
    def size(self) -> int | None:
        """How many configurations there are, None where nothing limits them."""
        return size_of(self._space)

    def propose(self, index: int, past: Callable[[int], EarlierTrial]) -> PlannedTrial | NoProposal:
        """Return the next trial of the stratum with the fewest, as soon as it is asked for."""
        if index < len(self._trials):
            return self._trials[index]
        for known in range(index):
            self._tell(past(known))
        counts = dict.fromkeys(self.strata, 0)
        for trial in self._trials:
            counts[trial.stratum] += 1
        for stratum in sorted(self.strata, key=lambda one: (counts[one], one)):
            trial = self._ask(stratum, counts[stratum])
            if trial is not None:
                self._trials.append(trial)
                return trial
        return NoProposal.END

    def _tell(self, earlier: EarlierTrial) -> None:
        news = (len(earlier.metrics), earlier.outcome is not None)
        if earlier.metrics and self._told.get(earlier.trial.index) != news:
            self._told[earlier.trial.index] = news
            self._searchers[earlier.trial.stratum].tell(earlier)

    def _ask(self, stratum: Stratum, count: int) -> PlannedTrial | None:
        for attempt in range(ATTEMPTS):
            picked = self._searchers[stratum].ask(seed_for(self._seed, "ask", stratum.key, count, attempt))
            trial = self._configurations.take(self._point(picked))
            if trial is not None:
                return trial
        left = [
            point
            for point in untried(self._space, self._configurations)
            if self._configurations.parameters(point).stratum == stratum
        ]
        generator_for(self._seed, "untried", stratum.key, count).shuffle(left)
        return self._configurations.take(left[0]) if left else None

    def _point(self, picked: Mapping[str, Picked]) -> Point:
        return traverse(self._space.dimensions, lambda name, _: picked[name])


def varied(stratum: Stratum, space: SearchSpace) -> tuple[dict[str, Picked], dict[str, Dimension]]:
    """Return a configuration of a stratum, and the dimensions that have more than one value there."""
    picked = drawn_within(stratum, space, generator_for(0)).picked
    several = {
        name: one
        for name, one in space.dimensions.items()
        if name in picked
        and not parameters_of(name, one) & SET_BY_STRATUM
        and (one.choices is None or len(one.choices) > 1)
    }
    return picked, several


class Chance(RivalPlan):
    """Random search with the same number of trials in each stratum."""

    def searcher(self, stratum: Stratum, seed: int) -> Searcher:
        """Return one that learns nothing."""
        return _Chance(stratum, self._space)


class _Chance:
    def __init__(self, stratum: Stratum, space: SearchSpace) -> None:
        self._stratum, self._space = stratum, space

    def ask(self, seed: int) -> Mapping[str, Picked]:
        return drawn_within(self._stratum, self._space, generator_for(seed)).picked

    def tell(self, earlier: EarlierTrial) -> None:
        pass


class Gp(RivalPlan):
    """A Gaussian process in Optuna; of trials that were stopped it learns what they had reached."""

    def searcher(self, stratum: Stratum, seed: int) -> Searcher:
        """Return one Optuna study."""
        return _Gp(stratum, self._space, seed % 2**32)


class _Gp:
    def __init__(self, stratum: Stratum, space: SearchSpace, seed: int) -> None:
        self._picked, dimensions = varied(stratum, space)
        self._varied = {name: _distribution(name, dimension) for name, dimension in dimensions.items()}
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._study = optuna.create_study(direction="maximize", sampler=optuna.samplers.GPSampler(seed=seed))
        self._running: dict[tuple[Picked, ...], optuna.Trial] = {}

    def ask(self, seed: int) -> Mapping[str, Picked]:
        trial = self._study.ask(self._varied)
        self._running[tuple(trial.params.values())] = trial
        return {**self._picked, **trial.params}

    def tell(self, earlier: EarlierTrial) -> None:
        trial = self._running.get(tuple(earlier.trial.choices[name] for name in self._varied))
        if trial is not None and earlier.outcome is not None:
            self._study.tell(trial, max(earlier.metrics.values()), skip_if_finished=True)


def _distribution(name: str, dimension: Dimension) -> BaseDistribution:
    if dimension.choices is not None:
        return CategoricalDistribution(range(len(dimension.choices)))
    span = span_of(name, dimension)
    return FloatDistribution(span.low, span.high, log=span.log)
