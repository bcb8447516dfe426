"""Losses and a network that were tried for the network in the package: `network_choices.py` compares them.

Search spaces may name them too, from this folder: `loss: {choices: ["network_variants:with_cl_dice"]}`.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, max_pool2d

from glsweep.config.space import load_space
from glsweep.losses import NO_DATA, loss_from_sums, pixel_sums
from glsweep.nets.unet import UNet

SPACE = Path(__file__).parent.parent / "search_spaces" / "embedded.yaml"
WEIGHTS: dict[str, Any] = {
    name: load_space(SPACE).fixed[name] for name in ("fn_weight", "fp_weight", "gamma", "bce_weight")
}
"""Of the loss of the network in the package, to which these add."""


def with_skeleton_recall(logits: Tensor, label: Tensor, valid: Tensor) -> Tensor:
    """The built-in loss, and what is missed of the line's own pixels (Kirchhoff et al. 2024, eq. 3)."""
    probability = logits.sigmoid()
    line = (label >= 1).float() * valid
    recall = ((probability * line).sum() + 1) / (line.sum() + 1)
    return _built_in(logits, label, valid) + 0.5 * (1 - recall)


def with_cl_dice(logits: Tensor, label: Tensor, valid: Tensor) -> Tensor:
    """The built-in loss, and how ill each middle line lies in the other's band (Shit et al. 2021, eq. 3)."""
    probability, line = logits.sigmoid() * valid, (label >= 1).float()
    drawn, true = _soft_skeleton(probability), _soft_skeleton(line)
    precision = ((drawn * line).sum() + 1) / (drawn.sum() + 1)
    sensitivity = ((true * probability).sum() + 1) / (true.sum() + 1)
    return _built_in(logits, label, valid) + 0.5 * (
        1 - 2 * precision * sensitivity / (precision + sensitivity)
    )


def with_zones(logits: Tensor, label: Tensor, valid: Tensor) -> Tensor:
    """The built-in loss of the line, and the cross-entropy of where ice floats beside it."""
    is_line = label >= 0.5
    line = _built_in(logits[:, -1:], torch.where(is_line, label, 0.0), valid)
    if logits.shape[1] == 1:  # after training
        return line
    known = valid & ~is_line
    zones = binary_cross_entropy_with_logits(logits[:, :1][known], (label[known] > 0).float())
    return line + 0.3 * zones


def _built_in(logits: Tensor, label: Tensor, valid: Tensor) -> Tensor:
    return loss_from_sums(pixel_sums(logits, torch.where(valid, label, NO_DATA)), **WEIGHTS)


def _soft_skeleton(share: Tensor, steps: int = 3) -> Tensor:
    skeleton = (share - _opened(share)).relu()
    for _ in range(steps):
        share = -max_pool2d(-share, 3, 1, 1)
        rest = (share - _opened(share)).relu()
        skeleton = skeleton + rest - skeleton * rest
    return skeleton


def _opened(share: Tensor) -> Tensor:
    return max_pool2d(-max_pool2d(-share, 3, 1, 1), 3, 1, 1)


# --- A network that also tells floating from grounded ice


class ZonesAndLine(nn.Module):
    """Two heads, of which the line's sees what the other says; the line alone is predicted."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.zones = nn.Conv2d(channels, 1, 1)
        self.line = nn.Conv2d(channels + 1, 1, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, C, H, W) to logits (N, 2, H, W) of zone and line in training, to the line's after it."""
        zones = self.zones(features)
        line: Tensor = self.line(torch.cat([features, zones], dim=1))
        return torch.cat([zones, line], dim=1) if self.training else line


class ZonedUNet(UNet):
    """The U-Net with a head of zones beside that of the line."""

    def __init__(self, in_channels: int, base_width: int = 16) -> None:
        super().__init__(in_channels, base_width)
        self.head = ZonesAndLine(base_width // 2)  # type: ignore[assignment]
