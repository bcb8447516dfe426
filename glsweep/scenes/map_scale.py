"""How long a metre of a map is on the ground, and which map is true where another is not."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely
from pyproj import CRS
from shapely import LineString

from glsweep.geodesy import degrees, in_space

ADMITTED_ERROR = 0.05
"""Of lengths. Polar stereographic, the map of the field, is 4 % off at 60 degrees and 3 % at its pole."""
POLAR_LATITUDE_DEG = 60.0
SOUTH_POLAR, NORTH_POLAR = "EPSG:3031", "EPSG:3413"
UTM_ZONE_DEG = 6.0
STEP_M = 10.0
ALIKE = 1.01
"""Web Mercator, which takes the Earth for a ball, stretches its axes so far differently."""


class MapScale(NamedTuple):
    """What a metre of a map is on the ground at one point, in the directions where it is least and most."""

    least: float
    most: float

    @property
    def is_true(self) -> bool:
        """Whether lengths on the map are right within the error that is admitted."""
        return self.least >= 1 / (1 + ADMITTED_ERROR) and self.most <= 1 + ADMITTED_ERROR

    def told(self, length_m: float) -> str:
        """Return what a length on the map is on the ground, in words."""
        if self.most < ALIKE * self.least:
            return f"{math.sqrt(self.least * self.most) * length_m:.3g} m"
        return f"{self.least * length_m:.3g} m one way and {self.most * length_m:.3g} m the other"


def map_scale(x: float, y: float, crs: CRS) -> MapScale:
    """Return the scale of a map in metres at one point, not a number where it shows no place on Earth.

    Both axes count, and all directions between them: Mercator stretches both alike, an
    equidistant map only one, and a sinusoidal map shears.
    """
    steps = STEP_M * np.array([[-1.0, 0], [1, 0], [0, -1], [0, 1]])
    west, east, south, north = in_space(np.array([x, y]) + steps, crs)
    along_axes = np.stack([east - west, north - south]) / (2 * STEP_M)
    if not np.isfinite(along_axes).all():
        return MapScale(math.nan, math.nan)
    most, least = np.linalg.svd(along_axes, compute_uv=False)
    return MapScale(float(least), float(most))


def place(x: float, y: float, crs: CRS) -> tuple[float, float] | None:
    """Return longitude and latitude in degrees of a point on a map; None where it is no place on Earth."""
    longitude, latitude = degrees(np.array([[x, y]]), crs)[0]
    return (float(longitude), float(latitude)) if math.isfinite(longitude + latitude) else None


def true_map(longitude: float, latitude: float) -> str:
    """Return the code of a map that is true at a place: polar stereographic, or its UTM zone."""
    if abs(latitude) >= POLAR_LATITUDE_DEG:
        return NORTH_POLAR if latitude > 0 else SOUTH_POLAR
    zone = int((longitude + 180) % 360 // UTM_ZONE_DEG) + 1
    return f"EPSG:{326 if latitude >= 0 else 327}{zone:02d}"


def metric_crs(lines: Sequence[LineString], crs: CRS) -> CRS:
    """Return the lines' own map where its metres are true in their midst, else a map that is true there."""
    xy = shapely.get_coordinates(np.array(lines, dtype=object))
    space = in_space(xy, crs)
    x, y = xy[np.argmin(np.linalg.norm(space - space.mean(axis=0), axis=1))]
    in_metres = crs.is_projected and crs.axis_info[0].unit_conversion_factor == 1
    if in_metres and map_scale(x, y, crs).is_true:
        return crs
    return CRS.from_user_input(true_map(*degrees(np.array([[x, y]]), crs)[0]))


def told_place(longitude: float, latitude: float) -> str:
    """Return a place in words, such as 73.5 S 110.2 W."""
    longitude = (longitude + 180) % 360 - 180
    return (
        f"{abs(latitude):.1f} {'N' if latitude >= 0 else 'S'} "
        f"{abs(longitude):.1f} {'E' if longitude >= 0 else 'W'}"
    )
