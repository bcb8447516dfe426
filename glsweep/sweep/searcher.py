"""The searcher that hands the queue's trials to Ray Tune."""

from typing import Any

from ray.tune.search import Searcher

from glsweep.spaces.plan import Answer
from glsweep.sweep.journal import Journal
from glsweep.sweep.queue import TrialQueue


class QueueSearcher(Searcher):
    """Suggests whatever trial comes next. To Ray Tune each time that a trial trains is a trial of its own.

    One that waits at a rung, or whose worker died, ends for Tune and is suggested anew when it may
    go on, so that nothing depends on Tune's memory. At most `most_at_once` trials are handed out, so
    that few stand between one that may go on and its place.
    """

    def __init__(self, queue: TrialQueue, journal: Journal, *, most_at_once: int | None) -> None:
        super().__init__()
        self._queue = queue
        self._journal = journal
        self._most_at_once = most_at_once
        self._planned_ids: dict[str, str] = {}

    def __getstate__(self) -> dict[str, object]:
        """Keep nothing in Ray Tune's snapshots, none of which is ever read."""
        return {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the configuration of the next trial, None while that depends on others."""
        if self._journal.halted:
            return str(Searcher.FINISHED)
        if len(self._planned_ids) == self._most_at_once:
            return None
        upcoming = self._queue.next()
        if upcoming is Answer.END:
            return str(Searcher.FINISHED)
        if upcoming is Answer.WAIT:
            return None
        self._journal.start(upcoming)
        self._planned_ids[trial_id] = upcoming.trial_id
        return {"trial": upcoming.model_dump(mode="json")}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Give the trial back to the queue, which knows whether it is over."""
        planned_id = self._planned_ids.pop(trial_id, None)
        if planned_id is not None:
            self._queue.release(planned_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to keep: the ledger holds it."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to read: the ledger holds it."""
