"""The scheduler through which Ray Tune asks the journal how each trial goes on."""

from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from glsweep.sweep.journal import Decision, Journal

LONGEST_REASON = 300


def planned_id(trial: Trial) -> str:
    """Return the plan's identifier of one of Tune's trials."""
    identifier: str = trial.config["trial"]["trial_id"]
    return identifier


def planned_index(trial: Trial) -> int:
    """Return the place in the plan of one of Tune's trials."""
    index: int = trial.config["trial"]["index"]
    return index


class JournalScheduler(TrialScheduler):
    """Carries the journal's decisions out. A trial that must wait is stopped and frees its place."""

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
        self._journal.crash(planned_id(trial), lines[-1][:LONGEST_REASON])

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Nothing to do: the journal ended the trial when it decided to."""

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Nothing to do: the journal ended the trial when it decided to."""

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Pass what a trial tells on, and return what the journal decides."""
        name = planned_id(trial)
        if "placed" in result:
            self._journal.place(name, result["placed"], result["device"])
            return str(TrialScheduler.CONTINUE)
        if "unwritable" in result:
            self._journal.lack_storage(name, result["unwritable"])
            return str(TrialScheduler.STOP)
        if "failed" in result:
            self._journal.fail(name, result["failed"])
            return str(TrialScheduler.STOP)
        figures = {key.removeprefix("figures/"): v for key, v in result.items() if key.startswith("figures/")}
        decision = self._journal.report(name, result["epoch"], figures, last=result["last"])
        return str(TrialScheduler.CONTINUE if decision is Decision.CONTINUE else TrialScheduler.STOP)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Return the pending trial that comes first in the plan: later ones may wait for it at a rung."""
        pending = (trial for trial in tune_controller.get_live_trials() if trial.status == Trial.PENDING)
        return min(pending, key=planned_index, default=None)

    def debug_string(self) -> str:
        """Return one line on how trials are judged."""
        return "Early stopping within each stratum, in the order of the plan"
