"""The loss: binary cross-entropy and focal Tversky, weighted over all heads.

It is a function of a few sums over the batch's pixels that hold data; what a network predicts for the
others does not count. The sums of a batch's parts add up to those of the whole, so the loss of a batch
that is computed in parts is exact too.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

# Added to both sides of the Tversky index, which keeps it defined on empty batches.
SMOOTH = 1.0
# Below it the slope of x^(1/gamma), infinite at 0, is cut.
SMALLEST_SHORTFALL = 1e-6
NO_DATA = -1.0
"""The target of a pixel without data."""
# The logit of a pixel that is no line for sure: right, it adds exactly 0 to every sum, in float32.
NO_LINE_LOGIT = -1e4


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
    logits, target = logits.float(), target.float()
    unseen = target < 0
    logits, target = torch.where(unseen, NO_LINE_LOGIT, logits), target.clamp_min(0)
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


class HeadsLoss(nn.Module):
    """The loss of a network's heads, weighted by deep supervision, from sums over the batch.

    Parameters
    ----------
    ds_weights : sequence of float, optional
        Weights of the heads x01..x04, normalised to sum 1; None weighs them equally. A network
        with one head has the weight 1.
    """

    def __init__(self, *, ds_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.ds_weights = None if ds_weights is None else tuple(ds_weights)

    def sums_of_head(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the sums that a head's loss follows from, of logits (N, 1, H, W) and target (N, H, W)."""
        raise NotImplementedError

    def losses(self, sums: Tensor) -> Tensor:
        """Return each head's loss, (heads,), from the sums of all, one row a head."""
        raise NotImplementedError

    def head_weights(self, heads: int) -> tuple[float, ...]:
        """Return the weight of each of `heads` heads; they sum to 1."""
        raw = (1.0,) * heads if self.ds_weights is None or heads == 1 else self.ds_weights
        if len(raw) != heads:
            raise ValueError(f"ds_weights {raw} cannot weigh {heads} heads; give one weight a head")
        return tuple(weight / sum(raw) for weight in raw)

    def sums(self, heads: tuple[Tensor, ...], target: Tensor) -> Tensor:
        """Return the sums of a batch, or of a part of one, over `target`'s pixels (N, H, W), a row a head.

        The sums of the parts of a batch, added, are those of the batch.
        """
        return torch.stack([self.sums_of_head(logits, target) for logits in heads])

    def from_sums(self, sums: Tensor) -> Tensor:
        """Return the scalar loss of a batch from its sums."""
        losses = self.losses(sums)
        weights = self.head_weights(len(sums))
        return torch.stack([w * loss for w, loss in zip(weights, losses, strict=True)]).sum()

    def forward(self, heads: tuple[Tensor, ...], target: Tensor) -> Tensor:
        """Return the scalar loss of the heads' logits (N, 1, H, W) against `target` (N, H, W)."""
        return self.from_sums(self.sums(heads, target))


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


class OwnLoss(HeadsLoss):
    """A loss of the user's own, computed for each head and weighted as the built-in one is.

    It need not be linear in sums over pixels. Of a batch that passes in parts, the loss is the mean of
    the parts' losses, each weighted by its pixels that hold data.

    Parameters
    ----------
    function : callable
        Called as `function(logits=..., label=..., valid=...)`, all (N, 1, H, W): logits in float32;
        label in float32 from 0 to 1, 0 where there is no data; valid is bool, False where there is no
        data. Returns a scalar, the mean over the batch.
    ds_weights : sequence of float, optional
        See `HeadsLoss`.
    """

    def __init__(self, function: Callable[..., Tensor], *, ds_weights: Sequence[float] | None = None) -> None:
        super().__init__(ds_weights=ds_weights)
        self._function = function

    def sums_of_head(self, logits: Tensor, target: Tensor) -> Tensor:
        """Return the loss times the pixels that hold data, and how many these are, (2,)."""
        label = target.float()[:, None]
        valid = label >= 0
        loss = self._function(logits=logits.float(), label=label.clamp_min(0), valid=valid)
        if not isinstance(loss, Tensor) or loss.ndim:
            raise TypeError("a loss returns a scalar tensor, the mean over the batch")
        seen = valid.sum().float()
        return torch.stack([loss * seen, seen])

    def losses(self, sums: Tensor) -> Tensor:
        """Return each head's loss, (heads,), from sums (heads, 2)."""
        return sums[:, 0] / sums[:, 1].clamp_min(1)
