"""From the heads of a network to one loss, from sums over the batch.

Whatever a head's loss is, it follows from sums over the batch's pixels that hold data. Those of a batch's
parts add up to those of the whole, so a batch may pass in parts.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


class HeadsLoss(nn.Module):
    """The loss of a network's heads, weighted by deep supervision, from sums over the batch.

    Parameters
    ----------
    ds_weights : sequence of float, optional
        Weights of the heads, x01..x04 of a U-Net++ of full depth, normalised to sum 1; None weighs them
        equally. A network with one head has the weight 1.
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


class FunctionLoss(HeadsLoss):
    """A loss that is a function of logits, label and valid, such as a user's own, computed for each head.

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
