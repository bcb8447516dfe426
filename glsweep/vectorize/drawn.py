"""Lines on the map, each with what is known of it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely
from affine import Affine
from pyproj import CRS
from shapely import LineString

from glsweep.geodesy import lengths_m
from glsweep.vectorize.centre_lines import centre_lines
from glsweep.vectorize.grid import Grid
from glsweep.vectorize.outlines import outlines
from glsweep.vectorize.profiles import look_across


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
        Half the width of its band, and how far the members' bands lie apart; see `profiles.Sureness`.
    """

    line: LineString
    length_m: float
    probability: float
    half_width_m: float


def draw_lines(
    grid: Grid,
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
    grid : Grid
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
    within = np.array(_within(middles, rows, cols), dtype=object)
    on_map = shapely.transform(within, lambda xy: np.column_stack(transform @ (xy[:, 0], xy[:, 1])))
    length_m = lengths_m(on_map, crs)
    long = np.flatnonzero(length_m >= shortest_m)
    ground_posting_m = length_m / shapely.length(within)
    drawn = [
        DrawnLine(
            on_map[at], float(length_m[at]), known.probability, known.half_width_px * ground_posting_m[at]
        )
        for at, known in zip(long, look_across(within[long].tolist(), grid), strict=True)
    ]
    return sorted(drawn, key=lambda one: -one.length_m)


def _within(lines: Sequence[LineString], rows: int, cols: int) -> list[LineString]:
    """Cut off what leaves the scene."""
    scene = shapely.box(0, 0, cols, rows)
    kept: list[LineString] = []
    for line in lines:
        # What lies inside is left as it is: a cut would part a line where a bridge makes it cross itself.
        # Merged, for a cut opens a loop where it begins.
        inside = (
            line if shapely.contains(scene, line) else shapely.line_merge(shapely.intersection(line, scene))
        )
        parts = shapely.get_parts(inside).tolist()
        # One that touches the border from outside leaves a point.
        kept += [part for part in parts if part.length > 0]
    return kept
