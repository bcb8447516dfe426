"""The networks of two libraries, at our widths, behind our networks' interface.

MONAI has one of each kind, SMP no Attention U-Net. They are of the same widths, not the same networks:
none of the U-Nets has an atrous bottleneck; MONAI's decode with as many channels as they encode with,
and its Attention U-Net strides where ours pools; SMP's have no skip at full resolution. So a table of
them tells each one's operations too.
"""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from glsweep.nets.unet import DoubleConv

RIVALS = {"MONAI": "monai", "SMP": "segmentation_models_pytorch"}
# Encoder stages above the deepest one.
DEPTH = 4


def rivals_of(network: str) -> list[str]:
    """Return the rivals that have a network of this kind and whose packages are here."""
    return [name for name, package in RIVALS.items() if (name, network) in BUILDERS and find_spec(package)]


def missing() -> list[str]:
    """Return the rivals whose packages are not here."""
    return [name for name, package in RIVALS.items() if not find_spec(package)]


def build_rival(name: str, network: str, in_channels: int, width: int) -> nn.Module:
    """Build what one of `RIVALS` has of a kind of network, at our base width."""
    return InTuple(BUILDERS[name, network](in_channels, width))


def stages(network: str, width: int) -> tuple[int, ...]:
    """Return the channels of our network's five resolutions; the U-Nets' two deepest have as many."""
    doubled = [width * 2**row for row in range(DEPTH + 1)]
    return tuple(doubled) if network == "unetpp" else (*doubled[:-1], doubled[-2])


class InTuple(nn.Module):
    """Gives a tuple of heads, as our networks do."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        heads = self.network(image)
        return (heads,) if isinstance(heads, Tensor) else tuple(heads)


def _monai_unet(in_channels: int, width: int) -> nn.Module:
    """BasicUNet with our layers: batch normalisation, ReLU, transposed convolutions."""
    from monai.networks.nets import BasicUNet  # noqa: PLC0415  may be missing

    return BasicUNet(
        spatial_dims=2,
        in_channels=in_channels,
        out_channels=1,
        features=(*stages("unet", width), width),
        act=("relu", {"inplace": True}),
        norm="batch",
    )


def _monai_attention_unet(in_channels: int, width: int) -> nn.Module:
    """AttentionUnet as it comes."""
    from monai.networks.nets import AttentionUnet  # noqa: PLC0415  may be missing

    return AttentionUnet(
        spatial_dims=2,
        in_channels=in_channels,
        out_channels=1,
        channels=stages("attention_unet", width),
        strides=(2,) * DEPTH,
    )


def _monai_unetpp(in_channels: int, width: int) -> nn.Module:
    """BasicUNetPlusPlus as the paper has it: batch normalisation, ReLU, bilinear upsampling, four heads."""
    from monai.networks.nets import BasicUNetPlusPlus  # noqa: PLC0415  may be missing

    return BasicUNetPlusPlus(
        spatial_dims=2,
        in_channels=in_channels,
        out_channels=1,
        features=(*stages("unetpp", width), width),
        deep_supervision=True,
        act=("relu", {"inplace": True}),
        norm="batch",
        upsample="nontrainable",
    )


def _smp_unet(in_channels: int, width: int) -> nn.Module:
    """Unet over a plain encoder, whose decoder has half of each stage's channels, as ours has."""
    smp = _smp_with_plain_encoder(stages("unet", width))
    decoded = [channels // 2 for channels in stages("unet", width)[-2::-1]]
    return smp.Unet(**_on_plain_encoder(in_channels, decoded))


def _smp_unetpp(in_channels: int, width: int) -> nn.Module:
    """UnetPlusPlus over a plain encoder. It has one head, and no nested nodes at full resolution."""
    smp = _smp_with_plain_encoder(stages("unetpp", width))
    return smp.UnetPlusPlus(**_on_plain_encoder(in_channels, stages("unetpp", width)[-2::-1]))


BUILDERS: dict[tuple[str, str], Callable[[int, int], nn.Module]] = {
    ("MONAI", "unet"): _monai_unet,
    ("MONAI", "attention_unet"): _monai_attention_unet,
    ("MONAI", "unetpp"): _monai_unetpp,
    ("SMP", "unet"): _smp_unet,
    ("SMP", "unetpp"): _smp_unetpp,
}


def _on_plain_encoder(in_channels: int, decoded: Sequence[int]) -> dict[str, Any]:
    return {
        "encoder_name": "plain",
        "encoder_depth": DEPTH,
        "encoder_weights": None,
        "decoder_channels": list(decoded),
        "decoder_interpolation": "bilinear",
        "in_channels": in_channels,
        "classes": 1,
    }


def _smp_with_plain_encoder(widths: Sequence[int]) -> Any:
    """Return SMP, which has learnt an encoder "plain" of our double convolutions."""
    _missing_operations()
    import segmentation_models_pytorch as smp  # noqa: PLC0415  may be missing
    from segmentation_models_pytorch.encoders import encoders  # noqa: PLC0415  may be missing
    from segmentation_models_pytorch.encoders._base import EncoderMixin  # noqa: PLC0415  may be missing

    class PlainEncoder(nn.Module, EncoderMixin):
        """The encoder of our networks."""

        def __init__(self, depth: int, output_stride: int) -> None:
            super().__init__()
            self._depth, self._output_stride, self._out_channels = depth, output_stride, list(widths)
            self.pool = nn.MaxPool2d(2)

        def set_in_channels(self, in_channels: int, pretrained: bool = True) -> None:
            """Make the stages, the first of which takes so many channels."""
            self._in_channels = in_channels
            self.stages = nn.ModuleList(DoubleConv(*pair) for pair in pairwise([in_channels, *widths]))

        def forward(self, image: Tensor) -> list[Tensor]:
            features = [self.stages[0](image)]
            for stage in self.stages[1:]:
                features.append(stage(self.pool(features[-1])))
            return features

    encoders["plain"] = {"encoder": PlainEncoder, "params": {}, "pretrained_settings": {}}
    return smp


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
