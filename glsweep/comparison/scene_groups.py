"""Groups in which scored scenes are pooled: by a column of the lines, the card's regions, or the data set."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pyproj
import shapely
from shapely import MultiPolygon

from glsweep.config.data_card import DataCard, Region
from glsweep.errors import ConfigError
from glsweep.patches.ground import common_map
from glsweep.scenes.annotation import SCENE_WILDCARD, files_by_scene
from glsweep.scenes.lines import LineFile, read_lines
from glsweep.scenes.names import scene_name
from glsweep.scenes.polygons import read_region
from glsweep.scenes.scene import SceneEntry
from glsweep.scenes.vector_file import open_layer

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
