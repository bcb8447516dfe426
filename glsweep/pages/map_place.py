"""Where a map lies, in what a reader of maps looks for: north, scale, place, dates, and the coast around."""

import json
import math
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from affine import Affine
from shapely import Polygon

from glsweep.geodesy import (
    NORTH_POLAR,
    SOUTH_POLAR,
    lon_lat,
    map_scale,
    point_lon_lat,
    reproject,
)

Bounds = tuple[float, float, float, float]
"""The least x and y and the greatest x and y of a map, in its metres."""

COAST = Path(__file__).parent / "coast.geojson"
LOCATOR_LATITUDE_DEG = 60.0
"""The small map in the corner ends there; `coast.geojson` reaches on to 50 degrees."""
POLAR_CIRCLE_DEG = 66.56
ANTARCTIC_DEG = 60.0
LANDS_LON_LAT = {"Greenland": (-42.0, 72.0), "Svalbard": (16.5, 78.6)}
"""A place on each land that has a name on maps of ice; of the others the hemisphere is named."""
NEAR_LAND_M = 60_000.0
STEP_DEG = 1e-3
NODES = 9
COARSE_M = 12_000.0
"""Of the small coast in the corner; finer bends would not be seen."""
SEAM_M = 1000.0
"""Closes the cut along the antimeridian."""


def map_bounds(transform: Affine, shape: tuple[int, int]) -> Bounds:
    """Return the bounds of a raster of (rows, cols) on its map, whichever way it is turned there."""
    rows, cols = shape
    x, y = zip(*(transform @ corner for corner in ((0, 0), (cols, 0), (0, rows), (cols, rows))), strict=True)
    return min(x), min(y), max(x), max(y)


def middle(bounds_m: Bounds) -> tuple[float, float]:
    """Return the middle of a map."""
    left, bottom, right, top = bounds_m
    return (left + right) / 2, (bottom + top) / 2


def north_deg(x: float, y: float, crs: pyproj.CRS) -> float | None:
    """Return the direction of true north at a point, clockwise from the map's up.

    In polar stereographic maps north turns with the longitude: on EPSG:3031 it is up along the
    meridian of Greenwich alone. None where the point is no place on Earth.
    """
    here = point_lon_lat(x, y, crs)
    if here is None:
        return None
    longitude, latitude = here
    # Southwards from the last bit of the Earth before the pole, where nothing lies north.
    step_deg = -STEP_DEG if latitude + STEP_DEG > 90 else STEP_DEG
    to_map = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    there_x, there_y = to_map.transform(longitude, latitude + step_deg)
    ahead = math.copysign(1, step_deg)
    return math.degrees(math.atan2(ahead * (there_x - x), ahead * (there_y - y)))


def ground_per_map(x: float, y: float, crs: pyproj.CRS | None) -> float:
    """Return metres on the ground of a metre on the map at a point, the mean of its directions."""
    if crs is None:
        return 1.0
    scale = map_scale(x, y, crs)
    return math.sqrt(scale.least * scale.most) if math.isfinite(scale.least) else 1.0


def round_length_m(most_m: float) -> float:
    """Return the greatest of 1, 2, 5, 10, 20 ... up to `most_m`: the length of a scale bar."""
    decade = 10.0 ** math.floor(math.log10(most_m))
    return max(step * decade for step in (1, 2, 5) if step * decade <= most_m)


def length_words(length_m: float) -> str:
    """Return a round length in words: 500 m, 20 km."""
    return f"{length_m / 1000:g} km" if length_m >= 1000 else f"{length_m:g} m"


def lon_lat_words(longitude: float, latitude: float, digits: int = 1) -> str:
    """Return a place as maps have it: 79.2° S, 161.5° E."""
    north = "N" if latitude >= 0 else "S"
    east = "E" if longitude >= 0 else "W"
    return f"{abs(latitude):.{digits}f}° {north}, {abs(longitude):.{digits}f}° {east}"


def place_words(bounds_m: Bounds, crs: pyproj.CRS | None) -> str:
    """Return where the middle of a map lies, with the land's name where it is known."""
    here = None if crs is None else point_lon_lat(*middle(bounds_m), crs)
    if here is None:
        return "place unknown"
    region = region_of(*here)
    return lon_lat_words(*here) + (f", {region}" if region else "")


def region_of(longitude: float, latitude: float) -> str:
    """Return the land at or near a place, or the polar region that it is in; empty where it is in none."""
    if latitude < -ANTARCTIC_DEG:
        return "Antarctica"
    if latitude < LOCATOR_LATITUDE_DEG:
        return ""
    at, *named = shapely.points(
        _on_map(np.array([(longitude, latitude), *LANDS_LON_LAT.values()]), pyproj.CRS(NORTH_POLAR))
    )
    near = [land for land in lands(NORTH_POLAR) if land.distance(at) <= NEAR_LAND_M]
    for name, inside in zip(LANDS_LON_LAT, named, strict=True):
        if any(land.contains(inside) for land in near):
            return name
    return "the Arctic" if latitude > POLAR_CIRCLE_DEG else ""


