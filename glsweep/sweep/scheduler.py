"""The scheduler through which Ray Tune asks the journal how each trial goes on."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from glsweep.sweep.journal import Decision, Journal

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
        figures: Mapping[str, float] | None = None,
        last: bool = False,
        failed: str | None = None,
    ) -> Decision:
        if failed is not None:
            self._journal.fail(trial_id, failed)
            return Decision.STOP
        return self._journal.report(trial_id, epoch, figures or {}, last=last)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Return who is pending and comes first in the plan: later ones may wait for it at a rung."""
        pending = (trial for trial in tune_controller.get_live_trials() if trial.status == Trial.PENDING)
        return min(pending, key=planned_place, default=None)

    def debug_string(self) -> str:
        """Return one line on how trials are judged."""
        return "Early stopping within each stratum, in the order of the plan"
