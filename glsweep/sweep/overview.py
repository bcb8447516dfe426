"""The state of a sweep: what is planned, what is done, and how long the rest will take."""

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from glsweep.config.labels import Labelled, parameter_label
from glsweep.config.space import Budget, Metric, Resources, SearchSpace
from glsweep.config.stopping import NoStopping, Stopping
from glsweep.config.trial import Stratum
from glsweep.search.plan import ListedPlan, Plan
from glsweep.sweep.records import SweepRecords, TrialRecord
from glsweep.sweep.rungs import SeedScores, first_best, rung_epochs


@dataclass(frozen=True)
class SweepTerms:
    """What is planned, and by which rules.

    Attributes
    ----------
    planned : dict
        Configurations of each stratum; None where they are drawn during the sweep.
    size : int or None
        Configurations in all; None where only a budget of epochs or hours ends the sweep.
    metric : Metric
        What ranks.
    epochs : int
        A trial's full budget.
    resources : Resources
        What one trial takes.
    stopping, budget, replicates
        As in the search settings.
    """

    planned: Mapping[Stratum, int | None]
    size: int | None
    metric: Metric
    epochs: int
    resources: Resources
    stopping: Stopping
    budget: Budget
    replicates: int

    @classmethod
    def of_search(cls, plan: Plan, space: SearchSpace) -> Self:
        """Return the terms of the sweep over `space`."""
        search = space.search
        return cls(
            planned=_planned(plan),
            size=plan.size,
            metric=search.rank_by,
            epochs=search.epochs,
            resources=space.resources,
            stopping=search.scheduler,
            budget=search.budget,
            replicates=search.replicates,
        )

    @classmethod
    def of_retraining(cls, strata: Sequence[Stratum], space: SearchSpace) -> Self:
        """Return the terms of retraining one winner of each of `strata`."""
        return cls(
            planned=dict.fromkeys(strata, 1),
            size=len(strata),
            metric=space.retraining.monitor,
            epochs=space.retraining.epochs,
            resources=space.resources,
            stopping=NoStopping(),
            budget=Budget(),
            replicates=space.retraining.seeds,
        )

    @property
    def may_end_early(self) -> bool:
        """Whether a budget may end the sweep before its plan does."""
        return self.budget.epochs is not None or self.budget.hours is not None


def _planned(plan: Plan) -> dict[Stratum, int | None]:
    if isinstance(plan, ListedPlan):
        return dict(sorted(Counter(trial.stratum for trial in plan.trials).items()))
    return dict.fromkeys(plan.strata, None)


# --- The time left, estimated from the trials so far

SECONDS_PER_HOUR = 3600.0


def seconds_left(records: SweepRecords, terms: SweepTerms, *, now_unix_s: float) -> float | None:
    """Estimate the time until every trial is over, or None before anything is known.

    A trial that is not over is expected to train as many epochs as the ended ones of its stratum
    did on average, each as long as an epoch of its stratum, and to run its other seeds as often
    as those did; trials run side by side as they have since the sweep was last begun. A budget
    may end it earlier.
    """
    elapsed_s = now_unix_s - records.begun_unix_s
    side_by_side = (records.trained_s - records.begun_trained_s) / elapsed_s if elapsed_s > 0 else 0.0
    trials = list(records.trials.values())
    whole = _course(trials, terms)
    if side_by_side <= 0 or whole is None:
        return None
    begun_s = _seconds_to_finish(trials, whole, terms)
    to_come_s = _seconds_to_come(trials, whole, terms)
    ends_s = [] if to_come_s is None else [(begun_s + to_come_s) / side_by_side]
    if terms.budget.epochs is not None:
        ends_s.append((terms.budget.epochs - records.epochs) * whole.epoch_s / side_by_side)
    if terms.budget.hours is not None:
        ran_s = records.ran_s + max(now_unix_s - records.last_unix_s, 0.0)
        ends_s.append(max(terms.budget.hours * SECONDS_PER_HOUR - ran_s, 0.0) + begun_s / side_by_side)
    return max(min(ends_s), 0.0) if ends_s else None


@dataclass(frozen=True)
class _Course:
    """What is expected of a configuration: the epochs of its first seed, and how often it runs in full."""

    epoch_s: float
    epochs: float
    completes: float

    def configuration_s(self, terms: SweepTerms) -> float:
        """Return how long a configuration trains with all its seeds."""
        return self.epochs * self.epoch_s + self.other_seeds_s(terms)

    def other_seeds_s(self, terms: SweepTerms) -> float:
        """Return how long the other seeds train of a configuration that is not over."""
        return self.completes * (terms.replicates - 1) * terms.epochs * self.epoch_s


