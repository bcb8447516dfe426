"""Lines in metres: how far two sets lie apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pyproj import CRS
from scipy.spatial import cKDTree
from shapely import LineString

from glsweep.geodesy import arc_m, earth_centred, fine_vertices

Metres = npt.NDArray[np.float64]

TOLERANCES_M = (100.0, 200.0, 500.0)
"""Within which a line counts as found."""
STEP_M = 20.0
"""A line is measured in pieces of this length at most."""
FEWEST_ENDS = 4
"""On a line of even pieces, the nearest piece is always at one of the three nearest ends."""
NEGLIGIBLE_M = 1e-3
BLOCK_POINTS = 4096
"""Points that are measured together; more would take memory and no less time."""


@dataclass(frozen=True)
class LineDistances:
    """Distances from pieces of each set of lines to the nearest point of the other set.

    Attributes
    ----------
    drawn_m, reference_m : float64 array (N,), (M,)
        Distance of each piece's middle: of the lines that are judged to the reference, and the
        other way round. Infinite where there is no line on the other side.
    drawn_length_m, reference_length_m : float64 array (N,), (M,)
        Length of each piece.
    drawn_xy, reference_xy : float64 array (N, 2), (M, 2)
        Its middle on its own map.
    """

    drawn_m: Metres
    reference_m: Metres
    drawn_length_m: Metres
    reference_length_m: Metres
    drawn_xy: Metres
    reference_xy: Metres

    @classmethod
    def pooled(cls, several: Sequence["LineDistances"]) -> "LineDistances":
        """Join the pieces of several scenes: a long scene counts more than a short one."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.concatenate([getattr(one, name) for one in several]) for name in names})

    @property
    def drawn_km(self) -> float:
        """Length of the lines that are judged."""
        return float(self.drawn_length_m.sum()) / 1000

    @property
    def reference_km(self) -> float:
        """Length of the reference."""
        return float(self.reference_length_m.sum()) / 1000

    def mean_m(self) -> float:
        """Return the mean distance, half of it from each side (PoLiS, Avbelj et al. 2015, eq. 3).

        Taken along the lines instead of at their vertices, so that it does not depend on how
        densely a line was clicked. NaN where either side has no line.
        """
        if not (len(self.drawn_m) and len(self.reference_m)):
            return float("nan")
        drawn = np.average(self.drawn_m, weights=self.drawn_length_m)
        reference = np.average(self.reference_m, weights=self.reference_length_m)
        return float(drawn + reference) / 2

    def median_m(self) -> float:
        """Return the median distance, both sides counting half; NaN where either has no line."""
        return self._median(np.concatenate([self.drawn_m, self.reference_m]))

    def mad_m(self) -> float:
        """Return the median absolute deviation from the median, both sides counting half."""
        both_m = np.concatenate([self.drawn_m, self.reference_m])
        with np.errstate(invalid="ignore"):  # infinite less infinite, where one side has no line
            return self._median(np.abs(both_m - self.median_m()))

    def completeness(self, tolerance_m: float) -> float:
        """Return the share of the reference's length with a judged line within `tolerance_m`."""
        return _share_within(self.reference_m, self.reference_length_m, tolerance_m)

    def correctness(self, tolerance_m: float) -> float:
        """Return the share of the judged lines' length with the reference within `tolerance_m`."""
        return _share_within(self.drawn_m, self.drawn_length_m, tolerance_m)

    def missed_km(self, tolerance_m: float) -> float:
        """Return how much of the reference has no judged line within `tolerance_m`."""
        return float(self.reference_length_m[self.reference_m > tolerance_m].sum()) / 1000

    def false_km(self, tolerance_m: float) -> float:
        """Return how much of the judged lines is farther from the reference than `tolerance_m`."""
        return float(self.drawn_length_m[self.drawn_m > tolerance_m].sum()) / 1000

    def _median(self, values: Metres) -> float:
        """Return the median of values for both sides' pieces, weighted by length."""
        if not (len(self.drawn_m) and len(self.reference_m)):
            return float("nan")
        sides = (self.drawn_length_m, self.reference_length_m)
        return weighted_quantile(values, np.concatenate([side / side.sum() for side in sides]), 0.5)


def weighted_quantile(values: Metres, weight: Metres, share: float) -> float:
    """Return the least of the values, (N,), up to which lies a share of the weight; NaN of no values."""
    if not len(values):
        return float("nan")
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(below, share * below[-1])])


