"""From the middle of a band to its ridge: where across a line the probability is highest, to part of a pixel.

A network's answer may be wider on one side of a line than on the other; the middle of a band of several
pixels then lies beside the line.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d, map_coordinates
from scipy.special import logit
from shapely import LineString

from glsweep.vectorize.outlines import (
    Points,
    ProbabilityGrid,
    Values,
    at_edge_of_data,
    points_along,
    read_tiles,
)

REACH_PX = 12
"""How far from its middle the ridge of a band is looked for."""
STEP_PX = 0.25
OFFSETS_PX = np.arange(-REACH_PX, REACH_PX + STEP_PX / 2, STEP_PX)
SPACING_PX = 0.5
"""Between the places along a line at which its ridge is looked for."""
DEEPEST = 2.0
"""Logits under the highest one down to which a profile is looked at; farther down it knows no more of it."""
SHALLOW = 0.25
"""Share of that depth for the second look."""
SMOOTH_PX = 6.0
"""Deviation of the Gaussian along a line that takes the noise from how far it is moved."""
DIRECTION_PX = 1.5
"""The same for the direction that a line has."""
LEAST_PROBABILITY = 1e-7
BELOW_TAU = 3.0
"""Logits under the threshold that are as good as none: a cliff down to no data would sway the ridge."""
BEYOND = 1.35
"""How much farther the ridge lies than two depths tell: between pixels a straight way cuts off its peak."""
NOISE_LEFT = 0.1
"""Of the variance of what single profiles say, in the mean along a line: their neighbours' noise is alike."""


def on_ridge(lines: Sequence[LineString], grid: ProbabilityGrid, tau: float) -> list[LineString]:
    """Move lines across themselves, from the middle of their band to the ridge of the probability in it.

    Parameters
    ----------
    lines : sequence of LineString
        Middle lines, in (col, row) pixel coordinates from the scene's corner.
    grid : ProbabilityGrid
        The probability, one band a member.
    tau : float
        Probability from which a pixel is line.

    Returns
    -------
    list of LineString
        In the same order, each within its band. A loop stays closed. Where there is no band, as on a
        bridge, where its end is near, or the edge of data cuts it, a line is moved as far as beside that.
    """
    if not lines:
        return []
    points = [_points(line) for line in lines]
    normals = [_normals(own, _mode(line)) for own, line in zip(points, lines, strict=True)]
    shift, half_width = _ridges(np.concatenate(points), np.concatenate(normals), grid, tau)
    moved = []
    start = 0
    for line, own, normal in zip(lines, points, normals, strict=True):
        here = slice(start, start + len(own))
        start += len(own)
        xy = own + _evened(shift[here], half_width[here], _mode(line))[:, None] * normal
        # A line along the scene's border is not moved across it.
        xy = xy.clip(np.minimum(own, 0), np.maximum(own, grid.shape[::-1]))
        moved.append(LineString(np.vstack([xy, xy[:1]]) if line.is_closed else xy))
    return moved


Mode = Literal["wrap", "nearest"]


def _mode(line: LineString) -> Mode:
    return "wrap" if line.is_closed else "nearest"


def _points(line: LineString) -> Points:
    """Return points along a line; of a loop the first one is not repeated."""
    at = np.linspace(0, line.length, max(4, round(line.length / SPACING_PX) + 1))
    return points_along(line, at[:-1] if line.is_closed else at)


def _normals(points: Points, mode: Mode) -> Points:
    around = np.pad(points, ((1, 1), (0, 0)), mode="wrap" if mode == "wrap" else "edge")
    along = np.asarray(
        gaussian_filter1d(around[2:] - around[:-2], DIRECTION_PX / SPACING_PX, axis=0, mode=mode), np.float64
    )
    normals = np.column_stack([-along[:, 1], along[:, 0]])
    return np.asarray(normals / np.maximum(np.hypot(*along.T), 1e-12)[:, None], np.float64)


