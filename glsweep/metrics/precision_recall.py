"""Precision against recall, both within a tolerance, exactly: at every probability that matters."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from torch import Tensor

from glsweep.metrics.thresholds import Truth, best_within

Floats = npt.NDArray[np.float32]
Shares = npt.NDArray[np.float64]

POINTS = 200
"""Of a thinned curve."""


@dataclass(frozen=True)
class PrecisionRecall:
    """Relaxed precision and recall, micro, at the thresholds at which recall rises.

    Attributes
    ----------
    thresholds : float32 array (T,)
        Ascending: all different values of the largest probability within the tolerance of a true pixel.
        At no other threshold is more of the line found.
    precision, recall : float64 array (T,)
        At each of them. Recall falls along the array, from 1.
    """

    thresholds: Floats
    precision: Shares
    recall: Shares

    @property
    def area(self) -> float:
        """Area under the curve as average precision: each rise of recall times the precision there.

        Sum of (R_k - R_{k-1}) P_k as the threshold falls, which no line between points makes too
        good (Davis & Goadrich 2006). It is the mean over the line's pixels of the precision at the
        threshold that just finds them; without a tolerance it is scikit-learn's
        `average_precision_score`. 0 where no line is to be seen.
        """
        return float((np.diff(self.recall[::-1], prepend=0.0) * self.precision[::-1]).sum())

    def thinned(self, points: int = POINTS) -> "PrecisionRecall":
        """Return the curve at so many recalls at most, evenly spread, with both ends.

        To be drawn: no point that is left out differs in its recall by more than 1 / (points - 1) from
        one that is kept.
        """
        if len(self.recall) <= points:
            return self
        wanted = np.linspace(self.recall[-1], 1, points)
        # Recall falls: the threshold's neighbour with no less than what is wanted.
        at = np.unique(np.searchsorted(-self.recall, -wanted, side="right") - 1)
        return PrecisionRecall(self.thresholds[at], self.precision[at], self.recall[at])


def relaxed_precision_recall(probability: Tensor, truth: Truth) -> PrecisionRecall:
    """Measure relaxed precision and recall exactly, from all pixels that hold data, sorted.

    A pixel is predicted where probability >= threshold, both as float32; equal ones are predicted
    together. Takes memory for two copies of the probabilities at most.

    Parameters
    ----------
    probability : floating Tensor (N, S, S)
        On the truth's device.
    truth : Truth
        Of the same patches.

    Raises
    ------
    ValueError
        When a probability is NaN.
    """
    probability = probability.detach()
    best = np.sort(_joined(best_within(one, its)[0] for one, its in _each(probability, truth)))
    thresholds, first = np.unique(best, return_index=True)
    if not len(thresholds):
        nothing = np.empty(0)
        return PrecisionRecall(thresholds, nothing, nothing)
    # What reaches no threshold, most of a scene, need not be sorted; NaN is kept, to be refused.
    lowest = float(thresholds[0])
    predicted = _joined(one[its.seen & ~(one < lowest)] for one, its in _each(probability, truth))
    near = _joined(one[its.near & ~(one < lowest)] for one, its in _each(probability, truth))
    precision = _reaching(near, thresholds) / _reaching(predicted, thresholds)
    return PrecisionRecall(thresholds, precision, 1 - first / len(best))


def _each(probability: Tensor, truth: Truth) -> Iterator[tuple[Tensor, Truth]]:
    """Yield patch after patch, (1, S, S): to pick pixels from all at once takes many times their memory."""
    for number in range(len(probability)):
        group = slice(number, number + 1)
        yield probability[group].float(), truth.select(group)


def _joined(parts: Iterable[Tensor]) -> Floats:
    return np.concatenate([np.empty(0, np.float32), *(part.cpu().numpy() for part in parts)])


def _reaching(values: Floats, thresholds: Floats) -> npt.NDArray[np.int64]:
    """Count the values that reach each of the ascending thresholds, (T,)."""
    values.sort()
    if np.isnan(values[-1:]).any():
        raise ValueError("probabilities hold NaN; the network diverged or its input does")
    return np.asarray(len(values) - np.searchsorted(values, thresholds))
