"""Binary cross-entropy and focal Tversky, weighted.

It is a function of a few sums over the batch's pixels that hold data; what a network predicts for the
others does not count. The sums of a batch's parts add up to those of the whole, so the loss of a batch
that is computed in parts is exact too.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from glsweep.losses.heads import HeadsLoss
from glsweep.losses.pixels import silenced

# Added to both sides of the Tversky index, which keeps it defined on empty batches.
SMOOTH = 1.0
# Below it the slope of x^(1/gamma), infinite at 0, is cut.
SMALLEST_SHORTFALL = 1e-6


def tversky_sums(probability: Tensor, target: Tensor) -> Tensor:
    """Return TP, FN and FP, (3,), summed over all pixels of `probability` and `target`, of one shape."""
    true_positive = (probability * target).sum()
    false_negative = ((1 - probability) * target).sum()
    false_positive = (probability * (1 - target)).sum()
    return torch.stack([true_positive, false_negative, false_positive])


def tversky_index(sums: Tensor, *, fn_weight: float, fp_weight: float) -> Tensor:
    """Return TI = (TP + s) / (TP + fn_weight FN + fp_weight FP + s), from sums over the whole batch.

    An index for each image would give an empty patch no gradient. `fn_weight` is the alpha and
    `fp_weight` the beta of Abraham & Khan 2019 (arXiv:1810.07842, eq. 3); some libraries swap them.

    Parameters
    ----------
    sums : Tensor (..., 3)
        See `tversky_sums`.
    fn_weight, fp_weight : float
        Cost of a missed and of an invented pixel.
    """
    true_positive, false_negative, false_positive = sums.unbind(-1)
    union = true_positive + fn_weight * false_negative + fp_weight * false_positive
    return (true_positive + SMOOTH) / (union + SMOOTH)


def focal_tversky(sums: Tensor, *, fn_weight: float, fp_weight: float, gamma: float) -> Tensor:
    """Return FTL = (1 - TI)^(1/gamma) (Abraham & Khan 2019, eq. 4); see `tversky_index`.

    1 - TI is kept above `SMALLEST_SHORTFALL`, where the gradient would grow without bound.
    """
    index = tversky_index(sums, fn_weight=fn_weight, fp_weight=fp_weight)
    return (1 - index).clamp_min(SMALLEST_SHORTFALL) ** (1 / gamma)


def pixel_sums(logits: Tensor, target: Tensor) -> Tensor:
    """Return the sums that a head's loss follows from, in float32 whatever the logits are.

    Parameters
    ----------
    logits : Tensor (N, H, W)
        Any floating type. Those of pixels without data may be anything, and have no gradient.
    target : Tensor (N, H, W)
        1 on the line, 0 elsewhere, `NO_DATA` (or any negative number) where there is no data; uint8,
        bool or floating.

    Returns
    -------
    Tensor (5,)
        Cross-entropy, TP, FN and FP over the pixels that hold data, and how many these are.
    """
    target = target.float()
    unseen = target < 0
    logits, target = silenced(logits, target, ~unseen)
    cross_entropy = binary_cross_entropy_with_logits(logits, target, reduction="sum")
    seen = (target.numel() - unseen.sum()).float()
    return torch.cat([cross_entropy[None], tversky_sums(logits.sigmoid(), target), seen[None]])


def loss_from_sums(
    sums: Tensor,
    *,
    fn_weight: float,
    fp_weight: float,
    gamma: float,
    bce_weight: float,
) -> Tensor:
    """Return bce_weight * BCE + (1 - bce_weight) * FTL.

    With `bce_weight` 0 and `gamma` 1 it is the Tversky loss (Salehi et al. 2017, arXiv:1706.05721); with
    both weights .5 besides, Dice (Milletari et al. 2016, arXiv:1606.04797); with `bce_weight` 1, BCE alone.

    Parameters
    ----------
    sums : Tensor (..., 5)
        See `pixel_sums`. The cross-entropy is a mean over the pixels that hold data, 0 where none does.
    fn_weight, fp_weight, gamma : float
        See `focal_tversky`.
    bce_weight : float
        Share of the cross-entropy.

    Returns
    -------
    Tensor (...)
    """
    tversky = focal_tversky(sums[..., 1:4], fn_weight=fn_weight, fp_weight=fp_weight, gamma=gamma)
    cross_entropy = sums[..., 0] / sums[..., 4].clamp_min(1)
    return bce_weight * cross_entropy + (1 - bce_weight) * tversky


class GroundingLineLoss(HeadsLoss):
    """The combined loss of every head, weighted by deep supervision.

    Parameters
    ----------
    fn_weight, fp_weight, gamma, bce_weight : float
        See `loss_from_sums`.
    ds_weights : sequence of float, optional
        See `HeadsLoss`.
    """

    def __init__(
        self,
        *,
        fn_weight: float,
        fp_weight: float,
        gamma: float,
        bce_weight: float,
        ds_weights: Sequence[float] | None = None,
    ) -> None:
        super().__init__(ds_weights=ds_weights)
        self.settings = {
            "fn_weight": fn_weight,
            "fp_weight": fp_weight,
            "gamma": gamma,
            "bce_weight": bce_weight,
        }

    def sums_of_head(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the sums (5,) of `pixel_sums`."""
        return pixel_sums(logits.squeeze(1), target)

    def losses(self, sums: Tensor) -> Tensor:
        """Return each head's loss, (heads,), from sums (heads, 5)."""
        return loss_from_sums(sums, **self.settings)
