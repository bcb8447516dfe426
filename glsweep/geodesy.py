"""Metres on the ground: lengths, distances and areas, and how true a map is to them.

Points are taken to Earth-centred coordinates, in metres. There a metre is a metre in every direction, the
poles and the antimeridian are places like any other, and no map has to be chosen for lines of two maps.
A straight piece of a kilometre is as long as its geodesic to a thousandth of a millimetre.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

Points = npt.NDArray[np.float64]
Metres = npt.NDArray[np.float64]
Shapes = Sequence[BaseGeometry] | npt.NDArray[np.object_]

FINE_M = 1000.0
"""Pieces of this length follow a line from one map to another to a few decimetres at worst."""
FINE_RAD = np.radians(1.0)
"""Of longitude: near a pole a kilometre along a parallel would cut a corner."""
EARTH_RADIUS_M = 6_371_008.8
"""Mean radius, by which a chord becomes an arc: over 300 km it is right to half a metre."""
WGS84, EARTH_CENTRED = 4326, 4978


class Vertices(NamedTuple):
    """The vertices of several lines, one after another.

    Attributes
    ----------
    xy : float64 array (N, 2)
        On the lines' map.
    ahead : float64 array (N, 2)
        From each vertex to the next; on a map in degrees, the short way round.
    joined : bool array (N,)
        Whether the next vertex is of the same line.
    line : int array (N,)
        The number of its line.
    """

    xy: Points
    ahead: Points
    joined: npt.NDArray[np.bool_]
    line: npt.NDArray[np.int64]


def earth_centred(xy: Points, crs: CRS | None) -> Points:
    """Return Earth-centred coordinates of points on a map.

    Parameters
    ----------
    xy : float64 array (N, 2)
        x (or longitude) before y (or latitude).
    crs : CRS or None
        None for a flat map that lies nowhere on Earth: its points stay as they are.

    Returns
    -------
    float64 array (N, 3), or (N, 2) of a flat map
        In metres; NaN where a point has no place on Earth.
    """
    if crs is None:
        return xy
    if crs.is_bound:
        # In one step, a point would keep its own ellipsoid's height above that of WGS84.
        to_degrees = _transformer(crs, CRS.from_epsg(WGS84))
        if to_degrees is None:
            return np.full((len(xy), 3), np.nan)
        xy, crs = np.column_stack(to_degrees.transform(*xy.T)), CRS.from_epsg(WGS84)
    to_earth_centred = _transformer(crs, CRS.from_epsg(EARTH_CENTRED))
    if to_earth_centred is None:
        return np.full((len(xy), 3), np.nan)
    xyz = np.column_stack(to_earth_centred.transform(xy[:, 0], xy[:, 1], np.zeros(len(xy))))
    # PROJ says inf, of which no difference can be taken.
    return np.where(np.isfinite(xyz), xyz, np.nan)


def arc_m(straight_m: Metres, crs: CRS | None) -> Metres:
    """Return distances along the ground, given straight ones through the Earth."""
    if crs is None:
        return straight_m
    return np.asarray(2 * EARTH_RADIUS_M * np.arcsin(np.minimum(straight_m / 2 / EARTH_RADIUS_M, 1.0)))


def lon_lat(xy: Points, crs: CRS) -> Points:
    """Return longitudes and latitudes in degrees (WGS84), (N, 2); not finite where there is no such place."""
    # By way of Earth-centred coordinates: from degrees to degrees PROJ would let a latitude of 95 pass.
    to_degrees = _transformer(CRS.from_epsg(EARTH_CENTRED), CRS.from_epsg(WGS84))
    assert to_degrees is not None, "both are PROJ's own"
    return np.column_stack(to_degrees.transform(*earth_centred(xy, crs).T)[:2])


def fine_vertices(lines: Shapes, crs: CRS | None, longest_m: float) -> Vertices:
    """Return the vertices of lines, and as many between them that no piece is longer than `longest_m`.

    A line is straight between its vertices on its own map: on one of degrees it is straight in degrees
    (RFC 7946, 3.1.1), which no other map shows as straight. There a step of more than half a turn is
    one across the antimeridian.

    Parameters
    ----------
    lines : sequence of LineString or LinearRing
        In `crs`.
    crs : CRS or None
        None for a flat map.
    longest_m : float
        On the ground.
    """
    xy, line = shapely.get_coordinates(np.array(lines, dtype=object), return_index=True)
    return _densified(xy, line, crs, longest_m)


def lengths_m(lines: Shapes, crs: CRS | None) -> Metres:
    """Return the length of each line on the ground, (N,)."""
    if not len(lines):
        return np.zeros(0)
    vertices = fine_vertices(lines, crs, FINE_M)
    pieces_m = np.linalg.norm(np.diff(earth_centred(vertices.xy, crs), axis=0), axis=1)
    joined = vertices.joined[:-1]
    return np.bincount(vertices.line[:-1][joined], pieces_m[joined], len(lines)).astype(np.float64)


def area_m2(polygon: Polygon, crs: CRS | None) -> float:
    """Return the area of a polygon on the ground, its holes left out."""
    if crs is None:
        return float(polygon.area)
    ellipsoid = pyproj.Geod(ellps="WGS84")
    rings = (lon_lat(shapely.get_coordinates(ring), crs) for ring in (polygon.exterior, *polygon.interiors))
    outer, *holes = (abs(ellipsoid.polygon_area_perimeter(*ring.T)[0]) for ring in rings)
    return float(outer - sum(holes))


def reproject(shapes: Shapes, source: CRS, target: CRS) -> npt.NDArray[np.object_]:
    """Return lines or polygons on another map, with vertices added where they would cut a corner there.

    Coordinates are not finite where a point has no place on the other map.

    Parameters
    ----------
    shapes : sequence of LineString or of Polygon
        Single ones or multiple ones, all of one kind.
    source, target : CRS
        Their map, and the one that they are moved to.

    Returns
    -------
    object array (N,)
    """
    there = np.array(shapes, dtype=object)
    if not len(there) or source.equals(target, ignore_axis_order=True):
        return there
    kind, xy, (ends, *whole) = shapely.to_ragged_array(shapely.force_2d(there))
    part = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
    vertices = _densified(xy, part, source, FINE_M)
    transformer = _transformer(source, target)
    lost = np.full_like(vertices.xy, np.nan)
    xy = np.column_stack(transformer.transform(*vertices.xy.T)) if transformer else lost
    ends = np.concatenate([[0], np.cumsum(np.bincount(vertices.line, minlength=len(ends) - 1))])
    return np.asarray(shapely.from_ragged_array(kind, xy, (ends, *whole)))


def _densified(xy: Points, line: npt.NDArray[np.int64], crs: CRS | None, longest_m: float) -> Vertices:
    vertices = _linked_vertices(xy, line, crs)
    if crs is not None and crs.is_geographic:
        turn_rad = np.abs(vertices.ahead[:, 0]) * crs.axis_info[0].unit_conversion_factor
        vertices = _linked_vertices(*_subdivided(vertices, turn_rad / FINE_RAD), crs)
    xyz = earth_centred(vertices.xy, crs)
    straight_m = np.zeros(len(xyz))
    straight_m[:-1] = np.linalg.norm(np.diff(xyz, axis=0), axis=1)
    return _linked_vertices(*_subdivided(vertices, np.nan_to_num(straight_m) / longest_m), crs)


def _linked_vertices(xy: Points, line: npt.NDArray[np.int64], crs: CRS | None) -> Vertices:
    """Return vertices with the way from each to the next."""
    joined = np.zeros(len(xy), np.bool_)
    joined[:-1] = line[1:] == line[:-1]
    ahead = np.zeros_like(xy)
    ahead[:-1] = np.diff(xy, axis=0)
    ahead[~joined] = 0
    if crs is not None and crs.is_geographic:
        turn = 2 * np.pi / crs.axis_info[0].unit_conversion_factor
        ahead[:, 0] -= turn * np.round(ahead[:, 0] / turn)
    return Vertices(xy, ahead, joined, line)


def _subdivided(vertices: Vertices, parts: npt.NDArray[np.float64]) -> tuple[Points, npt.NDArray[np.int64]]:
    """Return the vertices with the way to the next one divided into so many parts, rounded up."""
    count = np.where(vertices.joined, np.maximum(np.ceil(parts), 1), 1).astype(np.int64)
    part = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    share = (part / np.repeat(count, count))[:, None]
    xy = np.repeat(vertices.xy, count, axis=0) + share * np.repeat(vertices.ahead, count, axis=0)
    return xy, np.repeat(vertices.line, count)


@lru_cache(maxsize=64)
def _transformer(source: CRS, target: CRS) -> Transformer | None:
    """Return the transformation from one map to another; None where one of them is of no place on Earth."""
    try:
        return Transformer.from_crs(source.to_2d(), target, always_xy=True)
    except ProjError:
        return None


# --- The scale of a map, and maps that are true to scale

ADMITTED_ERROR = 0.05
"""Of lengths. The usual polar stereographic map is 4 % off at 60 degrees and 3 % at its pole."""
POLAR_LATITUDE_DEG = 60.0
SOUTH_POLAR, NORTH_POLAR = "EPSG:3031", "EPSG:3413"
UTM_ZONE_DEG = 6.0
STEP_M = 10.0
SAME_SCALE = 1.01
"""Web Mercator, which takes the Earth for a sphere, stretches its two axes almost this differently."""


class MapScale(NamedTuple):
    """The length on the ground of a metre on the map at one point, least and most over all directions."""

    least: float
    most: float

    @property
    def is_true_to_scale(self) -> bool:
        """Whether lengths on the map are right within `ADMITTED_ERROR`."""
        return self.least >= 1 / (1 + ADMITTED_ERROR) and self.most <= 1 + ADMITTED_ERROR

    def in_words(self, length_m: float) -> str:
        """Return in words how long a length on the map is on the ground."""
        if self.most < SAME_SCALE * self.least:
            return f"{math.sqrt(self.least * self.most) * length_m:.3g} m"
        return f"{self.least * length_m:.3g} m one way and {self.most * length_m:.3g} m the other"


def map_scale(x: float, y: float, crs: CRS) -> MapScale:
    """Return the scale of a map in metres at one point, NaN where the point is no place on Earth.

    Both axes count, and all directions between them: Mercator stretches both equally, an
    equidistant map only one, and a sinusoidal map shears.
    """
    steps = STEP_M * np.array([[-1.0, 0], [1, 0], [0, -1], [0, 1]])
    west, east, south, north = earth_centred(np.array([x, y]) + steps, crs)
    along_axes = np.stack([east - west, north - south]) / (2 * STEP_M)
    if not np.isfinite(along_axes).all():
        return MapScale(math.nan, math.nan)
    most, least = np.linalg.svd(along_axes, compute_uv=False)
    return MapScale(float(least), float(most))


def point_lon_lat(x: float, y: float, crs: CRS) -> tuple[float, float] | None:
    """Return longitude and latitude in degrees of a point on a map; None where it is no place on Earth."""
    longitude, latitude = lon_lat(np.array([[x, y]]), crs)[0]
    return (float(longitude), float(latitude)) if math.isfinite(longitude + latitude) else None


def suitable_crs(longitude: float, latitude: float) -> str:
    """Return the code of a map that is true to scale at a place: polar stereographic, or its UTM zone."""
    if abs(latitude) >= POLAR_LATITUDE_DEG:
        return NORTH_POLAR if latitude > 0 else SOUTH_POLAR
    zone = int((longitude + 180) % 360 // UTM_ZONE_DEG) + 1
    return f"EPSG:{326 if latitude >= 0 else 327}{zone:02d}"


def metric_crs(lines: Sequence[LineString], crs: CRS) -> CRS:
    """Return the lines' own map where its metres are true in their midst, else a map that is true there."""
    xy = shapely.get_coordinates(np.array(lines, dtype=object))
    xyz = earth_centred(xy, crs)
    x, y = xy[np.argmin(np.linalg.norm(xyz - xyz.mean(axis=0), axis=1))]
    in_metres = crs.is_projected and crs.axis_info[0].unit_conversion_factor == 1
    if in_metres and map_scale(x, y, crs).is_true_to_scale:
        return crs
    return CRS.from_user_input(suitable_crs(*lon_lat(np.array([[x, y]]), crs)[0]))


def place_in_words(longitude: float, latitude: float, *, digits: int = 1) -> str:
    """Return a place in words, such as 73.5 S 110.2 W."""
    longitude = (longitude + 180) % 360 - 180
    return (
        f"{abs(latitude):.{digits}f} {'N' if latitude >= 0 else 'S'} "
        f"{abs(longitude):.{digits}f} {'E' if longitude >= 0 else 'W'}"
    )