def line_distances(
    drawn: Sequence[LineString],
    reference: Sequence[LineString],
    *,
    crs: CRS | None = None,
    reference_crs: CRS | None = None,
    step_m: float = STEP_M,
    farthest_m: float = np.inf,
) -> LineDistances:
    """Measure every piece of two sets of lines against the other set, in metres on the ground.

    Parameters
    ----------
    drawn, reference : sequence of LineString
        Each on its own map, on which they are straight between their vertices.
    crs : CRS or None
        Their map; None for a flat one that lies nowhere on Earth, whose metres are taken as they are.
    reference_crs : CRS, optional
        The reference's map where it is another.
    step_m : float
        Longest piece; each is judged by its middle.
    farthest_m : float
        Taken for all that is farther, and where the other side has no line at all, such as the
        scene's diagonal: so a missed scene counts in a mean.
    """
    own, other = _pieces(drawn, crs, step_m), _pieces(reference, reference_crs or crs, step_m)
    return LineDistances(
        np.minimum(arc_m(_nearest_m(own, other), crs), farthest_m),
        np.minimum(arc_m(_nearest_m(other, own), crs), farthest_m),
        own.length_m,
        other.length_m,
        own.middle_xy,
        other.middle_xy,
    )


class PieceDistances(NamedTuple):
    """How far each piece of some lines lies from the nearest point of others.

    Attributes
    ----------
    line : int array (N,)
        The line that each piece is of.
    length_m, distance_m : float64 array (N,)
        A piece's length, and its middle's distance; infinite where there is no other line.
    middle_xy : float64 array (N, 2)
        Its middle on the map.
    """

    line: npt.NDArray[np.int64]
    length_m: Metres
    distance_m: Metres
    middle_xy: Metres


def piece_distances(
    lines: Sequence[LineString],
    reference: Sequence[LineString],
    *,
    crs: CRS | None = None,
    step_m: float = STEP_M,
) -> PieceDistances:
    """Measure every piece of lines against a reference on the same map; see `line_distances`."""
    own, other = _pieces(lines, crs, step_m), _pieces(reference, crs, step_m)
    return PieceDistances(own.line, own.length_m, arc_m(_nearest_m(own, other), crs), own.middle_xy)


class _Pieces(NamedTuple):
    """Lines in pieces: their ends in space, with those before and behind on the same line.

    At an end of a line the neighbour that is missing is the end itself. Lengths, middles, in space
    and on the map, and lines are those of pieces, of which a line has one fewer than ends.
    """

    end: Metres
    before: Metres
    behind: Metres
    length_m: Metres
    middle: Metres
    middle_xy: npt.NDArray[np.float64]
    line: npt.NDArray[np.int64]


def _pieces(lines: Sequence[LineString], crs: CRS | None, step_m: float) -> _Pieces:
    vertices = fine_vertices(lines, crs, step_m)
    end, first = earth_centred(vertices.xy, crs), np.flatnonzero(vertices.joined)
    before, behind = end.copy(), end.copy()
    behind[first], before[first + 1] = end[first + 1], end[first]
    length_m = np.linalg.norm(end[first + 1] - end[first], axis=1)
    middle_xy = vertices.xy[first] + vertices.ahead[first] / 2
    middle = (end[first] + end[first + 1]) / 2
    return _Pieces(end, before, behind, length_m, middle, middle_xy, vertices.line[first])


def _nearest_m(own: _Pieces, other: _Pieces) -> Metres:
    """Return the straight distance from each piece's middle to the nearest point of the other's pieces."""
    if not (len(own.middle) and len(other.middle)):
        return np.full(len(own.middle), np.inf)
    tree = cKDTree(other.end)
    blocks = np.array_split(own.middle, math.ceil(len(own.middle) / BLOCK_POINTS))
    return np.concatenate([_nearest_of_block_m(points, other, tree) for points in blocks])


def _nearest_of_block_m(points: Metres, other: _Pieces, tree: cKDTree) -> Metres:
    """Look at the pieces around the nearest few ends, and at more where another could be nearer.

    A piece's nearest point is an end, or lies at right angles to it within half its length of an
    end. So the pieces around an end are no nearer than Pythagoras allows for half the longest piece.
    """
    half_m2 = float(other.length_m.max() / 2) ** 2
    found_m, unsure, count = np.full(len(points), np.inf), np.arange(len(points)), FEWEST_ENDS
    while len(unsure):
        count = min(count, len(other.end))
        end_m, end = map(np.asarray, tree.query(points[unsure], count))
        at = points[unsure][:, None]
        pieces = (
            _to_piece_m(at, other.end[end], neighbour[end]) for neighbour in (other.before, other.behind)
        )
        found_m[unsure] = np.minimum(*pieces).min(axis=1)
        unseen_m = np.sqrt(np.maximum(end_m[:, -1] ** 2 - half_m2, 0))
        unsure = unsure[(unseen_m < found_m[unsure] - NEGLIGIBLE_M) & (count < len(other.end))]
        count *= 4
    return found_m


def _to_piece_m(points: Metres, start: Metres, end: Metres) -> Metres:
    along, away = end - start, points - start
    squared = np.maximum((along**2).sum(axis=-1), np.finfo(np.float64).tiny)
    share = np.clip((along * away).sum(axis=-1) / squared, 0, 1)
    return np.asarray(np.linalg.norm(away - share[..., None] * along, axis=-1))


def _share_within(distances_m: Metres, lengths_m: Metres, tolerance_m: float) -> float:
    total_m = lengths_m.sum()
    return float(lengths_m[distances_m <= tolerance_m].sum() / total_m) if total_m else float("nan")
