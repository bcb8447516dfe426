"""What a machine can do at best, and what a step asks of it."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

# So large that caches are of no help, and a product takes some hundredths of a second.
COPIED_BYTES = 2**28
MATRIX_SIDE = {"cpu": 1536, "cuda": 8192}


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Return the operations per second of a product of two square matrices.

    Of float32 on a GPU they are rounded to TF32, as PyTorch's convolutions are by default.
    """
    torch.set_float32_matmul_precision("high" if device.type == "cuda" else "highest")
    side = MATRIX_SIDE[device.type]
    left, right = (torch.rand(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / least_s(lambda: left @ right, device)


def copy_rate(device: torch.device) -> float:
    """Return the bytes per second of a copy, read and written."""
    source = torch.zeros(COPIED_BYTES, dtype=torch.uint8, device=device)
    target = torch.ones_like(source)
    return 2 * COPIED_BYTES / least_s(lambda: target.copy_(source), device)


def least_s(run: Callable[[], object], device: torch.device, repetitions: int = 5) -> float:
    """Return the shortest time of a run."""
    taken_s = []
    for _ in range(repetitions):
        begun_s = time.perf_counter()
        run()
        finish(device)
        taken_s.append(time.perf_counter() - begun_s)
    return min(taken_s)


def finish(device: torch.device) -> None:
    """Wait for what was given to the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class ByteCounter(TorchDispatchMode):
    """Counts the bytes that operations read and write, each as if nothing stayed in a cache."""

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        aliases = [returned.alias_info for returned in func._schema.returns]
        is_view = any(alias is not None and not alias.is_write for alias in aliases)
        if not is_view and "empty" not in func._schema.name:
            tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
            self.total += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return result


def count(step: Callable[[], object]) -> tuple[int, int]:
    """Return the operations of a step's products and convolutions, and the bytes of all it does."""
    bytes_: ByteCounter = ByteCounter()
    operations: FlopCounterMode = FlopCounterMode(display=False)
    both: tuple[AbstractContextManager[Any], ...] = (bytes_, operations)
    with both[0], both[1]:
        step()
    return operations.get_total_flops(), bytes_.total
