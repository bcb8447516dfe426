"""Layers that compute what PyTorch's do, and are faster on CPUs where there are few channels.

Each takes its own way only where `fast_way_pays` says that it pays, and PyTorch's everywhere else; within
`plain_layers` all of them take PyTorch's.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import batch_norm, conv2d, interpolate, pad
from torch.utils._python_dispatch import _get_current_dispatch_mode

_plain = ContextVar("plain", default=False)


@contextmanager
def plain_layers() -> Iterator[None]:
    """Let every layer of this module take PyTorch's own way, to the last bit, in forward passes within."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)


def fast_way_pays(features: Tensor, *, least_px: int = 1) -> bool:
    """Return whether a layer's own way pays: on a CPU, channels last in memory, in a large enough batch.

    It does not pay within `plain_layers`, nor where a dispatch mode looks at each operation, as the one that
    estimates a GPU's memory does.

    Parameters
    ----------
    features : Tensor (N, C, H, W)
        Input of the layer.
    least_px : int
        Pixels of the batch, N H W, below which the layer's own way costs more than it saves.
    """
    return (
        not _plain.get()
        and features.device.type == "cpu"
        and features.numel() >= least_px * features.shape[1]
        and features.is_contiguous(memory_format=torch.channels_last)
        and _get_current_dispatch_mode() is None
    )


# --- Concatenation of channels, and its way back


def concatenated(parts: Sequence[Tensor], *, networks: int = 1) -> Tensor:
    """Concatenate (N, C, H, W), (N, C', H, W), ... to (N, C + C' + ..., H, W).

    Where the channels are those of several `networks` side by side, the same is done network by network.

    PyTorch hands slices of the whole gradient back. With the channels last in memory a slice's pixels
    lie apart, and adding it to another gradient, as where a map goes on to several layers, takes five
    times as long as to copy it out and add it then.
    """
    pieces = list(parts)
    if networks > 1:
        by_network = zip(*(part.chunk(networks, dim=1) for part in parts), strict=True)
        pieces = [piece for of_one in by_network for piece in of_one]
    if torch.is_grad_enabled() and fast_way_pays(parts[0]):
        result: Tensor = _Concatenation.apply(*pieces)  # type: ignore[no-untyped-call]
        return result
    return torch.cat(pieces, dim=1)


