"""How wide the zone is in which a grounding line moves: lines of several dates, along transects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from shapely import LineString

Metres = npt.NDArray[np.float64]

SPACING_M = 200.0
REACH_M = 5_000.0


@dataclass(frozen=True)
class Zone:
    """The zone at transects normal to the lines of one date, the base.

    Attributes
    ----------
    base : str
        The date with the longest lines.
    origin_xy_m, normal : float64 array (N, 2)
        Where a transect crosses the base, and its direction.
    offset_m : float64 array (N, dates)
        Where the line of each date crosses the transect, from the base along `normal`: the crossing
        nearest to the base. NaN where there is none within reach.
    dates : tuple of str
        In the order of the columns.
    """

    base: str
    origin_xy_m: Metres
    normal: Metres
    offset_m: Metres
    dates: tuple[str, ...]

    @property
    def dates_at(self) -> npt.NDArray[np.int64]:
        """How many dates cross each transect, (N,)."""
        return np.asarray(np.isfinite(self.offset_m).sum(axis=1), dtype=np.int64)

    def width_m(self) -> Metres:
        """Return the distance between the outermost dates of each transect, (N,); NaN with one date."""
        highest = np.where(np.isfinite(self.offset_m), self.offset_m, -np.inf).max(axis=1)
        lowest = np.where(np.isfinite(self.offset_m), self.offset_m, np.inf).min(axis=1)
        return np.where(self.dates_at > 1, highest - lowest, np.nan)

    def sections(self) -> list[LineString]:
        """Return for each transect the part between the outermost dates: side by side, the envelope."""
        lowest, highest = (
            np.where(self.dates_at > 1, pick(self.offset_m, axis=1), 0.0) for pick in (np.nanmin, np.nanmax)
        )
        ends = [self.origin_xy_m + offset[:, None] * self.normal for offset in (lowest, highest)]
        return [LineString(pair) for pair in np.stack(ends, axis=1)]


def measure_zone(
    by_date: Mapping[str, Sequence[LineString]], *, spacing_m: float = SPACING_M, reach_m: float = REACH_M
) -> Zone:
    """Cut the lines of all dates by transects normal to those of the longest one.

    Parameters
    ----------
    by_date : mapping of str to sequence of LineString
        In one map in metres.
    spacing_m : float
        Between transects along the base.
    reach_m : float
        How far a transect reaches to either side; a line farther off is another line.
    """
    dates = tuple(sorted(by_date))
    base = max(dates, key=lambda date: sum(line.length for line in by_date[date]))
    origin, normal = _transects(by_date[base], spacing_m)
    lines = shapely.linestrings(np.stack([origin - reach_m * normal, origin + reach_m * normal], axis=1))
    offset_m = np.full((len(origin), len(dates)), np.nan)
    for column, date in enumerate(dates):
        if date == base:
            offset_m[:, column] = 0.0
        else:
            offset_m[:, column] = _nearest_crossing_m(lines, by_date[date], origin, normal)
    return Zone(base, origin, normal, offset_m, dates)


def _transects(lines: Sequence[LineString], spacing_m: float) -> tuple[Metres, Metres]:
    """Return points along lines, and the unit normals to the line over one spacing around them."""
    points: list[Metres] = []
    ahead: list[Metres] = []
    behind: list[Metres] = []
    for line in lines:
        at = np.arange(spacing_m / 2, line.length, spacing_m)
        for found, distance in (
            (points, at),
            (ahead, np.minimum(at + spacing_m / 2, line.length)),
            (behind, np.maximum(at - spacing_m / 2, 0.0)),
        ):
            found.append(shapely.get_coordinates(shapely.line_interpolate_point(line, distance)))
    along = np.concatenate(ahead) - np.concatenate(behind)
    normal = np.column_stack([-along[:, 1], along[:, 0]])
    return np.concatenate(points), normal / np.maximum(np.hypot(*normal.T), 1e-12)[:, None]


def _nearest_crossing_m(
    transects: npt.NDArray[np.object_], lines: Sequence[LineString], origin: Metres, normal: Metres
) -> Metres:
    """Return the signed offset of the crossing nearest to each transect's origin, NaN without one."""
    nearest = np.full(len(transects), np.nan)
    tree = shapely.STRtree(list(lines))
    pairs = tree.query(transects, predicate="intersects").T
    crossings = shapely.intersection(transects[pairs[:, 0]], np.array(lines, dtype=object)[pairs[:, 1]])
    xy, pair = shapely.get_coordinates(crossings, return_index=True)
    transect = pairs[pair, 0]
    offset = ((xy - origin[transect]) * normal[transect]).sum(axis=1)
    # The farthest first, so that the nearest is what stays.
    order = np.argsort(-np.abs(offset), kind="stable")
    nearest[transect[order]] = offset[order]
    return nearest
