"""Ways to take a training step with several networks of one kind in one process.

A step is forward, loss, backward, clip and Adam for every network, each on a batch of its own that lies on
the device. Every way steps as the networks would alone, so their losses stay the same but for rounding.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import functional_call, replace_all_batch_norm_modules_, stack_module_state, vmap

from glsweep.config.trial import Precision, TrialParameters
from glsweep.losses import HeadsLoss
from glsweep.nets.cpu import plain_layers
from glsweep.nets.grouped import group
from glsweep.training.cohort import CohortOptimizer
from glsweep.training.fit import loss_of
from glsweep.training.state import Adam, TrainingState, fresh_state
from glsweep.training.step import WARM_UP_STEPS, CapturedStep, Step, computing_in, dtype_of, take_step

StepOfAll = Callable[[], Tensor]
"""Steps with every network, and returns the loss of each, (K,), on the device."""


@dataclass(frozen=True)
class Networks:
    """Networks of one kind with a batch for each: inputs (B, C, S, S) and labels (B, S, S)."""

    states: Sequence[TrainingState]
    inputs: Sequence[Tensor]
    labels: Sequence[Tensor]
    parameters: TrialParameters
    loss: HeadsLoss
    dtype: torch.dtype


def make_networks(case: str, count: int, precision: Precision, device: torch.device) -> Networks:
    """Make `count` networks of a case (architecture, base width, patch size in px, batch size)."""
    architecture, width, size_px, batch = case.split(",")
    parameters = TrialParameters(
        architecture=architecture,
        patch_size_px=int(size_px),
        fn_weight=0.7,
        fp_weight=0.3,
        gamma=1.33,
        bce_weight=0.3,
        base_width=int(width),
        learning_rate=1e-3,
        weight_decay=1e-5,
        batch_size=int(batch),
        gradient_clip=1.0,
        channels=("real", "imag"),
        augmentation=(),
    )
    generator = torch.Generator().manual_seed(0)
    shape = (int(batch), 2, int(size_px), int(size_px))
    inputs = [torch.randn(shape, generator=generator) for _ in range(count)]
    labels = [(torch.rand(image[:, 0].shape, generator=generator) < 0.02).float() for image in inputs]
    return Networks(
        [fresh_state(parameters, seed=seed, device=device) for seed in range(count)],
        [image.to(device) for image in inputs],
        [label.to(device) for label in labels],
        parameters,
        loss_of(parameters),
        dtype_of(precision, device),
    )


# --- One after another, or on streams: each network's own step


def alone(networks: Networks) -> StepOfAll:
    """One network after another, as trials that train alone."""
    return _one_by_one(networks, [take_step] * len(networks.states))


def graphs(networks: Networks) -> StepOfAll:
    """One after another, each network's step a CUDA graph, as `resources.cuda_graphs` has it."""
    return _one_by_one(networks, [CapturedStep() for _ in networks.states])


def streams(networks: Networks) -> StepOfAll:
    """Each network on a CUDA stream of its own."""
    return _on_streams(networks, [take_step] * len(networks.states))


def graphs_on_streams(networks: Networks) -> StepOfAll:
    """Each network's step a CUDA graph, on a stream of its own."""
    return _on_streams(networks, [CapturedStep() for _ in networks.states])


def _one_by_one(networks: Networks, steps: Sequence[Step]) -> StepOfAll:
    each = list(zip(steps, networks.states, networks.inputs, networks.labels, strict=True))

    def step_of_all() -> Tensor:
        losses = [step(state, networks, image, label, len(image)) for step, state, image, label in each]
        return torch.stack(losses)

    return step_of_all


def _on_streams(networks: Networks, steps: Sequence[Step]) -> StepOfAll:
    # Of 32 that PyTorch has; more networks share them.
    own = [torch.cuda.Stream() for _ in networks.states]
    each = list(zip(own, steps, networks.states, networks.inputs, networks.labels, strict=True))

    def step_of_all() -> Tensor:
        current, losses = torch.cuda.current_stream(), []
        for stream, step, state, image, label in each:
            stream.wait_stream(current)
            with torch.cuda.stream(stream):
                losses.append(step(state, networks, image, label, len(image)))
        for stream in own:
            current.wait_stream(stream)
        return torch.stack(losses)

    return step_of_all


