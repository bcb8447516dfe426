"""The figures of `score`: a row a scene, a row a group and one of all, as a table and as files."""

from collections.abc import Sequence
from typing import Any, Literal

import pandas as pd
from rich.console import Console

from glsweep.compare.told import POOLED, paired, tell
from glsweep.evaluate.line_scores import FEWEST_SCENES, intervals, line_scores
from glsweep.metrics.lines import TOLERANCES_M, LineDistances
from glsweep.report.words import counted
from glsweep.score.scene import ScoredScene

Kind = Literal["scene", "group", "all"]

WHOLE = ("kind", "name", "group", "scenes", "scenes_missed")
SEED = 0
"""Of the bootstrap: the same scenes have the same interval."""
TOLD_TOLERANCE_M = 200.0


def score_rows(scored: Sequence[ScoredScene], groups: Sequence[str] | None) -> list[dict[str, Any]]:
    """Return the figures of each scene, of each group of scenes, and of all.

    Distances of several scenes are those of the scenes in which something was drawn, as `compare`
    has them; what a missed scene costs is in completeness.

    Parameters
    ----------
    scored : sequence of ScoredScene
        At least one.
    groups : sequence of str or None
        The group of each.

    Returns
    -------
    list of dict
        kind, name, group (of a scene), scenes, scenes_missed (nothing was drawn), the figures of
        `line_scores`; of groups and all, NAME_low and NAME_high of the 95 % intervals over scenes.
        None where there is nothing to tell.
    """
    measured = [one.distances for one in scored]
    own_group: Sequence[str | None] = groups or [None] * len(scored)
    rows = [
        _row("scene", one.entry.name, group, [one.distances])
        for one, group in zip(scored, own_group, strict=True)
    ]
    for name in sorted(set(groups or ())):
        own = [found for found, group in zip(measured, groups or (), strict=True) if group == name]
        rows.append(_row("group", name, None, own))
    rows.append(_row("all", POOLED, None, measured))
    return rows


def _row(kind: Kind, name: str, group: str | None, measured: Sequence[LineDistances]) -> dict[str, Any]:
    both = paired(measured)
    distances = line_scores(LineDistances.pooled(both or measured))
    row = {
        "kind": kind,
        "name": name,
        "group": group,
        "scenes": len(measured),
        "scenes_missed": sum(not len(one.drawn_m) for one in measured),
        **line_scores(LineDistances.pooled(measured)),
        **{figure: distances[figure] for figure in ("mean_m", "median_m", "mad_m")},
    }
    if kind == "scene":
        return row
    # A scene without a drawn line has no distance, and would make every mean it is drawn into infinite.
    bounds = {**intervals(measured, seed=SEED), "mean_m": intervals(both, seed=SEED)["mean_m"]}
    for figure, interval in bounds.items():
        row[f"{figure}_low"], row[f"{figure}_high"] = interval or (None, None)
    return row


def tell_rows(rows: Sequence[dict[str, Any]], console: Console) -> None:
    """Print the figures as `compare` does, and below them the intervals of what is pooled."""
    tell(_as_table(rows), TOLERANCES_M, console)
    for row in rows:
        if row["kind"] != "scene":
            console.print(f"{row['name']}: {_told(row)}", highlight=False, soft_wrap=True)


def as_csv(rows: Sequence[dict[str, Any]]) -> str:
    """Return all rows as CSV, empty where there is nothing to tell."""
    return str(_as_table(rows).to_csv(index=False))


def _as_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame(list(rows))
    # A column that is None all the way down would be one of objects.
    return table.astype({column: float for column in table if str(column) not in WHOLE})


def _told(row: dict[str, Any]) -> str:
    scenes = counted(row["scenes"], "scene")
    missed = f", nothing drawn in {row['scenes_missed']}" if row["scenes_missed"] else ""
    if row["scenes"] < FEWEST_SCENES:
        return f"{scenes}{missed}; an interval needs {FEWEST_SCENES}"
    share = f"completeness_{TOLD_TOLERANCE_M:g}"
    parts = []
    if row["mean_m_low"] is not None:
        parts.append(f"mean {row['mean_m_low']:.0f} to {row['mean_m_high']:.0f} m")
    if row[f"{share}_low"] is not None:
        low, high = row[f"{share}_low"], row[f"{share}_high"]
        parts.append(f"found within {TOLD_TOLERANCE_M:g} m {low:.0%} to {high:.0%}")
    return f"{scenes}{missed}; 95 % intervals over scenes: {', '.join(parts) or 'none'}"
