"""Counts at all thresholds at once, on the device, by which trials are ranked and tau is chosen."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import pad

from glsweep.config.space import Calibration
from glsweep.metrics.counts import ThresholdCounts
from glsweep.metrics.distances import disk_offsets, radius_px
from glsweep.study.artifacts import ThresholdCurve

# Beyond so many cells a table would not stay in the cache of a core.
MOST_CELLS = 2**14


@dataclass(frozen=True)
class Bins:
    """Ascending edges, and equal cells of [0, 1] so narrow that none holds two different ones.

    Attributes
    ----------
    edges : float32 Tensor (T,)
    cells : int
        A power of two, so that times it no value is rounded. 0 where edges are too close for a table.
    below : int32 Tensor (cells + 1,)
        How many edges lie in the cells before each.
    within : int32 Tensor (cells + 1,)
        How many edges lie in each.
    edge : float32 Tensor (cells + 1,)
        Which one that is.
    """

    edges: Tensor
    cells: int
    below: Tensor
    within: Tensor
    edge: Tensor

    @classmethod
    def between(cls, edges: Tensor, device: torch.device) -> "Bins":
        """Build the table of ascending edges that lie on the CPU, and put it on `device`."""
        cells = _cells(edges)
        at = _cell(edges, cells)
        within = torch.bincount(at, minlength=cells + 1)
        below = within.cumsum(0) - within
        edge = torch.zeros(cells + 1).index_put_((at.long(),), edges)
        edges, *tables = (one.to(device) for one in (edges, below.int(), within.int(), edge))
        return cls(edges, cells, *tables)

    def find(self, values: Tensor) -> Tensor:
        """Return how many edges each of the float32 `values` reaches, int32, of the same shape."""
        if not self.cells:
            return torch.bucketize(values, self.edges, right=True, out_int32=True)
        flat = values.flatten()
        at = _cell(flat, self.cells)
        reached = self.edge.index_select(0, at) <= flat
        found = self.below.index_select(0, at).addcmul_(self.within.index_select(0, at), reached.int())
        return found.view(values.shape)


def _cells(edges: Tensor) -> int:
    """Return the least power of two that parts all different edges, or 0 if it is too large."""
    if bool(((edges < 0) | (edges > 1)).any()):
        return 0
    gaps = edges.unique_consecutive().diff()
    cells = 2 ** math.ceil(-math.log2(float(gaps.min()))) if len(gaps) else 1
    return cells if cells <= MOST_CELLS else 0


def _cell(values: Tensor, cells: int) -> Tensor:
    return (values.clamp(0, 1) * cells).int()


# --- Counts at all thresholds at once

# Patches are counted in groups of about this many pixels, which bounds the memory for indices.
_GROUP_PX = 2**22

# What a pixel is. The line lies within its own surroundings.
_UNSEEN, _FAR, _NEAR, _LINE = range(4)


@dataclass(frozen=True)
class Truth:
    """The true lines of N patches and their surroundings, where there is data.

    Pixels without data do not count: none of them is predicted, whatever a network says, and no line is
    true there. A prediction is near the line if it is near a part that can be seen, and the line is found
    by a prediction that can be seen. A network that draws the visible line and no more scores 1.

    Attributes
    ----------
    kind : uint8 Tensor (N, S, S)
        What each pixel is; see `mask`, `near` and `seen`.
    tolerance_m, posting_m : float
        The tolerance, and a pixel's side, in metres.
    """

    kind: Tensor
    tolerance_m: float
    posting_m: float

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def mask(self) -> Tensor:
        """Pixels of the line, bool (N, S, S)."""
        return self.kind == _LINE

    @property
    def near(self) -> Tensor:
        """Pixels whose centre is within the tolerance of a line pixel's, bool (N, S, S).

        The line's own among them; none in a line-free patch.
        """
        return self.kind >= _NEAR

    @property
    def seen(self) -> Tensor:
        """Pixels that hold data, bool (N, S, S)."""
        return self.kind != _UNSEEN

    def select(self, index: slice | Tensor) -> "Truth":
        """Return the patches that a slice, indices or a bool mask name."""
        return Truth(self.kind[index], self.tolerance_m, self.posting_m)

    def to(self, device: torch.device | str) -> "Truth":
        """Return the same on `device`."""
        return Truth(self.kind.to(device), self.tolerance_m, self.posting_m)


def truth_within(
    mask: npt.NDArray[np.uint8],
    tolerance_m: float,
    posting_m: float,
    *,
    has_data: npt.NDArray[np.bool_] | None = None,
    device: torch.device | str = "cpu",
) -> Truth:
    """Find the surroundings of the true lines, once for all predictions.

    Parameters
    ----------
    mask : uint8 array (N, S, S)
        1 on the line, 0 elsewhere.
    tolerance_m, posting_m : float
        The tolerance, and a pixel's side, in metres.
    has_data : bool array (N, S, S) or None
        Which pixels hold data; None: all.
    device : torch.device or str
        Where the result lies.
    """
    line = torch.tensor(mask, device=device) > 0
    seen = torch.ones_like(line) if has_data is None else torch.tensor(has_data, device=device)
    line &= seen
    rim, shifts = _disk(line, tolerance_m, posting_m)
    padded = pad(line, (rim, rim, rim, rim))
    at = padded.flatten().nonzero().squeeze(1)
    kind = torch.full(padded.shape, _FAR, dtype=torch.uint8, device=line.device)
    for shift in shifts:
        kind.view(-1)[at + shift] = _NEAR
    inner = kind[:, rim : rim + line.shape[1], rim : rim + line.shape[2]].masked_fill(line, _LINE)
    return Truth(inner.masked_fill_(~seen, _UNSEEN).contiguous(), tolerance_m, posting_m)


def count_at_thresholds(probability: Tensor, truth: Truth, thresholds: Tensor) -> ThresholdCounts:
    """Count hits and misses at every threshold, for about the cost of one.

    A pixel that holds data is predicted positive where probability >= threshold, both as float32. Pixels are
    sorted into the bins between thresholds and the bins' counts cumulated. A true pixel is found
    where the largest probability within the tolerance reaches the threshold, since taking the
    maximum and thresholding commute.

    Parameters
    ----------
    probability : floating Tensor (N, S, S)
        On the truth's device.
    truth : Truth
        Of the same patches.
    thresholds : Tensor (T,)
        Ascending.

    Returns
    -------
    ThresholdCounts
        On the CPU.

    Raises
    ------
    ValueError
        When shapes differ, a probability is NaN, or the thresholds do not ascend.
    """
    if probability.shape != truth.kind.shape:
        raise ValueError(f"probability is {tuple(probability.shape)}, truth {tuple(truth.kind.shape)}")
    if thresholds.ndim != 1 or not len(thresholds) or bool((thresholds.diff() < 0).any()):
        raise ValueError(f"thresholds must be one ascending row, got {thresholds.tolist()}")
    probability = probability.detach()
    # On the CPU, whence a device need not be waited for to ask about them.
    bins = Bins.between(thresholds.to("cpu", torch.float32), probability.device)
    group = max(1, _GROUP_PX // max(1, probability[:1].numel()))
    parts = [
        _count_group(
            probability[start : start + group].float(), truth.select(slice(start, start + group)), bins
        )
        for start in range(0, max(1, len(probability)), group)
    ]
    return ThresholdCounts.concatenate(parts)


def _count_group(probability: Tensor, truth: Truth, bins: Bins) -> ThresholdCounts:
    # A sum is NaN as soon as one of its terms is.
    if bool(probability.sum().isnan()):
        raise ValueError("probabilities hold NaN; the network diverged or its input does")
    _, far, near, on_line = _reached(probability, truth.kind, 4, bins).unbind(dim=1)
    found = _reached_within(probability, truth, bins)
    return ThresholdCounts(
        thresholds=bins.edges.cpu(),
        predicted=(far + near + on_line).cpu(),
        true_positive=on_line.cpu(),
        predicted_near=(near + on_line).cpu(),
        line_found=found.cpu(),
        line=truth.mask.sum(dim=(1, 2)).cpu(),
        pixels=probability.shape[1] * probability.shape[2],
    )


def _reached(probability: Tensor, kind: Tensor, kinds: int, bins: Bins) -> Tensor:
    """Count, for each patch, kind of pixel and threshold, the pixels that reach it: (N, kinds, T)."""
    patches, count = len(probability), len(bins.edges) + 1
    patch = torch.arange(patches, dtype=torch.int32, device=probability.device).view(-1, 1, 1)
    key = (patch * kinds + kind) * count + bins.find(probability)
    return _cumulated(key, (patches, kinds, count))


def _reached_within(probability: Tensor, truth: Truth, bins: Bins) -> Tensor:
    """Count the true pixels with a prediction within the tolerance, for each threshold: (N, T)."""
    patches, count = len(probability), len(bins.edges) + 1
    best, patch = best_within(probability, truth)
    return _cumulated(patch * count + bins.find(best), (patches, count))


def best_within(probability: Tensor, truth: Truth) -> tuple[Tensor, Tensor]:
    """Return the largest probability within the tolerance of each true pixel, and that pixel's patch.

    Parameters
    ----------
    probability : float32 Tensor (N, S, S)
        On the truth's device.
    truth : Truth
        Of the same patches.

    Returns
    -------
    tuple of Tensor
        float32 and int64, (L,) each.
    """
    rim, shifts = _disk(truth.kind, truth.tolerance_m, truth.posting_m)
    around = (rim, rim, rim, rim)
    surface = pad(probability.masked_fill(~truth.seen, -torch.inf), around, value=-torch.inf)
    flat = surface.flatten()
    at = pad(truth.mask, around).flatten().nonzero().squeeze(1)
    best = torch.full(at.shape, -torch.inf, device=probability.device)
    for shift in shifts:
        torch.maximum(best, flat.index_select(0, at + shift), out=best)
    return best, at // (surface.shape[1] * surface.shape[2])


def _cumulated(key: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Count equal keys, then sum from each threshold's bin to the last: (..., T)."""
    histogram = torch.bincount(key.flatten(), minlength=int(np.prod(shape))).view(shape)
    return histogram.flip(-1).cumsum(-1).flip(-1)[..., 1:]


