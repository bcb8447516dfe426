"""What Ray Tune asks of a sweep: which trial comes next, how it goes on, and when all is over."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.tune import Stopper
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from glsweep.search.plan import NoProposal
from glsweep.sweep.journal import Decision, Journal
from glsweep.sweep.queue import Cohort, TrialQueue


class HaltStopper(Stopper):
    """Stops every trial once the journal has halted; each goes on from its checkpoint next time."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no trial on its own account."""
        return False

    def stop_all(self) -> bool:
        """Whether the whole sweep is to stop."""
        return self._journal.halted is not None


# --- The searcher that hands the queue's trials to Ray Tune


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
        if upcoming is NoProposal.END:
            return str(Searcher.FINISHED)
        if upcoming is NoProposal.WAIT:
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


# --- The scheduler through which Ray Tune asks the journal how each trial goes on

LONGEST_REASON = 300


def planned_ids(trial: Trial) -> list[str]:
    """Return the plan's identifiers of those who train in one of Tune's trials."""
    return [planned["trial_id"] for planned in trial.config["cohort"]["trials"]]


def planned_place(trial: Trial) -> tuple[int, int]:
    """Return where one of Tune's trials stands in the order of the plan, as `Cohort.place`."""
    first = trial.config["cohort"]["trials"][0]
    return first["index"], first["replicate"]


class JournalScheduler(TrialScheduler):
    """Carries the journal's decisions out. Where nobody may go on at once the place is freed."""

    # Each report must reach the journal before the trial goes on to another epoch.
    _supports_buffered_results = False

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def __getstate__(self) -> dict[str, object]:
        """Keep nothing in Ray Tune's snapshots, none of which is ever read."""
        return {}

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Nothing to do: the searcher has told the journal."""

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Keep the last line of the traceback as the reason of the crash."""
        error = Path(trial.error_file).read_text() if trial.error_file else ""
        lines = [line.strip() for line in error.splitlines() if line.strip()] or ["the worker died"]
        for name in planned_ids(trial):
            self._journal.crash(name, lines[-1][:LONGEST_REASON])

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Nothing to do: the journal ended the trial when it decided to."""

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Nothing to do: the journal ended the trial when it decided to."""

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Pass on what the trials of a cohort tell, and return what the journal decides."""
        if "placed" in result:
            for name in planned_ids(trial):
                self._journal.place(name, result["placed"], result["device"])
            return str(TrialScheduler.CONTINUE)
        if "unwritable" in result:
            for name in planned_ids(trial):
                self._journal.lack_storage(name, result["unwritable"])
            return str(TrialScheduler.STOP)
        decisions = [self._pass_on(**of_one) for of_one in result["told"]]
        return str(TrialScheduler.CONTINUE if Decision.CONTINUE in decisions else TrialScheduler.STOP)

    def _pass_on(
        self,
        trial_id: str,
        epoch: int = 0,
        metrics: Mapping[str, float] | None = None,
        last: bool = False,
        failed: str | None = None,
    ) -> Decision:
        if failed is not None:
            self._journal.fail(trial_id, failed)
            return Decision.STOP
        return self._journal.report(trial_id, epoch, metrics or {}, last=last)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Return who is pending and comes first in the plan: later ones may wait for it at a rung."""
        pending = (trial for trial in tune_controller.get_live_trials() if trial.status == Trial.PENDING)
        return min(pending, key=planned_place, default=None)

    def debug_string(self) -> str:
        """Return one line on how trials are judged."""
        return "Early stopping within each stratum, in the order of the plan"
