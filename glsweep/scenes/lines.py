"""Grounding lines from vector files with one row a line, each line once, cut to where there is data."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from affine import Affine
from rasterio.crs import CRS
from scipy.ndimage import binary_dilation
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from glsweep.errors import DataError
from glsweep.geodesy import earth_centred, reproject
from glsweep.scenes.names import cell_text, group_name, scene_name
from glsweep.scenes.polygons import outlines_of
from glsweep.scenes.vector_file import VectorLayer, open_layer

TOLERANCE = 1e-6
"""Of the CRS's unit: vertices within it are one."""


def without_repeats(lines: Sequence[LineString]) -> list[LineString]:
    """Return the lines that add a stretch between two vertices which no other kept line has.

    A line thus counts once, whichever way it runs, wherever a closed one begins, and however many
    parts it has; vertices may differ by rounding.
    """
    if len(lines) < 2:
        return list(lines)
    points, line_of = shapely.get_coordinates(lines, return_index=True)
    vertices = _number_vertices(points)
    within = line_of[:-1] == line_of[1:]
    stretches = np.sort(np.stack([vertices[:-1], vertices[1:]], axis=1)[within], axis=1)
    number_of = np.unique(stretches, axis=0, return_inverse=True)[1].reshape(-1)
    starts = np.searchsorted(line_of[:-1][within], np.arange(len(lines) + 1))
    seen = np.zeros(len(stretches), bool)
    kept = []
    # The longest first, so that a line goes before its parts.
    for line in sorted(range(len(lines)), key=lambda line: starts[line] - starts[line + 1]):
        own = number_of[starts[line] : starts[line + 1]]
        if not seen[own].all():
            seen[own] = True
            kept.append(line)
    return [lines[line] for line in sorted(kept)]


