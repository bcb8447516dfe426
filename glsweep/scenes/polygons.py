"""Polygons: their outlines as lines, and the pixels that lie wholly within one.

An outline is no line where polygons were cut: into tiles or regions, at the antimeridian, or at the
frame of a map. An edge that two neighbours share is left out, since there is the same ground on both
sides. In a file of ice shelves *and* grounded ice this would lose the grounding line, which is the
border between the two: keep the polygons of grounded ice only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from affine import Affine
from pyproj import CRS
from rasterio.features import rasterize
from shapely import LineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from glsweep.config.data_card import Region
from glsweep.errors import DataError
from glsweep.geodesy import reproject
from glsweep.scenes.names import cell_text
from glsweep.scenes.vector_file import VectorLayer, open_layer

TOLERANCE = 1e-6
"""Of the CRS's unit: within it two points are one."""
SEAM_TOLERANCE_M = 1.0
"""Files keep the antimeridian's image on a map only as exactly as their coordinates."""
LEAST_LENGTH = 100 * TOLERANCE
"""Two outlines that cross have as much in common."""
DEGREE_M = 111_320.0

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Outlines:
    """The lines of each polygon, and the number of polygons that lost an edge (`cut`)."""

    lines: list[list[LineString]]
    cut: int


def outlines_of(polygons: Sequence[Polygon], crs: pyproj.CRS) -> Outlines:
    """Return the outlines of a whole file's polygons, without the edges at which they were cut.

    Edges are left out that two polygons share from either side, that run along the antimeridian or
    another edge of a map in degrees (the pole, or 0 and 360), or that lie on the bounding box of the
    whole file, if several polygons were cut at one of its sides.

    Parameters
    ----------
    polygons : sequence of Polygon
        Without heights.
    crs : pyproj CRS
        The polygons' CRS.
    """
    if not polygons:
        return Outlines([], 0)
    rings = [[LineString(ring.coords) for ring in (p.exterior, *p.interiors)] for p in polygons]
    shared = _shared(polygons)
    turn = _full_turn(polygons, crs)
    seams = _edges_where(rings, lambda points: _is_seam(points, crs, turn))
    frames = _frames(polygons, rings)
    left_out = [one + two + three for one, two, three in zip(shared, seams, frames, strict=True)]
    lines = [_without(own, edges) for own, edges in zip(rings, left_out, strict=True)]
    return Outlines(lines, sum(map(bool, left_out)))


def _without(rings: list[LineString], edges: list[BaseGeometry]) -> list[LineString]:
    """Return `rings` themselves where there are no `edges` to be left out."""
    if not edges:
        return rings
    near = shapely.buffer(shapely.union_all(edges), TOLERANCE, cap_style="square")
    left = chain.from_iterable(shapely.get_parts(shapely.line_merge(ring - near)) for ring in rings)
    return [line for line in left if line.length > LEAST_LENGTH]


def _shared(polygons: Sequence[Polygon]) -> list[list[BaseGeometry]]:
    """Return what each polygon's outline has in common with those of polygons on its other side."""
    found: list[list[BaseGeometry]] = [[] for _ in polygons]
    # The largest first: what is prepared is searched fast, whatever its size.
    order = np.argsort([-shapely.get_num_coordinates(polygon) for polygon in polygons], kind="stable")
    outlines = np.array([polygons[number].boundary for number in order], dtype=object)
    shapely.prepare(outlines)
    low_high = shapely.bounds(outlines) + TOLERANCE * np.array([-1, -1, 1, 1])
    first, second = shapely.STRtree(shapely.box(*low_high.T)).query(shapely.box(*low_high.T))
    first, second = first[first < second], second[first < second]
    near = shapely.dwithin(outlines[first], outlines[second], TOLERANCE)
    for pair in zip(first[near], second[near], strict=True):
        for one, other in (pair, pair[::-1]):
            common = _common(outlines[one], outlines[other])
            one_of, other_of = polygons[order[one]], polygons[order[other]]
            found[order[one]] += [part for part in common if _lies_between(part, one_of, other_of)]
    return found


