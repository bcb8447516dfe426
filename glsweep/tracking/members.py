"""Retrained winners in MLflow: their history, their card, and what later stages add."""

import pandas as pd

from glsweep.files import read_json
from glsweep.study import Study
from glsweep.tracking.tracker import Tracker

BY_DATA_SET = ("relaxed_f1", "dice", "bf")


def track_members(study: Study) -> int:
    """Log every member's run, or bring it up to date with the stages that were completed since.

    After retraining a run has the history, the weights and the card; after the evaluation also
    the threshold and the test figures; after the report the figures, the table and the page.
    Returns the number of members.

    Raises
    ------
    StoreError
        When the store cannot be reached or used; see `without_stopping`.
    """
    tracker = Tracker.open(study)
    table = read_json(study.table_json) if study.table_json.is_file() else {"rows": []}
    tested = {row["stratum"]: dict(row) for row in table["rows"]}
    for row in table.get("by_data_set", []):
        if row["kind"] == "network":
            tested[row["stratum"]] |= {f"{row['data_set']}.{name}": row[name] for name in BY_DATA_SET}
    shared = [path for path in (study.table_csv, study.report_html) if path.is_file()]
    drawn = [path for path in (study.figures,) if path.is_dir()]
    cards = sorted((study.directory / "members").glob("*/card.json"))
    for path in cards:
        member, card = path.parent, read_json(path)
        figures = {f"best_epoch.{name}": value for name, value in card["figures"].items()}
        if card["tau"] is not None:
            figures["tau"] = card["tau"]
        numbers = {k: v for k, v in tested.get(member.name, {}).items() if isinstance(v, int | float)}
        figures |= {f"test.{name}": float(value) for name, value in numbers.items()}
        tracker.sync_member(
            member.name,
            parameters={**card["parameters"], "seed": card["seed"]},
            history=pd.read_csv(member / "history.csv"),
            figures=figures,
            tags={"stratum": member.name, "trial_id": card["trial_id"]},
            artifacts=[*sorted(p for p in member.iterdir() if p.is_file()), *drawn, *shared],
        )
    if shared:
        tracker.log_study_artifacts([*shared, *drawn])
    return len(cards)
