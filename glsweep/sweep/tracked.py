"""The listener that keeps MLflow in step with the journal."""

from glsweep.config.space import Figure
from glsweep.sweep.events import Ended, Event, Reported, Started
from glsweep.sweep.records import SweepRecords, TrialRecord
from glsweep.tracking.tracker import Tracker


class TrackingListener:
    """Tells MLflow of every trial: parameters, figures of each epoch with the best so far, its end."""

    def __init__(self, tracker: Tracker, figure: Figure) -> None:
        self._tracker = tracker
        self._figure = figure

    def catch_up(self, records: SweepRecords) -> None:
        """Log what an earlier run wrote into the ledger but no longer told MLflow."""
        for record in records.trials.values():
            if self._tracker.has_ended(record.trial.trial_id):
                continue
            self._start(record)
            for epoch in sorted(record.epochs):
                self._report(record, epoch)
            if record.outcome is not None:
                self._end(record)

    def hear(self, event: Event, record: TrialRecord) -> None:
        """Log one event."""
        match event:
            case Started():
                self._start(record)
            case Reported():
                self._report(record, event.epoch)
            case Ended():
                self._end(record)
            case _:
                pass

    def _start(self, record: TrialRecord) -> None:
        trial = record.trial
        # Libraries disagree on gamma: some raise to it, others to its inverse.
        exponent = 1 / trial.parameters.gamma
        parameters = {**dict(trial.parameters), "focal_exponent": exponent, "seed": trial.seed}
        self._tracker.start_trial(trial.trial_id, parameters, {"stratum": trial.stratum.key})

    def _report(self, record: TrialRecord, epoch: int) -> None:
        best = record.best(self._figure, until_epoch=epoch)
        so_far = {f"best_{self._figure}": best[1]} if best else {}
        self._tracker.log_epoch(record.trial.trial_id, epoch, {**record.epochs[epoch], **so_far})

    def _end(self, record: TrialRecord) -> None:
        if record.outcome is not None:
            self._tracker.end_trial(
                record.trial.trial_id,
                record.outcome,
                reason=record.reason,
                rung_epoch=record.rung_epoch,
            )
