"""How far a probability and a drawn line's uncertainty can be taken at their word.

The width of a drawn band says where a network is unsure, but not by how many metres: one network's band
holds the truth nearly always, another's in a quarter of its length. What makes metres of it is the
quantile of |distance| / half width on lines that the network was not trained on, as in split conformal
prediction (Lei et al. 2018, section 2.2). What is exchangeable are scenes, not pieces of a line: those of
one scene err alike, so that many kilometres of two scenes tell little about a third. So the metres of true
line that a band does not hold are taken for a scene's risk, which is controlled over scenes (conformal risk
control, Angelopoulos et al. 2022, theorem 1).
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glsweep.metrics.lines import TOLERANCES_M
from glsweep.metrics.thresholds import Truth, best_within

Values = npt.NDArray[np.float64]

SHARE = 0.68
"""Share of the true line's length that is to lie within the uncertainty, as within one standard deviation."""
NEAR_M = max(TOLERANCES_M)
"""Farther from every drawn line, a piece is missed, and no line is there to be uncertain about."""
HELD_WITHIN = 0.05
"""By how much the share that is held in unseen scenes may differ from `SHARE`."""
LARGEST_ERROR = HELD_WITHIN / 2
"""Standard error up to which a share is known: two of them are 95 %, and what is lost by looking is not much.

A sample that has few of the scenes in which lines are far off has a small standard error and a wrong factor:
of the factors that just pass, fewer hold than the standard error promises.
"""
FEWEST_SCENES = 50
"""With fewer nobody knows how much scenes differ: the standard error itself is off by a fifth and more."""


class PiecesInBand(NamedTuple):
    """Pieces of the true line that lie near a drawn one.

    Attributes
    ----------
    length_m, distance_m : float64 array (N,)
        A piece's length, and its distance from the nearest drawn line, `NEAR_M` at most.
    half_width_m : float64 array (N,)
        Of that line's band.
    """

    length_m: Values
    distance_m: Values
    half_width_m: Values

    @classmethod
    def pooled(cls, several: Sequence["PiecesInBand"]) -> "PiecesInBand":
        """Join the pieces of several scenes."""
        return cls(*map(np.concatenate, zip(*several, strict=True)))

    def held(self, factor: float) -> npt.NDArray[np.bool_]:
        """Return for each piece whether it is within so many half widths of the drawn line."""
        return self.distance_m <= factor * self.half_width_m


class LearntFactor(NamedTuple):
    """By how much half a band's width is multiplied to hold `SHARE` of the length in unseen scenes.

    Attributes
    ----------
    value : float or None
        None where that is not known.
    scenes : int
        In which there are lines near a true one.
    unknown_because : str
        Why it is not known, empty where it is.
    """

    value: float | None
    scenes: int
    unknown_because: str


def factor_that_holds(by_scene: Sequence[PiecesInBand]) -> LearntFactor:
    """Learn a factor from scenes that the network was not trained on.

    It is not known from fewer than `FEWEST_SCENES` scenes with pieces, nor where these differ so much that
    the share has a standard error above `LARGEST_ERROR`.
    """
    drawn = [one for one in by_scene if len(one.length_m)]
    if len(drawn) < FEWEST_SCENES:
        why = f"{len(drawn)} validation scenes have lines near a true one, and {FEWEST_SCENES} are needed"
        return LearntFactor(None, len(drawn), why)
    factor = conformal_factor(drawn)
    error = share_error(drawn, factor)
    if error <= LARGEST_ERROR:
        return LearntFactor(factor, len(drawn), "")
    needed = math.ceil(len(drawn) * (error / LARGEST_ERROR) ** 2)
    why = (
        f"{len(drawn)} validation scenes have lines near a true one, and differ so much that the share held "
        f"has a standard error of {error:.1%}, not {LARGEST_ERROR:.1%} or less; about {needed} are needed"
    )
    return LearntFactor(None, len(drawn), why)


