"""How a map lies in memory, on which the ways of layers depend that are fast on CPUs."""

import torch
from torch import Tensor
from torch.utils._python_dispatch import _get_current_dispatch_mode


def lies_channels_last_on_cpu(features: Tensor) -> bool:
    """Whether (N, C, H, W) is on a CPU, channels last, and not looked at, as where memory is foretold."""
    return (
        _get_current_dispatch_mode() is None
        and features.device.type == "cpu"
        and features.is_contiguous(memory_format=torch.channels_last)
    )
