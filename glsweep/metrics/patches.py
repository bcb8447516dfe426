"""Every metric of every patch at one threshold, from pixels, boundaries and distances."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from glsweep.metrics.distances import (
    LEAST_REACH_PX,
    Masks,
    MaskStack,
    Positions,
    Squares,
    distance_percentiles,
    radius_px,
    squared_distances,
)
from glsweep.metrics.lines import TOLERANCES_M

PatchValues = npt.NDArray[np.float64]

IOU_TOLERANCE_PX = 2.0


@dataclass(frozen=True, eq=False)
class MaskPairs:
    """Two masks of N patches, (N, rows, cols), and the distances between them, each computed once.

    Attributes
    ----------
    predicted, truth : bool array (N, rows, cols)
    reach_px : float
        The largest tolerance within which pixels will be counted, for no less than 3 px; for
        boundaries any will do.
    has_data : bool array (N, rows, cols) or None
        Which pixels hold data; None: all. The others belong to neither mask, nor to a dilated one.

    Raises
    ------
    ValueError
        When they are not bool masks of one shape.
    """

    predicted: Masks
    truth: Masks
    reach_px: float = 0.0
    has_data: Masks | None = None

    def __post_init__(self) -> None:
        masks = [one for one in (self.predicted, self.truth, self.has_data) if one is not None]
        if len({one.shape for one in masks}) > 1 or any(one.dtype != bool for one in masks):
            given = " and ".join(f"{one.shape} {one.dtype}" for one in masks)
            raise ValueError(f"need bool masks of one shape, got {given}")

    @cached_property
    def _predicted(self) -> MaskStack:
        return MaskStack.of(self._seen(self.predicted), self.reach_px)

    @cached_property
    def _true(self) -> MaskStack:
        return MaskStack.of(self._seen(self.truth), self.reach_px)

    def _seen(self, mask: Masks) -> Masks:
        return mask if self.has_data is None else mask & self.has_data

    @cached_property
    def predicted_px(self) -> Positions:
        """Predicted pixels of each patch, (N,)."""
        return self._predicted.px

    @cached_property
    def truth_px(self) -> Positions:
        """True pixels of each patch, (N,)."""
        return self._true.px

    @cached_property
    def hits_px(self) -> Positions:
        """Predicted pixels that are true, (N,)."""
        return self._predicted.per_patch(self._is_hit)

    def pixel_scores(self) -> tuple[PatchValues, PatchValues, PatchValues]:
        """Return Dice, precision and recall, (N,) each."""
        hits = self.hits_px
        return (
            self._share(2 * hits, self.predicted_px + self.truth_px),
            self._share(hits, self.predicted_px),
            self._share(hits, self.truth_px),
        )

    def near_px(self, tolerance_px: float) -> tuple[Positions, Positions]:
        """Count predicted pixels within a tolerance of true ones, and true ones so near a prediction.

        Returns
        -------
        tuple of int array (N,)

        Raises
        ------
        ValueError
            When the tolerance is beyond the reach of the distances.
        """
        most_px = max(self.reach_px, LEAST_REACH_PX)
        if tolerance_px > most_px:
            raise ValueError(
                f"tolerance_px is {tolerance_px}, need at most {most_px}, the reach of distances"
            )
        # Within a mask the distance to the mask is 0, that to its boundary need not be.
        right = self._is_hit | (self._to_truth <= tolerance_px**2)
        found = self._is_found | (self._to_predicted <= tolerance_px**2)
        return self._predicted.per_patch(right), self._true.per_patch(found)

    def bf(self, tolerance_m: float, posting_m: float) -> tuple[PatchValues, PatchValues, PatchValues]:
        """Return the BF score, its precision and its recall, (N,) each."""
        squared = radius_px(tolerance_m, posting_m) ** 2
        precision, recall = (
            self._share(stack.per_patch(stack.on_boundary & (distances <= squared)), stack.boundary_px)
            for stack, distances in ((self._predicted, self._to_truth), (self._true, self._to_predicted))
        )
        total = precision + recall
        f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
        return f1, precision, recall

    def iou_tolerance(self, tolerance_px: float) -> PatchValues:
        """Return the IoU that forgives errors within a tolerance, (N,)."""
        right, found = self.near_px(tolerance_px)
        union = self.predicted_px + self.truth_px - self.hits_px
        errors = self.predicted_px - right + self.truth_px - found
        return self._share(union - errors, union)

    def iou_tolerance_literal(self, tolerance_px: float) -> PatchValues:
        """Return the IoU with the truth dilated by a tolerance, (N,)."""
        right, _ = self.near_px(tolerance_px)
        dilated = np.count_nonzero(self._seen(self._true.dilated(tolerance_px)), axis=(1, 2))
        return self._share(right, self.predicted_px + dilated - right)

    def hd95(self) -> PatchValues:
        """Return the larger of the two directed 95th percentiles of distance, in pixels, (N,)."""
        ours, theirs = (distance_percentiles([side], 95) for side in self._sides)
        return self._distance(np.maximum(ours, theirs))

    def hd95_union(self) -> PatchValues:
        """Return the 95th percentile of both directions' distances together, in pixels, (N,)."""
        return self._distance(distance_percentiles(self._sides, 95))

    @cached_property
    def _to_truth(self) -> Squares:
        return squared_distances(self._predicted, self._true)

    @cached_property
    def _to_predicted(self) -> Squares:
        return squared_distances(self._true, self._predicted)

    @cached_property
    def _is_hit(self) -> Masks:
        return self._true.grid.reshape(-1)[self._predicted.at]

    @cached_property
    def _is_found(self) -> Masks:
        return self._predicted.grid.reshape(-1)[self._true.at]

    @cached_property
    def _sides(self) -> list[list[Squares]]:
        """Squared distances from the prediction's boundary and from the truth's, patch by patch."""
        return [
            np.split(squared[stack.on_boundary], np.cumsum(stack.boundary_px)[:-1])
            for stack, squared in ((self._predicted, self._to_truth), (self._true, self._to_predicted))
        ]

    def _share(self, part: Positions, whole: Positions) -> PatchValues:
        """Return part / whole; 1 where both masks are empty, 0 where one is."""
        share = part / np.maximum(whole, 1)
        empty, empty_too = self.predicted_px == 0, self.truth_px == 0
        return np.where(empty | empty_too, empty & empty_too, share).astype(np.float64)

    def _distance(self, distance_px: PatchValues) -> PatchValues:
        """Return a distance; 0 where both masks are empty, the diagonal where one is."""
        empty, empty_too = self.predicted_px == 0, self.truth_px == 0
        diagonal_px = float(np.hypot(*self.truth.shape[1:]))
        return np.where(empty | empty_too, np.where(empty & empty_too, 0.0, diagonal_px), distance_px)


