"""What was counted at each threshold, and the figures that follow from it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from glsweep.config.space import Criterion


@dataclass(frozen=True)
class ThresholdCounts:
    """Counts of N patches' pixels that hold data, at T thresholds, on the CPU.

    Figures are `micro` (counts pooled over all patches, then divided) or `macro` (divided patch
    by patch, then averaged). Where both the prediction and the truth are empty a figure is 1;
    where one of them is, it is 0 (Dice and F1 as Metrics Reloaded, Maier-Hein et al. 2024, has
    them; precision and recall, undefined there, follow the same rule).

    Attributes
    ----------
    thresholds : float32 Tensor (T,)
        Ascending; positive means probability >= threshold.
    predicted, true_positive : int64 Tensor (N, T)
        Predicted pixels, and those of them on the line.
    predicted_near : int64 Tensor (N, T)
        Predicted pixels within the tolerance of the line.
    line_found : int64 Tensor (N, T)
        Line pixels within the tolerance of a prediction.
    line : int64 Tensor (N,)
        Line pixels.
    pixels : int
        All pixels of one patch, with data or without.
    """

    thresholds: Tensor
    predicted: Tensor
    true_positive: Tensor
    predicted_near: Tensor
    line_found: Tensor
    line: Tensor
    pixels: int

    def __len__(self) -> int:
        return len(self.line)

    @staticmethod
    def concatenate(parts: Sequence["ThresholdCounts"]) -> "ThresholdCounts":
        """Join the counts of groups of patches.

        Raises
        ------
        ValueError
            When there are none, or thresholds or patch sizes differ.
        """
        if not parts:
            raise ValueError("no counts to concatenate")
        first = parts[0]
        for part in parts:
            if part.pixels != first.pixels or not torch.equal(part.thresholds, first.thresholds):
                raise ValueError("counts of different thresholds or patch sizes cannot be joined")
        joined = {
            field.name: torch.cat([getattr(part, field.name) for part in parts])
            for field in fields(ThresholdCounts)
            if field.name not in {"thresholds", "pixels"}
        }
        return ThresholdCounts(thresholds=first.thresholds, pixels=first.pixels, **joined)

    def select(self, index: slice | Tensor) -> "ThresholdCounts":
        """Return the patches that a slice, indices or a bool mask name."""
        return ThresholdCounts(
            self.thresholds,
            self.predicted[index],
            self.true_positive[index],
            self.predicted_near[index],
            self.line_found[index],
            self.line[index],
            self.pixels,
        )

    def relaxed_precision(self) -> Tensor:
        """Micro share of predicted pixels that lie within the tolerance of the line, (T,)."""
        return _share(self.predicted_near.sum(0), self.predicted.sum(0), self._line_total())

    def relaxed_recall(self) -> Tensor:
        """Micro share of line pixels with a prediction within the tolerance, (T,)."""
        return _share(self.line_found.sum(0), self._line_total(), self.predicted.sum(0))

    def relaxed_f1(self) -> Tensor:
        """Harmonic mean of the relaxed precision and recall, (T,); 0 where both are 0."""
        return self._relaxed_f(1.0)

    def relaxed_f05(self) -> Tensor:
        """F0.5 of the relaxed precision and recall, (T,): what is invented counts more than what is missed.

        F_b = (1 + b^2) P R / (b^2 P + R) with b = 0.5 (van Rijsbergen 1979, ch. 7).
        """
        return self._relaxed_f(0.5)

    def precision(self) -> Tensor:
        """Micro precision, (T,)."""
        return _share(self.true_positive.sum(0), self.predicted.sum(0), self._line_total())

    def recall(self) -> Tensor:
        """Micro recall, (T,)."""
        return _share(self.true_positive.sum(0), self._line_total(), self.predicted.sum(0))

    def dice(self) -> Tensor:
        """Micro Dice, (T,)."""
        return _dice(self.true_positive.sum(0), self.predicted.sum(0), self._line_total())

    def macro_precision(self) -> Tensor:
        """Mean precision of the patches, (T,)."""
        return self._mean(_share(self.true_positive, self.predicted, self._line_by_patch()))

    def macro_recall(self) -> Tensor:
        """Mean recall of the patches, (T,)."""
        return self._mean(_share(self.true_positive, self._line_by_patch(), self.predicted))

    def macro_dice(self) -> Tensor:
        """Mean Dice of the patches, (T,)."""
        return self._mean(_dice(self.true_positive, self.predicted, self._line_by_patch()))

    def curve(self, figure: Criterion) -> Tensor:
        """Return a figure at every threshold, (T,).

        `dice` is the mean over patches, by which the published thresholds were chosen.
        """
        curves = {"relaxed_f1": self.relaxed_f1, "relaxed_f05": self.relaxed_f05, "dice": self.macro_dice}
        return curves[figure]()

    def best(self, figure: Criterion) -> int:
        """Return the index of the lowest threshold at which `figure` is largest."""
        if not len(self):
            raise ValueError("no patches to choose a threshold by")
        return int(self.curve(figure).argmax())

    def _relaxed_f(self, beta: float) -> Tensor:
        precision, recall = self.relaxed_precision(), self.relaxed_recall()
        total = (beta**2 * precision + recall).clamp_min(torch.finfo(precision.dtype).tiny)
        return (1 + beta**2) * precision * recall / total

    def _line_total(self) -> Tensor:
        return self.line.sum().expand(len(self.thresholds))

    def _line_by_patch(self) -> Tensor:
        return self.line[:, None].expand_as(self.predicted)

    def _mean(self, figure: Tensor) -> Tensor:
        if not len(self):
            raise ValueError("no patches to take a mean over")
        return figure.mean(dim=0)


def _share(part: Tensor, whole: Tensor, other: Tensor) -> Tensor:
    """Return part / whole; where whole is 0: 1 if the `other` mask is empty too, else 0."""
    empty = torch.where(other == 0, 1.0, 0.0).double()
    return torch.where(whole == 0, empty, part.double() / whole.clamp_min(1))


def _dice(true_positive: Tensor, predicted: Tensor, line: Tensor) -> Tensor:
    return _share(2 * true_positive, predicted + line, predicted + line)
