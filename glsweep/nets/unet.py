"""U-Net with an atrous bottleneck."""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from glsweep.nets.blocks import ASPP, PUBLISHED_RATES, DoubleConv, check_size
from glsweep.nets.concatenation import concatenated


class DecoderStage(nn.Module):
    """Upsample by two, concatenate with the skip, convolve twice."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        self.conv = DoubleConv(out_channels + skip_channels, out_channels)

    def weigh(self, skip: Tensor, upsampled: Tensor) -> Tensor:
        """Return the skip as it is concatenated; here unchanged."""
        return skip

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """Map (N, C, H, W) and the skip (N, C', 2H, 2W) to (N, C'', 2H, 2W)."""
        upsampled = self.up(features)
        merged: Tensor = self.conv(concatenated([upsampled, self.weigh(skip, upsampled)]))
        return merged


class UNet(nn.Module):
    """U-Net (Ronneberger et al. 2015) as in the study: 4, 8, 16, 32 channels, ASPP at 1/16.

    Every stage is pooled, the last as well; the decoder has half of each stage's channels.

    Parameters
    ----------
    in_channels : int
        Channels of the input.
    base_width : int
        Channels of the first stage; even. All others scale with it.
    aspp_rates : sequence of int
        Dilations of the bottleneck, see `ASPP`.
    """

    published_width: ClassVar[int] = 4
    decoder_stage: ClassVar[type[DecoderStage]] = DecoderStage

    def __init__(
        self,
        in_channels: int,
        base_width: int = published_width,
        aspp_rates: Sequence[int] = PUBLISHED_RATES,
    ) -> None:
        super().__init__()
        widths = [base_width * 2**level for level in range(4)]
        self.encoder = nn.ModuleList(DoubleConv(i, o) for i, o in pairwise([in_channels, *widths]))
        self.pool = nn.MaxPool2d(2)
        self.bottleneck = ASPP(widths[-1], aspp_rates)
        skips = widths[::-1]
        decoded = [width // 2 for width in skips]
        self.decoder = nn.ModuleList(
            self.decoder_stage(below, skip, out)
            for below, skip, out in zip([widths[-1], *decoded[:-1]], skips, decoded, strict=True)
        )
        self.head = nn.Conv2d(decoded[-1], 1, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map (N, C, H, W), sides multiples of 16, to one head's logits (N, 1, H, W).

        Raises
        ------
        DataError
            When 16 does not divide H and W.
        """
        check_size(image)
        features, skips = image, []
        for stage in self.encoder:
            skips.append(stage(features))
            features = self.pool(skips[-1])
        features = self.bottleneck(features)
        for stage, skip in zip(self.decoder, reversed(skips), strict=True):
            features = stage(features, skip)
        return (self.head(features),)
