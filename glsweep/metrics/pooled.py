"""Micro figures: of all pixels together, from sums of counts."""

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]


def pooled_share(part: Counts, whole: Counts, other: Counts) -> Counts:
    """Return part / whole; where whole is 0: 1 if the `other` mask is empty too, else 0.

    The rule of `ThresholdCounts`, for arrays of any one shape.
    """
    return np.where(whole == 0, other == 0, part / np.maximum(whole, 1))


def pooled_relaxed_f1(near: Counts, predicted: Counts, found: Counts, truth: Counts) -> Counts:
    """Return the relaxed F1 of pooled pixels.

    Parameters
    ----------
    near, predicted : array
        Predicted pixels within the tolerance of true ones, and all predicted ones.
    found, truth : array
        True pixels within the tolerance of predicted ones, and all true ones.
    """
    precision = pooled_share(near, predicted, truth)
    recall = pooled_share(found, truth, predicted)
    total = precision + recall
    return np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
