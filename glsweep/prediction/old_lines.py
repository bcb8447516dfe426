"""How far drawn lines lie from ones that were known before, and on which side of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from shapely import LineString

from glsweep.geodesy import reproject
from glsweep.metrics.lines import weighted_quantile
from glsweep.metrics.zone import REACH_M, SPACING_M, transects_of
from glsweep.pages.map_place import Bounds
from glsweep.prediction.near import Prior
from glsweep.prediction.scene import PredictedScene
from glsweep.scenes.bending import sea_sides_of

Metres = npt.NDArray[np.float64]

WITHIN_M = REACH_M
"""A line that is farther off is taken for another one."""
APART_M = 2_000.0
"""Between lines across a map that leave nothing of it out: all is near one of them."""


@dataclass(frozen=True)
class FromOld:
    """Distances of drawn lines from old ones, piece by piece.

    Attributes
    ----------
    distance_m, length_m : float64 array (N,)
        Of each piece from the nearest old line, infinite where there is none within reach; its length.
    seaward_m : float64 array (M,)
        How far seaward of the old line the drawn one lies, negative where landward of it, at transects
        every `SPACING_M` of lines beside which fringes tell where the sea is.
    transects : int
        Of all lines that cross an old one, whether the sea's side is known or not.
    """

    distance_m: Metres
    length_m: Metres
    seaward_m: Metres
    transects: int

    @classmethod
    def pooled(cls, several: Sequence["FromOld"]) -> "FromOld":
        """Join the pieces of several scenes."""
        distance_m, length_m, seaward_m = (
            np.concatenate([getattr(one, name) for one in several])
            for name in ("distance_m", "length_m", "seaward_m")
        )
        return cls(distance_m, length_m, seaward_m, sum(one.transects for one in several))

    @property
    def near_km(self) -> float:
        """Length with an old line within reach."""
        return float(self.length_m[np.isfinite(self.distance_m)].sum()) / 1000

    @property
    def far_km(self) -> float:
        """Length without one."""
        return float(self.length_m.sum()) / 1000 - self.near_km

    def quantile_m(self, share: float) -> float:
        """Return the distance within which a share of the length lies that is within reach; NaN of none."""
        near = np.isfinite(self.distance_m)
        return weighted_quantile(self.distance_m[near], self.length_m[near], share)

    @property
    def sides_known(self) -> float:
        """Share of the transects on which the sea's side is known; 0 of none."""
        return len(self.seaward_m) / self.transects if self.transects else 0.0


def from_old(scene: PredictedScene, old: Prior) -> FromOld:
    """Measure the lines of a scene against old ones, on the ground.

    Raises
    ------
    DataError
        When the scene's pixels, which tell where the sea is, cannot be read.
    """
    lines = [one.line for one in scene.lines]
    none = np.zeros(0)
    if not lines or not scene.header.is_placed:
        return FromOld(none, none, none, 0)
    crs = pyproj.CRS.from_wkt(scene.header.crs.to_wkt())
    found = old.distances(lines, crs)
    around = reproject(old.pieces_around(lines, crs), old.crs, crs)
    placed = [piece for piece in around if np.isfinite(shapely.get_coordinates(piece)).all()]
    across = transects_of(lines, crs, SPACING_M)
    # To the left of the drawn line, which is where a transect's normal points.
    old_to_left_m = across.offsets_m(placed, old.within_m)
    side = sea_sides_of(scene.header, lines)[across.line]
    crossed = np.isfinite(old_to_left_m)
    known = crossed & (side != 0)
    return FromOld(found.drawn_m, found.drawn_length_m, -(side * old_to_left_m)[known], int(crossed.sum()))


def lines_within(old: Prior, bounds: Bounds, crs: pyproj.CRS) -> list[LineString]:
    """Return what of the lines known before lies within the bounds of a map, on that map."""
    left, bottom, right, top = bounds
    count = max(2, math.ceil((top - bottom) / APART_M))
    everywhere = [LineString([(left, y), (right, y)]) for y in np.linspace(bottom, top, count)]
    there = reproject(old.pieces_around(everywhere, crs), old.crs, crs)
    placed = [piece for piece in there if np.isfinite(shapely.get_coordinates(piece)).all()]
    seen = shapely.intersection(shapely.union_all(placed), shapely.box(*bounds))
    parts = shapely.get_parts(shapely.line_merge(seen))
    return [part for part in parts.tolist() if isinstance(part, LineString)]
