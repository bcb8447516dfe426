"""Grounding lines as analysts draw them: a vector file with one row a line."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyproj
import shapely
from rasterio.crs import CRS
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from glsweep.errors import DataError
from glsweep.geodesy import moved
from glsweep.scenes.names import cell_text, group_name, scene_name
from glsweep.scenes.polygon_edges import outlines_of
from glsweep.scenes.repeated_lines import without_repeats
from glsweep.scenes.vector_file import VectorLayer, open_layer


@dataclass(frozen=True)
class LineFile:
    """The lines of one file, by the scene that they belong to.

    Attributes
    ----------
    path : Path
        The file of lines.
    crs : pyproj CRS
        The lines' own coordinate reference system.
    by_scene : mapping of str to tuple of LineString
        Lines of each scene that the file names, in `crs`; empty where no row has a geometry.
    rows_by_scene : mapping of str to int
        Rows of each scene, with or without a geometry.
    rows_without_geometry : mapping of str to int
        Rows whose geometry is null, empty or of no length; scenes that have none are left out.
    splits_by_scene : mapping of str to set of str
        What the split column says of each scene's rows; empty without such a column.
    remarks : tuple of str
        What was not taken as it stands in the file, in a sentence each.
    """

    path: Path
    crs: pyproj.CRS
    by_scene: Mapping[str, tuple[LineString, ...]]
    rows_by_scene: Mapping[str, int]
    rows_without_geometry: Mapping[str, int]
    splits_by_scene: Mapping[str, frozenset[str]]
    remarks: tuple[str, ...] = ()

    def of(self, scene: str, crs: CRS) -> tuple[LineString, ...]:
        """Return a scene's lines, reprojected to `crs` where theirs is another.

        Raises
        ------
        DataError
            When a line has no place in `crs`.
        """
        lines = self.by_scene.get(scene, ())
        target = pyproj.CRS.from_wkt(crs.to_wkt())
        there = moved(lines, self.crs, target)
        if not np.isfinite(shapely.get_coordinates(there)).all():
            raise DataError(
                f"{self.path}: a line of scene {scene} has no place in the scene's CRS {crs.to_string()}; "
                "mend the line or the CRS of either file"
            )
        return tuple(there.tolist())


def read_lines(
    source: Path, scene_column: str | None, split_column: str | None = None, *, layer: str | None = None
) -> LineFile:
    """Read every row, and sort the lines by the scene that `scene_column` names.

    Without a `scene_column` rows are sorted by what `split_column` says of them, by "" without one.

    Scenes are named by stem: `a`, `a.shp` and `folder/a.tif` are all scene `a`. Several lines in
    one row are taken apart, polygons count as their outlines (see `outlines_of`), a scene's line
    that is there several times counts once, heights are dropped. A shapefile's column is known by
    its first ten letters, all that the format keeps.

    Parameters
    ----------
    source : Path
        The file; `file.gpkg|layer` names one of its layers.
    scene_column, split_column : str or None
        What sorts the lines.
    layer : str or None
        One of its layers, where it has several.

    Raises
    ------
    DataError
        When the file cannot be read, has several layers of which none is named, no CRS or no such
        column, or holds points.
    """
    opened = open_layer(source, layer)
    scenes = _named(opened, scene_column, "layout.scene_column", "to join lines to scenes")
    splits = _named(opened, split_column, "split.column", "that names splits")
    cells, geometries = opened.read(name for name in (scenes, splits) if name is not None)
    said = None if splits is None else [cell_text(cell) for cell in cells[splits]]
    names = (said or [""] * len(geometries)) if scenes is None else [scene_name(c) for c in cells[scenes]]
    return _sorted(opened, names, said, geometries)


def read_groups(
    source: Path, column: str | None, *, layer: str | None = None, option: str = "--layer"
) -> LineFile:
    """Read every row, and sort the lines by the value of `column`, all together without one.

    As `read_lines`, but a value stays whole (`05/01/2018`) unless it is a file's name (`a.shp`), and
    rows without a value or a geometry are left out, which `remarks` tell. `option` is what names a
    layer, for messages.

    Raises
    ------
    DataError
        As `read_lines`, and when no row has a value.
    """
    opened = open_layer(source, layer, option=option)
    name = _named(opened, column, "--by, or", "that tells lines apart")
    cells, geometries = opened.read([] if name is None else [name])
    values: list[str | None] = [""] * len(geometries)
    if name is not None:
        values = [group_name(cell) or None for cell in cells[name]]
    valueless = values.count(None)
    if geometries and valueless == len(geometries):
        raise DataError(f"{opened.path}: its column {name} is empty in every row; name another one")
    file = _sorted(opened, values, None, geometries)
    told = []
    if valueless:
        told.append(f"{_counted(valueless, 'row has', 'rows have')} no value in {name}; left out")
    if empty := sum(file.rows_without_geometry.values()):
        told.append(f"{_counted(empty, 'row has', 'rows have')} no geometry; left out")
    if not any(file.by_scene.values()):
        told.append("holds no line")
    return replace(file, remarks=(*told, *file.remarks))


def _named(layer: VectorLayer, column: str | None, key: str, purpose: str) -> str | None:
    """Return the column as the file calls it; None where none is asked for."""
    if column is None:
        return None
    name = layer.column(column)
    if name is None:
        raise DataError(
            f"{layer.path}: has no column {column!r} {purpose}; its columns are "
            f"{', '.join(layer.columns) or 'none'}; name one of them as {key} in a data card"
        )
    return name


def _sorted(
    layer: VectorLayer,
    names: Sequence[str | None],
    splits: Sequence[str] | None,
    geometries: Sequence[BaseGeometry | None],
) -> LineFile:
    """Sort the lines of all rows by name, each line once; rows whose name is None are left out."""
    parts = [
        [] if name is None else _parts(geometry, f"{layer.path}: row {row}")
        for row, (name, geometry) in enumerate(zip(names, geometries, strict=True))
    ]
    polygons = [part for own in parts for part in own if isinstance(part, Polygon)]
    outlines = outlines_of(polygons, layer.crs)
    lines_of_next = iter(outlines.lines)
    by_scene: dict[str, list[LineString]] = {}
    split_names: dict[str, set[str]] = {}
    rows, empty = Counter[str](), Counter[str]()
    for row, (name, own) in enumerate(zip(names, parts, strict=True)):
        if name is None:
            continue
        lines = by_scene.setdefault(name, [])
        for part in own:
            lines += next(lines_of_next) if isinstance(part, Polygon) else [part]
        rows[name] += 1
        if not own:
            empty[name] += 1
        elif splits is not None and splits[row]:
            split_names.setdefault(name, set()).add(splits[row])
    once = {name: tuple(without_repeats(lines)) for name, lines in by_scene.items()}
    repeats = sum(map(len, by_scene.values())) - sum(map(len, once.values()))
    return LineFile(
        layer.path,
        layer.crs,
        once,
        rows,
        empty,
        {name: frozenset(found) for name, found in split_names.items()},
        tuple(_remarks(repeats, outlines.cut)),
    )


def _remarks(repeats: int, cut: int) -> list[str]:
    told = []
    if repeats:
        told.append(
            f"{_counted(repeats, 'line is in it twice and counts', 'lines are in it twice and count')} once"
        )
    if cut:
        told.append(
            f"{_counted(cut, 'polygon has', 'polygons have')} edges that are no line and do not count: "
            "shared with a neighbour, along the antimeridian or on the frame of the whole file"
        )
    return told


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _parts(geometry: BaseGeometry | None, where: str) -> list[LineString | Polygon]:
    """Return the lines and polygons of a row; none without a length."""
    if geometry is None or geometry.is_empty:
        return []
    if geometry.geom_type in {"LineString", "LinearRing", "Polygon"}:
        flat = shapely.force_2d(geometry)
        if not np.isfinite(shapely.get_coordinates(flat)).all():
            raise DataError(f"{where} has a vertex that is not a number; mend or remove the line")
        if flat.length == 0:
            return []
        return [flat if isinstance(flat, Polygon) else LineString(flat)]
    if not hasattr(geometry, "geoms"):
        raise DataError(f"{where} is a {geometry.geom_type}, not a line; keep lines or polygons only")
    return [found for part in geometry.geoms for found in _parts(part, where)]