def _common(one: BaseGeometry, other: BaseGeometry) -> list[LineString]:
    """Return the parts of one outline that lie on another."""
    low, high = (np.array(bound) for bound in np.split(np.array([one.bounds, other.bounds]), 2, axis=1))
    window = np.concatenate([low.max(axis=0) - 2 * TOLERANCE, high.min(axis=0) + 2 * TOLERANCE])
    near = shapely.buffer(shapely.clip_by_rect(other, *window), TOLERANCE, quad_segs=1)
    parts = shapely.get_parts(shapely.intersection(shapely.clip_by_rect(one, *window), near))
    return [part for part in parts if part.length > LEAST_LENGTH]


def _lies_between(edge: LineString, one: Polygon, other: Polygon) -> bool:
    """Whether the polygons lie on different sides of an edge that they share."""
    points = shapely.get_coordinates(edge)
    steps = np.diff(points, axis=0)
    lengths = np.hypot(*steps.T)
    longest = int(lengths.argmax())
    off = min(1000 * TOLERANCE, lengths[longest] / 10) * steps[longest, ::-1] / lengths[longest] * (1, -1)
    sides = points[longest] + steps[longest] / 2 + np.outer((1, -1), off)
    in_one, in_other = (shapely.contains_xy(polygon, sides) for polygon in (one, other))
    return bool((in_one != in_other).all() and in_one.sum() == 1)


def _edges_where(
    rings: list[list[LineString]], is_left_out: Callable[[Floats], Flags]
) -> list[list[BaseGeometry]]:
    """Return the edges of each polygon whose ends both satisfy a condition on points."""
    found = []
    for own in rings:
        edges: list[BaseGeometry] = []
        for ring in own:
            points = shapely.get_coordinates(ring)
            at = is_left_out(points)
            starts = np.flatnonzero(at[:-1] & at[1:])
            edges += shapely.linestrings(np.stack([points[starts], points[starts + 1]], axis=1)).tolist()
        found.append(edges)
    return found


def _full_turn(polygons: Sequence[Polygon], crs: pyproj.CRS) -> float | None:
    """Return what a full turn is in the unit of a map that runs from 0 to it; None of all other maps."""
    if not crs.is_geographic:
        return None
    turn = 2 * np.pi / crs.axis_info[0].unit_conversion_factor
    west, _, east, _ = shapely.total_bounds(np.array(polygons, dtype=object))
    return turn if west > -TOLERANCE and east > turn / 2 + TOLERANCE else None


def _is_seam(points: Floats, crs: pyproj.CRS, turn: float | None) -> Flags:
    to_degrees = pyproj.Transformer.from_crs(crs, 4326, always_xy=True)
    longitude, latitude = to_degrees.transform(*points.T)
    with np.errstate(invalid="ignore"):
        degree_m = DEGREE_M * np.cos(np.radians(latitude))
        at_pole = DEGREE_M * (90 - np.abs(latitude)) < SEAM_TOLERANCE_M
        at_seam = degree_m * np.abs(180 - np.abs(longitude)) < SEAM_TOLERANCE_M
        if turn is not None:
            turns = points[:, 0] / turn
            at_seam |= degree_m * 360 * np.abs(turns - np.round(turns)) < SEAM_TOLERANCE_M
    return np.asarray(at_pole | at_seam)


def _frames(polygons: Sequence[Polygon], rings: list[list[LineString]]) -> list[list[BaseGeometry]]:
    """Return the edges of each polygon on the bounding box of all, if several lie on one of its sides.

    A box has such edges without having been cut, so in a file of boxes only, none is left out.
    """
    nothing: list[list[BaseGeometry]] = [[] for _ in rings]
    if all(polygon.equals(polygon.envelope) for polygon in polygons):
        return nothing
    bounds = shapely.total_bounds(np.array(polygons, dtype=object))
    sides = [
        _edges_where(rings, partial(_is_at, axis=side % 2, bound=bound)) for side, bound in enumerate(bounds)
    ]
    if max(sum(map(bool, side)) for side in sides) < 2:
        return nothing
    return [[edge for edges in own for edge in edges] for own in zip(*sides, strict=True)]


