"""The loss of a network that also tells grounded from floating ice, a cross-entropy beside the line's."""

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from glsweep.losses import HeadsLoss


class ZonedLoss(HeadsLoss):
    """(1 - zone_weight) times the line's loss on the last head, and zone_weight times the zones'.

    Parameters
    ----------
    line_loss : HeadsLoss
        Of the last head, which draws the line.
    zone_weight : float
        Share of the cross-entropy of the first head, which tells floating ice, a mean over the pixels
        whose zone is known.
    """

    def __init__(self, line_loss: HeadsLoss, zone_weight: float) -> None:
        super().__init__()
        self.line_loss, self.zone_weight = line_loss, zone_weight

    def sums(self, heads: tuple[Tensor, ...], target: Tensor) -> Tensor:
        """Return the sums of a batch, or of a part of one, (K,): those of the line, then of the zones.

        Parameters
        ----------
        heads : tuple of Tensor (N, 1, H, W)
            Logits of floating ice and of the line.
        target : Tensor (N, 2, H, W)
            Line and zone; negative where either is unknown.
        """
        line, zone = target.unbind(1)
        of_line = self.line_loss.sums(heads[-1:], line)
        known = zone >= 0
        logits = torch.where(known, heads[0].squeeze(1).float(), 0.0)
        each = binary_cross_entropy_with_logits(logits, zone.clamp_min(0), reduction="none")
        return torch.cat([of_line.flatten(), torch.stack([(each * known).sum(), known.sum().float()])])

    def from_sums(self, sums: Tensor) -> Tensor:
        """Return the scalar loss of a batch from its sums."""
        of_line = self.line_loss.from_sums(sums[None, :-2])
        return (1 - self.zone_weight) * of_line + self.zone_weight * sums[-2] / sums[-1].clamp_min(1)
