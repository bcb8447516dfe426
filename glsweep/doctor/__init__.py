"""Checks of a machine or cluster before a sweep starts; here, the findings that they return."""

import os
from dataclasses import dataclass
from typing import Literal

# Ray reads these when it is imported or starts; what a user has set stands.
ENVIRONMENT = {
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    # Snapshots for a restore that is never made would grow with every trial.
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000000",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
for name, value in ENVIRONMENT.items():
    os.environ.setdefault(name, value)


Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, said in one line.

    Attributes
    ----------
    severity : str
        `error`: a sweep would fail or wait for ever. `warning`: it would run, but badly.
    what, where, remedy : str
        What is wrong, in which file, node or setting, and what to do about it.
    """

    severity: Severity
    what: str
    where: str
    remedy: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        return " ".join(f"{self.where}: {self.what}; {self.remedy}".split())


def error(what: str, *, where: str, remedy: str) -> Finding:
    """Return a finding with which a sweep cannot run."""
    return Finding("error", what, where, remedy)


def warning(what: str, *, where: str, remedy: str) -> Finding:
    """Return a finding with which a sweep still runs."""
    return Finding("warning", what, where, remedy)
