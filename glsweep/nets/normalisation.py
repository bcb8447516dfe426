"""Batch normalisation that stays fast on CPUs where there are few channels."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import batch_norm

from glsweep.nets.layout import lies_channels_last_on_cpu

# PyTorch's kernel goes along a pixel's channels, and with 4 of them fills a quarter of a register or less.
COLUMNS = 64


class BatchNorm2d(nn.BatchNorm2d):
    """`nn.BatchNorm2d` to its parameters and its result, but for the order in which numbers are added up.

    On a CPU, and with the channels last in memory, k pixels are laid side by side as if they were more
    channels: a table of N H W / k rows and k C columns. What the k columns of a channel sum to is then
    added up.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Normalise (N, C, H, W): by the batch in training, else by what is remembered."""
        if self.momentum is None or _fold(features) == 1 or not lies_channels_last_on_cpu(features):
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
