"""From the sweep's records: a table of all trials, and the best one of each stratum."""

from typing import Any

import pandas as pd

from glsweep.config.space import Figure
from glsweep.errors import StudyError
from glsweep.sweep.records import SweepRecords, TrialRecord
from glsweep.tracking.labels import parameter_label
from glsweep.training.report import is_better


def winners(records: SweepRecords, figure: Figure) -> dict[str, dict[str, Any]]:
    """Return each stratum's best trial by `figure`, among those that ran their full budget.

    Equal figures go to the trial that comes first in the sweep's order.

    Raises
    ------
    StudyError
        When no trial of a stratum ran its full budget; the message gives a reason.
    """
    best = {}
    for key, stratum in sorted(records.strata.items()):
        completed = [record for record in stratum if record.outcome == "completed"]
        if not completed:
            reasons = next((record.reason for record in stratum if record.reason), "none was started")
            raise StudyError(
                f"stratum {key}: no trial ran its full budget ({reasons}); mend the search space"
            )
        best[key] = _summary(_best_of(completed, figure), figure)
    return best


def trials_frame(records: SweepRecords, figure: Figure) -> pd.DataFrame:
    """Return one row a trial: its parameters, how it ended and its best figure, in the plan's order."""
    ordered = sorted(records.trials.values(), key=lambda record: record.trial.index)
    return pd.DataFrame([_row(record, figure) for record in ordered])


def _best_of(completed: list[TrialRecord], figure: Figure) -> TrialRecord:
    best = completed[0]
    for record in completed[1:]:
        if is_better(figure, _best(record, figure)[1], _best(best, figure)[1]):
            best = record
    return best


def _best(record: TrialRecord, figure: Figure) -> tuple[int, float]:
    best = record.best(figure)
    if best is None:
        raise StudyError(
            f"trial {record.trial.trial_id} has no report; delete the sweep's folder to sweep anew"
        )
    return best


def _summary(record: TrialRecord, figure: Figure) -> dict[str, Any]:
    epoch, value = _best(record, figure)
    return {
        "trial_id": record.trial.trial_id,
        "index": record.trial.index,
        "figure": figure,
        "value": value,
        "epoch": epoch,
        "seed": record.trial.seed,
        "parameters": record.trial.parameters.model_dump(mode="json"),
    }


def _row(record: TrialRecord, figure: Figure) -> dict[str, Any]:
    best = record.best(figure)
    return {
        "trial_id": record.trial.trial_id,
        "index": record.trial.index,
        "stratum": record.trial.stratum.key,
        **{name: parameter_label(value) for name, value in record.trial.parameters},
        "outcome": record.outcome,
        "rung_epoch": record.rung_epoch,
        "epochs": len(record.epochs),
        "best_epoch": best[0] if best else None,
        "best": best[1] if best else None,
        "reason": record.reason,
        "wall_s": round(record.trained_s, 2),
    }
