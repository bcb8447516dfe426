"""Scenes drawn and measured against their own lines: one by one, in groups, and as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Literal

import geopandas as gpd
import pandas as pd
import pyproj
import shapely
from rich.console import Console
from shapely import LineString, MultiPolygon

from glsweep.comparison import POOLED, paired, print_distances
from glsweep.config.data_card import DataCard, Region
from glsweep.config.settings import Settings
from glsweep.errors import ConfigError, DataError
from glsweep.evaluate.patches import FEWEST_SCENES
from glsweep.evaluate.scenes import intervals, line_scores
from glsweep.geodesy import lengths_m
from glsweep.metrics.lines import TOLERANCES_M, LineDistances, line_distances
from glsweep.patches.ground import common_map
from glsweep.prediction.blend import Member
from glsweep.prediction.products import scene_columns, write_lines
from glsweep.prediction.scene import Advance, Drawing, predict_scene
from glsweep.report import counted
from glsweep.scenes.annotation import SCENE_WILDCARD, files_by_scene
from glsweep.scenes.lines import LineFile, lines_on_data, read_lines
from glsweep.scenes.names import acquisition_of, scene_name
from glsweep.scenes.polygons import read_region
from glsweep.scenes.scene import SceneEntry
from glsweep.scenes.vector_file import open_layer
from glsweep.study.artifacts import Artifact
from glsweep.study.evaluation_artifacts import LineMetrics


@dataclass(frozen=True)
class ScoredScene:
    """A scene of the data set, and how far the drawn lines lie from its own."""

    entry: SceneEntry
    distances: LineDistances


def score_scene(
    entry: SceneEntry, members: list[Member], drawing: Drawing, out: Path, advance: Advance
) -> ScoredScene:
    """Draw a scene as `predict` does, and measure the lines against those that are known.

    Known lines count where the scene holds data: no network can see the rest. They are written
    next to the drawn ones, so that `compare` gives the same metrics for the two files.

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
    drawn = predict_scene(header, members, drawing, folder, advance).lines
    write_lines(_reference_table(reference, entry), folder, f"{header.name}-reference", drawing.formats)
    return ScoredScene(entry, line_distances([one.line for one in drawn], reference, crs=entry.map_crs))


def _reference_table(lines: Sequence[LineString], entry: SceneEntry) -> gpd.GeoDataFrame:
    header = entry.header
    columns = {
        **scene_columns(header.name, acquisition_of(header)),
        "length_m": lengths_m(lines, entry.map_crs).round(1),
    }
    crs = pyproj.CRS.from_wkt(header.crs.to_wkt())
    return gpd.GeoDataFrame(columns, geometry=list(lines), crs=crs)


# --- Groups of scenes: by a column of the lines, the card's regions, or the data set

REGION, DATA_SET = "region", "data_set"
ELSEWHERE = "elsewhere"


def groups_of(card: DataCard, entries: Sequence[SceneEntry], by: str | None) -> list[str] | None:
    """Return the group of each scene, or None where there are no groups.

    Parameters
    ----------
    card : DataCard
        One data set, or several parts.
    entries : sequence of SceneEntry
        Its scenes.
    by : str or None
        A column of the file of lines; `region` for the card's regions, where it has any; `data_set`.
        None: data sets where there are several, else regions where the card has any.

    Returns
    -------
    list of str or None
        A scene whose lines have several values of the column belongs to all of them together, such
        as `Dotson, Getz`; of several regions, to the one with the most of its line.

    Raises
    ------
    ConfigError
        When a data set has no file of lines, or the file no such column.
    DataError
        When a file cannot be read.
    """
    if by is None:
        by = DATA_SET if card.parts else REGION if card.split.regions else None
    if by is None:
        return None
    if by == DATA_SET:
        return [entry.data_set for entry in entries]
    if by == REGION and card.split.regions:
        return _regions(entries, card.split.regions)
    values: dict[str, str] = {}
    for part in card.data_sets:
        values |= _values(part, [entry for entry in entries if entry.data_set == part.name], by)
    return [values[entry.name] for entry in entries]


