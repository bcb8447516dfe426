"""What Ray Tune tells of trials that crash; all else reaches the journal through the scheduler."""

from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from glsweep.sweep.journal import Journal
from glsweep.sweep.scheduler import planned_id

LONGEST_REASON = 300


class FailureCallback(Callback):
    """Notes a trial that crashed more often than it may be tried again."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """Keep the last line of the traceback as the reason; the whole of it is in Tune's folder."""
        error = Path(trial.error_file).read_text() if trial.error_file else ""
        lines = [line.strip() for line in error.splitlines() if line.strip()] or ["the trial crashed"]
        self._journal.fail(planned_id(trial), lines[-1][:LONGEST_REASON])
