"""A transformer: Mix Transformer encoder and a decoder of pointwise layers."""

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, scaled_dot_product_attention

from glsweep.nets.unet import check_size

WIDTHS = (1, 2, 5, 8)
"""Channels of the stages, and heads of their attention, in multiples of the base width."""
REDUCTIONS = (8, 4, 2, 1)
"""By how much each stage's keys and values are coarser than its queries."""
BLOCKS = 2
EXPANSION = 4


class StochasticDepth(nn.Module):
    """Drops a residual branch of a patch at random in training (Huang et al. 2016, arXiv:1603.09382)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        """Return the branch (N, ...) with some patches' at 0 and the others scaled up, or as it is."""
        if not self.training or self.rate == 0:
            return branch
        kept = torch.rand(len(branch), *[1] * (branch.ndim - 1), device=branch.device) >= self.rate
        return branch * kept / (1 - self.rate)


class Attention(nn.Module):
    """Self-attention whose keys and values are of a coarser map (Xie et al. 2021, eq. 2)."""

    def __init__(self, channels: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels)
        is_coarser = reduction > 1
        self.coarser = nn.Conv2d(channels, channels, reduction, reduction) if is_coarser else nn.Identity()
        self.norm = nn.LayerNorm(channels) if is_coarser else nn.Identity()
        self.key_value = nn.Linear(channels, 2 * channels)
        self.project = nn.Linear(channels, channels)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, H, W, C) to the same shape."""
        coarse = self.coarser(tokens.movedim(-1, 1)).flatten(2).mT
        query = self.query(tokens).flatten(1, 2).unflatten(-1, (self.heads, -1))
        key, value = self.key_value(self.norm(coarse)).unflatten(-1, (2, self.heads, -1)).unbind(2)
        seen = scaled_dot_product_attention(*(part.transpose(1, 2) for part in (query, key, value)))
        projected: Tensor = self.project(seen.transpose(1, 2).flatten(2))
        return projected.view_as(tokens)


class MixFeedForward(nn.Module):
    """Two pointwise layers with a 3x3 depthwise convolution between, which tells places apart."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        inner = EXPANSION * channels
        self.widen = nn.Linear(channels, inner)
        self.mix = nn.Conv2d(inner, inner, 3, padding=1, groups=inner)
        self.narrow = nn.Sequential(nn.GELU(), nn.Dropout(dropout), nn.Linear(inner, channels))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, H, W, C) to the same shape."""
        mixed: Tensor = self.mix(self.widen(tokens).movedim(-1, 1)).movedim(1, -1)
        narrowed: Tensor = self.narrow(mixed)
        return narrowed


class Block(nn.Module):
    """Attention, then the feed-forward layers, each beside an identity."""

    def __init__(self, channels: int, heads: int, reduction: int, dropout: float, drop_rate: float) -> None:
        super().__init__()
        self.attention = nn.Sequential(nn.LayerNorm(channels), Attention(channels, heads, reduction))
        self.feed_forward = nn.Sequential(nn.LayerNorm(channels), MixFeedForward(channels, dropout))
        self.drop = StochasticDepth(drop_rate)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (N, H, W, C) to the same shape."""
        tokens = tokens + self.drop(self.attention(tokens))
        passed: Tensor = tokens + self.drop(self.feed_forward(tokens))
        return passed


class Stage(nn.Module):
    """Halves the map by an overlapping convolution, then passes it through blocks."""

    def __init__(self, in_channels: int, channels: int, kernel_px: int, blocks: list[Block]) -> None:
        super().__init__()
        self.embed = nn.Conv2d(in_channels, channels, kernel_px, stride=2, padding=kernel_px // 2)
        self.norm = nn.LayerNorm(channels)
        self.blocks = nn.Sequential(*blocks, nn.LayerNorm(channels))

    def forward(self, features: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H / 2, W / 2)."""
        tokens = self.norm(self.embed(features).movedim(1, -1))
        mapped: Tensor = self.blocks(tokens).movedim(-1, 1)
        return mapped


class SegFormer(nn.Module):
    """SegFormer (Xie et al. 2021, arXiv:2105.15203) from scratch, as small as its B0, twice as fine.

    The stages halve the image to 1/2, 1/4, 1/8 and 1/16, where the published ones begin with 1/4: a line is
    one pixel wide. The decoder brings all to 1/2, and its logits are resized.

    Parameters
    ----------
    in_channels : int
        Channels of the input.
    base_width : int
        Channels of the first stage, and of each head of the attention; the stages have 1, 2, 5 and 8 times as
        many, and the decoder 8 times.
    stochastic_depth : float
        Share of the patches for which the last residual branch is dropped in training; earlier ones less.
    dropout : float
        Share of values dropped within the feed-forward layers and before the head, in training.
    """

    published_width: ClassVar[int] = 32

    def __init__(
        self,
        in_channels: int,
        base_width: int = published_width,
        stochastic_depth: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        widths = [base_width * times for times in WIDTHS]
        rates = torch.linspace(0, stochastic_depth, BLOCKS * len(widths)).tolist()
        self.stages = nn.ModuleList()
        for number, (i, o) in enumerate(pairwise([in_channels, *widths])):
            own = rates[BLOCKS * number :][:BLOCKS]
            blocks = [Block(o, WIDTHS[number], REDUCTIONS[number], dropout, rate) for rate in own]
            self.stages.append(Stage(i, o, 7 if number == 0 else 3, blocks))
        decoded = widths[-1]
        self.unify = nn.ModuleList(nn.Conv2d(width, decoded, 1) for width in widths)
        self.fuse = nn.Sequential(
            nn.Conv2d(len(widths) * decoded, decoded, 1, bias=False),
            nn.BatchNorm2d(decoded),
            nn.ReLU(inplace=True),
            nn.Dropout2d(dropout),
        )
        self.head = nn.Conv2d(decoded, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """Map (N, C, H, W), sides multiples of 16, to logits (N, 1, H / 2, W / 2).

        Raises
        ------
        DataError
            When 16 does not divide H and W.
        """
        check_size(image)
        features, unified = image, []
        for stage, unify in zip(self.stages, self.unify, strict=True):
            features = stage(features)
            unified.append(unify(features))
        size = unified[0].shape[-2:]
        finest = [interpolate(one, size=size, mode="bilinear", align_corners=False) for one in unified]
        logits: Tensor = self.head(self.fuse(torch.cat(finest, dim=1)))
        return logits
