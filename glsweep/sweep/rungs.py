"""Early stopping that does not depend on how fast trials run, and the ranking of configurations.

Asynchronous successive halving (Li et al. 2020, MLSys, algorithm 2) compares a trial with those
that reached the rung before it. With "before" in time, two runs of one study would differ, and a
resumed one from both. Here it is meant in the plan's order: a trial at a rung waits
until every earlier trial of its stratum has reached that rung or ended, and is then judged among
them. No trial waits for a later one, so the first never waits and all come to an end.
The median rule (Golovin et al. 2017, KDD, section 3.2.1) follows the same order.

Successive halving (Jamieson and Talwalkar 2016, AISTATS, figure 3) waits for all trials of a stratum,
and so lets nobody on who was only the best of a few. It needs to know how many there will be.
"""

import bisect
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, stdev
from typing import Any, Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from glsweep.config.space import HIGHER_IS_BETTER, Metric
from glsweep.config.stopping import (
    AnyStopping,
    Asha,
    Halving,
    Median,
    NoStopping,
    OwnStopping,
    Stopping,
    SuccessiveHalving,
)
from glsweep.errors import ConfigError
from glsweep.registry import STOPPING_RULES
from glsweep.sweep.records import Judged, TrialRecord
from glsweep.training import is_better


class StoppingRule(Protocol):
    """A rule of the user's own, made with the parameters that the search space gives it.

    Its decisions must depend only on its arguments, so that a sweep that is repeated or resumed decides
    the same.
    """

    def rung_epochs(self, epochs: int) -> Sequence[int]:
        """Return the epochs at which trials are judged, for trials of `epochs` epochs in full."""

    def goes_on(self, costs: Sequence[float], others: Sequence[Sequence[float]]) -> bool:
        """Return whether a trial trains on from a rung.

        Parameters
        ----------
        costs : sequence of float
            The ranking metric at each of the trial's epochs up to the rung. LOWER is better: a metric that
            is better when higher has its sign changed.
        others : sequence of sequence of float
            The same for each trial of its stratum that comes before it in the plan and reached the rung,
            stopped there or not.
        """


@lru_cache
def own_rule(stopping: OwnStopping) -> StoppingRule:
    """Return a rule of the user's own.

    Raises
    ------
    ConfigError
        When it cannot be imported or made.
    """
    made = STOPPING_RULES.load(stopping.name)
    for method in ("rung_epochs", "goes_on"):
        if not callable(getattr(made, method, None)):
            raise ConfigError(f"stopping rule: {stopping.name} has no method {method}; add it")
    STOPPING_RULES.check_own(stopping.name, stopping.parameters)
    try:
        rule: StoppingRule = STOPPING_RULES.bind(stopping.name, stopping.parameters)()
    except Exception as error:  # a user's rule may raise anything
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(f"stopping rule: {stopping.name} cannot be made ({cause}); mend it") from error
    return rule


def rung_epochs(stopping: Stopping, epochs: int) -> tuple[int, ...]:
    """Return the epochs at which trials are compared, ascending, all below the full budget.

    For successive halving grace x reduction^k, for the median rule every one from grace on.
    """
    match stopping:
        case SuccessiveHalving():
            rungs, epoch = [], stopping.grace_epochs
            while epoch < epochs:
                rungs.append(epoch)
                epoch *= stopping.reduction_factor
            return tuple(rungs)
        case Median():
            return tuple(range(stopping.grace_epochs, epochs))
        case NoStopping():
            return ()
        case OwnStopping():
            own = {int(epoch) for epoch in own_rule(stopping).rung_epochs(epochs)}
            return tuple(sorted(epoch for epoch in own if 0 < epoch < epochs))