def _number_vertices(points: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Number the points, (N,); those that lie within the tolerance have one number."""
    distinct, number_of = np.unique(points, axis=0, return_inverse=True)
    pairs = cKDTree(distinct).query_pairs(TOLERANCE, output_type="ndarray")
    near = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(distinct), len(distinct)))
    groups = connected_components(near, directed=False)[1]
    return np.asarray(groups[number_of.reshape(-1)], dtype=np.int64)


# --- The parts of lines that lie where there is data

ROUNDING_PX = 1e-6
"""What is no farther outside of the scene lies on its edge: map coordinates are rounded."""


def lines_on_data(
    lines: Sequence[LineString], valid: npt.NDArray[np.bool_], transform: Affine
) -> list[LineString]:
    """Cut away what lies more than a pixel from any data, or outside the scene; its edge counts as inside.

    Parameters
    ----------
    lines : sequence of LineString
        In the scene's map.
    valid : bool array (rows, cols)
        Pixels that hold data.
    transform : Affine
        From (col, row) pixel corners to map coordinates.
    """
    near = np.asarray(binary_dilation(valid, np.ones((3, 3), np.bool_)))
    posting_m = float(np.hypot(transform.a, transform.d))
    fine = shapely.segmentize(np.array(lines, dtype=object), posting_m / 2)
    xy, line = shapely.get_coordinates(fine, return_index=True)
    joined = line[1:] == line[:-1]
    start, end = xy[:-1][joined], xy[1:][joined]
    middle = (start + end) / 2
    col_row = np.column_stack(~transform @ (middle[:, 0], middle[:, 1]))
    size = np.array(valid.shape[::-1])
    kept = np.all((col_row >= -ROUNDING_PX) & (col_row <= size + ROUNDING_PX), axis=1)
    # A pixel begins at its near edges; what lies on the scene's far ones belongs to the last pixel.
    col, row = np.clip(np.floor(col_row[kept]).astype(np.int64), 0, size - 1).T
    kept[kept] = near[row, col]
    segments = shapely.linestrings(np.stack([start[kept], end[kept]], axis=1))
    merged = shapely.line_merge(shapely.multilinestrings(segments))
    return [part for part in shapely.get_parts(merged).tolist() if part.length > 0]


def lines_to_judge(
    lines: Sequence[LineString],
    reference: Sequence[LineString],
    unsure: Sequence[LineString],
    within_m: float,
) -> list[LineString]:
    """Cut away what was drawn where nobody can tell, so that it counts neither as right nor as invented.

    Parameters
    ----------
    lines : sequence of LineString
        What was drawn, in metres of any map.
    reference : sequence of LineString
        The known lines: within `within_m` of these everything counts.
    unsure : sequence of LineString
        Where a line may run, but nobody can tell.
    within_m : float
        How far from there that holds.
    """
    if not unsure:
        return list(lines)
    unknown = shapely.union_all(shapely.buffer(list(unsure), within_m))
    known = shapely.union_all(shapely.buffer(list(reference), within_m))
    left = shapely.difference(list(lines), shapely.difference(unknown, known))
    return [part for part in shapely.get_parts(left).tolist() if part.length > 0]


# --- A file of lines, sorted by scene or by another column


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
        What in the file was not taken as it stands, one sentence each.
    """

    path: Path
    crs: pyproj.CRS
    by_scene: Mapping[str, tuple[LineString, ...]]
    rows_by_scene: Mapping[str, int]
    rows_without_geometry: Mapping[str, int]
    splits_by_scene: Mapping[str, frozenset[str]]
    remarks: tuple[str, ...] = ()

    def lines_of(self, scene: str, crs: CRS) -> tuple[LineString, ...]:
        """Return a scene's lines, reprojected to `crs` where theirs is another.

        Raises
        ------
        DataError
            When a line has no place in `crs`.
        """
        lines = self.by_scene.get(scene, ())
        target = pyproj.CRS.from_wkt(crs.to_wkt())
        there = reproject(lines, self.crs, target)
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
    one row are separated, polygons count as their outlines (see `outlines_of`), a line that a scene
    has several times counts once, heights are dropped. A shapefile's column is found by its first ten
    letters, all that the format keeps.

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
    scenes = _find_column(opened, scene_column, "layout.scene_column", "to join lines to scenes")
    splits = _find_column(opened, split_column, "split.column", "that names splits")
    cells, geometries = opened.read(name for name in (scenes, splits) if name is not None)
    splits_of_rows = None if splits is None else [cell_text(cell) for cell in cells[splits]]
    names = (
        (splits_of_rows or [""] * len(geometries))
        if scenes is None
        else [scene_name(c) for c in cells[scenes]]
    )
    return _sort_rows(opened, names, splits_of_rows, geometries)


def read_groups(
    source: Path, column: str | None, *, layer: str | None = None, option: str = "--layer"
) -> LineFile:
    """Read every row, and sort the lines by the value of `column`, all together without one.

    As `read_lines`, but a value stays whole (`05/01/2018`) unless it is a file's name (`a.shp`), and
    rows without a value or a geometry are left out, as `remarks` say. `option` is the option that
    names a layer, for messages.

    Raises
    ------
    DataError
        As `read_lines`, and when no row has a value.
    """
    opened = open_layer(source, layer, option=option)
    name = _find_column(opened, column, "--by, or", "that tells lines apart")
    cells, geometries = opened.read([] if name is None else [name])
    values: list[str | None] = [""] * len(geometries)
    if name is not None:
        values = [group_name(cell) or None for cell in cells[name]]
    valueless = values.count(None)
    if geometries and valueless == len(geometries):
        raise DataError(f"{opened.path}: its column {name} is empty in every row; name another one")
    file = _sort_rows(opened, values, None, geometries)
    remarks = []
    if valueless:
        remarks.append(f"{_counted(valueless, 'row has', 'rows have')} no value in {name}; left out")
    if empty := sum(file.rows_without_geometry.values()):
        remarks.append(f"{_counted(empty, 'row has', 'rows have')} no geometry; left out")
    if not any(file.by_scene.values()):
        remarks.append("holds no line")
    return replace(file, remarks=(*remarks, *file.remarks))


def check_places(file: LineFile) -> None:
    """Make sure that all lines of a file lie on Earth.

    Raises
    ------
    DataError
        When one does not.
    """
    xy = shapely.get_coordinates([line for lines in file.by_scene.values() for line in lines])
    lost = ~np.isfinite(earth_centred(xy, file.crs)).all(axis=1)
    if lost.any():
        x, y = xy[lost][0]
        raise DataError(
            f"{file.path}: a line's vertex ({x:g}, {y:g}) is no place on Earth in the file's CRS "
            f"{file.crs.name}; mend the line, or assign the CRS in which it was drawn (ogr2ogr -a_srs)"
        )


def _find_column(layer: VectorLayer, column: str | None, key: str, purpose: str) -> str | None:
    """Return the column as the file calls it; None where none is named."""
    if column is None:
        return None
    name = layer.column(column)
    if name is None:
        raise DataError(
            f"{layer.path}: has no column {column!r} {purpose}; its columns are "
            f"{', '.join(layer.columns) or 'none'}; name one of them as {key} in a data card"
        )
    return name


def _sort_rows(
    layer: VectorLayer,
    names: Sequence[str | None],
    splits: Sequence[str] | None,
    geometries: Sequence[BaseGeometry | None],
) -> LineFile:
    """Sort the lines of all rows by name, each line once; rows whose name is None are left out."""
    parts = [
        [] if name is None else _geometry_parts(geometry, f"{layer.path}: row {row}")
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
    remarks = []
    if repeats:
        remarks.append(
            f"{_counted(repeats, 'line is in it twice and counts', 'lines are in it twice and count')} once"
        )
    if cut:
        remarks.append(
            f"{_counted(cut, 'polygon has', 'polygons have')} edges that are no line and do not count: "
            "shared with a neighbour, along the antimeridian or on the frame of the whole file"
        )
    return remarks


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _geometry_parts(geometry: BaseGeometry | None, where: str) -> list[LineString | Polygon]:
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
    return [found for part in geometry.geoms for found in _geometry_parts(part, where)]