def _course(records: Sequence[TrialRecord], terms: SweepTerms) -> _Course | None:
    epochs = sum(len(record.epochs) for record in records)
    if not epochs:
        return None
    epoch_s = sum(record.trained_s for record in records) / epochs
    ended = [r for r in records if r.trial.replicate == 0 and r.outcome in ("completed", "stopped")]
    if not ended:
        return _Course(epoch_s, terms.epochs, 1.0)
    completes = sum(record.outcome == "completed" for record in ended) / len(ended)
    return _Course(epoch_s, sum(len(record.epochs) for record in ended) / len(ended), completes)


def _by_stratum(records: Sequence[TrialRecord]) -> dict[Stratum, list[TrialRecord]]:
    strata: dict[Stratum, list[TrialRecord]] = {}
    for record in records:
        strata.setdefault(record.trial.stratum, []).append(record)
    return strata


def _seconds_to_finish(records: Sequence[TrialRecord], whole: _Course, terms: SweepTerms) -> float:
    """Return how long the configurations that have begun will still train, with all their seeds."""
    left_s = 0.0
    for in_stratum in _by_stratum(records).values():
        course = _course(in_stratum, terms) or whole
        for record in in_stratum:
            if record.trial.replicate:
                # A full run was counted when its configuration completed.
                over = record.outcome is not None
                left_s -= (terms.epochs if over else len(record.epochs)) * course.epoch_s
            elif record.outcome is None:
                left_s += max(course.epochs - len(record.epochs), 1.0) * course.epoch_s
                left_s += course.other_seeds_s(terms)
            elif record.outcome == "completed":
                left_s += (terms.replicates - 1) * terms.epochs * course.epoch_s
    return max(left_s, 0.0)


def _seconds_to_come(records: Sequence[TrialRecord], whole: _Course, terms: SweepTerms) -> float | None:
    """Return how long the configurations not yet begun will train, None where their number is unknown."""
    begun = {
        stratum: [r for r in in_stratum if r.trial.replicate == 0]
        for stratum, in_stratum in _by_stratum(records).items()
    }
    planned = {stratum: number for stratum, number in terms.planned.items() if number is not None}
    if len(planned) == len(terms.planned):
        return sum(
            max(number - len(begun.get(stratum, [])), 0)
            * (_course(begun.get(stratum, []), terms) or whole).configuration_s(terms)
            for stratum, number in planned.items()
        )
    if terms.size is None:
        return None
    return max(terms.size - sum(map(len, begun.values())), 0) * whole.configuration_s(terms)


# --- The overview: a row for each stratum


@dataclass(frozen=True)
class Leader:
    """A stratum's best configuration so far: its metric and what sets it apart from the others."""

    value: float
    trial_id: str
    parameters: str


@dataclass(frozen=True)
class StratumRow:
    """The trials of one stratum, each counted once.

    Attributes
    ----------
    to_come : int or None
        Trials that are planned and were not begun; None where they are drawn during the sweep.
    in_line : int
        Trials that wait for a place to train, for the first time or again.
    at_rung : int
        Trials that wait at a rung for their turn to be judged.
    crashed : int
        Trials whose worker died, and that wait to be tried again.
    trained_s : float
        Time of all epochs.
    """

    stratum: Stratum
    to_come: int | None
    in_line: int = 0
    running: int = 0
    at_rung: int = 0
    crashed: int = 0
    stopped: int = 0
    done: int = 0
    failed: int = 0
    leader: Leader | None = None
    trained_s: float = 0.0

    @property
    def waiting(self) -> int:
        """Trials that were begun, are not over and do not run."""
        return self.in_line + self.at_rung + self.crashed

    @property
    def over(self) -> int:
        """Trials that are over."""
        return self.stopped + self.done + self.failed


@dataclass(frozen=True)
class Overview:
    """The state of a sweep.

    `nodes` are those on which trials train now; `ran_s` is how long the sweep has run in all.
    """

    rows: tuple[StratumRow, ...]
    nodes: tuple[str, ...]
    is_on_gpu: bool
    ran_s: float

    @property
    def begun(self) -> int:
        """Trials that were begun."""
        return sum(row.over + row.waiting + row.running for row in self.rows)

    @property
    def over(self) -> int:
        """Trials that are over."""
        return sum(row.over for row in self.rows)