def _regions(entries: Sequence[SceneEntry], regions: Sequence[Region]) -> list[str]:
    """Return the region that names a scene, or that holds the most of its lines."""

    @cache
    def ground_of(region: Region, crs: pyproj.CRS) -> MultiPolygon:
        return read_region(region, crs)

    found = []
    for entry in entries:
        line_length = {ELSEWHERE: 0.0}
        for region in regions:
            if region.polygons is None:
                name = ", ".join(region.scenes)
                # As where ground is held out: a scene's name goes before its place.
                length = float("inf") if any(fnmatchcase(entry.name, p) for p in region.scenes) else 0.0
            else:
                name = ", ".join(region.names) or region.polygons.stem
                inside = shapely.intersection(list(entry.lines), ground_of(region, common_map(entry)))
                length = float(shapely.length(inside).sum())
            line_length[name] = max(length, line_length.get(name, 0.0))
        found.append(max(line_length, key=lambda name: line_length[name]))
    return found


def _values(card: DataCard, entries: Sequence[SceneEntry], column: str) -> dict[str, str]:
    """Return what `column` says of the lines of each scene of one data set."""
    if card.layout.lines is None:
        raise ConfigError(
            f"--by {column}: the lines of data set {card.name} are pixels, which have no columns; "
            "leave it out, or add `split.regions` to the data card and say --by region"
        )
    root, lines = card.root or Path(), card.layout.lines
    if SCENE_WILDCARD in lines:
        paths = files_by_scene(root, lines)
        files = [(entry, paths.get(scene_name(entry.header.name))) for entry in entries]
        values_by_scene = {
            entry.name: _values_in_file(path, column) if path else set[str]() for entry, path in files
        }
    elif card.layout.scene_column is not None:
        _check_column(root / lines, column)
        file = read_lines(root / lines, card.layout.scene_column, column)
        by_scene = file.splits_by_scene
        values_by_scene = {
            entry.name: set(by_scene.get(scene_name(entry.header.name), ())) for entry in entries
        }
    else:
        _check_column(root / lines, column)
        file = read_lines(root / lines, None, column)
        values_by_scene = {entry.name: _touching(entry, file) for entry in entries}
    return {name: ", ".join(sorted(values)) or ELSEWHERE for name, values in values_by_scene.items()}


def _touching(entry: SceneEntry, file: LineFile) -> set[str]:
    """Return the values of the lines that touch a scene."""
    outline = entry.ground()
    own = {value: file.lines_of(value, entry.header.crs) for value in file.by_scene if value}
    return {value for value, lines in own.items() if shapely.intersects(list(lines), outline).any()}


def _values_in_file(path: Path, column: str) -> set[str]:
    """Return the values of a scene's own file of lines."""
    _check_column(path, column)
    return {value for value, lines in read_lines(path, None, column).by_scene.items() if lines and value}


def _check_column(path: Path, column: str) -> None:
    layer = open_layer(path)
    if layer.column(column) is None:
        raise ConfigError(
            f"--by {column}: {layer.path} has no such column; its columns are "
            f"{', '.join(layer.columns) or 'none'}; name one of them"
        )


# --- The metrics of `score`, as a table and as files

Kind = Literal["scene", "group", "all"]

NOT_METRICS = ("kind", "name", "group", "scenes", "scenes_missed")
SEED = 0
"""Of the bootstrap: the same scenes have the same interval."""


class ScenesOfRow(Settings):
    """Which scenes a row is about; in `scenes_missed` of them nothing was drawn."""

    kind: Kind
    name: str
    group: str | None
    scenes: int
    scenes_missed: int


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
    shortest_m: float
    bridge_m: float
    rows: tuple[ScoreRow, ...]


def score_rows(scored: Sequence[ScoredScene], groups: Sequence[str] | None) -> list[ScoreRow]:
    """Return the metrics of each scene, of each group of scenes, and of all.

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


def _row(kind: Kind, name: str, group: str | None, measured: Sequence[LineDistances]) -> ScoreRow:
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
            **metrics.model_dump(),
            **bounds,
        }
    )


def print_scores(rows: Sequence[ScoreRow], console: Console) -> None:
    """Print the metrics as `compare` does, and below them the intervals of what is pooled."""
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
