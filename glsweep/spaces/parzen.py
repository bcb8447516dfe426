"""What Optuna knows of one stratum, and what it proposes next."""

from collections.abc import Callable, Mapping

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from glsweep.config.dimension import Dimension, parameters_of
from glsweep.config.space import HIGHER_IS_BETTER, Figure
from glsweep.config.span import span_of
from glsweep.config.trial import Stratum
from glsweep.spaces.plan import Past
from glsweep.spaces.strata import SET_BY_STRATUM, picks_within
from glsweep.spaces.traversal import Picked, Point, traverse

# Results before the estimator takes over from chance; its densities need a few.
STARTUP_TRIALS = 10


class StratumStudy:
    """One Optuna study; its length is the number of trials that the stratum has."""

    def __init__(self, stratum: Stratum, dimensions: Mapping[str, Dimension], figure: Figure) -> None:
        self.stratum = stratum
        self._dimensions = dimensions
        self._sign = 1 if HIGHER_IS_BETTER[figure] else -1
        self._study = _quiet_study(figure)
        self._asked: optuna.Trial | None = None
        self._trials: list[tuple[int, optuna.Trial]] = []
        self._learnt = 0

    def __len__(self) -> int:
        return len(self._trials)

    def add(self, index: int, picked: Mapping[str, Picked]) -> None:
        """Note that trial number `index` of the plan runs, with what was picked."""
        self._study.sampler = RandomSampler(seed=0)  # decides nothing: everything is given
        self._study.enqueue_trial({name: self._numbered(name, value) for name, value in picked.items()})
        self._point()
        self.settle(index)

    def ask(self, seed: int, *, at_random: bool) -> Point:
        """Return what Optuna proposes; whether it is taken is said by `settle`."""
        self._study.sampler = _sampler(seed, at_random=at_random)
        return self._point()

    def settle(self, index: int | None) -> None:
        """Say which trial of the plan the last proposal has become, or that it is not taken."""
        assert self._asked is not None
        if index is None:
            self._study.tell(self._asked, state=TrialState.FAIL)
        else:
            self._trials.append((index, self._asked))

    def learn(self, past: Callable[[int], Past], *, until: int) -> bool:
        """Learn what became of the trials up to number `until`; return whether all of them are over."""
        while self._learnt <= until:
            index, trial = self._trials[self._learnt]
            known = past(index)
            if known.outcome is None:
                return False
            self._tell(trial, known)
            self._learnt += 1
        return True

    def _tell(self, trial: optuna.Trial, known: Past) -> None:
        if known.outcome == "completed":
            best = max(known.figures.values(), key=lambda value: self._sign * value)
            self._study.tell(trial, best)
        elif known.outcome == "stopped":
            for epoch, value in sorted(known.figures.items()):
                trial.report(value, step=epoch)
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, state=TrialState.FAIL)

    def _point(self) -> Point:
        self._asked = trial = self._study.ask()

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
        """Return what Optuna knows of a pick: a point of a lattice by its number, which is exact."""
        dimension = self._dimensions.get(name)
        if dimension is None or dimension.choices is not None:
            return picked
        span = span_of(name, dimension)
        return picked if span.step is None else span.number_of(picked)


def _quiet_study(figure: Figure) -> optuna.Study:
    """Return an empty study; Optuna would tell of every study and trial on the console."""
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        return optuna.create_study(direction="maximize" if HIGHER_IS_BETTER[figure] else "minimize")
    finally:
        optuna.logging.set_verbosity(verbosity)


def _sampler(seed: int, *, at_random: bool) -> BaseSampler:
    optunas_seed = seed % 2**32
    if at_random:
        return RandomSampler(seed=optunas_seed)
    # A joint density of a dozen dimensions did no better than chance with a few dozen trials.
    return TPESampler(
        seed=optunas_seed, n_startup_trials=STARTUP_TRIALS, multivariate=False, constant_liar=True
    )
