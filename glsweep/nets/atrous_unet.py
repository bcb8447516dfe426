"""The atrous U-Net with which grounding lines were first drawn."""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from glsweep.nets.unet import check_size

PUBLISHED_DROPOUT = 0.2


class Unit(nn.Sequential):
    """Twice a 3x3 convolution with bias and ELU, dropout between."""

    def __init__(self, in_channels: int, out_channels: int, dropout: float) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, 3, padding=1),
            nn.ELU(),
            nn.Dropout(dropout),
            nn.Conv2d(out_channels, out_channels, 3, padding=1),
            nn.ELU(),
        )


class Pyramid(nn.Module):
    """Parallel depthwise-separable 3x3 convolutions of several dilations, side by side."""

    def __init__(self, channels: int, rates: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=r, dilation=r, groups=channels, bias=False),
                nn.Conv2d(channels, channels, 1),
                nn.ELU(),
            )
            for r in rates
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, rates C, H, W)."""
        return torch.cat([branch(features) for branch in self.branches], dim=1)


class AtrousUNet(nn.Module):
    """Atrous U-Net (Mohajerani et al. 2021, Sci. Rep. 11:4992), which has no normalisation.

    Units of 32, 64, 64 and 128 channels with max-pooling between, a pyramid of dilations at 1/8, and a
    decoder that doubles each map by repeating pixels. With two channels and the published width it has
    966,119 parameters. Weights are drawn as Keras draws them (Glorot & Bengio 2010), in which it was
    published: without normalisation the variance must be kept.

    Parameters
    ----------
    in_channels : int
        Channels of the input.
    base_width : int
        Channels of the first unit; all others scale with it.
    dropout : float
        Share of values that each unit drops in training.
    """

    published_width: ClassVar[int] = 32
    rates: ClassVar[tuple[int, ...]] = (1, 2, 3, 4, 5)

    def __init__(
        self, in_channels: int, base_width: int = published_width, dropout: float = PUBLISHED_DROPOUT
    ) -> None:
        super().__init__()
        narrow, wide, widest = base_width, 2 * base_width, 4 * base_width
        encoded = [narrow, wide, wide, widest]
        self.encoder = nn.ModuleList(Unit(i, o, dropout) for i, o in pairwise([in_channels, *encoded]))
        self.pool = nn.MaxPool2d(2)
        self.pyramid = Pyramid(widest, self.rates)
        decoded = [len(self.rates) * widest, wide, narrow, narrow]
        self.decoder = nn.ModuleList(
            Unit(below + skip, out, dropout)
            for (below, out), skip in zip(pairwise(decoded), encoded[2::-1], strict=True)
        )
        self.head = nn.Sequential(nn.Conv2d(narrow, 3, 3, padding=1), nn.ELU(), nn.Conv2d(3, 1, 1))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map (N, C, H, W), sides multiples of 16, to one head's logits (N, 1, H, W).

        Raises
        ------
        DataError
            When 16 does not divide H and W.
        """
        check_size(image)
        *above, deepest = self.encoder
        features, skips = image, []
        for unit in above:
            skips.append(unit(features))
            features = self.pool(skips[-1])
        features = self.pyramid(deepest(features))
        for unit, skip in zip(self.decoder, reversed(skips), strict=True):
            features = unit(torch.cat([interpolate(features, scale_factor=2.0), skip], dim=1))
        return (self.head(features),)
