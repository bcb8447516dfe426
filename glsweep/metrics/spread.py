"""How far networks disagree, in metres, on where a line runs."""

from collections.abc import Sequence

import numpy as np
from pyproj import CRS
from shapely import LineString

from glsweep.metrics.lines import TOLERANCES_M, Metres
from glsweep.metrics.zone import SPACING_M, transects_of

REACH_M = max(TOLERANCES_M)
"""What a network draws farther off is another line."""


def line_spreads_m(
    lines: Sequence[LineString],
    of_each: Sequence[Sequence[LineString]],
    *,
    crs: CRS | None = None,
    spacing_m: float = SPACING_M,
    reach_m: float = REACH_M,
) -> Metres:
    """Return the spread of each line: how far apart networks draw it, in metres on the ground.

    At each transect normal to the line, the standard deviation (of a population) over the networks of where
    their own lines cross it, the crossing nearest to the line; then the median along the line.

    Parameters
    ----------
    lines : sequence of LineString
        Drawn from all networks together, on one map.
    of_each : sequence of sequences of LineString
        What each network draws by itself, on the same map.
    crs : CRS or None
        The map; None for a flat one.
    spacing_m : float
        Between transects along a line.
    reach_m : float
        A network that draws nothing within this distance of a transect's origin is left out there.

    Returns
    -------
    float64 array (len(lines),)
        NaN where nowhere along a line two networks draw it, and of lines shorter than half the spacing.
    """
    if not lines:
        return np.empty(0)
    across = transects_of(lines, crs, spacing_m)
    offset_m = np.stack([across.offsets_m(own, reach_m) for own in of_each], axis=1)
    drawn = np.isfinite(offset_m)
    shared = drawn.sum(axis=1) > 1
    spread_m = np.std(offset_m[shared], axis=1, where=drawn[shared])
    owner = across.line[shared]
    return np.array([_median(spread_m[owner == number]) for number in range(len(lines))])


def _median(values: Metres) -> float:
    return float(np.median(values)) if len(values) else np.nan