def _is_at(points: Floats, axis: int, bound: float) -> Flags:
    return np.asarray(np.abs(points[:, axis] - bound) < TOLERANCE)


# --- Pixels within a polygon, and the regions of a data card


def pixels_within(
    polygon: Polygon | MultiPolygon, shape: tuple[int, int], transform: Affine
) -> npt.NDArray[np.bool_]:
    """Return the pixels that lie wholly within a polygon of the map, (rows, cols).

    Pixels that the ground outside so much as touches are left out.
    """
    return untouched_pixels(ground_outside(polygon, shape, transform), shape, transform)


def ground_outside(
    polygon: Polygon | MultiPolygon, shape: tuple[int, int], transform: Affine
) -> list[Polygon]:
    """Return what a scene of (rows, cols), and a pixel around it, has of ground outside a polygon."""
    rows, cols = shape
    corners = [(-1, -1), (cols + 1, -1), (cols + 1, rows + 1), (-1, rows + 1)]
    rest = Polygon([transform @ corner for corner in corners]).difference(polygon)
    return [part for part in shapely.get_parts(rest) if part.area > 0]


def untouched_pixels(
    ground: Sequence[Polygon], shape: tuple[int, int], transform: Affine
) -> npt.NDArray[np.bool_]:
    """Return the pixels that some ground does not so much as touch, (rows, cols)."""
    touched = np.zeros(shape, np.uint8)
    if ground:
        rasterize([(part, 1) for part in ground], out=touched, transform=transform, all_touched=True)
    return np.asarray(touched == 0)


def read_region(region: Region, crs: CRS) -> MultiPolygon:
    """Return the ground of a region's polygons, in `crs`.

    Raises
    ------
    DataError
        When the file cannot be read, has no CRS or no such column or names, or holds no polygon.
    """
    path = region.polygons
    assert path is not None
    layer = open_layer(path, holds="polygons", option="split.regions: polygons:")
    cells, geometries = layer.read([_column(region, layer)] if region.names else [])
    if region.names:
        requested = {cell_text(name) for name in region.names}
        (column,) = cells.values()
        values = [cell_text(cell) for cell in column]
        if unknown := requested - set(values):
            raise DataError(
                f"{path}: its column {region.column!r} has no {min(unknown)!r}; mend `names` in split.regions"
            )
        geometries = [shape for shape, value in zip(geometries, values, strict=True) if value in requested]
    return _ground(geometries, layer, crs, "split.regions")


def read_grounded(path: Path, crs: CRS) -> MultiPolygon:
    """Return the ground of all polygons of a file, in `crs`.

    Raises
    ------
    DataError
        When the file cannot be read, has no CRS, or holds no polygon.
    """
    layer = open_layer(path, holds="polygons", option="layout.grounded:")
    _, geometries = layer.read([])
    return _ground(geometries, layer, crs, "layout.grounded")


def _ground(geometries: Sequence[BaseGeometry], layer: VectorLayer, crs: CRS, key: str) -> MultiPolygon:
    whole = shapely.get_parts(shapely.get_parts(shapely.make_valid(np.array(geometries, dtype=object))))
    polygons = [part for part in whole.tolist() if part.geom_type == "Polygon"]
    ground = shapely.union_all(shapely.make_valid(reproject(polygons, layer.crs, crs)))
    areas = [part for part in shapely.get_parts(ground) if part.geom_type == "Polygon"]
    if not areas or not np.isfinite(shapely.get_coordinates(areas)).all():
        raise DataError(f"{layer.path}: holds no polygon that has a place in the scenes' map; mend {key}")
    return MultiPolygon(shapely.get_parts(shapely.union_all(areas)).tolist())


def _column(region: Region, layer: VectorLayer) -> str:
    column = layer.column(region.column)
    if column is None:
        columns = ", ".join(layer.columns) or "none"
        raise DataError(f"{layer.path}: has no column {region.column!r}; its columns are {columns}")
    return column
