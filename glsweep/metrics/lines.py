"""How far two sets of lines lie apart, in metres along both: what is missed and invented counts."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import shapely
from shapely import LineString

Metres = npt.NDArray[np.float64]

TOLERANCES_M = (100.0, 200.0, 500.0)
"""Within which a line counts as found."""
STEP_M = 20.0
"""A line is looked at in pieces of this length at most."""


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
    drawn_xy_m, reference_xy_m : float64 array (N, 2), (M, 2)
        Its middle.
    """

    drawn_m: Metres
    reference_m: Metres
    drawn_length_m: Metres
    reference_length_m: Metres
    drawn_xy_m: Metres
    reference_xy_m: Metres

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
        weight = np.concatenate([side / side.sum() for side in sides])
        order = np.argsort(values, kind="stable")
        below = np.cumsum(weight[order])
        return float(values[order][np.searchsorted(below, below[-1] / 2)])


def line_distances(
    drawn: Sequence[LineString],
    reference: Sequence[LineString],
    *,
    step_m: float = STEP_M,
    farthest_m: float = np.inf,
) -> LineDistances:
    """Measure every piece of two sets of lines against the other set.

    Parameters
    ----------
    drawn, reference : sequence of LineString
        In one map in metres.
    step_m : float
        Longest piece; each is judged by its middle.
    farthest_m : float
        Taken for all that is farther, and where the other side has no line at all, such as the
        scene's diagonal: so a missed scene counts in a mean.
    """
    middles, lengths = zip(*(_pieces(lines, step_m) for lines in (drawn, reference)), strict=True)
    return LineDistances(
        np.minimum(_nearest_m(middles[0], reference), farthest_m),
        np.minimum(_nearest_m(middles[1], drawn), farthest_m),
        lengths[0],
        lengths[1],
        shapely.get_coordinates(middles[0]),
        shapely.get_coordinates(middles[1]),
    )


def _pieces(lines: Sequence[LineString], step_m: float) -> tuple[npt.NDArray[np.object_], Metres]:
    """Return the middle point and the length of every piece."""
    xy, line = shapely.get_coordinates(
        shapely.segmentize(np.array(lines, dtype=object), step_m), return_index=True
    )
    within = line[1:] == line[:-1]
    start, end = xy[:-1][within], xy[1:][within]
    return np.asarray(shapely.points((start + end) / 2)), np.asarray(np.hypot(*(end - start).T))


def _nearest_m(points: npt.NDArray[np.object_], lines: Sequence[LineString]) -> Metres:
    if not len(points) or not len(lines):
        return np.full(len(points), np.inf)
    # A tree of single segments: one of whole lines would measure each line from end to end.
    xy, line = shapely.get_coordinates(np.array(lines, dtype=object), return_index=True)
    within = line[1:] == line[:-1]
    segments = shapely.linestrings(np.stack([xy[:-1][within], xy[1:][within]], axis=1))
    nearest = shapely.STRtree(segments).query_nearest(points, all_matches=False)[1]
    return np.asarray(shapely.distance(points, segments[nearest]))


def _share_within(distances_m: Metres, lengths_m: Metres, tolerance_m: float) -> float:
    total_m = lengths_m.sum()
    return float(lengths_m[distances_m <= tolerance_m].sum() / total_m) if total_m else float("nan")
