"""The sweep's ledger as tables: what each trial reported, and how it was judged."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

JUDGED = ("trial_id", "rung_epoch", "value", "rank", "of", "kept", "cutoff")
EPOCH_NUMBERS = ("figure", "epoch_s", "micro_batch")


@dataclass(frozen=True)
class History:
    """What happened in a sweep.

    Attributes
    ----------
    epochs : DataFrame
        One row an epoch that was reported, in the order in which they came: trial_id, epoch,
        figure (the one that ranks), epoch_s, micro_batch (patches at once; NaN where not told).
    judged : DataFrame
        One row a judgement, with the fields of the sweep's event.
    """

    epochs: pd.DataFrame
    judged: pd.DataFrame


def read_history(ledger_jsonl: Path, rank_by: str) -> History:
    """Read the ledger of a sweep that has ended."""
    epochs: list[dict[str, Any]] = []
    judged: list[dict[str, Any]] = []
    with ledger_jsonl.open(encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if event["event"] == "epoch":
                epochs.append(_epoch_row(event, rank_by))
            elif event["event"] == "rung":
                judged.append({name: event[name] for name in JUDGED})
    return History(
        pd.DataFrame(epochs, columns=["trial_id", "epoch", *EPOCH_NUMBERS]).astype(
            dict.fromkeys(EPOCH_NUMBERS, float)
        ),
        pd.DataFrame(judged, columns=list(JUDGED)),
    )


def _epoch_row(event: dict[str, Any], rank_by: str) -> dict[str, Any]:
    figures = event["figures"]
    return {
        "trial_id": event["trial_id"],
        "epoch": event["epoch"],
        "figure": figures.get(rank_by),
        "epoch_s": figures.get("epoch_s"),
        "micro_batch": figures.get("micro_batch"),
    }
