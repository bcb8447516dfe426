"""From a probability to lines on the map, each with its confidence."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from pyproj import CRS
from scipy.ndimage import map_coordinates
from shapely import LineString

from glsweep.geodesy import lengths_m
from glsweep.vectorize.centre_lines import centre_lines
from glsweep.vectorize.outlines import ProbabilityGrid, outlines, points_along, read_tiles
from glsweep.vectorize.ridge import on_ridge

Values = npt.NDArray[np.float64]

REACH_PX = 12
"""How far to either side of a line its profile reaches."""
STEP_PX = 0.5
OFFSETS_PX = np.arange(-REACH_PX, REACH_PX + STEP_PX / 2, STEP_PX)


class LineConfidence(NamedTuple):
    """How sure one line is.

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


def line_confidences(lines: Sequence[LineString], grid: ProbabilityGrid) -> list[LineConfidence]:
    """Measure the probability along and across each line.

    Parameters
    ----------
    lines : sequence of LineString
        In (col, row) pixel coordinates from the scene's corner.
    grid : ProbabilityGrid
        The probability, one band a member.
    """
    points, normals, owner = _stations(lines)
    probability, half_width = np.zeros(len(points)), np.zeros(len(points))
    for here, bands, corner in read_tiles(grid, points, REACH_PX + 2):
        profiles = _profiles(bands, points[here] - corner, normals[here])
        probability[here], half_width[here] = _measure_profiles(profiles)
    count = np.maximum(np.bincount(owner, minlength=len(lines)), 1)
    means = [np.bincount(owner, values, len(lines)) / count for values in (probability, half_width)]
    return [LineConfidence(float(p), float(w)) for p, w in zip(*means, strict=True)]


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


def _measure_profiles(profiles: Values) -> tuple[Values, Values]:
    mean = profiles.mean(axis=0)
    middle = len(OFFSETS_PX) // 2
    highest = mean[:, middle - 2 : middle + 3].max(axis=1)
    is_band = mean >= highest[:, None] / 2
    # The band is the connected part around the middle.
    right = np.logical_and.accumulate(is_band[:, middle:], axis=1)
    left = np.logical_and.accumulate(is_band[:, middle::-1], axis=1)
    half_width = (right.sum(axis=1) + left.sum(axis=1) - 1).clip(min=0) * STEP_PX / 2
    band = np.concatenate([left[:, :0:-1], right], axis=1)
    weight = profiles * band
    total = weight.sum(axis=2)
    centre = np.divide((weight * OFFSETS_PX).sum(axis=2), total, out=np.zeros_like(total), where=total > 0)
    return mean[:, middle], np.hypot(half_width, centre.std(axis=0))


# --- Lines on the map


class DrawnLine(NamedTuple):
    """One line that a network drew.

    Attributes
    ----------
    line : LineString
        In map coordinates.
    length_m : float
        On the ground.
    probability : float
        The members' mean probability, averaged along the line.
    half_width_m : float
        Half the width of its band, and how far the members' bands lie apart; see `LineConfidence`.
    """

    line: LineString
    length_m: float
    probability: float
    half_width_m: float


def draw_lines(
    grid: ProbabilityGrid,
    transform: Affine,
    *,
    crs: CRS | None = None,
    tau: float,
    shortest_m: float,
    bridge_m: float,
) -> list[DrawnLine]:
    """Draw the lines of a scene's probability, the longest first.

    Parameters
    ----------
    grid : ProbabilityGrid
        The probability, one band a member.
    transform : Affine
        From (col, row) pixel corners to map coordinates in metres.
    crs : CRS or None
        The map, by which lengths are those on the ground; None for a flat one.
    tau : float
        Probability from which a pixel is line.
    shortest_m : float
        Shorter lines are left out.
    bridge_m : float
        Gaps up to this length are bridged where a line goes straight on.
    """
    posting_m = float(np.hypot(transform.a, transform.d))
    rows, cols = grid.shape
    middles = centre_lines(outlines(grid, tau), grid, bridge_px=bridge_m / posting_m)
    within = np.array(_cut_to_scene(on_ridge(middles, grid, tau), rows, cols), dtype=object)
    on_map = shapely.transform(within, lambda xy: np.column_stack(transform @ (xy[:, 0], xy[:, 1])))
    return measured_lines(on_map.tolist(), grid, transform, crs=crs, shortest_m=shortest_m)


def measured_lines(
    lines: Sequence[LineString],
    grid: ProbabilityGrid,
    transform: Affine,
    *,
    crs: CRS | None,
    shortest_m: float,
) -> list[DrawnLine]:
    """Return lines on the map with their length and confidence, the longest first, without short ones.

    Parameters are those of `draw_lines`.
    """
    back = ~transform
    length_m = lengths_m(lines, crs)
    long = np.flatnonzero(length_m >= shortest_m)
    on_map = np.array(lines, dtype=object)[long]
    in_pixels = shapely.transform(on_map, lambda xy: np.column_stack(back @ (xy[:, 0], xy[:, 1])))
    drawn = [
        DrawnLine(line, float(one_m), confidence.probability, confidence.half_width_px * one_m / own.length)
        for line, own, one_m, confidence in zip(
            on_map, in_pixels, length_m[long], line_confidences(in_pixels.tolist(), grid), strict=True
        )
    ]
    return sorted(drawn, key=lambda one: -one.length_m)


def _cut_to_scene(lines: Sequence[LineString], rows: int, cols: int) -> list[LineString]:
    """Cut off what lies outside the scene."""
    scene = shapely.box(0, 0, cols, rows)
    kept: list[LineString] = []
    for line in lines:
        # A line inside stays as it is: a cut would split one that crosses itself at a bridge.
        # Merged, since a cut opens a loop where it begins.
        inside = (
            line if shapely.contains(scene, line) else shapely.line_merge(shapely.intersection(line, scene))
        )
        parts = shapely.get_parts(inside).tolist()
        # One that touches the border from outside leaves a point.
        kept += [part for part in parts if part.length > 0]
    return kept
