"""U-Net with an atrous bottleneck, and the blocks that it shares with the other networks."""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from torch import Tensor, nn

from glsweep.errors import DataError
from glsweep.nets.cpu import BatchNorm2d, Conv2d, concatenated

PUBLISHED_RATES = (6, 12, 18)
TOTAL_STRIDE = 16


def check_size(image: Tensor) -> None:
    """Raise `DataError` unless both sides of `image`, (N, C, H, W), are multiples of 16."""
    rows, cols = image.shape[-2:]
    if rows % TOTAL_STRIDE or cols % TOTAL_STRIDE:
        raise DataError(
            f"a network's input is {rows} x {cols} px, but its sides must be multiples of {TOTAL_STRIDE}; "
            "choose another patch size or pad the window"
        )


class DoubleConv(nn.Sequential):
    """Twice: 3x3 convolution with bias, batch normalisation, ReLU; feature maps may be dropped at the end."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float = 0.0) -> None:
        super().__init__(
            Conv2d(in_channels, out_channels, 3, padding=1),
            BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            Conv2d(out_channels, out_channels, 3, padding=1),
            BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            *([nn.Dropout2d(dropout)] if dropout else []),
        )


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling (Chen et al. 2017, arXiv:1706.05587), without normalisation.

    A 1x1 convolution, one dilated 3x3 convolution for each rate and the map's mean are
    concatenated and projected back to `channels`.

    Warning: on the 8 x 8 map that a 128 px patch leaves, the rates 12 and 18 see nothing but
    padding around their centre tap. They are the published ones; other rates can be given.

    Parameters
    ----------
    channels : int
        Channels of the input, of every branch and of the output.
    rates : sequence of int
        Dilation of each 3x3 branch, in pixels of the input map.
    """

    def __init__(self, channels: int, rates: Sequence[int] = PUBLISHED_RATES) -> None:
        super().__init__()
        self.branches = nn.ModuleList([nn.Conv2d(channels, channels, 1)])
        self.branches.extend(nn.Conv2d(channels, channels, 3, padding=r, dilation=r) for r in rates)
        self.image_pooling = nn.Conv2d(channels, channels, 1)
        self.project = nn.Conv2d((len(self.branches) + 1) * channels, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C, H, W)."""
        mean = self.image_pooling(features.mean(dim=(2, 3), keepdim=True)).expand_as(features)
        pyramid = concatenated([*(branch(features) for branch in self.branches), mean]).relu()
        projected: Tensor = self.project(pyramid)
        return projected.relu()


# --- U-Net with an atrous bottleneck


class DecoderStage(nn.Module):
    """Upsample by two, concatenate with the skip, convolve twice."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        self.conv = DoubleConv(out_channels + skip_channels, out_channels, dropout)

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
    dropout : float
        Share of the feature maps that each stage drops in training.
    """

    published_width: ClassVar[int] = 4
    decoder_stage: ClassVar[type[DecoderStage]] = DecoderStage

    def __init__(
        self,
        in_channels: int,
        base_width: int = published_width,
        aspp_rates: Sequence[int] = PUBLISHED_RATES,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        widths = [base_width * 2**level for level in range(4)]
        self.encoder = nn.ModuleList(DoubleConv(i, o, dropout) for i, o in pairwise([in_channels, *widths]))
        self.pool = nn.MaxPool2d(2)
        self.bottleneck = ASPP(widths[-1], aspp_rates)
        skips = widths[::-1]
        decoded = [width // 2 for width in skips]
        self.decoder = nn.ModuleList(
            self.decoder_stage(below, skip, out, dropout)
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
        return (self.head(self.features(image)),)

    def features(self, image: Tensor) -> Tensor:
        """Map (N, C, H, W) to what the head sees, (N, C', H, W)."""
        features: Tensor = image
        skips = []
        for stage in self.encoder:
            skips.append(stage(features))
            features = self.pool(skips[-1])
        features = self.bottleneck(features)
        for stage, skip in zip(self.decoder, reversed(skips), strict=True):
            features = stage(features, skip)
        return features
