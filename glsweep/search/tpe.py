"""Search by Optuna's tree-structured Parzen estimator (Watanabe 2023, arXiv:2304.11127).

Each stratum has its own Optuna study, so that a weak network is searched as well as a strong one.
Proposal number n of a stratum follows from the seed, from n, and from what became of those of its
proposals that came at least `parallel` before; those between count as running, whether or not they
are over. So the same seed proposes the same trials however fast each runs, and an interrupted sweep
goes on as if it had not been interrupted.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from glsweep.config.dimension import Dimension, as_tuples, parameters_of, span_of
from glsweep.config.space import HIGHER_IS_BETTER, Metric, SearchSpace
from glsweep.config.trial import Stratum, canonical
from glsweep.randomness import seed_for
from glsweep.search.distributions import direction_of, quiet_optuna
from glsweep.search.draws import Configurations, first_points, size_of, untried
from glsweep.search.plan import (
    SET_BY_STRATUM,
    EarlierTrial,
    NoProposal,
    Picked,
    PlannedTrial,
    Point,
    picks_within,
    strata_of,
    traverse,
)

# Trials drawn at random before the estimator takes over; its densities need a few results.
STARTUP_TRIALS = 10


class StratumStudy:
    """One Optuna study; its length is the number of trials of the stratum."""

    def __init__(self, stratum: Stratum, dimensions: Mapping[str, Dimension], metric: Metric) -> None:
        self.stratum = stratum
        self._dimensions = dimensions
        self._sign = 1 if HIGHER_IS_BETTER[metric] else -1
        with quiet_optuna():
            self._study = optuna.create_study(direction=direction_of(metric))
        self._proposed: optuna.Trial | None = None
        self._trials: list[tuple[int, optuna.Trial]] = []
        self._n_learnt = 0

    def __len__(self) -> int:
        return len(self._trials)

    def add(self, index: int, picked: Mapping[str, Picked]) -> None:
        """Note that trial number `index` of the plan runs, with what was picked."""
        self._study.sampler = RandomSampler(seed=0)  # decides nothing: everything is given
        self._study.enqueue_trial({name: self._numbered(name, value) for name, value in picked.items()})
        self._point()
        self.settle(index)

    def ask(self, seed: int, *, at_random: bool) -> Point:
        """Return what Optuna proposes; `settle` must then say whether it is taken."""
        self._study.sampler = _sampler(seed, at_random=at_random)
        return self._point()

    def settle(self, index: int | None) -> None:
        """Set which trial of the plan the last proposal has become, None if it is not taken."""
        assert self._proposed is not None
        if index is None:
            self._study.tell(self._proposed, state=TrialState.FAIL)
        else:
            self._trials.append((index, self._proposed))

    def learn(self, past: Callable[[int], EarlierTrial], *, until: int) -> bool:
        """Learn what became of the trials up to number `until`; return whether all of them are over."""
        while self._n_learnt <= until:
            index, trial = self._trials[self._n_learnt]
            earlier = past(index)
            if earlier.outcome is None:
                return False
            self._tell(trial, earlier)
            self._n_learnt += 1
        return True

    def _tell(self, trial: optuna.Trial, earlier: EarlierTrial) -> None:
        if earlier.outcome == "completed":
            best = max(earlier.metrics.values(), key=lambda value: self._sign * value)
            self._study.tell(trial, best)
        elif earlier.outcome == "stopped":
            for epoch, value in sorted(earlier.metrics.items()):
                trial.report(value, step=epoch)
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, state=TrialState.FAIL)

    def _point(self) -> Point:
        self._proposed = trial = self._study.ask()

        def pick(name: str, dimension: Dimension) -> Picked:
            within = []
            if parameters_of(name, dimension) & SET_BY_STRATUM:
                within = picks_within(self.stratum, name, dimension)
            if dimension.choices is not None:
                return int(trial.suggest_categorical(name, within or list(range(len(dimension.choices)))))
            span = span_of(name, dimension)
            if span.step is None:
                return trial.suggest_float(name, span.low, span.high, log=span.log)
            ends = [span.number_of(within[0])] * 2 if within else [span.first, span.last]
            return span.at(trial.suggest_int(name, *ends, log=span.log))

        return traverse(self._dimensions, pick)

    def _numbered(self, name: str, picked: Picked) -> Picked:
        """Return a pick as Optuna has it: a point of a lattice by its number, which is exact."""
        dimension = self._dimensions.get(name)
        if dimension is None or dimension.choices is not None:
            return picked
        span = span_of(name, dimension)
        return picked if span.step is None else span.number_of(picked)


def _sampler(seed: int, *, at_random: bool) -> BaseSampler:
    optunas_seed = seed % 2**32
    if at_random:
        return RandomSampler(seed=optunas_seed)
    # A joint density of a dozen dimensions did no better than chance with a few dozen trials.
    return TPESampler(
        seed=optunas_seed, n_startup_trials=STARTUP_TRIALS, multivariate=False, constant_liar=True
    )


# --- The plan

# How often Optuna is asked for a new configuration, and how often one is then drawn at random.
ASKS, DRAWS = 10, 50


class TpePlan:
    """Configurations named in `search.first`, then proposals for the strata in turn."""

    def __init__(self, space: SearchSpace, *, seed: int, source: Path) -> None:
        self._space, self._seed = space, seed
        self._parallel = space.search.parallel or 1
        self._configurations = Configurations(space, seed=seed, source=source)
        self._first = first_points(space, seed=seed, source=source)
        self._strata = strata_of(space)
        self._studies = {
            stratum: StratumStudy(stratum, space.dimensions, space.search.rank_by) for stratum in self._strata
        }
        self._exhausted: set[Stratum] = set()
        self._trials: list[PlannedTrial] = []

    @property
    def strata(self) -> tuple[Stratum, ...]:
        """Every stratum of the space, sorted."""
        return self._strata

    @property
    def size(self) -> int | None:
        """How many configurations there are; None when only a budget of epochs or hours ends them."""
        return size_of(self._space)

    def propose(self, index: int, past: Callable[[int], EarlierTrial]) -> PlannedTrial | NoProposal:
        """Return proposal number `index`; repeated calls return the same one."""
        for known in range(len(self._trials), index):
            self._recall(past(known).trial)
        if index < len(self._trials):
            return self._trials[index]
        proposal = self._next_of_first() or self._next(past)
        if isinstance(proposal, PlannedTrial):
            self._trials.append(proposal)
        return proposal

    def _recall(self, trial: PlannedTrial) -> None:
        """Add a trial that an earlier run of the sweep began."""
        self._configurations.recall(trial)
        picked = {**dict(self._picks_in_new_dimensions(trial)), **trial.choices}
        self._studies[trial.stratum].add(trial.index, picked)
        self._trials.append(trial)

    def _picks_in_new_dimensions(self, trial: PlannedTrial) -> Iterator[tuple[str, int]]:
        """Yield the picks of a trial in dimensions that were still fixed when it was proposed."""
        for name, dimension in self._space.dimensions.items():
            if name not in trial.choices and dimension.choices is not None and dimension.keys is None:
                choices = as_tuples(dimension.choices)
                value = as_tuples(trial.parameters.by_name.get(canonical(name)))
                if value in choices:
                    yield name, choices.index(value)

    def _next_of_first(self) -> PlannedTrial | None:
        """Return the next configuration of `search.first`, if any is left."""
        for point in self._first:
            trial = self._configurations.take(point)
            if trial is not None:
                self._studies[trial.stratum].add(trial.index, trial.choices)
                return trial
        return None

    def _next(self, past: Callable[[int], EarlierTrial]) -> PlannedTrial | NoProposal:
        """Ask the stratum with the fewest trials, in an order that changes from round to round."""
        for stratum in sorted(self._studies.keys() - self._exhausted, key=self._turn):
            study = self._studies[stratum]
            if not study.learn(past, until=len(study) - self._parallel):
                return NoProposal.WAIT
            trial = self._ask(study) or self._take_untried(study)
            if trial is not None:
                return trial
            self._exhausted.add(stratum)
        return NoProposal.END

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
