"""3x3 convolution that stays fast on CPUs where it has few outputs."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import conv2d, pad

from glsweep.nets.layout import lies_channels_last_on_cpu

# The numbers in a register. A kernel fills one with the outputs of a pixel, and with 8 of them half of it.
LANES = 16
# With fewer pixels in a batch the kernel's laying out takes what it saves.
LEAST_PX = 2**16


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` to its parameters and its result, but for the order in which numbers are added up.

    On a CPU, and with the channels last in memory, a 3x3 convolution with few outputs finds those of k
    neighbouring pixels at once: one of 3 x (k + 2) that goes on by k columns, with k times the outputs.
    In memory its result is that of the other.
    """

    def forward(self, input: Tensor) -> Tensor:
        """Map (N, C, H, W) to (N, C', H, W)."""
        beside = _beside(self, input)
        if beside == 1:
            return super().forward(input)
        weight, bias = self.weight, self.bias
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            input, weight, bias = input.to(dtype), weight.to(dtype), bias.to(dtype)  # type: ignore[union-attr]
        result: Tensor = _Convolution.apply(input, weight, bias, beside)  # type: ignore[no-untyped-call]
        return result


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, beside: int) -> Tensor:
        widened = _widened(weight, beside)
        ctx.save_for_backward(features, weight, widened)
        ctx.beside = beside
        found = conv2d(features, widened, bias.repeat(beside), stride=(1, beside), padding=1)
        patches, _, rows, cols = features.shape
        apart = found.permute(0, 2, 3, 1).reshape(patches, rows, cols, len(weight))
        # In place of the view, which no activation might change.
        return apart.permute(0, 3, 1, 2).detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        """Go back to the weights along k pixels at once, to the features pixel by pixel, which is faster."""
        features, weight, widened = ctx.saved_tensors
        beside, outputs = ctx.beside, len(weight)
        slope = slope.contiguous(memory_format=torch.channels_last)
        to_features = None
        if ctx.needs_input_grad[0]:
            to_features = _way_back(slope, features, weight, 1, [True, False, False])[0]
        patches, _, rows, cols = features.shape
        together = slope.permute(0, 2, 3, 1).reshape(patches, rows, cols // beside, beside * outputs)
        _, to_widened, to_bias = _way_back(
            together.permute(0, 3, 1, 2), features, widened, beside, [False, True, True]
        )
        parts = to_widened.chunk(beside)
        to_weight = torch.stack([part[..., i : i + 3] for i, part in enumerate(parts)]).sum(dim=0)
        return to_features, to_weight, to_bias.view(beside, outputs).sum(dim=0), None


def _beside(layer: nn.Conv2d, features: Tensor) -> int:
    """Return for how many pixels at once the outputs are found."""
    beside = LANES // layer.out_channels
    as_known = (layer.kernel_size, layer.stride, layer.padding, layer.dilation, layer.groups)
    if (
        beside < 2
        or features.shape[-1] % beside
        or features.numel() // features.shape[1] < LEAST_PX
        or as_known != ((3, 3), (1, 1), (1, 1), (1, 1), 1)
        or layer.bias is None
        or not lies_channels_last_on_cpu(features)
    ):
        return 1
    return beside


def _widened(weight: Tensor, beside: int) -> Tensor:
    """Return (k C', C, 3, k + 2): the kernel (C', C, 3, 3) at each of k places side by side."""
    moved = [pad(weight, (i, beside - 1 - i)) for i in range(beside)]
    return torch.cat(moved).contiguous(memory_format=torch.channels_last)


def _way_back(
    slope: Tensor, features: Tensor, weight: Tensor, step: int, wanted: list[bool]
) -> tuple[Any, Any, Any]:
    found: tuple[Any, Any, Any] = torch.ops.aten.convolution_backward(
        slope, features, weight, [len(weight)], [1, step], [1, 1], [1, 1], False, [0, 0], 1, wanted
    )
    return found
