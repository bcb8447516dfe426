"""Grounding lines as analysts draw them: .gpkg, .shp or .geojson, one row a line."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

import geopandas as gpd
import numpy as np
import pyogrio
import pyproj
import shapely
from rasterio.crs import CRS
from shapely import LineString
from shapely.geometry.base import BaseGeometry

from glsweep.errors import DataError
from glsweep.geodesy import moved

SHAPEFILE_NAME_LENGTH = 10
NAME_SUFFIXES = {".shp", ".tif", ".tiff", ".gpkg", ".geojson"}


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
    """

    path: Path
    crs: pyproj.CRS
    by_scene: Mapping[str, tuple[LineString, ...]]
    rows_by_scene: Mapping[str, int]
    rows_without_geometry: Mapping[str, int]
    splits_by_scene: Mapping[str, frozenset[str]]

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


def read_lines(path: Path, scene_column: str | None, split_column: str | None = None) -> LineFile:
    """Read every row, and sort the lines by the scene that `scene_column` names.

    Without a `scene_column` rows are sorted by what `split_column` says of them, by "" without one.

    Scenes are named by stem: `a`, `a.shp` and `folder/a.tif` are all scene `a`. Several lines in
    one row are taken apart, polygons count as their outlines, heights are dropped. A shapefile's
    column is known by its first ten letters, all that the format keeps.

    Raises
    ------
    DataError
        When the file cannot be read, has not exactly one layer, no CRS or no `scene_column`, or
        holds points.
    """
    table = _read_table(path)
    if table.crs is None:
        raise DataError(f"{path}: has no CRS; assign the one it was drawn in (a .prj file for .shp)")
    scenes = _cells(table, path, scene_column, "layout.scene_column", "to join lines to scenes")
    splits = _cells(table, path, split_column, "split.column", "that names splits")
    by_scene: dict[str, list[LineString]] = {}
    split_names: dict[str, set[str]] = {}
    rows, empty = Counter[str](), Counter[str]()
    for number, (value, split, geometry) in enumerate(zip(scenes, splits, table.geometry, strict=True)):
        scene = str(split) if scene_column is None else scene_name(value)
        lines = _as_lines(geometry, f"{path}: row {number}")
        by_scene.setdefault(scene, []).extend(lines)
        rows[scene] += 1
        if not lines:
            empty[scene] += 1
        elif split_column is not None:
            split_names.setdefault(scene, set()).add(str(split))
    return LineFile(
        path,
        table.crs,
        {name: tuple(lines) for name, lines in by_scene.items()},
        rows,
        empty,
        {name: frozenset(found) for name, found in split_names.items()},
    )


def _cells(table: gpd.GeoDataFrame, path: Path, column: str | None, key: str, purpose: str) -> list[Any]:
    """Return the values of a column; empty texts where none is asked for."""
    if column is None:
        return [""] * len(table)
    if path.suffix.lower() == ".shp" and column not in table.columns:
        column = column[:SHAPEFILE_NAME_LENGTH]
    if column not in table.columns:
        columns = ", ".join(_columns(table)) or "none"
        raise DataError(
            f"{path}: has no column {column!r} {purpose}; its columns are {columns}; "
            f"name one of them as {key} in a data card"
        )
    return list(table[column])


def line_columns(path: Path) -> list[str]:
    """Return the names of a file's columns, that of the geometry left out.

    Raises
    ------
    DataError
        When the file cannot be read, or has not exactly one layer.
    """
    return _columns(_read_table(path))


def _columns(table: gpd.GeoDataFrame) -> list[str]:
    return [str(column) for column in table.columns if column != table.geometry.name]


def scene_name(value: Any) -> str:
    """Return the scene that a cell of the scene column names; "" for an empty cell."""
    if not isinstance(value, str):
        return "" if value is None or value != value else str(value)  # noqa: PLR0124  NaN alone differs
    # PureWindowsPath splits at both kinds of slash; a name may hold dots that begin no suffix.
    name = PureWindowsPath(value.strip())
    return name.stem if name.suffix.lower() in NAME_SUFFIXES else name.name


def _read_table(path: Path) -> gpd.GeoDataFrame:
    if not path.is_file():
        raise DataError(
            f"{path}: there is no such file of lines; add it or name another as layout.lines in a data card"
        )
    try:
        # QGIS keeps its styles as a layer without geometry beside the lines.
        layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
        if len(layers) != 1:
            found = ", ".join(layers) or "none"
            raise DataError(f"{path}: needs one layer of lines, has {found}; keep the one of the lines")
        with np.errstate(invalid="ignore"):  # a vertex that is not a number is refused below, by its row
            return gpd.read_file(path, layer=layers[0])
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read as lines ({reason}); obtain it again") from error


def _as_lines(geometry: BaseGeometry | None, where: str) -> list[LineString]:
    if geometry is None or geometry.is_empty:
        return []
    if geometry.geom_type in {"LineString", "LinearRing"}:
        line = LineString(shapely.force_2d(geometry))
        if not np.isfinite(shapely.get_coordinates(line)).all():
            raise DataError(f"{where} has a vertex that is not a number; mend or remove the line")
        return [line] if line.length > 0 else []
    if geometry.geom_type == "Polygon":
        parts = [geometry.exterior, *geometry.interiors]
    elif hasattr(geometry, "geoms"):
        parts = list(geometry.geoms)
    else:
        raise DataError(f"{where} is a {geometry.geom_type}, not a line; keep lines or polygons only")
    return [line for part in parts for line in _as_lines(part, where)]
