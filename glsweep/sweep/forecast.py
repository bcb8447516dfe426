"""How long a sweep will still take, judged by what its trials have taken so far."""

from collections.abc import Sequence
from dataclasses import dataclass

from glsweep.config.trial import Stratum
from glsweep.sweep.records import SweepRecords, TrialRecord
from glsweep.sweep.terms import Terms

SECONDS_PER_HOUR = 3600.0


def seconds_left(records: SweepRecords, terms: Terms, *, now_unix_s: float) -> float | None:
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

    def configuration_s(self, terms: Terms) -> float:
        """Return how long a configuration trains with all its seeds."""
        return self.epochs * self.epoch_s + self.other_seeds_s(terms)

    def other_seeds_s(self, terms: Terms) -> float:
        """Return how long the other seeds train of a configuration that is not over."""
        return self.completes * (terms.replicates - 1) * terms.epochs * self.epoch_s


def _course(records: Sequence[TrialRecord], terms: Terms) -> _Course | None:
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


def _seconds_to_finish(records: Sequence[TrialRecord], whole: _Course, terms: Terms) -> float:
    """Return how long the configurations train on that were begun, with all their seeds."""
    left_s = 0.0
    for mine in _by_stratum(records).values():
        course = _course(mine, terms) or whole
        for record in mine:
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


def _seconds_to_come(records: Sequence[TrialRecord], whole: _Course, terms: Terms) -> float | None:
    """Return how long those configurations train that were not begun, None where their number is unknown."""
    begun = {
        stratum: [r for r in mine if r.trial.replicate == 0] for stratum, mine in _by_stratum(records).items()
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
