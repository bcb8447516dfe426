"""Search by Optuna's tree-structured Parzen estimator (Watanabe 2023, arXiv:2304.11127).

Each stratum has a study of its own, so that a weak network is searched as well as a strong one.
Proposal number n of a stratum follows from the seed, from n, and from what became of those of its
proposals that came at least `parallel` before; those between count as running, whether or not they
are over. So the same seed proposes the same however fast each trial runs, and a sweep that was cut
off goes on as if it had not been.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from glsweep.config.dimension import as_tuples
from glsweep.config.space import SearchSpace
from glsweep.config.trial import Stratum, canonical
from glsweep.randomness import seed_for
from glsweep.spaces.configurations import Configurations
from glsweep.spaces.draws import size_of, untried
from glsweep.spaces.first import first_points
from glsweep.spaces.parzen import StratumStudy
from glsweep.spaces.plan import Answer, Past, PlannedTrial
from glsweep.spaces.strata import strata_of
from glsweep.spaces.traversal import Point

# So often Optuna is asked for a configuration that is new, and then so often chance.
ASKS, DRAWS = 10, 50


class TpePlan:
    """Those named first, then proposals for each stratum in turn until it is tried out."""

    def __init__(self, space: SearchSpace, *, seed: int, source: Path) -> None:
        self._space, self._seed = space, seed
        self._parallel = space.search.parallel or 1
        self._configurations = Configurations(space, seed=seed, source=source)
        self._first = first_points(space, seed=seed, source=source)
        self._strata = strata_of(space)
        self._studies = {
            stratum: StratumStudy(stratum, space.dimensions, space.search.rank_by) for stratum in self._strata
        }
        self._tried_out: set[Stratum] = set()
        self._trials: list[PlannedTrial] = []

    @property
    def strata(self) -> tuple[Stratum, ...]:
        """Every stratum of the space, sorted."""
        return self._strata

    @property
    def size(self) -> int | None:
        """How many configurations there are; None when only a budget of epochs or hours ends them."""
        return size_of(self._space)

    def propose(self, index: int, past: Callable[[int], Past]) -> PlannedTrial | Answer:
        """Return proposal number `index`, the same one however often it is asked for."""
        for known in range(len(self._trials), index):
            self._recall(past(known).trial)
        if index < len(self._trials):
            return self._trials[index]
        answer = self._named() or self._next(past)
        if isinstance(answer, PlannedTrial):
            self._trials.append(answer)
        return answer

    def _recall(self, trial: PlannedTrial) -> None:
        """Take in a trial that an earlier run of the sweep began."""
        self._configurations.recall(trial)
        picked = {**dict(self._picked_since(trial)), **trial.choices}
        self._studies[trial.stratum].add(trial.index, picked)
        self._trials.append(trial)

    def _picked_since(self, trial: PlannedTrial) -> Iterator[tuple[str, int]]:
        """Yield what a trial has in dimensions that were fixed when it was proposed."""
        for name, dimension in self._space.dimensions.items():
            if name not in trial.choices and dimension.choices is not None and dimension.keys is None:
                choices = as_tuples(dimension.choices)
                value = as_tuples(getattr(trial.parameters, canonical(name)))
                if value in choices:
                    yield name, choices.index(value)

    def _named(self) -> PlannedTrial | None:
        """Return the next of those named first, if any is left."""
        for point in self._first:
            trial = self._configurations.take(point)
            if trial is not None:
                self._studies[trial.stratum].add(trial.index, trial.choices)
                return trial
        return None

    def _next(self, past: Callable[[int], Past]) -> PlannedTrial | Answer:
        """Ask the stratum with the fewest trials, in an order that changes from round to round."""
        for stratum in sorted(self._studies.keys() - self._tried_out, key=self._turn):
            study = self._studies[stratum]
            if not study.learn(past, until=len(study) - self._parallel):
                return Answer.WAIT
            trial = self._ask(study) or self._take_untried(study)
            if trial is not None:
                return trial
            self._tried_out.add(stratum)
        return Answer.END

    def _turn(self, stratum: Stratum) -> tuple[int, int]:
        count = len(self._studies[stratum])
        return count, seed_for(self._seed, "turn", count, stratum.key)

    def _ask(self, study: StratumStudy) -> PlannedTrial | None:
        for attempt in range(ASKS + DRAWS):
            seed = seed_for(self._seed, "tpe", study.stratum.key, len(study), attempt)
            point = study.ask(seed, at_random=attempt >= ASKS)
            trial = self._take(point, study.stratum)
            study.settle(None if trial is None else trial.index)
            if trial is not None:
                return trial
        return None

    def _take_untried(self, study: StratumStudy) -> PlannedTrial | None:
        for point in untried(self._space, self._configurations):
            trial = self._take(point, study.stratum)
            if trial is not None:
                study.add(trial.index, trial.choices)
                return trial
        return None

    def _take(self, point: Point, stratum: Stratum) -> PlannedTrial | None:
        if self._configurations.parameters(point).stratum != stratum:
            return None
        return self._configurations.take(point)