def _evened(shift: Values, half_width: Values, mode: Mode) -> Values:
    """Even out a line's shifts along it; those near an open end follow from those farther in.

    An end is not across the line: a profile through it says where the corner is.
    """
    count = len(shift)
    known = np.isfinite(shift)
    if mode == "nearest":
        to_end_px = SPACING_PX * np.minimum(np.arange(count), np.arange(count)[::-1])
        known &= to_end_px > half_width
    if not known.any():
        return np.zeros(count)
    period = count if mode == "wrap" else None
    filled = np.interp(np.arange(count), np.flatnonzero(known), shift[known], period=period)
    mean, square = (
        gaussian_filter1d(values, SMOOTH_PX / SPACING_PX, mode=mode) for values in (filled, filled**2)
    )
    # Of a flat band only noise says where it is highest: what the mean does not stand out of is no shift.
    doubt = NOISE_LEFT * (square - mean**2) / np.maximum(mean**2, 1e-12)
    return np.asarray(mean * np.clip(1 - doubt, 0, None), np.float64)


# --- The ridge of a profile


def _ridges(points: Points, normals: Points, grid: ProbabilityGrid, tau: float) -> tuple[Values, Values]:
    """Return how far off the ridge lies, NaN where none is seen, and half the band's width, in pixels."""
    found = np.full((len(points), 3), np.nan)
    level = _logit(np.float64(tau))
    for here, bands, corner in read_tiles(grid, points, REACH_PX + 2):
        height = np.maximum(_logit(bands.mean(axis=0)), level - BELOW_TAU)
        x, y = (
            points[here][:, axis, None] - corner[axis] + normals[here][:, axis, None] * OFFSETS_PX
            for axis in (0, 1)
        )
        profiles = np.asarray(map_coordinates(height, [y - 0.5, x - 0.5], order=1, mode="nearest"))
        found[here] = _find_ridge(profiles, level)
    ridge, *sides = found.T
    for side in sides:
        seen = np.isfinite(ridge)
        # What the edge of data cuts is not all of the band.
        ridge[seen] = np.where(
            at_edge_of_data(grid, points[seen] + side[seen, None] * normals[seen]), np.nan, ridge[seen]
        )
    return ridge, np.nan_to_num(sides[1] - sides[0]) / 2


def _logit(probability: npt.NDArray[np.floating] | np.float64) -> Values:
    clipped = np.clip(np.asarray(probability, np.float64), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.asarray(logit(clipped), np.float64)


def _find_ridge(profiles: Values, level: Values) -> Values:
    """Return where each profile (N, offsets) would have its peak, and both sides of its band, (N, 3).

    Logits keep their peak where probabilities saturate. The centre of what lies above a level lies beside
    the peak by as much as one side is wider; with parabolas of any two widths by the square root of the
    level's depth. From two depths follows where it would lie at none. NaN where there is no band.
    """
    found = np.full((len(profiles), 3), np.nan)
    band = _around_middle(profiles >= level)
    there = band.any(axis=1)
    band = band[there]
    height = np.where(band, profiles[there], -np.inf)
    highest = height.max(axis=1)
    depth = np.minimum(DEEPEST, highest - level)
    deep, shallow = (_centre(height - (highest - below)[:, None]) for below in (depth, SHALLOW * depth))
    ridge = shallow - BEYOND * (deep - shallow) * np.sqrt(SHALLOW) / (1 - np.sqrt(SHALLOW))
    last = len(OFFSETS_PX) - 1
    sides = OFFSETS_PX[band.argmax(axis=1)], OFFSETS_PX[last - band[:, ::-1].argmax(axis=1)]
    found[there] = np.column_stack([ridge.clip(*sides), *sides])
    return found


def _around_middle(chosen: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the part of each profile that is chosen without a gap from its middle on."""
    middle = len(OFFSETS_PX) // 2
    right = np.logical_and.accumulate(chosen[:, middle:], axis=1)
    left = np.logical_and.accumulate(chosen[:, middle::-1], axis=1)
    return np.concatenate([left[:, :0:-1], right], axis=1)


def _centre(excess: Values) -> Values:
    weight = excess.clip(min=0)
    total = weight.sum(axis=1)
    centre: Values = np.divide(
        (weight * OFFSETS_PX).sum(axis=1), total, out=np.zeros_like(total), where=total > 0
    )
    return centre
