"""From the sweep's records: a table of all trials, and the best configuration of each stratum."""

from collections.abc import Iterator
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from glsweep.config.space import Figure
from glsweep.errors import StudyError
from glsweep.sweep.records import SweepRecords, TrialRecord
from glsweep.tracking.labels import parameter_label
from glsweep.training.report import is_better


def winners(records: SweepRecords, figure: Figure) -> dict[str, dict[str, Any]]:
    """Return each stratum's best configuration, by the mean of `figure` over its seeds.

    Of a configuration count those seeds that ran their full budget, each with its best epoch; its
    `spread` is their sample standard deviation, None with one. Equals go to the one that comes
    first in the sweep's order. `trial_id`, `epoch` and `seed` are those of the first seed, with
    which the winner is retrained: the luckiest of several seeds owes its lead to this sweep's
    epochs, and each configuration has a first one.

    Raises
    ------
    StudyError
        When no trial of a stratum ran its full budget; the message gives a reason.
    """
    best = {}
    for key, stratum in sorted(records.strata.items()):
        ranked = list(_ranked(records, stratum, figure))
        if not ranked:
            reasons = next((record.reason for record in stratum if record.reason), "none was started")
            raise StudyError(
                f"stratum {key}: no trial ran its full budget ({reasons}); mend the search space"
            )
        best[key] = _best_of(ranked, figure)
    return best


def trials_frame(records: SweepRecords, figure: Figure) -> pd.DataFrame:
    """Return one row a trial: its parameters, how it ended and its best figure, in the plan's order."""
    ordered = sorted(records.trials.values(), key=lambda record: (record.trial.index, record.trial.replicate))
    return pd.DataFrame([_row(record, figure) for record in ordered])


def _ranked(records: SweepRecords, stratum: list[TrialRecord], figure: Figure) -> Iterator[dict[str, Any]]:
    """Yield what is known of each configuration whose first seed ran in full."""
    for first in stratum:
        seeds = [first, *records.replicates.get(first.trial.configuration, [])]
        values = [_best(record, figure)[1] for record in seeds if record.outcome == "completed"]
        if first.outcome == "completed":
            yield {
                "trial_id": first.trial.trial_id,
                "index": first.trial.index,
                "figure": figure,
                "value": fmean(values),
                "replicates": len(values),
                "mean": fmean(values),
                "spread": stdev(values) if len(values) > 1 else None,
                "epoch": _best(first, figure)[0],
                "seed": first.trial.seed,
                "parameters": first.trial.parameters.model_dump(mode="json"),
            }


def _best_of(ranked: list[dict[str, Any]], figure: Figure) -> dict[str, Any]:
    best = ranked[0]
    for other in ranked[1:]:
        if is_better(figure, other["value"], best["value"]):
            best = other
    return best


def _best(record: TrialRecord, figure: Figure) -> tuple[int, float]:
    best = record.best(figure)
    if best is None:
        raise StudyError(
            f"trial {record.trial.trial_id} has no report; delete the sweep's folder to sweep anew"
        )
    return best


def _row(record: TrialRecord, figure: Figure) -> dict[str, Any]:
    best = record.best(figure)
    return {
        "trial_id": record.trial.trial_id,
        "index": record.trial.index,
        "configuration": record.trial.configuration,
        "replicate": record.trial.replicate,
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
