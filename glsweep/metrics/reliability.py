"""How far a predicted probability can be taken at its word."""

from dataclasses import dataclass

import torch
from torch import Tensor

from glsweep.metrics.thresholds import Truth

BINS = 10


@dataclass(frozen=True)
class Reliability:
    """Pixels that hold data, sorted by their probability into bins of equal width.

    Those at an edge are in the upper bin.

    What a probability should agree with is asked twice. Networks are trained to tell the line's own
    pixels, so that `line_share` is what they claim; but no analyst places a line to the pixel, so
    that `near_share` is what a reader of a map wants to know.

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