def dates_words(days: Sequence[date]) -> str:
    """Return the days of an interferogram in words, each once and in order."""
    return ", ".join(f"{day:%-d %b %Y}" for day in sorted(set(days))) or "dates unknown"


def directions(bounds_m: Bounds, crs: pyproj.CRS | None) -> list[list[list[float]]] | None:
    """Return the vertical on the Earth at nodes of a map, from its lower left corner on, (9, 9, 3).

    Between nodes they may be interpolated, which longitudes may not be: near a pole and at the
    antimeridian they jump. Longitude and latitude of (x, y, z) are atan2(y, x) and asin(z). None where
    the map is of no place on Earth.
    """
    if crs is None:
        return None
    left, bottom, right, top = bounds_m
    x, y = np.meshgrid(np.linspace(left, right, NODES), np.linspace(bottom, top, NODES))
    longitude, latitude = np.radians(lon_lat(np.column_stack([x.ravel(), y.ravel()]), crs)).T
    upright = np.column_stack(
        [np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)]
    )
    if not np.isfinite(upright).all():
        return None
    nodes: list[list[list[float]]] = upright.round(7).reshape(NODES, NODES, 3).tolist()
    return nodes


# --- The coast, and where on it a map lies


class Locator(NamedTuple):
    """A small map of a polar region with the place of a larger one.

    Attributes
    ----------
    crs : str
        Its own map: the scene's where that is polar stereographic, else that of its hemisphere.
    at_m : tuple of float
        The place on it.
    """

    crs: str
    at_m: tuple[float, float]


def locator(bounds_m: Bounds, crs: pyproj.CRS | None) -> Locator | None:
    """Return the small map for a scene; None for scenes of no place, and beyond the polar regions."""
    here = None if crs is None else point_lon_lat(*middle(bounds_m), crs)
    if crs is None or here is None or abs(here[1]) < LOCATOR_LATITUDE_DEG:
        return None
    if crs.coordinate_operation is not None and "Polar Stereographic" in crs.coordinate_operation.method_name:
        return Locator(crs.to_wkt(), middle(bounds_m))
    polar = SOUTH_POLAR if here[1] < 0 else NORTH_POLAR
    x, y = _on_map(np.array([here]), pyproj.CRS(polar))[0]
    return Locator(pyproj.CRS(polar).to_wkt(), (float(x), float(y)))


@lru_cache(maxsize=8)
def lands(crs: str) -> list[Polygon]:
    """Return the land of a hemisphere on a polar map, coarse enough for a corner of a page.

    Natural Earth 1:110m, public domain, beyond 50 degrees of latitude.
    """
    polar = pyproj.CRS.from_user_input(crs)
    southern = _is_southern(polar)
    features = json.loads(COAST.read_text(encoding="utf-8"))["features"]
    polygons = [
        polygon
        for feature in features
        for polygon in shapely.get_parts(shapely.geometry.shape(feature["geometry"]))
        if (polygon.centroid.y < 0) == southern
    ]
    moved = shapely.union_all(shapely.buffer(reproject(polygons, pyproj.CRS.from_epsg(4326), polar), SEAM_M))
    drawn = shapely.simplify(shapely.intersection(moved, _polar_cap(polar)), COARSE_M)
    return [part for part in shapely.get_parts(drawn) if not part.is_empty]


def land_path(crs: str) -> tuple[str, Bounds]:
    """Return the land of a polar map as a path of SVG in kilometres, y downwards, and its bounds there."""
    drawn = lands(crs)
    path = "".join(_ring_path(shapely.get_coordinates(land.exterior)) for land in drawn)
    left, bottom, right, top = shapely.total_bounds(drawn) / 1000
    return path, (float(left), float(-top), float(right), float(-bottom))


def _ring_path(xy_m: npt.NDArray[np.float64]) -> str:
    points = (f"{x:.0f},{-y:.0f}" for x, y in xy_m[:-1] / 1000)
    return f"M{' '.join(points)}Z"


def _polar_cap(polar: pyproj.CRS) -> Polygon:
    """Return the ground within the latitude at which small maps end."""
    latitude = math.copysign(LOCATOR_LATITUDE_DEG, -1 if _is_southern(polar) else 1)
    around = np.column_stack([np.arange(-180.0, 180.0, 3.0), np.full(120, latitude)])
    return Polygon(_on_map(around, polar))


def _is_southern(polar: pyproj.CRS) -> bool:
    """Whether a polar map is of the southern hemisphere: its origin or standard parallel is."""
    parameters = polar.coordinate_operation.params if polar.coordinate_operation else []
    return any(float(one.value) < 0 for one in parameters if one.name.startswith("Latitude"))


def _on_map(degrees: npt.NDArray[np.float64], crs: pyproj.CRS) -> npt.NDArray[np.float64]:
    to_map = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    return np.column_stack(to_map.transform(*degrees.T))
