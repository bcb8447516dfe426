"""Holistically nested edge detection: an edge at every scale, and their fusion."""

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from glsweep.nets.cpu import BatchNorm2d, Conv2d
from glsweep.nets.unet import check_size

CONVOLUTIONS = (2, 2, 3, 3, 3)
"""Of each stage, as in VGG-16 (Simonyan & Zisserman 2015)."""


class HED(nn.Module):
    """HED (Xie & Tu 2015, arXiv:1504.06375), with which Ramanath et al. 2025 draw grounding lines.

    Each of the five stages of VGG-16's convolutions has a side output, brought to full size; a weighted sum
    of them, learnt, is the answer. The published network begins from weights that know photographs; here it
    begins from random ones, with a batch normalisation after each convolution, without which so deep a
    network does not learn from scratch. Goes with the loss `balanced_bce`.

    Parameters
    ----------
    in_channels : int
        Channels of the input.
    base_width : int
        Channels of the first stage; the others have 2, 4, 8 and 8 times as many.
    dropout : float
        Share of the feature maps that each stage drops in training.
    """

    published_width: ClassVar[int] = 64

    def __init__(self, in_channels: int, base_width: int = published_width, dropout: float = 0.0) -> None:
        super().__init__()
        widths = [base_width * times for times in (1, 2, 4, 8, 8)]
        self.stages = nn.ModuleList(
            _stage(i, o, count, dropout)
            for (i, o), count in zip(pairwise([in_channels, *widths]), CONVOLUTIONS, strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        self.sides = nn.ModuleList(nn.Conv2d(width, 1, 1) for width in widths)
        self.fusion = nn.Conv2d(len(widths), 1, 1, bias=False)
        nn.init.constant_(self.fusion.weight, 1 / len(widths))  # as published: their mean

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Map (N, C, H, W), sides multiples of 16, to the side outputs' logits and the fused ones, last.

        Raises
        ------
        DataError
            When 16 does not divide H and W.
        """
        check_size(image)
        size = image.shape[-2:]
        features, sides = image, []
        for number, (stage, side) in enumerate(zip(self.stages, self.sides, strict=True)):
            features = stage(self.pool(features) if number else features)
            sides.append(interpolate(side(features), size=size, mode="bilinear", align_corners=False))
        return *sides, self.fusion(torch.cat(sides, dim=1))


def _stage(in_channels: int, out_channels: int, convolutions: int, dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for number in range(convolutions):
        layers += [
            Conv2d(in_channels if number == 0 else out_channels, out_channels, 3, padding=1),
            BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers, *([nn.Dropout2d(dropout)] if dropout else []))
