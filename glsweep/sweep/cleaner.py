"""The listener that deletes the checkpoints of trials that are over."""

from glsweep.sweep.checkpoints import CheckpointStore
from glsweep.sweep.events import Ended, TrialEvent
from glsweep.sweep.records import SweepRecords, TrialRecord


class CheckpointCleaner:
    """Keeps a long sweep from filling the store. What cannot be deleted now is tried again later."""

    def __init__(self, checkpoints: CheckpointStore) -> None:
        self._checkpoints = checkpoints
        self._over: set[str] = set()

    def catch_up(self, records: SweepRecords) -> None:
        """Nothing to do: what an earlier run left is cleared with the rest when the sweep is over."""

    def hear(self, event: TrialEvent, record: TrialRecord) -> None:
        """Delete the checkpoint of a trial that has ended."""
        if isinstance(event, Ended):
            self._over.add(record.trial.trial_id)
            for trial_id in sorted(self._over):
                if self._discard(trial_id):
                    self._over.remove(trial_id)

    def _discard(self, trial_id: str) -> bool:
        try:
            self._checkpoints.discard(trial_id)
        except OSError:
            return False
        return True
