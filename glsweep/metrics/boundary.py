"""Boundary figures of one patch at one threshold: BF score, tolerant IoU, Hausdorff distance.

A mask's boundary is the mask minus its erosion by the 4-connected cross, with everything beyond
the patch taken as outside: a line of one or two pixels is its own boundary, and a mask that
reaches the patch's edge has boundary there. Where both masks are empty scores are 1 and distances
0; where one is, scores are 0 and distances the patch's diagonal (Metrics Reloaded, Maier-Hein et
al. 2024), so that a missed line is never free.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_erosion, distance_transform_edt

from glsweep.metrics.tolerance import radius_px

Mask = npt.NDArray[np.bool_]
Distances = npt.NDArray[np.float64]

IOU_TOLERANCE_PX = 2.0


@dataclass(frozen=True)
class BoundaryScores:
    """All boundary figures of one patch; distances in pixels."""

    bf_score: float
    boundary_precision: float
    boundary_recall: float
    iou_tol2: float
    iou_tol2_literal: float
    hd95_px: float
    hd95_union_px: float


@dataclass(frozen=True, eq=False)
class MaskPair:
    """Two masks, (rows, cols), and the distances between them, each computed once when asked for."""

    predicted: Mask
    truth: Mask

    def __post_init__(self) -> None:
        shapes = self.predicted.shape, self.truth.shape
        types = self.predicted.dtype, self.truth.dtype
        if shapes[0] != shapes[1] or any(kind != np.dtype(bool) for kind in types):
            raise ValueError(f"need two bool masks of one shape, got {types} of {shapes}")

    @cached_property
    def is_empty(self) -> tuple[bool, bool]:
        """Whether the prediction and the truth are empty."""
        return not self.predicted.any(), not self.truth.any()

    @cached_property
    def predicted_boundary(self) -> Mask:
        """The prediction's boundary."""
        return boundary(self.predicted)

    @cached_property
    def truth_boundary(self) -> Mask:
        """The truth's boundary."""
        return boundary(self.truth)

    @cached_property
    def to_predicted_px(self) -> Distances:
        """Distance of every pixel to the prediction's boundary, which must not be empty."""
        return _distance_to(self.predicted_boundary)

    @cached_property
    def to_truth_px(self) -> Distances:
        """Distance of every pixel to the truth's boundary, which must not be empty."""
        return _distance_to(self.truth_boundary)

    @cached_property
    def directed_px(self) -> tuple[Distances, Distances]:
        """Distances from the prediction's boundary pixels to the truth's, and back."""
        return self.to_truth_px[self.predicted_boundary], self.to_predicted_px[self.truth_boundary]

    def bf(self, tolerance_m: float, posting_m: float) -> tuple[float, float, float]:
        """Return the BF score, its precision and its recall; see `bf_score`."""
        if any(self.is_empty):
            both_empty = float(all(self.is_empty))
            return both_empty, both_empty, both_empty
        radius = radius_px(tolerance_m, posting_m)
        precision, recall = (float(np.mean(distances <= radius)) for distances in self.directed_px)
        total = precision + recall
        return (2 * precision * recall / total if total else 0.0), precision, recall

    def iou_tolerance(self, tolerance_px: float) -> float:
        """Return the symmetric tolerant IoU; see `iou_tolerance`."""
        if any(self.is_empty):
            return float(all(self.is_empty))
        # Within a mask the distance to the mask is 0, that to its boundary need not be.
        invented = self.predicted & ~self.truth & (self.to_truth_px > tolerance_px)
        missed = self.truth & ~self.predicted & (self.to_predicted_px > tolerance_px)
        return float(1 - (invented.sum() + missed.sum()) / (self.predicted | self.truth).sum())

    def iou_tolerance_literal(self, tolerance_px: float) -> float:
        """Return the IoU with the dilated truth; see `iou_tol2_literal`."""
        if any(self.is_empty):
            return float(all(self.is_empty))
        dilated = self.truth | (self.to_truth_px <= tolerance_px)
        return float((self.predicted & dilated).sum() / (self.predicted | dilated).sum())

    def hd95(self) -> float:
        """Return the larger directed 95th percentile; see `hd95`."""
        if any(self.is_empty):
            return self._without_a_mask_px()
        return float(max(np.percentile(distances, 95) for distances in self.directed_px))

    def hd95_union(self) -> float:
        """Return the joint 95th percentile; see `hd95_union`."""
        if any(self.is_empty):
            return self._without_a_mask_px()
        return float(np.percentile(np.concatenate(self.directed_px), 95))

    def _without_a_mask_px(self) -> float:
        return 0.0 if all(self.is_empty) else float(np.hypot(*self.truth.shape))


def boundary(mask: Mask) -> Mask:
    """Return the mask minus its 4-connected erosion; beyond the array is outside."""
    return np.asarray(mask & ~binary_erosion(mask))


def boundary_scores(predicted: Mask, truth: Mask, *, tolerance_m: float, posting_m: float) -> BoundaryScores:
    """Compute all boundary figures, with one distance transform for each mask.

    Parameters
    ----------
    predicted, truth : bool array (rows, cols)
    tolerance_m, posting_m : float
        The BF score's tolerance, and a pixel's side, in metres.
    """
    pair = MaskPair(predicted, truth)
    bf, precision, recall = pair.bf(tolerance_m, posting_m)
    return BoundaryScores(
        bf_score=bf,
        boundary_precision=precision,
        boundary_recall=recall,
        iou_tol2=pair.iou_tolerance(IOU_TOLERANCE_PX),
        iou_tol2_literal=pair.iou_tolerance_literal(IOU_TOLERANCE_PX),
        hd95_px=pair.hd95(),
        hd95_union_px=pair.hd95_union(),
    )


def bf_score(predicted: Mask, truth: Mask, tolerance_m: float, posting_m: float) -> float:
    """Return the harmonic mean of boundary precision and recall (Csurka et al. 2013, BMVC).

    Precision is the share of the prediction's boundary within the tolerance of the truth's,
    recall the share of the truth's boundary within the tolerance of the prediction's.
    """
    return MaskPair(predicted, truth).bf(tolerance_m, posting_m)[0]


def iou_tolerance(predicted: Mask, truth: Mask, tolerance_px: float = IOU_TOLERANCE_PX) -> float:
    """Return the symmetric tolerant IoU, TP / (TP + FP + FN).

    FP are predicted pixels farther than the tolerance from the truth, FN true pixels farther than
    it from the prediction, TP all other pixels of either mask. At tolerance 0 this is the IoU.
    """
    return MaskPair(predicted, truth).iou_tolerance(tolerance_px)


def iou_tol2_literal(predicted: Mask, truth: Mask) -> float:
    """Return the IoU of the prediction and the truth dilated by 2 px.

    Only the truth grows: a perfect prediction of a thin line scores about .29.
    """
    return MaskPair(predicted, truth).iou_tolerance_literal(IOU_TOLERANCE_PX)


def hd95(predicted: Mask, truth: Mask) -> float:
    """Return the larger of the two directed 95th percentiles of boundary distances, in pixels.

    The convention of MONAI, surface-distance and Metrics Reloaded.
    """
    return MaskPair(predicted, truth).hd95()


def hd95_union(predicted: Mask, truth: Mask) -> float:
    """Return the 95th percentile of both directions' boundary distances together, in pixels.

    The convention of MedPy and of the published table.
    """
    return MaskPair(predicted, truth).hd95_union()


def _distance_to(mask: Mask) -> Distances:
    return np.asarray(distance_transform_edt(~mask), dtype=np.float64)
