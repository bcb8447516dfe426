"""U-Net++ of two libraries, at our widths, behind our networks' interface."""

from functools import cache
from importlib.util import find_spec
from itertools import pairwise

import torch
from torch import Tensor, nn

from glsweep.nets.unet import DoubleConv

RIVALS = {"MONAI": "monai", "SMP": "segmentation_models_pytorch"}


def installed() -> list[str]:
    """Return the rivals whose packages are here."""
    return [name for name, package in RIVALS.items() if find_spec(package)]


def build_rival(name: str, in_channels: int, width: int) -> nn.Module:
    """Build one of `RIVALS` with `width` channels in its first row, and twice as many in each below."""
    return {"MONAI": _monai, "SMP": _smp}[name](in_channels, width)


class InTuple(nn.Module):
    """Gives a tuple of heads, as our networks do."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        heads = self.network(image)
        return (heads,) if isinstance(heads, Tensor) else tuple(heads)


def _monai(in_channels: int, width: int) -> nn.Module:
    """BasicUNetPlusPlus as the paper has it: batch normalisation, ReLU, bilinear upsampling, four heads."""
    from monai.networks.nets import BasicUNetPlusPlus  # noqa: PLC0415  may be missing

    return InTuple(
        BasicUNetPlusPlus(
            spatial_dims=2,
            in_channels=in_channels,
            out_channels=1,
            features=(*(width * 2**row for row in range(5)), width),
            deep_supervision=True,
            act=("relu", {"inplace": True}),
            norm="batch",
            upsample="nontrainable",
        )
    )


def _smp(in_channels: int, width: int) -> nn.Module:
    """UnetPlusPlus over a plain encoder. It has one head, and no nested nodes at full resolution."""
    _missing_operations()
    import segmentation_models_pytorch as smp  # noqa: PLC0415  may be missing
    from segmentation_models_pytorch.encoders import encoders  # noqa: PLC0415  may be missing
    from segmentation_models_pytorch.encoders._base import EncoderMixin  # noqa: PLC0415  may be missing

    class PlainEncoder(nn.Module, EncoderMixin):
        """The encoder of our U-Net++."""

        def __init__(self, depth: int, output_stride: int) -> None:
            super().__init__()
            widths = [in_channels, *(width * 2**row for row in range(depth + 1))]
            self._depth, self._output_stride = depth, output_stride
            self._in_channels, self._out_channels = in_channels, widths[1:]
            self.stages = nn.ModuleList(DoubleConv(*pair) for pair in pairwise(widths))
            self.pool = nn.MaxPool2d(2)

        def set_in_channels(self, in_channels: int, pretrained: bool = True) -> None:
            """They are right from the beginning."""

        def forward(self, image: Tensor) -> list[Tensor]:
            features = [self.stages[0](image)]
            for stage in self.stages[1:]:
                features.append(stage(self.pool(features[-1])))
            return features

    encoders["plain"] = {"encoder": PlainEncoder, "params": {}, "pretrained_settings": {}}
    return InTuple(
        smp.UnetPlusPlus(
            encoder_name="plain",
            encoder_depth=4,
            encoder_weights=None,
            decoder_channels=[width * 2**row for row in (3, 2, 1, 0)],
            decoder_interpolation="bilinear",
            in_channels=in_channels,
            classes=1,
        )
    )


@cache
def _missing_operations() -> torch.library.Library:
    """Declare what torchvision's import asks for, where it was built for another torch; SMP uses none of it.

    Lasts as long as what is returned, so for good.
    """
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def as_ours(network: nn.Module) -> nn.Module:
    """Lay a rival's weights in memory as ours."""
    return network.to(memory_format=torch.channels_last)
