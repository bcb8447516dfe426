"""How much of a device's memory one training step takes, found without the device."""

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from glsweep.config.trial import TrialParameters
from glsweep.losses import GroundingLineLoss
from glsweep.nets.build import build_network

# Two small batches tell, for each moment of a step, what is fixed and what grows with the pixels.
SIDE_PX = 16
FEW, MORE = 2, 3
FLOAT_BYTES = 4
ADAM_MOMENTS = 2
# Adam with weight decay: weights, gradients, two moments, decayed gradients and a denominator.
TENSORS_IN_ADAM_STEP = 6
# Operations use more within themselves, such as copies in another order: 0 to 26 % were measured.
WITHIN_OPERATIONS = 1.15


@dataclass(frozen=True)
class Footprint:
    """Memory of a training step of one network, for any number of pixels in the batch.

    Attributes
    ----------
    weight_bytes : float
        The weights alone.
    fixed_bytes, pixel_bytes : float64 Tensor (T,)
        At each moment of a step: what does not depend on the batch, and what each pixel adds.
    """

    weight_bytes: float
    fixed_bytes: Tensor
    pixel_bytes: Tensor

    def step_bytes(self, pixels: int) -> float:
        """Return the peak of a step, with the moments of Adam, on a batch of so many pixels."""
        backward = float((self.fixed_bytes + self.pixel_bytes * pixels).max())
        backward += ADAM_MOMENTS * self.weight_bytes
        return WITHIN_OPERATIONS * max(backward, TENSORS_IN_ADAM_STEP * self.weight_bytes)


def footprint(parameters: TrialParameters) -> Footprint:
    """Return the footprint of a trial's network; trials that share a network share the work."""
    return _footprint(parameters.architecture, len(parameters.channels), parameters.base_width)


def step_bytes(parameters: TrialParameters, *, patches: int | None = None) -> float:
    """Return the memory of a trial's training step, with its full batch or with so many patches."""
    count = parameters.batch_size if patches is None else patches
    return footprint(parameters).step_bytes(count * parameters.patch_size_px**2)


@cache
def _footprint(architecture: str, channels: int, base_width: int) -> Footprint:
    network = build_network(architecture, in_channels=channels, base_width=base_width, seed=0)
    few, more = (_live_bytes(network, channels, patches) for patches in (FEW, MORE))
    pixel_bytes = (more - few) / ((MORE - FEW) * SIDE_PX**2)
    weights = sum(p.numel() for p in network.parameters()) * FLOAT_BYTES
    return Footprint(weights, few - pixel_bytes * FEW * SIDE_PX**2, pixel_bytes)


def _live_bytes(network: nn.Module, channels: int, patches: int) -> Tensor:
    """Run one step forward and backward and return what lives after each operation, in bytes."""
    loss = GroundingLineLoss(fn_weight=0.7, fp_weight=0.3, gamma=1.33, bce_weight=0.2)
    image = torch.zeros(patches, channels, SIDE_PX, SIDE_PX)
    mask = torch.zeros(patches, SIDE_PX, SIDE_PX, dtype=torch.uint8)
    live = _LiveBytes([*network.parameters(), *network.buffers(), image, mask])
    with live:
        loss(network(image), mask).backward()
    network.zero_grad(set_to_none=True)
    return torch.tensor(live.series, dtype=torch.float64)


class _LiveBytes(TorchDispatchMode):
    """Follows the storages that operations make, until they are freed."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Else PyTorch's compiler is imported, for a second, and never used.
        return False

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.series: list[int] = []
        self._now_bytes = 0
        self._alive: set[int] = set()
        for tensor in tensors:
            self._count(tensor)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            if isinstance(value, Tensor):
                self._count(value)
        self.series.append(self._now_bytes)
        return result

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        address, size_bytes = storage._cdata, storage.nbytes()
        if address not in self._alive:
            self._alive.add(address)
            self._now_bytes += size_bytes
            weakref.finalize(storage, self._free, address, size_bytes)

    def _free(self, address: int, size_bytes: int) -> None:
        self._alive.discard(address)
        self._now_bytes -= size_bytes
