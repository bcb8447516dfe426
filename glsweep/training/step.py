"""One step of training on one batch: its arithmetic, its gradients, and on a GPU its graph."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import reduce
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

from glsweep.config.trial import Precision, TrialParameters
from glsweep.losses import HeadsLoss
from glsweep.training.state import TrainingState


def dtype_of(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the type of a trial's `precision` on `device`: float32, or bfloat16 where that is faster.

    Emulated bfloat16 is slower than float32, so `auto` takes it only where the device has it.
    """
    if precision == "auto":
        return torch.bfloat16 if _has_bfloat16(device) else torch.float32
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


def computing_in(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """Let layers compute in `dtype`, with weights that stay as they are.

    For a network alone, not for its loss: sums over all pixels of a batch need float32.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16)


def bits(dtype: torch.dtype) -> int:
    """Return how many bits a number has."""
    return 8 * dtype.itemsize


def _has_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # Without oneDNN there are no kernels that make use of it.
    capabilities = torch.cpu.get_capabilities() if torch.backends.mkldnn.enabled else {}
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


# --- The gradients of one batch, at once or by micro-batches


def count_parts(patches: int, micro_batch: int) -> int:
    """Return into how many micro-batches, of at most `micro_batch` patches, so many patches are cut."""
    return -(-patches // micro_batch)


def backward(
    network: nn.Module,
    loss: HeadsLoss,
    inputs: Tensor,
    target: Tensor,
    *,
    micro_batch: int,
    dtype: torch.dtype,
) -> Tensor:
    """Add the gradients of the batch's loss to those of the parameters, and return the loss.

    A batch larger than `micro_batch` is cut into parts that differ by one patch at most. They give
    the loss and the gradients of the whole batch, except through batch normalisation, which sees
    each micro-batch on its own, in training and in what it remembers of the features for validation.

    Parameters
    ----------
    network : nn.Module
        In training mode; without dropout, since micro-batches pass through it twice.
    loss : HeadsLoss
    inputs : Tensor (N, C, S, S)
        The network's input.
    target : Tensor (N, S, S)
        1 on the line, 0 elsewhere, negative where there is no data.
    micro_batch : int
        Patches that are in memory at once with all that the network makes of them.
    dtype : torch.dtype
        What the network's layers compute in, see `computing_in`.

    Returns
    -------
    Tensor
        A scalar without gradient.
    """
    parts = count_parts(len(inputs), micro_batch)
    if parts > 1:
        cut = inputs.tensor_split(parts), target.tensor_split(parts)
        return _backward_in_parts(network, loss, *cut, dtype)
    with computing_in(dtype, inputs.device):
        heads = network(inputs)
    batch_loss: Tensor = loss(heads, target)
    batch_loss.backward()
    return batch_loss.detach()


def _backward_in_parts(
    network: nn.Module,
    loss: HeadsLoss,
    inputs: Sequence[Tensor],
    targets: Sequence[Tensor],
    dtype: torch.dtype,
) -> Tensor:
    """Compute the sums from which the loss follows and its slopes in them, then go back from the parts.

    By the chain rule the loss's gradient is that of sum_k slope_k * sums_k, which is linear in the
    parts; so the parts' gradients may be added up one after the other.
    """

    def heads(image: Tensor, buffers: dict[str, Tensor]) -> tuple[Tensor, ...]:
        with computing_in(dtype, image.device):
            logits: tuple[Tensor, ...] = functional_call(network, buffers, (image,))
        return logits

    with torch.no_grad():
        # In copies of the buffers: the second pass is the one to be remembered.
        parts = [
            loss.sums(heads(image, _buffers(network)), target)
            for image, target in zip(inputs, targets, strict=True)
        ]
    sums = torch.stack(parts).sum(dim=0).requires_grad_()
    batch_loss = loss.from_sums(sums)
    (slopes,) = torch.autograd.grad(batch_loss, sums)
    remembered = []
    for image, target in zip(inputs, targets, strict=True):
        buffers = _buffers(network)
        part = loss.sums(heads(image, buffers), target)
        (slopes * part).sum().backward()
        remembered.append(buffers)
    _remember(network, remembered, [len(image) for image in inputs])
    return batch_loss.detach()


def _buffers(network: nn.Module) -> dict[str, Tensor]:
    return {name: buffer.clone() for name, buffer in network.named_buffers()}


def _remember(network: nn.Module, parts: Sequence[dict[str, Tensor]], patches: Sequence[int]) -> None:
    """Set the buffers to the mean over the parts, each of which began where the batch began.

    So the running statistics move once a batch, as fast as with whole batches.
    """
    for name, buffer in network.named_buffers():
        weighed = [part[name] * count for part, count in zip(parts, patches, strict=True)]
        buffer.copy_(reduce(torch.add, weighed) / sum(patches))


# --- A step; on a GPU, if requested, as one graph in place of many launches

# Libraries choose kernels and take their workspaces in the first steps, which must not be captured.
WARM_UP_STEPS = 3


class StepContext(Protocol):
    """What a step needs to know of a run."""

    @property
    def parameters(self) -> TrialParameters:
        """The trial's."""

    @property
    def loss(self) -> HeadsLoss:
        """The trial's."""

    @property
    def dtype(self) -> torch.dtype:
        """What the network's layers compute in."""


class Step(Protocol):
    """Takes a step and returns the batch's loss, on the device."""

    def __call__(
        self, state: TrainingState, context: StepContext, inputs: Tensor, label: Tensor, micro_batch: int
    ) -> Tensor:
        """Take a step on `inputs` (B, C, S, S) and `label` (B, S, S), at most `micro_batch` at once."""


def take_step(
    state: TrainingState, context: StepContext, inputs: Tensor, label: Tensor, micro_batch: int
) -> Tensor:
    """Compute and clip the gradients, and let the optimiser step, without waiting for the device."""
    state.optimizer.zero_grad(set_to_none=True)
    loss = backward(state.network, context.loss, inputs, label, micro_batch=micro_batch, dtype=context.dtype)
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), context.parameters.gradient_clip)
    state.optimizer.step()
    return loss


