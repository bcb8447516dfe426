"""Pixel by pixel figures of one patch at one threshold."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


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
