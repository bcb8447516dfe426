"""The zone in which a grounding line moves: lines of several dates, along transects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import CRS
from shapely import LineString, Polygon

from glsweep.geodesy import earth_centred, fine_vertices, lengths_m
from glsweep.metrics.lines import Metres

SPACING_M = 200.0
REACH_M = 5_000.0
BESIDE = 0.5
"""Of the way along a transect; where the base comes nearer to a crossing, it lies beside another stretch."""


@dataclass(frozen=True)
class Zone:
    """The zone at transects normal to the lines of one date, the base.

    Attributes
    ----------
    base : str
        The date with the longest lines.
    origin_xy_m, normal : float64 array (N, 2)
        Where a transect crosses the base, and its direction.
    scale : float64 array (N,)
        Metres on the ground to one of the map, along each transect.
    offset_m : float64 array (N, dates)
        Where the line of each date crosses the transect, from the base along `normal`, on the ground:
        the crossing nearest to the base. NaN where there is none within reach, and where it lies beside
        another stretch of the base, as across a bay.
    dates : tuple of str
        In the order of the columns.
    """

    base: str
    origin_xy_m: Metres
    normal: Metres
    scale: Metres
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
        ends = [
            self.origin_xy_m + (offset / self.scale)[:, None] * self.normal for offset in (lowest, highest)
        ]
        return [LineString(pair) for pair in np.stack(ends, axis=1)]


def measure_zone(
    by_date: Mapping[str, Sequence[LineString]],
    *,
    crs: CRS | None = None,
    spacing_m: float = SPACING_M,
    reach_m: float = REACH_M,
) -> Zone:
    """Cut the lines of all dates by transects normal to those of the longest one.

    Parameters
    ----------
    by_date : mapping of str to sequence of LineString
        In one map in metres.
    crs : CRS or None
        The map, by which widths are those on the ground; None for a flat one.
    spacing_m : float
        Between transects along the base.
    reach_m : float
        How far a transect reaches to either side; a line farther off is another line.
    """
    dates = tuple(sorted(by_date))
    base = max(dates, key=lambda date: lengths_m(by_date[date], crs).sum())
    across = transects_of(by_date[base], crs, spacing_m)
    offset_m = np.zeros((len(across.origin_xy_m), len(dates)))
    for column, date in enumerate(dates):
        if date != base:
            offset_m[:, column] = _beside(across, across.offsets_m(by_date[date], reach_m), by_date[base])
    return Zone(base, across.origin_xy_m, across.normal, across.scale, offset_m, dates)


def _beside(across: "Transects", offset_m: Metres, base: Sequence[LineString]) -> Metres:
    """Return offsets from the base, NaN where a crossing lies beside another stretch of it."""
    crossed = np.flatnonzero(np.isfinite(offset_m))
    on_map = offset_m[crossed] / across.scale[crossed]
    points = shapely.points(across.origin_xy_m[crossed] + on_map[:, None] * across.normal[crossed])
    tree = shapely.STRtree(list(base))
    away = shapely.distance(points, tree.geometries[tree.nearest(points)]) if len(crossed) else on_map
    kept = offset_m.copy()
    kept[crossed[away < BESIDE * np.abs(on_map)]] = np.nan
    return kept


class Transects(NamedTuple):
    """Straight lines normal to others, at even distances along these.

    Attributes
    ----------
    origin_xy_m, normal : float64 array (N, 2)
        Where a transect crosses its line, and its direction.
    scale : float64 array (N,)
        Metres on the ground to one of the map, along each transect.
    line : int array (N,)
        The line that each is normal to.
    """

    origin_xy_m: Metres
    normal: Metres
    scale: Metres
    line: npt.NDArray[np.int64]

    def offsets_m(self, lines: Sequence[LineString], reach_m: float) -> Metres:
        """Return how far from each origin, along the normal, lines cross its transect, (N,).

        On the ground, and of several crossings the nearest. NaN where there is none within `reach_m`.
        """
        reach = self.normal * (reach_m / self.scale)[:, None]
        ends = np.stack([self.origin_xy_m - reach, self.origin_xy_m + reach], axis=1)
        crossing = _nearest_crossing(shapely.linestrings(ends), lines, self.origin_xy_m, self.normal)
        return self.scale * crossing


def transects_of(lines: Sequence[LineString], crs: CRS | None, spacing_m: float) -> Transects:
    """Return the transects normal to lines; normals are those over one spacing of the line.

    Parameters
    ----------
    lines : sequence of LineString
        On one map, in metres.
    crs : CRS or None
        The map; None for a flat one.
    spacing_m : float
        Between transects on the ground; the first is half of it from a line's beginning.
    """
    points: list[Metres] = []
    ahead: list[Metres] = []
    behind: list[Metres] = []
    owner: list[npt.NDArray[np.int64]] = []
    for number, line in enumerate(lines):
        xy = fine_vertices([line], crs, spacing_m).xy
        pieces_m = np.linalg.norm(np.diff(earth_centred(xy, crs), axis=0), axis=1)
        along_m = np.concatenate([[0.0], np.cumsum(pieces_m)])
        at_m = np.arange(spacing_m / 2, along_m[-1], spacing_m)
        # Beyond an end of the line is its end.
        for found, offset_m in ((points, 0.0), (ahead, spacing_m / 2), (behind, -spacing_m / 2)):
            found.append(np.column_stack([np.interp(at_m + offset_m, along_m, axis) for axis in xy.T]))
        owner.append(np.full(len(at_m), number, np.int64))
    origin, along = np.concatenate(points), np.concatenate(ahead) - np.concatenate(behind)
    normal = np.column_stack([-along[:, 1], along[:, 0]])
    normal /= np.maximum(np.hypot(*normal.T), 1e-12)[:, None]
    outer, inner = (earth_centred(origin + side * spacing_m * normal, crs) for side in (0.5, -0.5))
    scale = np.linalg.norm(outer - inner, axis=1) / spacing_m
    return Transects(origin, normal, scale, np.concatenate(owner))


def _nearest_crossing(
    transects: npt.NDArray[np.object_], lines: Sequence[LineString], origin: Metres, normal: Metres
) -> Metres:
    """Return the signed offset on the map of the crossing nearest to each origin, NaN without one."""
    nearest = np.full(len(transects), np.nan)
    if not len(lines):
        return nearest
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


# --- The ground between the outermost lines

APART = 1.5
"""Neighbouring transects of one line are at most a spacing apart; farther ones are of two lines."""


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
