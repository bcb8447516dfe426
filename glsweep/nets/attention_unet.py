"""U-Net whose skips pass an attention gate."""

from typing import ClassVar

from torch import Tensor, nn

from glsweep.nets.cpu import BatchNorm2d
from glsweep.nets.unet import DecoderStage, UNet


class AttentionGate(nn.Module):
    """Additive attention (Oktay et al. 2018, arXiv:1804.03999, eq. 1), in its common 2-D form.

    The signal that gates is the upsampled map, so that both inputs have one resolution.
    """

    def __init__(self, gating_channels: int, skip_channels: int, inner_channels: int) -> None:
        super().__init__()
        self.gating = _pointwise(gating_channels, inner_channels)
        self.skip = _pointwise(skip_channels, inner_channels)
        self.psi = _pointwise(inner_channels, 1)

    def forward(self, gating: Tensor, skip: Tensor) -> Tensor:
        """Return `skip`, (N, C, H, W), times a coefficient in (0, 1) for each pixel."""
        summed: Tensor = self.gating(gating) + self.skip(skip)
        coefficient: Tensor = self.psi(summed.relu())
        return skip * coefficient.sigmoid()


class GatedDecoderStage(DecoderStage):
    """A decoder stage that gates its skip after upsampling."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int, dropout: float = 0.0) -> None:
        super().__init__(in_channels, skip_channels, out_channels, dropout)
        self.gate = AttentionGate(out_channels, skip_channels, max(1, out_channels // 2))

    def weigh(self, skip: Tensor, upsampled: Tensor) -> Tensor:
        """Return the skip times its attention coefficients."""
        gated: Tensor = self.gate(upsampled, skip)
        return gated


class AttentionUNet(UNet):
    """The `UNet` with an attention gate on each skip."""

    decoder_stage: ClassVar[type[DecoderStage]] = GatedDecoderStage


def _pointwise(in_channels: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), BatchNorm2d(out_channels))