# --- Every metric of every patch at one threshold

PatchMetrics = dict[str, PatchValues]

MACRO = (
    "dice",
    "precision",
    "recall",
    "bf",
    "boundary_precision",
    "boundary_recall",
    *(f"bf_{tolerance_m:g}" for tolerance_m in TOLERANCES_M),
    "iou_tol2",
    "iou_tol2_literal",
    "hd95_px",
    "hd95_union_px",
)
"""Metrics that mean something in a single patch, and of which the table holds the mean."""

# Groups of about this many pixels stay in the processor's cache.
_GROUP_PX = 2**21


def patch_metrics(
    probability: npt.NDArray[np.float32],
    tau: float,
    truth: Masks,
    *,
    tolerance_m: float,
    posting_m: float,
    has_data: Masks | None = None,
) -> PatchMetrics:
    """Score patches, each by itself.

    Parameters
    ----------
    probability : float32 array (N, S, S)
    tau : float
        A pixel is predicted where probability >= tau, both as float32.
    truth : bool array (N, S, S)
    tolerance_m, posting_m : float
        The tolerance of `bf` and of the counts, and a pixel's side, in metres.
    has_data : bool array (N, S, S) or None
        Which pixels hold data; None: all. The others are neither predicted nor true, see `Truth`.

    Returns
    -------
    dict of float array (N,)
        `MACRO`, with BF also at each of TOLERANCES_M; and counts of pixels: `predicted_px`,
        `truth_px`, `hits_px`, and within the tolerance `near_px` (of the predicted ones) and
        `found_px` (of the true ones).
    """
    step = max(1, _GROUP_PX // max(1, truth[:1].size))
    groups = []
    for start in range(0, max(1, len(truth)), step):
        group = slice(start, start + step)
        predicted = probability[group] >= np.float32(tau)
        seen = None if has_data is None else has_data[group]
        pairs = MaskPairs(predicted, truth[group], radius_px(tolerance_m, posting_m), seen)
        groups.append(_metrics(pairs, tolerance_m, posting_m))
    return {name: np.concatenate([group[name] for group in groups]) for name in groups[0]}


def _metrics(pairs: MaskPairs, tolerance_m: float, posting_m: float) -> PatchMetrics:
    near, found = pairs.near_px(radius_px(tolerance_m, posting_m))
    dice, precision, recall = pairs.pixel_scores()
    bf, boundary_precision, boundary_recall = pairs.bf(tolerance_m, posting_m)
    counts = {
        "predicted_px": pairs.predicted_px,
        "truth_px": pairs.truth_px,
        "hits_px": pairs.hits_px,
        "near_px": near,
        "found_px": found,
    }
    return {
        "dice": dice,
        "precision": precision,
        "recall": recall,
        "bf": bf,
        "boundary_precision": boundary_precision,
        "boundary_recall": boundary_recall,
        **{f"bf_{other_m:g}": pairs.bf(other_m, posting_m)[0] for other_m in TOLERANCES_M},
        "iou_tol2": pairs.iou_tolerance(IOU_TOLERANCE_PX),
        "iou_tol2_literal": pairs.iou_tolerance_literal(IOU_TOLERANCE_PX),
        "hd95_px": pairs.hd95(),
        "hd95_union_px": pairs.hd95_union(),
        **{name: px.astype(np.float64) for name, px in counts.items()},
    }
