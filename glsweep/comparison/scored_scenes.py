"""Scenes drawn and measured against their own lines: one by one, and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd
from rich.console import Console

from glsweep.comparison import POOLED, paired, print_distances
from glsweep.config.settings import Settings
from glsweep.config.trial import FilterName
from glsweep.errors import DataError
from glsweep.evaluate.patches import FEWEST_SCENES
from glsweep.evaluate.scenes import intervals, line_scores
from glsweep.metrics.lines import TOLERANCES_M, LineDistances, line_distances
from glsweep.prediction.blend import Member
from glsweep.prediction.drawing import Drawing
from glsweep.prediction.products import known_table, write_lines
from glsweep.prediction.scene import Advance, predict_scene
from glsweep.qgis.styles import known_lines
from glsweep.report import counted
from glsweep.scenes.lines import lines_on_data, lines_to_judge
from glsweep.scenes.scene import SceneEntry
from glsweep.study.artifacts import Artifact
from glsweep.study.evaluation_artifacts import LineMetrics


@dataclass(frozen=True)
class ScoredScene:
    """A scene of the data set, and how far the drawn lines lie from its own.

    Attributes
    ----------
    entry : SceneEntry
        The scene.
    distances : LineDistances
        Of all lines that were drawn.
    near : LineDistances or None
        Of what lies near lines known before; None where nothing was to be near.
    far_from_prior : str
        Says so where none of these is anywhere near the scene; else empty.
    """

    entry: SceneEntry
    distances: LineDistances
    near: LineDistances | None = None
    far_from_prior: str = ""


def score_scene(
    entry: SceneEntry, members: list[Member], drawing: Drawing, out: Path, advance: Advance
) -> ScoredScene:
    """Draw a scene as `predict` does, and measure the lines against those that are known.

    Known lines count where the scene holds data: no network can see the rest. They are written
    next to the drawn ones, so that `compare` gives the same metrics for the two files, but where a data
    card says that nobody can tell.

    Parameters
    ----------
    entry : SceneEntry
        The scene with its lines.
    members : list of Member
        On `drawing.device`.
    drawing : Drawing
        How.
    out : Path
        Where the files go; in a folder of the data set's name where several are joined.
    advance : callable
        Called with the share of the scene that was added.

    Raises
    ------
    DataError
        When the scene's posting does not fit, its pixels cannot be read, or none of its lines lies
        where there is data.
    """
    header = entry.header
    reference = lines_on_data(entry.lines, entry.valid(), header.transform)
    if not reference:
        raise DataError(f"{header.path}: its lines lie where it holds no data; nothing can be measured")
    folder = out / entry.prefix
    predicted = predict_scene(header, members, drawing, folder, advance)
    write_lines(
        known_table(reference, header, entry.map_crs),
        folder,
        f"{header.name}-reference",
        drawing.formats,
        known_lines(),
    )
    every, near = (
        line_distances(
            lines_to_judge([one.line for one in drawn], reference, entry.unsure, entry.unsure_within_m),
            reference,
            crs=entry.map_crs,
        )
        for drawn in (predicted.all_lines, predicted.lines)
    )
    return ScoredScene(entry, every, near if drawing.prior else None, predicted.far_from_prior)


# --- The metrics of `score`, as a table and as files

Kind = Literal["scene", "group", "all"]
Counted = Literal["all", "near"]

NOT_METRICS = ("kind", "name", "group", "scenes", "scenes_missed", "counted")
SEED = 0
"""Of the bootstrap: the same scenes have the same interval."""


class ScenesOfRow(Settings):
    """Which scenes a row is about; in `scenes_missed` of them nothing was drawn.

    `counted` says which drawn lines count: all, or what lies near lines known before.
    """

    kind: Kind
    name: str
    group: str | None
    scenes: int
    scenes_missed: int
    counted: Counted


class ScoreRow(LineMetrics, ScenesOfRow):
    """The metrics of a scene, of a group of scenes or of all.

    Rows of several scenes have the ends of 95 % bootstrap intervals over them; None with too few scenes.
    """

    mean_m_low: float | None = None
    mean_m_high: float | None = None
    completeness_100_low: float | None = None
    completeness_100_high: float | None = None
    completeness_200_low: float | None = None
    completeness_200_high: float | None = None
    completeness_500_low: float | None = None
    completeness_500_high: float | None = None
    correctness_100_low: float | None = None
    correctness_100_high: float | None = None
    correctness_200_low: float | None = None
    correctness_200_high: float | None = None
    correctness_500_low: float | None = None
    correctness_500_high: float | None = None


class Scores(Artifact):
    """`scores.json`: all rows, and what they depend on."""

    models: tuple[str, ...]
    data: tuple[str, ...]
    tolerances_m: tuple[float, ...]
    tau: float
    window_px: int
    overlap: float
    turned: bool
    filters: tuple[FilterName, ...] = ("raw",)
    shortest_m: float
    bridge_m: float
    near: dict[str, str | float] | None
    rows: tuple[ScoreRow, ...]


def score_rows(scored: Sequence[ScoredScene], groups: Sequence[str] | None) -> list[ScoreRow]:
    """Return the metrics of each scene, of each group of scenes, and of all; then of what is near, if asked.

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
    list of ScoreRow
    """
    names = [one.entry.name for one in scored]
    rows = _rows_of("all", names, [one.distances for one in scored], groups)
    near = [one.near for one in scored if one.near is not None]
    return rows + _rows_of("near", names, near, groups) if near else rows


def _rows_of(
    counted: Counted, names: Sequence[str], measured: Sequence[LineDistances], groups: Sequence[str] | None
) -> list[ScoreRow]:
    own_group: Sequence[str | None] = groups or [None] * len(names)
    rows = [
        _row(counted, "scene", name, group, [found])
        for name, group, found in zip(names, own_group, measured, strict=True)
    ]
    for name in sorted(set(groups or ())):
        own = [found for found, group in zip(measured, groups or (), strict=True) if group == name]
        rows.append(_row(counted, "group", name, None, own))
    rows.append(_row(counted, "all", POOLED, None, measured))
    return rows


def _row(
    counted: Counted, kind: Kind, name: str, group: str | None, measured: Sequence[LineDistances]
) -> ScoreRow:
    both = paired(measured)
    distances = line_scores(LineDistances.pooled(both or measured))
    paired_metrics = {metric: getattr(distances, metric) for metric in ("mean_m", "median_m", "mad_m")}
    metrics = line_scores(LineDistances.pooled(measured)).model_copy(update=paired_metrics)
    bounds: dict[str, float | None] = {}
    # A scene without a drawn line has no distance, and would make every mean it is drawn into infinite.
    found = intervals(measured, seed=SEED).model_copy(update={"mean_m": intervals(both, seed=SEED).mean_m})
    for metric, interval in found if kind != "scene" else ():
        bounds[f"{metric}_low"], bounds[f"{metric}_high"] = interval or (None, None)
    return ScoreRow.model_validate(
        {
            "kind": kind,
            "name": name,
            "group": group,
            "scenes": len(measured),
            "scenes_missed": sum(not len(one.drawn_m) for one in measured),
            "counted": counted,
            **metrics.model_dump(),
            **bounds,
        }
    )


def print_scores(rows: Sequence[ScoreRow], console: Console) -> None:
    """Print the metrics as `compare` does, and below them the intervals of what is pooled.

    Those of all lines, and where some were to be near others, then those of what is.
    """
    near = [row for row in rows if row.counted == "near"]
    if near:
        console.print("all lines that were drawn:", highlight=False)
    _print_rows([row for row in rows if row.counted == "all"], console)
    if near:
        console.print("only what lies near the lines known before:", highlight=False)
        _print_rows(near, console)


def _print_rows(rows: Sequence[ScoreRow], console: Console) -> None:
    print_distances(scores_frame(rows), TOLERANCES_M, console)
    for row in rows:
        if row.kind != "scene":
            console.print(f"{row.name}: {_interval_text(row)}", highlight=False, soft_wrap=True)


def scores_csv(rows: Sequence[ScoreRow]) -> str:
    """Return all rows as CSV, empty where there is no value."""
    return str(scores_frame(rows).to_csv(index=False))


def scores_frame(rows: Sequence[ScoreRow]) -> pd.DataFrame:
    """Return all rows as a frame, NaN where there is no value."""
    table = pd.DataFrame([row.model_dump() for row in rows])
    # A column that is None all the way down would be one of objects.
    return table.astype({column: float for column in table if str(column) not in NOT_METRICS})


def _interval_text(row: ScoreRow) -> str:
    scenes = counted(row.scenes, "scene")
    missed = f", nothing drawn in {row.scenes_missed}" if row.scenes_missed else ""
    if row.scenes < FEWEST_SCENES:
        return f"{scenes}{missed}; an interval needs {FEWEST_SCENES}"
    parts = []
    if row.mean_m_low is not None:
        parts.append(f"mean {row.mean_m_low:.0f} to {row.mean_m_high:.0f} m")
    if row.completeness_200_low is not None:
        parts.append(f"found within 200 m {row.completeness_200_low:.0%} to {row.completeness_200_high:.0%}")
    return f"{scenes}{missed}; 95 % intervals over scenes: {', '.join(parts) or 'none'}"
