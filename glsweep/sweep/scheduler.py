"""The scheduler through which Ray Tune asks the journal how each trial goes on."""

from typing import Any

from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler

from glsweep.sweep.journal import Decision, Journal

_TUNE_DECISION = {
    Decision.CONTINUE: TrialScheduler.CONTINUE,
    Decision.WAIT: TrialScheduler.PAUSE,
    Decision.STOP: TrialScheduler.STOP,
}


def planned_id(trial: Trial) -> str:
    """Return the plan's identifier of one of Tune's trials."""
    identifier: str = trial.config["trial"]["trial_id"]
    return identifier


def _planned_index(trial: Trial) -> int:
    index: int = trial.config["trial"]["index"]
    return index


class JournalScheduler(TrialScheduler):
    """Carries the journal's decisions out; a trial that must wait is paused and frees its place."""

    # Each report must reach the journal before the trial goes on to another epoch.
    _supports_buffered_results = False

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Nothing to do: the searcher has told the journal."""

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Nothing to do: Tune tries again, and the callback hears of the last failure."""

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Nothing to do: the journal ended the trial when it decided to."""

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Nothing to do: the journal ended the trial when it decided to."""

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Pass a report on and return what the journal decides."""
        if "failed" in result:
            self._journal.fail(planned_id(trial), result["failed"])
            return str(TrialScheduler.STOP)
        figures = {key.removeprefix("figures/"): v for key, v in result.items() if key.startswith("figures/")}
        decision = self._journal.report(planned_id(trial), result["epoch"], figures, last=result["last"])
        return str(_TUNE_DECISION[decision])

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Return a paused trial that may go on, else the next one that has not begun.

        A paused trial whose wait ended badly is stopped here, before it would train any further.
        """
        trials = sorted(tune_controller.get_live_trials(), key=_planned_index)
        for trial in [trial for trial in trials if trial.status == Trial.PAUSED]:
            decision = self._journal.decide(planned_id(trial))
            if decision is Decision.STOP:
                tune_controller.stop_trial(trial)
            elif decision is Decision.CONTINUE:
                return trial
        return next((trial for trial in trials if trial.status == Trial.PENDING), None)

    def debug_string(self) -> str:
        """Return one line on how trials are judged."""
        return "Successive halving within each stratum, in the order of the plan"
