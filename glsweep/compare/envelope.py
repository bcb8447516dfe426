"""The ground between the outermost lines of several dates, as polygons."""

import numpy as np
import shapely
from shapely import Polygon

from glsweep.metrics.zone import Zone

APART = 1.5
"""Neighbouring transects of one line are a spacing apart at most; farther ones are of two lines."""


def envelope(zone: Zone, *, spacing_m: float) -> list[Polygon]:
    """Return the two-sided envelope of a zone's lines, the largest part first.

    Each pair of neighbouring transects gives a piece of ground between the outermost crossings; the
    pieces are joined. Where only one date is known, there is a gap.

    Parameters
    ----------
    zone : Zone
        As it was measured.
    spacing_m : float
        Between its transects.
    """
    ends = np.array([section.coords for section in zone.sections()]).reshape(-1, 2, 2)
    known = zone.dates_at > 1
    step_m = zone.scale[1:] * np.hypot(*np.diff(zone.origin_xy_m, axis=0).T)
    joined = known[1:] & known[:-1] & (step_m < APART * spacing_m)
    before, after = ends[:-1][joined], ends[1:][joined]
    corners = np.stack([before[:, 0], after[:, 0], after[:, 1], before[:, 1]], axis=1)
    # Where the base bends sharply transects cross each other, and a piece is a bow tie.
    pieces = shapely.make_valid(shapely.polygons(corners))
    parts = shapely.get_parts(shapely.get_parts(shapely.union_all(pieces))).tolist()
    ground = [part for part in parts if part.geom_type == "Polygon" and part.area > 0]
    return sorted(ground, key=lambda part: -part.area)
