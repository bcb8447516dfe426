"""How much of a sweep is left, judged by what its trials have taken so far."""

from collections.abc import Sequence

from glsweep.spaces.plan import PlannedTrial
from glsweep.sweep.records import SweepRecords, TrialRecord


def seconds_left(
    trials: Sequence[PlannedTrial], records: SweepRecords, *, epochs: int, elapsed_s: float, trained_s: float
) -> float | None:
    """Estimate the time until every trial is over, or None before anything is known.

    A trial that has not ended is expected to train as many epochs as the ended ones of its
    stratum did on average, each as long as an epoch of its stratum; trials run side by side as
    they have so far.

    Parameters
    ----------
    trials : sequence of PlannedTrial
        The whole plan.
    records : SweepRecords
        What has happened.
    epochs : int
        A trial's full budget.
    elapsed_s, trained_s : float
        Wall time of this run, and the epochs' seconds summed over the trials that it ran.
    """
    known = [record for record in records.trials.values() if record.epochs]
    if not known or trained_s <= 0:
        return None
    left_s = 0.0
    for trial in trials:
        record = records.trials.get(trial.trial_id)
        if record is not None and record.outcome is not None:
            continue
        done = len(record.epochs) if record else 0
        alike = [r for r in records.strata.get(trial.stratum.key, []) if r.epochs] or known
        left_s += max(_expected_epochs(alike, epochs) - done, 1) * _epoch_s(alike)
    return left_s * elapsed_s / trained_s


def _expected_epochs(records: Sequence[TrialRecord], epochs: int) -> float:
    ended = [len(record.epochs) for record in records if record.outcome in ("completed", "stopped")]
    return sum(ended) / len(ended) if ended else float(epochs)


def _epoch_s(records: Sequence[TrialRecord]) -> float:
    return sum(record.trained_s for record in records) / sum(len(record.epochs) for record in records)
