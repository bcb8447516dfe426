"""The searcher that hands the queue's trials to Ray Tune."""

from typing import Any

from ray.tune.search import Searcher

from glsweep.spaces.plan import Answer
from glsweep.sweep.cohorts import Cohort
from glsweep.sweep.journal import Journal
from glsweep.sweep.queue import TrialQueue


class QueueSearcher(Searcher):
    """Suggests whoever trains next. To Ray Tune each time that a cohort trains is a trial of its own.

    One that waits at a rung, or whose worker died, ends for Tune and is suggested anew when it may
    go on, so that nothing depends on Tune's memory. At most `most_at_once` are handed out, so
    that few stand between one that may go on and its place.
    """

    def __init__(self, queue: TrialQueue, journal: Journal, *, most_at_once: int | None) -> None:
        super().__init__()
        self._queue = queue
        self._journal = journal
        self._most_at_once = most_at_once
        self._handed_out: dict[str, Cohort] = {}

    def __getstate__(self) -> dict[str, object]:
        """Keep nothing in Ray Tune's snapshots, none of which is ever read."""
        return {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the next cohort, None while that depends on others."""
        if self._journal.halted:
            return str(Searcher.FINISHED)
        if len(self._handed_out) == self._most_at_once:
            return None
        upcoming = self._queue.next()
        if upcoming is Answer.END:
            return str(Searcher.FINISHED)
        if upcoming is Answer.WAIT:
            return None
        for trial in upcoming.trials:
            self._journal.start(trial)
        self._handed_out[trial_id] = upcoming
        return {"cohort": upcoming.model_dump(mode="json")}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Give the trials back to the queue, which knows which of them are over."""
        cohort = self._handed_out.pop(trial_id, None)
        for trial in cohort.trials if cohort else ():
            self._queue.release(trial.trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to keep: the ledger holds it."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to read: the ledger holds it."""