def _disk(mask: Tensor, tolerance_m: float, posting_m: float) -> tuple[int, list[int]]:
    """Return the rim that holds the disk, and the disk as shifts in the padded, flattened array.

    Nothing lies farther than the patch's side, so that a rim never need be wider.
    """
    radius = min(radius_px(tolerance_m, posting_m), float(np.hypot(*mask.shape[1:])))
    rim = int(radius)
    return rim, (disk_offsets(radius) @ [mask.shape[2] + 2 * rim, 1]).tolist()


# --- The choice of a threshold on validation


def choose_threshold(probability: torch.Tensor, truth: Truth, settings: Calibration) -> ThresholdCurve:
    """Find the threshold with the best criterion, the lowest of equals, all in one pass.

    With `as_good_within`, of those nearly as good the one nearest to .5.
    """
    thresholds = torch.linspace(settings.lowest, settings.highest, settings.count)
    counts = count_at_thresholds(probability, truth, thresholds)
    values = counts.curve(settings.criterion)
    best = counts.best(settings.criterion)
    if settings.as_good_within > 0:
        good = values >= values[best] - settings.as_good_within
        best = int(torch.where(good, (thresholds - 0.5).abs(), torch.inf).argmin())
    return ThresholdCurve(
        criterion=settings.criterion,
        tau=round(float(thresholds[best]), 4),
        on_grid_edge=best in (0, settings.count - 1),
        thresholds=tuple(round(float(tau), 4) for tau in thresholds),
        values=tuple(float(value) for value in values),
    )
