"""Ground cut into strips, and windows of a scene with counts of what they hold."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from shapely import Polygon

from glsweep.patches.held_masks import PIXELS_AT_ONCE, Mask, PackedMask, Places, RowMask, SparseMask
from glsweep.scenes.scene import row_strips

STEPS = 1000
"""The lines' extent is cut into so many steps where their length is cumulated."""


@dataclass(frozen=True)
class GroundStrip:
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

    def narrowed(self, margin_m: float) -> "GroundStrip":
        """Return the strip without `margin_m` at each edge that it has."""
        return GroundStrip(self.axis, self.low + margin_m, self.high - margin_m)

    def width_m(self, polygons: Sequence[Polygon]) -> float:
        """Return how far the ground of `polygons` reaches across the strip."""
        bounds = shapely.total_bounds([self.clip(polygon) for polygon in polygons])
        return float(np.nan_to_num(bounds[self.axis + 2] - bounds[self.axis]))


def cut_at_quantiles(lines: npt.NDArray[np.object_], shares: Sequence[float]) -> list[GroundStrip]:
    """Cut all ground across the longer axis of the lines' extent at quantiles of their length.

    Parameters
    ----------
    lines : array of LineString (N,)
        In one map, at least one.
    shares : sequence of float
        Share of the lines' length in each strip, in ascending order of the axis; they sum to 1.

    Returns
    -------
    list of GroundStrip
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
    return [GroundStrip(axis, low, high) for low, high in pairwise(edges)]


# --- Windows, and counts of what they hold from summed-area tables

Counts = npt.NDArray[np.int32]


class Position(NamedTuple):
    """A window's upper left pixel and what is known of it."""

    row: int
    col: int
    has_line: bool
    valid_share: float


class SummedArea:
    """Counts of true pixels in any box of a scene (Crow 1984, summed-area tables).

    Parameters
    ----------
    values : bool array (rows, cols)
        Pixels to be counted.
    """

    def __init__(self, values: Mask) -> None:
        rows, cols = values.shape
        table = np.zeros((rows + 1, cols + 1), np.int32)
        table[1:, 1:] = values
        # Row upon row is three times as fast as numpy's own sum along the first axis.
        for row in range(2, rows + 1):
            table[row] += table[row - 1]
        self._table = np.cumsum(table, axis=1, dtype=np.int32, out=table)

    def in_windows(self, size_px: int) -> Counts:
        """Return the count of every window, at its upper left pixel.

        Returns
        -------
        int32 array (rows - size_px + 1, cols - size_px + 1)
        """
        table, n = self._table, size_px
        counts = np.empty((table.shape[0] - n, table.shape[1] - n), np.int32)
        # A row at a time stays in the processor's cache.
        for row in range(len(counts)):
            column_sums = table[row + n] - table[row]
            np.subtract(column_sums[n:], column_sums[:-n], out=counts[row])
        return counts

    def in_boxes(self, rows: Places, cols: Places, size_px: int) -> Counts:
        """Return the count of the square box at each upper left pixel; outside of the scene is false."""
        last_row, last_col = self._table.shape[0] - 1, self._table.shape[1] - 1
        top, bottom = np.clip(rows, 0, last_row), np.clip(rows + size_px, 0, last_row)
        left, right = np.clip(cols, 0, last_col), np.clip(cols + size_px, 0, last_col)
        table = self._table
        return np.asarray(table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left])


def count_in_boxes(mask: RowMask, rows: Places, cols: Places, size_px: int) -> Counts:
    """Return the count of the square box at each upper left pixel, (N,), some rows of a mask at a time."""
    counts = np.zeros(len(rows), np.int32)
    first, last = (int(end) for end in (rows.min(initial=0), rows.max(initial=-1)))
    for strip in row_strips(last + 1 - first, mask.shape[1], most_px=PIXELS_AT_ONCE):
        begin, end = first + strip.row, first + strip.row + strip.rows
        here = np.flatnonzero((rows >= begin) & (rows < end))
        if len(here):
            top = max(0, begin)
            table = SummedArea(mask.rows(top, max(top, end + size_px)))
            counts[here] = table.in_boxes(rows[here] - top, cols[here], size_px)
    return counts


@dataclass(frozen=True)
class WindowCounts:
    """The windows of one size that a scene offers, and what they hold.

    Attributes
    ----------
    drawn : SparseMask (rows, cols)
        Line pixels.
    line : SparseMask (rows, cols)
        Those that hold data: no network can see a line elsewhere. A window whose line lies wholly
        where there is no data is neither with a line nor without.
    usable : PackedMask (rows - size_px + 1, cols - size_px + 1)
        Upper left pixels at which a window may lie.
    valid : PackedMask (rows, cols)
        Pixels that hold data.
    size_px : int
        Side of a window.
    """

    drawn: SparseMask
    line: SparseMask
    usable: PackedMask
    valid: PackedMask
    size_px: int

    def valid_share(self, row: int, col: int) -> float:
        """Return the share of a window's pixels that hold data."""
        return int(self.valid.box(row, col, self.size_px, self.size_px).sum()) / self.size_px**2


def count_windows(
    drawn: SparseMask, valid: PackedMask, origins: RowMask, *, size_px: int, valid_share: float
) -> WindowCounts:
    """Count what every sampling rule needs.

    Parameters
    ----------
    drawn : SparseMask (rows, cols)
        The line's pixels.
    valid : PackedMask (rows, cols)
        Pixels that hold data.
    origins : RowMask (rows - size_px + 1, cols - size_px + 1)
        Upper left pixels at which a window may lie, such as those within a split's ground.
    size_px : int
        Side of a window, at most the scene's.
    valid_share : float
        Least share of a window's pixels that must hold data.
    """
    # Rounded up, but not by the last bit of a product that should be whole.
    least = math.ceil(valid_share * size_px**2 - 1e-6)
    usable = PackedMask(origins.shape)
    for top, bottom in window_strips(origins.shape, size_px):
        counts = SummedArea(valid.rows(top, bottom + size_px - 1)).in_windows(size_px)
        usable.write(top, origins.rows(top, bottom) & (counts >= least))
    return WindowCounts(drawn, drawn.where(valid), usable, valid, size_px)


def window_strips(shape: tuple[int, int], size_px: int) -> Iterator[tuple[int, int]]:
    """Yield first row and row after the last of strips of windows' upper left pixels."""
    for strip in row_strips(*shape, least_rows=size_px, most_px=PIXELS_AT_ONCE):
        yield strip.row, strip.row + strip.rows