def kept_count(stopping: SuccessiveHalving | Median | NoStopping, trials: int) -> int:
    """Return how many of `trials` at a rung go on, at least one."""
    match stopping:
        case SuccessiveHalving():
            return max(1, trials // stopping.reduction_factor)
        case Median():
            return (trials + 1) // 2
        case NoStopping():
            return trials


class Rung:
    """One rung of one stratum: judges its trials in the order of the plan.

    Each trial counts with its best metric until the rung's epoch; equals share a rank.

    Parameters
    ----------
    epoch : int
        Where the rung lies.
    stopping : Stopping
        The rule.
    metric : Metric
        By which trials are ranked.
    planned : int, optional
        Configurations that the plan has for the stratum; needed by a rule that judges all at once.
    """

    def __init__(self, epoch: int, stopping: Stopping, metric: Metric, planned: int | None = None) -> None:
        self.epoch = epoch
        self._stopping = stopping
        self._metric = metric
        self._sign = -1.0 if HIGHER_IS_BETTER[metric] else 1.0
        self._planned = planned
        self._position = 0
        # They wait, each with its value, for the others of a rule that judges all at once.
        self._gathered: list[tuple[TrialRecord, float]] = []
        self._costs: list[float] = []  # ascending: the best trial first, whichever way the metric goes
        self._curves: list[list[float]] = []  # of the same trials, in the plan's order; for own rules

    def advance(self, stratum: Sequence[TrialRecord]) -> Iterator[Judged]:
        """Yield a judgement for every trial whose turn has come.

        Each must be applied to its record before the next is requested. `stratum` holds every
        started trial, in the order of their index; it may grow at its end between two calls.
        """
        while self._position < len(stratum):
            record = stratum[self._position]
            if record.reached < self.epoch and record.outcome is None:
                return
            self._position += 1
            if record.reached < self.epoch:
                continue
            known = record.judged.get(self.epoch)
            value = known.value if known else self._value(record)
            bisect.insort(self._costs, self._sign * value)
            if isinstance(self._stopping, Halving):
                self._gathered.append((record, value))
            else:
                yield from self._judged(record, value)
            if isinstance(self._stopping, OwnStopping):
                self._curves.append(self._curve(record))
        if self._gathered and self._position == self._planned:
            gathered, self._gathered = self._gathered, []
            for record, value in gathered:
                yield from self._judged(record, value)

    def _judged(self, record: TrialRecord, value: float) -> Iterator[Judged]:
        """Yield the judgement of a trial, among all that have been ranked, unless nothing follows from it."""
        known = record.judged.get(self.epoch)
        # A trial that ended otherwise, such as by an error, still counts in the ranks of others. One
        # that was judged but not ended comes from a process that died between the two.
        if record.outcome is None and (known is None or not known.goes_on):
            yield known or self._judge(record, value)

    def _value(self, record: TrialRecord) -> float:
        best = record.best(self._metric, until_epoch=self.epoch)
        if best is None:
            raise ValueError(f"{record.trial.trial_id} has no report until epoch {self.epoch}")
        return best[1]

    def _judge(self, record: TrialRecord, value: float) -> Judged:
        of = len(self._costs)
        rank = bisect.bisect_left(self._costs, self._sign * value) + 1
        if isinstance(self._stopping, OwnStopping):
            # It need not go by ranks. Reported is the equivalent: all go on, or only those that are better.
            kept = of if own_rule(self._stopping).goes_on(self._curve(record), self._curves) else rank - 1
            cutoff = value
        else:
            kept = kept_count(self._stopping, of)
            cutoff = self._sign * self._costs[kept - 1]
        return Judged(
            unix_s=time.time(),
            trial_id=record.trial.trial_id,
            rung_epoch=self.epoch,
            value=value,
            rank=rank,
            of=of,
            kept=kept,
            cutoff=cutoff,
        )

    def _curve(self, record: TrialRecord) -> list[float]:
        """Return a trial's metric at each epoch up to the rung, signed so that lower is better."""
        epochs = (epoch for epoch in sorted(record.epochs) if epoch <= self.epoch)
        return [self._sign * record.epochs[epoch][self._metric] for epoch in epochs]


# --- The ranking of configurations

Ranked = TypeVar("Ranked")


@dataclass(frozen=True)
class SeedScores:
    """The scores of one configuration; it is ranked by their mean over the seeds that ran in full.

    Attributes
    ----------
    values : tuple of float
        The best metric of each of these seeds, the first seed's first.
    """

    values: tuple[float, ...]

    @classmethod
    def of(cls, seeds: Iterable[TrialRecord], metric: Metric) -> "SeedScores | None":
        """Return the scores of a configuration's seeds; None where none of them ran in full."""
        bests = [record.best(metric) for record in seeds if record.outcome == "completed"]
        values = tuple(best[1] for best in bests if best is not None)
        return cls(values) if values else None

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Sample standard deviation over the seeds; None with one."""
        return stdev(self.values) if len(self.values) > 1 else None


def first_best(values: Iterable[tuple[Ranked, float]], metric: Metric) -> tuple[Ranked, float] | None:
    """Return the item with the best value, the first of equals, and that value; None without items."""
    best: tuple[Ranked, float] | None = None
    for item, value in values:
        if is_better(metric, value, best[1] if best else None):
            best = item, value
    return best


# --- Stopping rules by short names: `asha:2:3`, `halving:1:8`, `median:4`, `none`

RULES: dict[str, type[Asha | Halving | Median | NoStopping]] = {
    "asha": Asha,
    "halving": Halving,
    "median": Median,
    "none": NoStopping,
}
FORMS = "asha:GRACE:REDUCTION, halving:GRACE:REDUCTION, median:GRACE, none; the first three alone for several"
REDUCTIONS = {"asha": (2, 3, 4), "halving": (3, 4, 8)}

_STOPPING: TypeAdapter[Stopping] = TypeAdapter(AnyStopping)


def rule_name(stopping: Stopping) -> str:
    """Return the short name of a rule: what it is called, then its numbers."""
    return ":".join(str(value) for _, value in stopping)


def parse_rules(names: Sequence[str], *, epochs: int) -> list[Stopping]:
    """Return the rules of these names, each once; all that are sensible where there is no name.

    Parameters
    ----------
    names : sequence of str
        Such as `asha:2:3` (grace 2, reduction 3); `asha` alone stands for several of both.
    epochs : int
        A trial's full budget; a grace period must end before it does.

    Raises
    ------
    ConfigError
        When a name cannot be read, or its rule would never judge.
    """
    rules = [rule for name in names or RULES for rule in _parse(name, epochs)]
    return list(dict.fromkeys(rules))


def _parse(name: str, epochs: int) -> list[Stopping]:
    kind, *numbers = name.split(":")
    if kind not in RULES:
        raise ConfigError(f"--scheduler {name}: is no rule of early stopping; known are {FORMS}")
    settings = [field for field in RULES[kind].model_fields if field != "name"]
    if settings and not numbers:
        return _grid(kind, epochs)
    if len(numbers) != len(settings):
        raise ConfigError(
            f"--scheduler {name}: has {len(numbers)} numbers in place of {len(settings)}; known are {FORMS}"
        )
    values: dict[str, Any] = {"name": kind, **dict(zip(settings, numbers, strict=True))}
    try:
        rule = _STOPPING.validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        setting, message = first["loc"][-1], first["msg"][:1].lower() + first["msg"][1:]
        raise ConfigError(f"--scheduler {name}: {setting}: {message} (it is {first['input']!r})") from error
    if settings and not rung_epochs(rule, epochs):
        raise ConfigError(
            f"--scheduler {name}: never judges a trial of {epochs} epochs; choose a grace below {epochs}"
        )
    return [rule]


def _grid(kind: str, epochs: int) -> list[Stopping]:
    """Return one rule for each grace of 1, 2, 4, ... epochs up to half of the budget, and each reduction."""
    graces = [grace for grace in (2**power for power in range(16)) if grace <= max(epochs // 2, 1)]
    values: list[dict[str, Any]] = [{"grace_epochs": grace} for grace in graces if grace < epochs]
    if kind in REDUCTIONS:
        values = [{"reduction_factor": factor} | value for factor in REDUCTIONS[kind] for value in values]
    return [RULES[kind].model_validate(value) for value in values]
