"""Trials as rows of the tables of Optuna's SQL storage, all of them in one transaction.

Optuna itself adds a trial by some thirty queries: two thousand trials take minutes, and a second so.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial
from sqlalchemy import Connection, DateTime, Integer, column, func, insert, select, table, update

TRIALS = table(
    "trials",
    *(column(name, Integer) for name in ("trial_id", "number", "study_id")),
    column("state"),
    *(column(name, DateTime) for name in ("datetime_start", "datetime_complete")),
)
OTHERS = {
    "trial_params": ("trial_id", "param_name", "param_value", "distribution_json"),
    "trial_user_attributes": ("trial_id", "key", "value_json"),
    "trial_values": ("trial_id", "objective", "value", "value_type"),
    "trial_intermediate_values": (
        "trial_id",
        "step",
        "intermediate_value",
        "intermediate_value_type",
    ),
}
FINITE = "FINITE"  # an epoch of a sweep has no other metrics


def add_trials(connection: Connection, study_id: int, number: int, trials: Sequence[FrozenTrial]) -> None:
    """Add trials to a study, the first of them as its trial `number`."""
    if not trials:
        return
    first_id = (connection.scalar(select(func.max(TRIALS.c.trial_id))) or 0) + 1
    rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for place, trial in enumerate(trials):
        trial_id = first_id + place
        connection.execute(
            insert(TRIALS).values(
                trial_id=trial_id,
                number=number + place,
                study_id=study_id,
                state=trial.state.name,
                datetime_start=trial.datetime_start,
                datetime_complete=trial.datetime_complete,
            )
        )
        _add_rows(rows, trial_id, trial)
    _insert(connection, rows)


def _insert(connection: Connection, rows: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
    for name, some in rows.items():
        columns = OTHERS[name]
        of = table(name, *map(column, columns))
        if some:
            connection.execute(insert(of), [dict(zip(columns, row, strict=True)) for row in some])


def _values(trial_id: int, trial: FrozenTrial) -> list[tuple[Any, ...]]:
    return [(trial_id, objective, value, FINITE) for objective, value in enumerate(trial.values or ())]


def _add_rows(rows: dict[str, list[tuple[Any, ...]]], trial_id: int, trial: FrozenTrial) -> None:
    for name, value in trial.params.items():
        known = trial.distributions[name]
        row = (trial_id, name, known.to_internal_repr(value), distribution_to_json(known))
        rows["trial_params"].append(row)
    for key, attribute in trial.user_attrs.items():
        rows["trial_user_attributes"].append((trial_id, key, json.dumps(attribute)))
    rows["trial_values"] += _values(trial_id, trial)
    for step, value in trial.intermediate_values.items():
        rows["trial_intermediate_values"].append((trial_id, step, value, FINITE))


def settle_trial(connection: Connection, trial_id: int, trial: FrozenTrial) -> None:
    """Give a trial the state and the value it has come to, dated as in the ledger.

    Optuna would date it by the clock of whoever tells of it.
    """
    connection.execute(
        update(TRIALS)
        .where(TRIALS.c.trial_id == trial_id)
        .values(
            state=trial.state.name,
            datetime_start=trial.datetime_start,
            datetime_complete=trial.datetime_complete,
        )
    )
    rows: dict[str, list[tuple[Any, ...]]] = {"trial_values": _values(trial_id, trial)}
    _insert(connection, rows)
