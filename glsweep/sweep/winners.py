"""From the sweep's records: a table of all trials, and the best configuration of each stratum.

And what full training changes in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from glsweep.config.space import Figure
from glsweep.config.trial import TrialParameters
from glsweep.errors import StudyError
from glsweep.files import replacing
from glsweep.sweep.records import SweepRecords, TrialRecord
from glsweep.tracking.labels import parameter_label
from glsweep.training.report import is_better

COLUMNS = (
    *("trial_id", "index", "configuration", "replicate", "stratum"),
    *TrialParameters.model_fields,
    *("outcome", "rung_epoch", "epochs", "best_epoch", "best", "reason", "wall_s"),
)
"""Of `trials.csv`."""


def winners(records: SweepRecords, figure: Figure) -> dict[str, dict[str, Any]]:
    """Return each stratum's best configuration, by the mean of `figure` over its seeds.

    Of a configuration count those seeds that ran their full budget, each with its best epoch; its
    `spread` is their sample standard deviation, None with one. Equals go to the one that comes
    first in the sweep's order. `trial_id`, `epoch` and `seed` are those of the first seed, with
    which the winner is retrained: the luckiest of several seeds owes its lead to this sweep's
    epochs, and each configuration has a first one.

    A stratum in which no trial ran its full budget has no winner; see `failure_in_sweep`.
    """
    ranked = {key: list(_ranked(records, stratum, figure)) for key, stratum in records.strata.items()}
    return {key: _best_of(ranked[key], figure) for key in sorted(ranked) if ranked[key]}


def trials_frame(records: SweepRecords, figure: Figure) -> pd.DataFrame:
    """Return one row a trial: its parameters, how it ended and its best figure, in the plan's order.

    `outcome` is None for a trial that is not over.
    """
    ordered = sorted(records.trials.values(), key=lambda record: (record.trial.index, record.trial.replicate))
    return pd.DataFrame([_row(record, figure) for record in ordered], columns=COLUMNS)


def write_trials(records: SweepRecords, figure: Figure, target: Path) -> None:
    """Write the table of all trials as CSV."""
    with replacing(target) as beside:
        trials_frame(records, figure).to_csv(beside, index=False)


def changes_in_full(winner: Mapping[str, Any], parameters: TrialParameters) -> dict[str, tuple[Any, Any]]:
    """Return what full training has otherwise than the winner's trials: what it was, and what it becomes."""
    was = TrialParameters.model_validate(winner["parameters"]).model_dump(mode="json")
    now = parameters.model_dump(mode="json")
    return {name: (was.get(name), value) for name, value in now.items() if was.get(name) != value}


def changes_told(changes: Mapping[str, Mapping[str, Sequence[Any]]]) -> list[str]:
    """Return one clause for each thing that members were trained with otherwise than in their trials.

    Parameters
    ----------
    changes : mapping
        From a member's title to its card's `changed_since_trial`.
    """
    found: dict[str, list[str]] = {}
    for title, of_member in changes.items():
        for name, (was, now) in of_member.items():
            found.setdefault(f"{name} {now} (the trial had {was})", []).append(title)
    return [
        clause if len(titles) == len(changes) else f"{', '.join(titles)}: {clause}"
        for clause, titles in found.items()
    ]


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
