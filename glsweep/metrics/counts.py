"""Counts at each threshold, the metrics that follow from them, and the trivial baselines.

The baselines are a line everywhere, a line nowhere, and networks before training. They know nothing of the
data, and are judged on the same test patches, by the same metric, as the networks beside them in the table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from glsweep.config.space import Criterion
from glsweep.study.evaluation_artifacts import HeldOutMetrics, StudyTable


@dataclass(frozen=True)
class ThresholdCounts:
    """Counts of N patches' pixels that hold data, at T thresholds, on the CPU.

    Metrics are `micro` (counts pooled over all patches, then divided) or `macro` (divided patch
    by patch, then averaged). Where both the prediction and the truth are empty a metric is 1;
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

    def curve(self, metric: Criterion) -> Tensor:
        """Return a metric at every threshold, (T,).

        `dice` is the mean over patches, by which the published thresholds were chosen.
        """
        curves = {"relaxed_f1": self.relaxed_f1, "relaxed_f05": self.relaxed_f05, "dice": self.macro_dice}
        return curves[metric]()

    def best(self, metric: Criterion) -> int:
        """Return the index of the lowest threshold at which `metric` is largest."""
        if not len(self):
            raise ValueError("no patches to choose a threshold by")
        return int(self.curve(metric).argmax())

    def _relaxed_f(self, beta: float) -> Tensor:
        precision, recall = self.relaxed_precision(), self.relaxed_recall()
        total = (beta**2 * precision + recall).clamp_min(torch.finfo(precision.dtype).tiny)
        return (1 + beta**2) * precision * recall / total

    def _line_total(self) -> Tensor:
        return self.line.sum().expand(len(self.thresholds))

    def _line_by_patch(self) -> Tensor:
        return self.line[:, None].expand_as(self.predicted)

    def _mean(self, metric: Tensor) -> Tensor:
        if not len(self):
            raise ValueError("no patches to take a mean over")
        return metric.mean(dim=0)


def _share(part: Tensor, whole: Tensor, other: Tensor) -> Tensor:
    """Return part / whole; where whole is 0: 1 if the `other` mask is empty too, else 0."""
    empty = torch.where(other == 0, 1.0, 0.0).double()
    return torch.where(whole == 0, empty, part.double() / whole.clamp_min(1))


def _dice(true_positive: Tensor, predicted: Tensor, line: Tensor) -> Tensor:
    return _share(2 * true_positive, predicted + line, predicted + line)


# --- Micro metrics, from sums of counts

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


# --- Trivial baselines: what a network must beat before it may be called good

WORDS = {"all_line": "drawing everything", "no_line": "drawing nothing", "untrained": "an untrained network"}


@dataclass(frozen=True)
class TrivialBaseline:
    """The best of what needs no training on the test patches of one size.

    Attributes
    ----------
    title : str
        As in the table, such as `all-line 128`.
    kind : str
        `all_line`, `no_line` or `untrained`.
    relaxed_f1 : float
        What it reaches.
    """

    title: str
    kind: str
    relaxed_f1: float

    @property
    def words(self) -> str:
        """What it does, such as `drawing everything`."""
        return WORDS[self.kind]


def best_trivial(table: StudyTable, patch_size_px: int) -> TrivialBaseline | None:
    """Return the best of what needs no training with one patch size.

    Parameters
    ----------
    table : StudyTable
        The study's table.
    patch_size_px : int
        Metrics of different sizes are of different patches.

    Returns
    -------
    TrivialBaseline or None
        None where the table holds none of that size.
    """
    rows = [row for row in table.baselines if row.patch_size_px == patch_size_px and row.kind in WORDS]
    best = max(rows, key=lambda row: row.relaxed_f1, default=None)
    return None if best is None else TrivialBaseline(best.title, best.kind, best.relaxed_f1)


def is_better_than_trivial(row: HeldOutMetrics, best: TrivialBaseline | None) -> bool:
    """Whether a row's relaxed F1 is above that of the best of what needs no training.

    The metric itself decides, not its interval. Where no test patch holds a line, drawing nothing is
    right, and no network is better.
    """
    if row.patches_with_line == 0:
        return False
    return best is None or row.relaxed_f1 > best.relaxed_f1
