"""Every figure of every patch at one threshold."""

import numpy as np
import numpy.typing as npt

from glsweep.metrics.lines import TOLERANCES_M
from glsweep.metrics.mask_pairs import IOU_TOLERANCE_PX, MaskPairs
from glsweep.metrics.nearest import Masks
from glsweep.metrics.tolerance import radius_px

Figures = dict[str, npt.NDArray[np.float64]]

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
"""Figures that mean something in a single patch, and of which the table holds the mean."""

# Groups of about this many pixels stay in the processor's cache.
_GROUP_PX = 2**21


def patch_figures(
    probability: npt.NDArray[np.float32],
    tau: float,
    truth: Masks,
    *,
    tolerance_m: float,
    posting_m: float,
    has_data: Masks | None = None,
) -> Figures:
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
        groups.append(_figures(pairs, tolerance_m, posting_m))
    return {name: np.concatenate([group[name] for group in groups]) for name in groups[0]}


def _figures(pairs: MaskPairs, tolerance_m: float, posting_m: float) -> Figures:
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