# --- As one


def grouped(networks: Networks) -> StepOfAll:
    """As one network whose layers work in groups, as `resources.cohort` has it."""
    network = group([state.network for state in networks.states])
    clips = [networks.parameters.gradient_clip] * len(networks.states)
    optimizer = CohortOptimizer(network, networks.states, clips)

    def step_of_all() -> Tensor:
        network.zero_grad(set_to_none=True)
        inputs = torch.cat(list(networks.inputs), dim=1)
        with computing_in(networks.dtype, inputs.device):
            heads = network(inputs)
        own_heads = zip(*(head.split(1, dim=1) for head in heads), strict=True)
        losses = torch.stack(
            [networks.loss(own, label) for own, label in zip(own_heads, networks.labels, strict=True)]
        )
        losses.sum().backward()
        optimizer.step()
        return losses.detach()

    return step_of_all


def vmapped(networks: Networks) -> StepOfAll:
    """By `torch.func.vmap` over stacked weights.

    Batch normalisation updates its running statistics in place, which vmap forbids, so it has none here. A
    training step does not read them; a validation would, and cannot follow. Nor has vmap a way through the
    layers that are written for CPUs: they take PyTorch's own.
    """
    bare = [deepcopy(state.network) for state in networks.states]
    for network in bare:
        replace_all_batch_norm_modules_(network)
    weights, _ = stack_module_state(bare)
    inputs, labels = torch.stack(list(networks.inputs)), torch.stack(list(networks.labels))
    parameters = networks.parameters
    optimizer = Adam(
        weights.values(),
        lr=parameters.learning_rate,
        weight_decay=parameters.weight_decay,
        fused=True,
        capturable=inputs.device.type == "cuda",
    )

    def loss_of_one(own: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        with computing_in(networks.dtype, image.device):
            heads = functional_call(bare[0], own, (image,))
        loss: Tensor = networks.loss(heads, label)
        return loss

    def step_of_all() -> Tensor:
        optimizer.zero_grad(set_to_none=True)
        with plain_layers():
            losses: Tensor = vmap(loss_of_one)(weights, inputs, labels)
        losses.sum().backward()
        _clip_each([weight.grad for weight in weights.values()], parameters.gradient_clip)
        optimizer.step()
        return losses.detach()

    return step_of_all


def _clip_each(gradients: Sequence[Tensor], largest: float) -> None:
    """Clip the norm of each network's gradient, (K, ...) stacked, as `clip_grad_norm_` does for one."""
    norms = torch.stack([gradient.flatten(1).norm(dim=1) for gradient in gradients]).norm(dim=0)
    share = (largest / (norms + 1e-6)).clamp(max=1)
    for gradient in gradients:
        gradient.mul_(share.view(-1, *(1 for _ in gradient.shape[1:])))


class Captured:
    """A step of all networks as one CUDA graph, captured once it was taken a few times."""

    def __init__(self, step_of_all: StepOfAll) -> None:
        self._step, self._warm = step_of_all, 0
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> Tensor:
        """Take the step."""
        if self._warm < WARM_UP_STEPS:
            self._warm += 1
            stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
            stream.wait_stream(current)
            with torch.cuda.stream(stream):
                losses = self._step()
            current.wait_stream(stream)
            return losses
        if self._graph is None:
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph):
                self._losses = self._step()
        self._graph.replay()
        return self._losses


WAYS: dict[str, Callable[[Networks], StepOfAll]] = {
    "alone": alone,
    "graphs": graphs,
    "streams": streams,
    "graphs on streams": graphs_on_streams,
    "grouped": grouped,
    "grouped, graph": lambda networks: Captured(grouped(networks)),
    "vmap": vmapped,
    "vmap, graph": lambda networks: Captured(vmapped(networks)),
}