def conformal_factor(by_scene: Sequence[PiecesInBand]) -> float:
    """Return the least factor with which the scenes hold `SHARE`, were there one more that holds nothing.

    That one is as long as they are on average. Of three scenes or more that are drawn alike, and equally
    long, another one then holds `SHARE` or more, on average over all that could be drawn (Angelopoulos et al.
    2022, theorem 1); of unequal ones nearly so.
    """
    pieces = PiecesInBand.pooled(by_scene)
    ratio = pieces.distance_m / np.maximum(pieces.half_width_m, np.finfo(np.float64).tiny)
    order = np.argsort(ratio)
    passed_m = np.cumsum(pieces.length_m[order])
    wanted_m = SHARE * passed_m[-1] * (1 + 1 / len(by_scene))
    return float(ratio[order][min(np.searchsorted(passed_m, wanted_m), len(ratio) - 1)])


def share_error(by_scene: Sequence[PiecesInBand], factor: float) -> float:
    """Return the standard error of the share that is held, as a quotient of sums over two scenes or more.

    Cochran (1977), Sampling Techniques, equation 2.46.
    """
    held_m = np.array([one.length_m[one.held(factor)].sum() for one in by_scene])
    length_m = np.array([one.length_m.sum() for one in by_scene])
    residual_m = held_m - held_m.sum() / length_m.sum() * length_m
    count = len(by_scene)
    return float(np.sqrt(count / (count - 1) * (residual_m**2).sum()) / length_m.sum())


# --- Precision against recall, both within a tolerance, at every probability that matters

Floats = npt.NDArray[np.float32]

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
    precision: Values
    recall: Values

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


# --- Reliability of probabilities

BINS = 10


@dataclass(frozen=True)
class Reliability:
    """Pixels that hold data, sorted by their probability into bins of equal width.

    Those at an edge are in the upper bin.

    A probability is compared with two shares. Networks are trained to find the line's own pixels, so that
    `line_share` is what they claim; but no analyst places a line to the pixel, so that `near_share` is
    what a reader of a map wants to know.

    Attributes
    ----------
    pixels : list of int
        Pixels of each bin.
    mean_probability : list of float or None
        Their mean probability; None in an empty bin, as the shares.
    line_share : list of float or None
        Share of them on the true line.
    near_share : list of float or None
        Share of them within the tolerance of the true line.
    """

    pixels: list[int]
    mean_probability: list[float | None]
    line_share: list[float | None]
    near_share: list[float | None]

    def error(self, observed: list[float | None]) -> float:
        """Return the expected calibration error against one of the shares.

        Mean distance between probability and share, each bin weighing as many pixels as it has
        (Naeini, Cooper & Hauskrecht 2015). The first bin holds nearly all pixels of a scene; it is
        left out, lest ground that nobody takes for a line make every network look calibrated.
        0 without a pixel in any other bin.
        """
        rows = [
            (count, abs(mean - share))
            for count, mean, share in zip(
                self.pixels[1:], self.mean_probability[1:], observed[1:], strict=True
            )
            if mean is not None and share is not None
        ]
        total = sum(count for count, _ in rows)
        return sum(count * distance for count, distance in rows) / total if total else 0.0


def measure_reliability(probability: Tensor, truth: Truth, bins: int = BINS) -> Reliability:
    """Sort all pixels that hold data into bins by their probability, and count what they turn out to be.

    Parameters
    ----------
    probability : floating Tensor (N, S, S)
        Between 0 and 1, on the truth's device.
    truth : Truth
        Of the same patches.
    bins : int
        The number of bins.
    """
    sums = torch.zeros(4, bins, dtype=torch.float64)
    for one, seen, line, near in zip(probability, truth.seen, truth.mask, truth.near, strict=True):
        at = (one[seen].double() * bins).long().clamp(0, bins - 1)
        for row, weights in enumerate((None, one, line, near)):
            given = None if weights is None else weights[seen].double()
            sums[row] += torch.bincount(at, given, minlength=bins).cpu()
    pixels, *totals = sums.tolist()
    shares = [
        [total / count if count else None for total, count in zip(row, pixels, strict=True)] for row in totals
    ]
    return Reliability([int(count) for count in pixels], *shares)
