"""Ground cut into parallel strips, so that each holds its share of the lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely
from shapely import Polygon

STEPS = 1000
"""The lines' extent is cut into so many steps where their length is cumulated."""


@dataclass(frozen=True)
class Strip:
    """The ground between two straight lines across a map axis (0: x, 1: y)."""

    axis: int
    low: float
    high: float

    def clip(self, polygon: Polygon) -> Polygon:
        """Return the part of `polygon` within the strip, perhaps empty."""
        bounds = list(polygon.bounds)
        bounds[self.axis] = max(bounds[self.axis], self.low)
        bounds[self.axis + 2] = min(bounds[self.axis + 2], self.high)
        if bounds[self.axis] >= bounds[self.axis + 2]:
            return Polygon()
        return polygon.intersection(shapely.box(*bounds))

    def narrowed(self, margin_m: float) -> "Strip":
        """Return the strip without `margin_m` at each edge that it has."""
        return Strip(self.axis, self.low + margin_m, self.high - margin_m)

    def width_m(self, polygons: Sequence[Polygon]) -> float:
        """Return how far the ground of `polygons` reaches across the strip."""
        bounds = shapely.total_bounds([self.clip(polygon) for polygon in polygons])
        return float(np.nan_to_num(bounds[self.axis + 2] - bounds[self.axis]))


def cut_at_quantiles(lines: npt.NDArray[np.object_], shares: Sequence[float]) -> list[Strip]:
    """Cut all ground across the longer axis of the lines' extent at quantiles of their length.

    Parameters
    ----------
    lines : array of LineString (N,)
        In one map, at least one.
    shares : sequence of float
        Share of the lines' length in each strip, in ascending order of the axis; they sum to 1.

    Returns
    -------
    list of Strip
        One a share; the first and the last have no outer edge.
    """
    left, bottom, right, top = shapely.total_bounds(lines)
    axis = 0 if right - left >= top - bottom else 1
    pieces = shapely.segmentize(lines, max(right - left, top - bottom) / STEPS)
    points, line_of_point = shapely.get_coordinates(pieces, return_index=True)
    on_one_line = np.diff(line_of_point) == 0
    length_m = np.hypot(*np.diff(points, axis=0)[on_one_line].T)
    along = ((points[:-1, axis] + points[1:, axis]) / 2)[on_one_line]
    order = np.argsort(along)
    cumulated = length_m[order].cumsum() / length_m.sum()
    cuts = np.interp(np.cumsum(shares)[:-1], cumulated, along[order])
    edges = [-np.inf, *map(float, cuts), np.inf]
    return [Strip(axis, low, high) for low, high in pairwise(edges)]
