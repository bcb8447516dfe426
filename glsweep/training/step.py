"""One step of training on one batch; on a GPU, if asked for, as one graph in place of many launches."""

from typing import Protocol

import torch
from torch import Tensor

from glsweep.config.trial import TrialParameters
from glsweep.losses import GroundingLineLoss
from glsweep.training.gradients import backward
from glsweep.training.state import TrainingState

# Libraries choose kernels and take their workspaces in the first steps, which must not be captured.
WARM_UP_STEPS = 3


class Work(Protocol):
    """What a step needs to know of a run."""

    @property
    def parameters(self) -> TrialParameters:
        """The trial's."""

    @property
    def loss(self) -> GroundingLineLoss:
        """The trial's."""

    @property
    def dtype(self) -> torch.dtype:
        """What the network's layers compute in."""


class Step(Protocol):
    """Takes a step and returns the batch's loss, on the device."""

    def __call__(
        self, state: TrainingState, work: Work, inputs: Tensor, label: Tensor, micro_batch: int
    ) -> Tensor:
        """Take a step on `inputs` (B, C, S, S) and `label` (B, S, S), at most `micro_batch` at once."""


def take_step(state: TrainingState, work: Work, inputs: Tensor, label: Tensor, micro_batch: int) -> Tensor:
    """Find the gradients, clip them, and let the optimiser step; the device is asked for nothing."""
    state.optimizer.zero_grad(set_to_none=True)
    loss = backward(state.network, work.loss, inputs, label, micro_batch=micro_batch, dtype=work.dtype)
    torch.nn.utils.clip_grad_norm_(state.network.parameters(), work.parameters.gradient_clip)
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
        self, state: TrainingState, work: Work, inputs: Tensor, label: Tensor, micro_batch: int
    ) -> Tensor:
        """Take a step; see `Step`."""
        is_whole = len(inputs) == work.parameters.batch_size <= micro_batch
        if inputs.device.type != "cuda" or not is_whole:
            return take_step(state, work, inputs, label, micro_batch)
        basis = _basis(state)
        if basis != self._basis:
            self._graph, self._basis, self._warm = None, basis, 0
        if self._warm < WARM_UP_STEPS:
            self._warm += 1
            return _beside(state, work, inputs, label)
        if self._graph is None:
            self._capture(state, work, inputs, label)
        assert self._graph is not None
        self._inputs.copy_(inputs)
        self._label.copy_(label)
        self._graph.replay()
        return self._loss

    def _capture(self, state: TrainingState, work: Work, inputs: Tensor, label: Tensor) -> None:
        """Record a step, which is not taken by that."""
        self._inputs, self._label = inputs.clone(), label.clone()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._loss = take_step(state, work, self._inputs, self._label, len(inputs))
        self._graph = graph


def _beside(state: TrainingState, work: Work, inputs: Tensor, label: Tensor) -> Tensor:
    """Take a step on a stream of its own, as a capture does."""
    stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        loss = take_step(state, work, inputs, label, len(inputs))
    current.wait_stream(stream)
    return loss


def _basis(state: TrainingState) -> tuple[object, ...]:
    """Return what a captured step takes for granted: where everything lies, and the learning rate."""
    (settings,) = state.optimizer.param_groups
    weights: list[Tensor] = settings["params"]
    moments = [tensor for of_one in state.optimizer.state.values() for tensor in of_one.values()]
    return settings["lr"], *(tensor.data_ptr() for tensor in (*weights, *moments))