class CapturedStep:
    """`take_step` of whole batches as one CUDA graph, launched at once.

    A step of a small network is some hundreds of kernels, each shorter than its launch. The graph
    reads a batch from, and writes weights and moments to, the memory that it was captured with. It
    is captured anew when they have moved, as where training went back to the beginning of an epoch,
    and when the learning rate has changed. Batches that are smaller, or cut into micro-batches, are
    taken as usual; so is everything on a CPU, which has no graphs.
    """

    def __init__(self) -> None:
        self._graph: torch.cuda.CUDAGraph | None = None
        self._basis: tuple[object, ...] | None = None
        self._warm = 0

    def __call__(
        self, state: TrainingState, context: StepContext, inputs: Tensor, label: Tensor, micro_batch: int
    ) -> Tensor:
        """Take a step; see `Step`."""
        is_whole = len(inputs) == context.parameters.batch_size <= micro_batch
        if inputs.device.type != "cuda" or not is_whole:
            return take_step(state, context, inputs, label, micro_batch)
        basis = _basis(state)
        if basis != self._basis:
            self._graph, self._basis, self._warm = None, basis, 0
        if self._warm < WARM_UP_STEPS:
            self._warm += 1
            return _step_on_own_stream(state, context, inputs, label)
        if self._graph is None:
            self._capture(state, context, inputs, label)
        assert self._graph is not None
        self._inputs.copy_(inputs)
        self._label.copy_(label)
        self._graph.replay()
        return self._loss

    def _capture(self, state: TrainingState, context: StepContext, inputs: Tensor, label: Tensor) -> None:
        """Record a step, which is not taken by that."""
        self._inputs, self._label = inputs.clone(), label.clone()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._loss = take_step(state, context, self._inputs, self._label, len(inputs))
        self._graph = graph


def _step_on_own_stream(state: TrainingState, context: StepContext, inputs: Tensor, label: Tensor) -> Tensor:
    """Take a step on a stream of its own, as a capture does."""
    stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        loss = take_step(state, context, inputs, label, len(inputs))
    current.wait_stream(stream)
    return loss


def _basis(state: TrainingState) -> tuple[object, ...]:
    """Return what a captured step takes for granted: where everything lies, and the learning rate."""
    (settings,) = state.optimizer.param_groups
    weights: list[Tensor] = settings["params"]
    moments = [tensor for of_one in state.optimizer.state.values() for tensor in of_one.values()]
    return settings["lr"], *(tensor.data_ptr() for tensor in (*weights, *moments))