class _Concatenation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *parts: Tensor) -> Tensor:
        ctx.channels, ctx.dtypes = [part.shape[1] for part in parts], [part.dtype for part in parts]
        return torch.cat(parts, dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        """Copy each part's gradient out of the whole one."""
        (slope,) = slopes
        is_last = slope.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if is_last else torch.contiguous_format
        pieces = zip(slope.split(ctx.channels, dim=1), ctx.dtypes, ctx.needs_input_grad, strict=True)
        return tuple(
            p.to(dtype).contiguous(memory_format=layout) if needed else None for p, dtype, needed in pieces
        )


# --- 3x3 convolution with few outputs

# Numbers in a register. A kernel fills one with the outputs of a pixel; 8 outputs fill half of it.
LANES = 16
# In a smaller batch, widening the kernel takes as long as it saves.
LEAST_PX = 2**16


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` in its parameters and its result, but for the order in which numbers are added up.

    Where it pays, a 3x3 convolution with few outputs computes those of k neighbouring pixels at once: it
    becomes one of 3 x (k + 2) with a stride of k columns and k times the outputs. Both results lie alike
    in memory.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W)."""
        at_once = _pixels_at_once(self, input)
        if at_once == 1:
            return super().forward(input)
        weight, bias = self.weight, self.bias
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            input, weight, bias = input.to(dtype), weight.to(dtype), bias.to(dtype)  # type: ignore[union-attr]
        result: Tensor = _Convolution.apply(input, weight, bias, at_once)  # type: ignore[no-untyped-call]
        return result


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, at_once: int) -> Tensor:
        widened = _widened(weight, at_once)
        ctx.save_for_backward(features, weight, widened)
        ctx.at_once = at_once
        result = conv2d(features, widened, bias.repeat(at_once), stride=(1, at_once), padding=1)
        patches, _, rows, cols = features.shape
        apart = result.permute(0, 2, 3, 1).reshape(patches, rows, cols, len(weight))
        # In place of the view, which no activation might change.
        return apart.permute(0, 3, 1, 2).detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        """Go back to the weights along k pixels at once, to the features pixel by pixel, which is faster."""
        features, weight, widened = ctx.saved_tensors
        at_once, outputs = ctx.at_once, len(weight)
        slope = slope.contiguous(memory_format=torch.channels_last)
        to_features = None
        if ctx.needs_input_grad[0]:
            to_features = _convolution_backward(slope, features, weight, 1, [True, False, False])[0]
        patches, _, rows, cols = features.shape
        together = slope.permute(0, 2, 3, 1).reshape(patches, rows, cols // at_once, at_once * outputs)
        _, to_widened, to_bias = _convolution_backward(
            together.permute(0, 3, 1, 2), features, widened, at_once, [False, True, True]
        )
        parts = to_widened.chunk(at_once)
        to_weight = torch.stack([part[..., i : i + 3] for i, part in enumerate(parts)]).sum(dim=0)
        return to_features, to_weight, to_bias.view(at_once, outputs).sum(dim=0), None


def _pixels_at_once(layer: nn.Conv2d, features: Tensor) -> int:
    """Return how many neighbouring pixels share a kernel; 1 is PyTorch's own way."""
    at_once = LANES // layer.out_channels
    geometry = (layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups)
    if (
        at_once < 2
        or features.shape[-1] % at_once
        or geometry != ((3, 3), (1, 1), (1, 1), (1, 1), 1)
        or layer.bias is None
        or not fast_way_pays(features, least_px=LEAST_PX)
    ):
        return 1
    return at_once


def _widened(weight: Tensor, at_once: int) -> Tensor:
    """Return (k C', C, 3, k + 2): the kernel (C', C, 3, 3) at each of k places side by side."""
    moved = [pad(weight, (i, at_once - 1 - i)) for i in range(at_once)]
    return torch.cat(moved).contiguous(memory_format=torch.channels_last)


def _convolution_backward(
    slope: Tensor, features: Tensor, weight: Tensor, stride: int, wanted: list[bool]
) -> tuple[Any, Any, Any]:
    """Return the gradients of features, weight and bias, or None in place of those not `wanted`."""
    gradients: tuple[Any, Any, Any] = torch.ops.aten.convolution_backward(
        slope, features, weight, [len(weight)], [1, stride], [1, 1], [1, 1], False, [0, 0], 1, wanted
    )
    return gradients


# --- Batch normalisation of few channels

# PyTorch's kernel goes along a pixel's channels; 4 of them fill a quarter of a register or less.
COLUMNS = 64


class BatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` in its parameters and its result, but for the order in which numbers are added up.

    Where it pays, k pixels are laid side by side as if they were more channels: a table of N H W / k rows
    and k C columns. The sums of a channel's k columns are then added up.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Normalise (N, C, H, W): by the batch in training, else by the running statistics."""
        if self.momentum is None or _fold(features) == 1 or not fast_way_pays(features):
            return super().forward(features)
        mean, variance, momentum = self.running_mean, self.running_var, self.momentum
        assert mean is not None and variance is not None and momentum is not None, "as they are by default"
        if not self.training:
            rows = _scaled(_rows(features), mean, variance, self.weight, self.bias, eps=self.eps)
            return _unfolded(rows, features)
        normalised: Tensor
        normalised, of_batch, spread = _Normalisation.apply(  # type: ignore[no-untyped-call]
            features, self.weight, self.bias, self.eps
        )
        pixels = features.numel() / len(mean)
        with torch.no_grad():
            mean.lerp_(of_batch, momentum)
            variance.lerp_(spread * (pixels / (pixels - 1)), momentum)
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        return normalised


class _Normalisation(torch.autograd.Function):
    """Normalisation by the batch's own mean and variance (Ioffe & Szegedy 2015, arXiv:1502.03167)."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        rows, fold = _rows(features), _fold(features)
        ignored = weight.new_zeros(2, rows.shape[1])
        means, variances = torch.batch_norm_update_stats(rows, ignored[0], ignored[1], 0.0)
        means, variances = means.view(fold, -1), variances.view(fold, -1)
        mean = means.mean(dim=0)
        variance = variances.mean(dim=0) + means.var(dim=0, unbiased=False)
        normalised = _unfolded(_scaled(rows, mean, variance, weight, bias, eps=eps), features)
        ctx.save_for_backward(features, weight, mean, variance)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance)
        # In place of the view, which no activation might change.
        return normalised.detach(), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        """Return s (g - mean(g) - x mean(g x)), s = weight / deviation, x normalised (ibid., section 3)."""
        features, weight, mean, variance = ctx.saved_tensors
        rows, fold = _rows(features), _fold(features)
        slopes = _rows(slope.contiguous(memory_format=torch.channels_last))
        scale, means, variances = weight.repeat(fold), mean.repeat(fold), variance.repeat(fold)
        direct, *sums = torch.ops.aten.native_batch_norm_backward(
            slopes, rows, scale, means, variances, None, None, False, ctx.eps, [True, True, True]
        )
        to_weight, to_bias = (columns.view(fold, -1).sum(dim=0) for columns in sums)
        back = -weight * (variance + ctx.eps).rsqrt() * len(weight) / rows.numel()
        direct += _scaled(rows, mean, variance, back * to_weight, back * to_bias, eps=ctx.eps)
        return _unfolded(direct, features), to_weight, to_bias, None


def _fold(features: Tensor) -> int:
    """Return how many pixels are laid side by side; they divide the pixels of the batch."""
    channels = features.shape[1]
    return math.gcd(features.numel() // channels, max(1, COLUMNS // channels))


def _rows(features: Tensor) -> Tensor:
    """View (N, C, H, W), channels last, as (N H W / k, k C)."""
    return features.permute(0, 2, 3, 1).view(-1, _fold(features) * features.shape[1])


def _unfolded(rows: Tensor, like: Tensor) -> Tensor:
    patches, channels, height, width = like.shape
    return rows.view(patches, height, width, channels).permute(0, 3, 1, 2)


def _scaled(rows: Tensor, *of_channels: Tensor, eps: float) -> Tensor:
    """Return (x - mean) / deviation * weight + bias; `of_channels` are mean, variance, weight and bias."""
    fold = rows.shape[1] // len(of_channels[0])
    mean, variance, weight, bias = (values.repeat(fold) for values in of_channels)
    return batch_norm(rows, mean, variance, weight, bias, eps=eps)


# --- Bilinear upsampling by two, and its way back

# Output pixels lie at quarters between the input's: 1/4, 3/4, 3/4, 1/4 of an input pixel go to the four
# outputs around it. Exact in bfloat16.
SHARES = (0.25, 0.75, 0.75, 0.25)


def doubled(features: Tensor) -> Tensor:
    """Map (N, C, H, W) to (N, C, 2H, 2W), bilinearly; beyond the rim the outermost pixel is repeated.

    PyTorch's own way back takes six to ten times as long on a CPU where the gradient is a slice of one
    with more channels, as it is for a part of a concatenation.
    """
    if features.requires_grad and fast_way_pays(features):
        result: Tensor = _Doubling.apply(features)  # type: ignore[no-untyped-call]
        return result
    return _bilinear(features)


def _bilinear(features: Tensor) -> Tensor:
    # Aligned corners would make a pixel's place depend on the size of the window around it.
    return interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)


class _Doubling(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        return _bilinear(features)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        """Gather each input pixel's shares; those of the rim go to the outermost pixel, which it repeats."""
        (slope,) = slopes
        channels = slope.shape[1]
        shares = slope.new_tensor(SHARES)
        kernel = torch.outer(shares, shares).expand(channels, 1, 4, 4)
        gathered = conv2d(slope, kernel, stride=2, padding=3, groups=channels)
        for axis in (-2, -1):
            within = gathered.narrow(axis, 1, gathered.shape[axis] - 2)
            within.select(axis, 0).add_(gathered.select(axis, 0))
            within.select(axis, -1).add_(gathered.select(axis, -1))
            gathered = within
        return gathered
