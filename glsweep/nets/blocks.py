"""The blocks that the networks share."""

from collections.abc import Sequence

from torch import Tensor, nn

from glsweep.errors import DataError
from glsweep.nets.concatenation import concatenated
from glsweep.nets.convolution import Conv2d
from glsweep.nets.normalisation import BatchNorm2d

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
    """Twice: 3x3 convolution with bias, batch normalisation, ReLU."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            Conv2d(in_channels, out_channels, 3, padding=1),
            BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            Conv2d(out_channels, out_channels, 3, padding=1),
            BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
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
