"""What a probability says across a line: how high it is, and over how many pixels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates
from shapely import LineString

from glsweep.vectorize.along import points_along
from glsweep.vectorize.grid import Grid, read_around, tiles

Values = npt.NDArray[np.float64]

REACH_PX = 12
"""How far to either side of a line is looked."""
STEP_PX = 0.5
OFFSETS_PX = np.arange(-REACH_PX, REACH_PX + STEP_PX / 2, STEP_PX)


class Sureness(NamedTuple):
    """What is known of one line.

    Attributes
    ----------
    probability : float
        The members' mean probability, averaged along the line.
    half_width_px : float
        Root of the sum of two squares, averaged along the line: half the width of the band in which
        the probability is at least half of its highest value (its slope), and the standard
        deviation between the members of that band's centre (their spread).
    """

    probability: float
    half_width_px: float


def look_across(lines: Sequence[LineString], grid: Grid) -> list[Sureness]:
    """Look at the probability along and across each line.

    Parameters
    ----------
    lines : sequence of LineString
        In (col, row) pixel coordinates from the scene's corner.
    grid : Grid
        The probability, one band a member.
    """
    points, normals, owner = _stations(lines)
    probability, half_width = np.zeros(len(points)), np.zeros(len(points))
    for tile in tiles(grid.shape):
        col, row = points.T
        here = (row >= tile.row) & (row < tile.row + tile.rows)
        here &= (col >= tile.col) & (col < tile.col + tile.cols)
        if here.any():
            bands = read_around(grid, tile, REACH_PX + 2)
            corner = (tile.col - REACH_PX - 2, tile.row - REACH_PX - 2)
            profiles = _profiles(bands, points[here] - corner, normals[here])
            probability[here], half_width[here] = _read_off(profiles)
    count = np.maximum(np.bincount(owner, minlength=len(lines)), 1)
    means = [np.bincount(owner, values, len(lines)) / count for values in (probability, half_width)]
    return [Sureness(float(p), float(w)) for p, w in zip(*means, strict=True)]


def _stations(lines: Sequence[LineString]) -> tuple[Values, Values, npt.NDArray[np.int64]]:
    """Return points a pixel apart, the unit normals there, and the number of each point's line."""
    points, normals, owner = [], [], []
    for number, line in enumerate(lines):
        at = np.linspace(0, line.length, max(2, round(line.length) + 1))
        xy, ends = points_along(line, (at[1:] + at[:-1]) / 2), points_along(line, at)
        along = ends[1:] - ends[:-1]
        length = np.maximum(np.hypot(*along.T), 1e-12)
        points.append(xy)
        normals.append(np.column_stack([-along[:, 1], along[:, 0]]) / length[:, None])
        owner.append(np.full(len(xy), number))
    if not points:
        return np.empty((0, 2)), np.empty((0, 2)), np.empty(0, np.int64)
    return np.concatenate(points), np.concatenate(normals), np.concatenate(owner)


def _profiles(bands: npt.NDArray[np.float32], points: Values, normals: Values) -> Values:
    """Return the probability at `OFFSETS_PX` across each point, (members, points, offsets)."""
    x, y = (points[:, i, None] + normals[:, i, None] * OFFSETS_PX for i in (0, 1))
    where = [y - 0.5, x - 0.5]
    return np.stack([map_coordinates(band, where, order=1) for band in bands])


def _read_off(profiles: Values) -> tuple[Values, Values]:
    mean = profiles.mean(axis=0)
    middle = len(OFFSETS_PX) // 2
    highest = mean[:, middle - 2 : middle + 3].max(axis=1)
    belongs = mean >= highest[:, None] / 2
    # The band is what hangs together around the middle.
    right = np.logical_and.accumulate(belongs[:, middle:], axis=1)
    left = np.logical_and.accumulate(belongs[:, middle::-1], axis=1)
    half_width = (right.sum(axis=1) + left.sum(axis=1) - 1).clip(min=0) * STEP_PX / 2
    band = np.concatenate([left[:, :0:-1], right], axis=1)
    weight = profiles * band
    total = weight.sum(axis=2)
    centre = np.divide((weight * OFFSETS_PX).sum(axis=2), total, out=np.zeros_like(total), where=total > 0)
    return mean[:, middle], np.hypot(half_width, centre.std(axis=0))
