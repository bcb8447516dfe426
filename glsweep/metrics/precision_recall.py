"""Precision against recall, both within a tolerance, at every threshold."""

from dataclasses import dataclass

import torch
from torch import Tensor

from glsweep.metrics.thresholds import Truth, count_at_thresholds

# Evenly spaced in the logit, since probabilities crowd at both ends; at 0 everything is predicted.
THRESHOLDS = torch.cat([torch.zeros(1), torch.linspace(-9, 9, 181).sigmoid()])


@dataclass(frozen=True)
class PrecisionRecall:
    """Relaxed precision and recall, micro, at ascending thresholds at which anything is predicted."""

    thresholds: list[float]
    precision: list[float]
    recall: list[float]

    @property
    def area(self) -> float:
        """Area under the curve as average precision: each rise of recall times the precision there.

        Sum of (R_k - R_{k-1}) P_k as the threshold falls, which no line between points makes too
        good (Davis & Goadrich 2006).
        """
        area, before = 0.0, 0.0
        for precision, recall in zip(self.precision[::-1], self.recall[::-1], strict=True):
            area += (recall - before) * precision
            before = recall
        return area


def relaxed_precision_recall(
    probability: Tensor, truth: Truth, thresholds: Tensor = THRESHOLDS
) -> PrecisionRecall:
    """Measure relaxed precision and recall at every threshold.

    Parameters
    ----------
    probability : floating Tensor (N, S, S)
        On the truth's device.
    truth : Truth
        Of the same patches.
    thresholds : Tensor (T,)
        Ascending.
    """
    counts = count_at_thresholds(probability, truth, thresholds)
    predicts = counts.predicted.sum(0) > 0
    return PrecisionRecall(
        counts.thresholds[predicts].tolist(),
        counts.relaxed_precision()[predicts].tolist(),
        counts.relaxed_recall()[predicts].tolist(),
    )
