"""Concatenation of channels whose way back is cheap on CPUs."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def concatenated(parts: Sequence[Tensor]) -> Tensor:
    """Concatenate (N, C, H, W), (N, C', H, W), ... to (N, C + C' + ..., H, W).

    PyTorch hands slices of the whole gradient back. With the channels last in memory a slice's pixels
    lie apart, and adding it to another gradient, as where a map goes on to several layers, takes five
    times as long as to copy it out and add it then.
    """
    if parts[0].device.type == "cpu" and torch.is_grad_enabled():
        result: Tensor = _Concatenation.apply(*parts)  # type: ignore[no-untyped-call]
        return result
    return torch.cat(list(parts), dim=1)


class _Concatenation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *parts: Tensor) -> Tensor:
        ctx.channels, ctx.dtypes = [part.shape[1] for part in parts], [part.dtype for part in parts]
        return torch.cat(parts, dim=1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:
        """Return each part's share, a map of its own."""
        (slope,) = slopes
        is_last = slope.is_contiguous(memory_format=torch.channels_last)
        layout = torch.channels_last if is_last else torch.contiguous_format
        pieces = zip(slope.split(ctx.channels, dim=1), ctx.dtypes, ctx.needs_input_grad, strict=True)
        return tuple(
            p.to(dtype).contiguous(memory_format=layout) if needed else None for p, dtype, needed in pieces
        )