def overview(records: SweepRecords, terms: SweepTerms, *, now_unix_s: float | None = None) -> Overview:
    """Return the state of a sweep; `now_unix_s`, while it runs, adds the time since its last event."""
    # A list, since the sweep goes on while a table is drawn.
    trials = list(records.trials.values())
    grouped: dict[Stratum, list[TrialRecord]] = {stratum: [] for stratum in terms.planned}
    for record in trials:
        grouped.setdefault(record.trial.stratum, []).append(record)
    since_last_s = 0.0 if now_unix_s is None or not trials else now_unix_s - records.last_unix_s
    rungs = rung_epochs(terms.stopping, terms.epochs)
    running = [record for record in list(records.unended.values()) if trial_state(record, rungs) == "running"]
    return Overview(
        rows=tuple(_row(stratum, begun, terms, rungs) for stratum, begun in sorted(grouped.items())),
        nodes=tuple(sorted({record.node for record in running if record.node is not None})),
        is_on_gpu=any(record.device == "cuda" for record in trials),
        ran_s=records.ran_s + max(since_last_s, 0.0),
    )


def _row(
    stratum: Stratum, records: list[TrialRecord], terms: SweepTerms, rungs: tuple[int, ...]
) -> StratumRow:
    counts: dict[str, int] = defaultdict(int)
    for record in records:
        counts[trial_state(record, rungs)] += 1
    return StratumRow(
        stratum=stratum,
        to_come=_to_come(records, terms.planned.get(stratum), terms.replicates),
        leader=_leader(records, terms.metric),
        trained_s=sum(record.trained_s for record in records),
        **counts,
    )


def trial_state(record: TrialRecord, rungs: tuple[int, ...]) -> str:
    """Return the field of a row in which a trial is counted."""
    if record.outcome is not None:
        return {"completed": "done", "stopped": "stopped", "failed": "failed"}[record.outcome]
    if _is_at_rung(record, rungs):
        return "at_rung"
    if record.node is not None:
        return "running"
    return "crashed" if record.crashes else "in_line"


def _is_at_rung(record: TrialRecord, rungs: tuple[int, ...]) -> bool:
    """Whether a trial is at a rung unjudged; at lower rungs it was judged, or it would not be here."""
    passed = bisect.bisect_right(rungs, record.reached)
    return passed > 0 and record.trial.replicate == 0 and rungs[passed - 1] not in record.judged


def _to_come(records: list[TrialRecord], planned: int | None, replicates: int) -> int | None:
    """Return how many trials have not begun: configurations, and other seeds of those that ran in full."""
    if planned is None:
        return None
    firsts = [record for record in records if record.trial.replicate == 0]
    seeds_due = (replicates - 1) * sum(record.outcome == "completed" for record in firsts)
    return planned - len(firsts) + max(seeds_due - (len(records) - len(firsts)), 0)


def _leader(records: list[TrialRecord], metric: Metric) -> Leader | None:
    """Return the best configuration: by the mean over its seeds that ran in full, else by its best so far."""
    seeds: dict[str, list[TrialRecord]] = defaultdict(list)
    for record in records:
        seeds[record.trial.configuration].append(record)
    firsts = {r.trial.trial_id: r for r in records if r.trial.replicate == 0}
    leading = first_best(_values(firsts, seeds, metric), metric)
    if leading is None:
        return None
    trial_id, value = leading
    return Leader(value, trial_id, distinction(firsts[trial_id], firsts.values()))


def _values(
    firsts: Mapping[str, TrialRecord], seeds: Mapping[str, list[TrialRecord]], metric: Metric
) -> Iterator[tuple[str, float]]:
    for trial_id, first in firsts.items():
        best = None if first.outcome == "failed" else first.best(metric)
        if best is not None:
            scores = SeedScores.of(seeds[first.trial.configuration], metric)
            yield trial_id, scores.mean if scores else best[1]


def distinction(record: TrialRecord, others: Iterable[TrialRecord]) -> str:
    """Return the parameters of a trial in which it differs from `others`, such as `bce_weight 0.2`.

    Of parameters that always change together, the first one is named.
    """
    parameters = [other.trial.parameters.by_name for other in others]
    names = list(dict.fromkeys(name for values in parameters for name in values))
    columns = [[values.get(name) for values in parameters] for name in names]
    seen: set[tuple[int, ...]] = set()
    shown = []
    for name, column in zip(names, columns, strict=True):
        value = record.trial.parameters.by_name.get(name)
        numbers: dict[object, int] = {}
        pattern = tuple(numbers.setdefault(v, len(numbers)) for v in column)
        # Where no value comes twice, as in draws from a range, nothing says that two are tied.
        is_tied = pattern in seen and len(numbers) < len(column)
        seen.add(pattern)
        if len(numbers) > 1 and not is_tied:
            shown.append(f"{name} {_short(value)}")
    return ", ".join(shown)


def _short(value: Labelled) -> str:
    return f"{value:.3g}" if isinstance(value, float) else parameter_label(value)
