"""The listener that deletes the checkpoints of trials that will never go on."""

from glsweep.sweep.checkpoints import CheckpointStore
from glsweep.sweep.events import Ended, Reopened, TrialEvent
from glsweep.sweep.records import SweepRecords, TrialRecord


class CheckpointCleaner:
    """Keeps a long sweep from filling the store. What cannot be deleted now is tried again later.

    A trial that ran in full keeps its newest checkpoint: with more epochs it goes on from there.
    """

    def __init__(self, checkpoints: CheckpointStore) -> None:
        self._checkpoints = checkpoints
        self._over: dict[str, bool] = {}

    def catch_up(self, records: SweepRecords) -> None:
        """Find what an earlier run was to delete, and may not have come to."""
        ended = (record for record in records.trials.values() if record.outcome is not None)
        self._over |= {record.trial.trial_id: record.outcome == "completed" for record in ended}

    def hear(self, event: TrialEvent, record: TrialRecord) -> None:
        """Delete the checkpoint of a trial that has ended."""
        if isinstance(event, Ended):
            self._over[record.trial.trial_id] = event.outcome == "completed"
            for trial_id in sorted(self._over):
                if self._discard(trial_id, keeps_newest=self._over[trial_id]):
                    del self._over[trial_id]
        elif isinstance(event, Reopened):
            self._over.pop(record.trial.trial_id, None)

    def _discard(self, trial_id: str, *, keeps_newest: bool) -> bool:
        try:
            self._checkpoints.discard(trial_id, keeps_newest=keeps_newest)
        except OSError:
            return False
        return True
