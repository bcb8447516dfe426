"""Metrics of one patch at one threshold: those by the pixel by the plain rule, the others of one pair.

Boundary pixels are the mask minus its 4-connected erosion (a one-pixel line is all boundary);
distances are Euclidean between pixel centres. With an empty mask: both empty, perfect (1, or
distance 0); one empty, worst (0, or the patch's diagonal), as Metrics Reloaded
(Maier-Hein et al. 2024) advises for Dice and distances, so that missing a line is never free.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from glsweep.metrics.patches import IOU_TOLERANCE_PX, MaskPairs


class PixelScores(NamedTuple):
    """Dice, precision and recall, each in [0, 1]."""

    dice: float
    precision: float
    recall: float


def pixel_scores(predicted: npt.NDArray[np.bool_], truth: npt.NDArray[np.bool_]) -> PixelScores:
    """Compare two masks pixel by pixel.

    Parameters
    ----------
    predicted, truth : bool array (rows, cols)

    Returns
    -------
    PixelScores
        All 1 where both masks are empty, all 0 where one is (Metrics Reloaded for Dice;
        precision and recall, undefined there, follow the same rule).
    """
    n_predicted, n_truth = int(predicted.sum()), int(truth.sum())
    if not n_predicted or not n_truth:
        both_empty = float(n_predicted == n_truth)
        return PixelScores(both_empty, both_empty, both_empty)
    hits = int((predicted & truth).sum())
    return PixelScores(2 * hits / (n_predicted + n_truth), hits / n_predicted, hits / n_truth)


Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class BoundaryScores:
    """Boundary figures of one patch; distances in pixels."""

    bf_score: float
    boundary_precision: float
    boundary_recall: float
    iou_tol2: float
    iou_tol2_literal: float
    hd95_px: float
    hd95_union_px: float


def boundary_scores(predicted: Mask, truth: Mask, *, tolerance_m: float, posting_m: float) -> BoundaryScores:
    """Compute all boundary figures; many patches at once are faster, see `MaskPairs`.

    Parameters
    ----------
    predicted, truth : bool array (rows, cols)
    tolerance_m, posting_m : float
        The tolerance of the BF score, and a pixel's side, in metres.
    """
    pair = _pair(predicted, truth)
    bf, precision, recall = pair.bf(tolerance_m, posting_m)
    return BoundaryScores(
        bf_score=float(bf[0]),
        boundary_precision=float(precision[0]),
        boundary_recall=float(recall[0]),
        iou_tol2=float(pair.iou_tolerance(IOU_TOLERANCE_PX)[0]),
        iou_tol2_literal=float(pair.iou_tolerance_literal(IOU_TOLERANCE_PX)[0]),
        hd95_px=float(pair.hd95()[0]),
        hd95_union_px=float(pair.hd95_union()[0]),
    )


def bf_score(predicted: Mask, truth: Mask, tolerance_m: float, posting_m: float) -> float:
    """Return the harmonic mean of boundary precision and recall within `tolerance_m`.

    Csurka et al. 2013, "What is a good evaluation measure for semantic segmentation?", BMVC.
    """
    return float(_pair(predicted, truth).bf(tolerance_m, posting_m)[0][0])


def iou_tolerance(predicted: Mask, truth: Mask, tolerance_px: float = IOU_TOLERANCE_PX) -> float:
    """Return the IoU in which errors within `tolerance_px` are none; the default is `iou_tol2`.

    False positives are predicted pixels farther from the truth than that, false negatives true
    pixels farther from the prediction: 1 - (FP + FN) / |P or T|, which is the IoU if the tolerance
    is 0.
    """
    return float(_pair(predicted, truth, tolerance_px).iou_tolerance(tolerance_px)[0])


def iou_tol2_literal(predicted: Mask, truth: Mask) -> float:
    """Return the IoU of the prediction and the truth dilated by 2 px, as the study defines it.

    Even a perfect one-pixel line scores only about 0.29.
    """
    return float(_pair(predicted, truth).iou_tolerance_literal(IOU_TOLERANCE_PX)[0])


def hd95(predicted: Mask, truth: Mask) -> float:
    """Return the larger of the two directed 95th percentiles of distance, in pixels.

    The convention of MONAI, surface-distance and Metrics Reloaded.
    """
    return float(_pair(predicted, truth).hd95()[0])


def hd95_union(predicted: Mask, truth: Mask) -> float:
    """Return the 95th percentile of both directions' distances together, in pixels.

    The study's equation 8, and the convention of MedPy.
    """
    return float(_pair(predicted, truth).hd95_union()[0])


def _pair(predicted: Mask, truth: Mask, reach_px: float = IOU_TOLERANCE_PX) -> MaskPairs:
    return MaskPairs(predicted[None], truth[None], reach_px)
