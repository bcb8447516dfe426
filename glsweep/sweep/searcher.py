"""The searcher that hands planned trials to Ray Tune, in their order."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from glsweep.spaces.plan import PlannedTrial
from glsweep.sweep.journal import Journal


class PlannedSearcher(Searcher):
    """Suggests every planned trial that is not over yet, then says that it has finished.

    A trial that an earlier run of the sweep cut off gets its newest whole checkpoint along.
    """

    def __init__(
        self,
        trials: Iterable[PlannedTrial],
        journal: Journal,
        newest_checkpoint: Callable[[str], Path | None],
    ) -> None:
        super().__init__()
        self._waiting = [trial for trial in trials if not journal.has_ended(trial.trial_id)]
        self._journal = journal
        self._newest_checkpoint = newest_checkpoint

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """Return the configuration of the next trial; Tune's own `trial_id` is of no use here."""
        if not self._waiting:
            finished: str = Searcher.FINISHED
            return finished
        trial = self._waiting.pop(0)
        self._journal.start(trial)
        checkpoint = self._newest_checkpoint(trial.trial_id)
        return {
            "trial": trial.model_dump(mode="json"),
            "resume_from": str(checkpoint) if checkpoint else None,
        }

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Nothing to learn: the plan does not depend on results."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing to keep: the ledger holds it."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to read: the ledger holds it."""
