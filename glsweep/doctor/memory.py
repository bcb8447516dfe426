"""The memory that trials need, and whether those that share a GPU or a node fit into it."""

import math
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from glsweep.config.dimension import Dimension, parameters_of, span_of
from glsweep.config.settings import validate
from glsweep.config.space import Resources, SearchSpace
from glsweep.config.trial import Stratum, TrialParameters, canonical
from glsweep.doctor import Finding, error, warning
from glsweep.doctor.nodes import Node
from glsweep.losses import GroundingLineLoss
from glsweep.nets import build_network
from glsweep.registry import is_imported
from glsweep.search import check_names
from glsweep.search.plan import enumerate_grid, grid_options, is_finite

# A pixel of a stored patch: real and imaginary part as float32, and the mask.
PIXEL_BYTES = 9
SIZES = {"architecture", "patch_size_px", "base_width", "batch_size", "channels"}


@dataclass(frozen=True)
class SweepRequirements:
    """What a sweep needs of the nodes.

    Attributes
    ----------
    resources : Resources
        What each trial asks for.
    trials : tuple of TrialParameters
        The trial of each stratum that takes most memory.
    patch_bytes : mapping of int to int
        By patch size in pixels: training and validation patches together, at most.
    """

    resources: Resources
    trials: tuple[TrialParameters, ...]
    patch_bytes: Mapping[int, int] = field(default_factory=dict)


def requirements_of(space: SearchSpace, source: Path) -> SweepRequirements:
    """Return what a search space needs, whatever its sampler proposes.

    Raises
    ------
    ConfigError
        When a dimension or a value is not allowed; the message names `source`.
    """
    check_names(space, source)
    fixed = {canonical(name): value for name, value in space.fixed.items()}
    trials = (
        validate({**fixed, **chosen}, TrialParameters, source)
        for chosen in enumerate_grid(_sizes_alone(space.dimensions))
    )
    count = space.patches.with_line + space.patches.without_line
    largest = largest_of_each_stratum(trials)
    return SweepRequirements(
        space.resources,
        largest,
        {trial.patch_size_px: count * trial.patch_size_px**2 * PIXEL_BYTES for trial in largest},
    )


def largest_of_each_stratum(trials: Iterable[TrialParameters]) -> tuple[TrialParameters, ...]:
    """Return for each stratum the trial with the widest network and, of these, the largest batch."""
    largest: dict[Stratum, TrialParameters] = {}
    for trial in trials:
        if trial.stratum not in largest or _size(trial) > _size(largest[trial.stratum]):
            largest[trial.stratum] = trial
    return tuple(largest[stratum] for stratum in sorted(largest))


def _size(trial: TrialParameters) -> tuple[int, int, int]:
    return trial.base_width or 0, trial.batch_size, len(trial.channels)


def _sizes_alone(dimensions: Mapping[str, Dimension]) -> dict[str, Dimension]:
    """Keep all choices of the dimensions that affect memory, and the first choice of every other one.

    Of a range only the upper end, which takes most memory, is kept, unless its values decide on the
    stratum or on other dimensions.
    """
    conditions = {canonical(key) for dimension in dimensions.values() for key in dimension.when}
    return {
        name: dimension.model_copy(update={"choices": tuple(_choices(name, dimension, conditions))})
        for name, dimension in dimensions.items()
    }


def _choices(name: str, dimension: Dimension, conditions: set[str]) -> Iterator[Any]:
    sets = parameters_of(name, dimension)
    if dimension.choices is not None:
        if sets & (SIZES | conditions):
            yield from dimension.choices
        elif "." in name and all(isinstance(choice, int | float) for choice in dimension.choices):
            yield max(
                dimension.choices
            )  # such as an own network's depth: the largest takes most, as in a range
        else:
            yield dimension.choices[0]
    elif sets & ({*Stratum._fields} | conditions) and is_finite(name, dimension):
        yield from grid_options(name, dimension)
    else:
        yield span_of(name, dimension).highest


# --- The memory of one training step, measured without the device

# Two small batches show, for each moment of a step, what is fixed and what grows with the pixels.
SIDE_PX = 16
FEW, MORE = 2, 3
FLOAT_BYTES = 4
ADAM_MOMENTS = 2
# Adam with weight decay: weights, gradients, two moments, decayed gradients and a denominator.
TENSORS_IN_ADAM_STEP = 6
# Operations use more within themselves, such as copies in another order: 0 to 26 % were measured.
WITHIN_OPERATIONS = 1.15


@dataclass(frozen=True)
class StepMemory:
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
        """Return the peak of a step with Adam on a batch of `pixels` pixels."""
        backward = float((self.fixed_bytes + self.pixel_bytes * pixels).max())
        backward += ADAM_MOMENTS * self.weight_bytes
        return WITHIN_OPERATIONS * max(backward, TENSORS_IN_ADAM_STEP * self.weight_bytes)


def step_memory(parameters: TrialParameters) -> StepMemory:
    """Return the step memory of a trial's network; it is measured once for each network."""
    # An own network need not take patches that are smaller than those of its trials.
    side_px = parameters.patch_size_px if is_imported(parameters.architecture) else SIDE_PX
    own = tuple(parameters.own_of(parameters.architecture).items())
    return _step_memory(
        parameters.architecture, len(parameters.channels), parameters.base_width, own, side_px
    )


def step_bytes(parameters: TrialParameters, *, patches: int | None = None) -> float:
    """Return the memory of a trial's training step, with its full batch or with so many patches."""
    count = parameters.batch_size if patches is None else patches
    return step_memory(parameters).step_bytes(count * parameters.patch_size_px**2)


@cache
def _step_memory(
    architecture: str, channels: int, base_width: int | None, own: tuple[tuple[str, Any], ...], side_px: int
) -> StepMemory:
    network = build_network(architecture, in_channels=channels, base_width=base_width, own=dict(own), seed=0)
    few, more = (_live_bytes(network, channels, patches, side_px) for patches in (FEW, MORE))
    pixel_bytes = (more - few) / ((MORE - FEW) * side_px**2)
    weights = sum(p.numel() for p in network.parameters()) * FLOAT_BYTES
    return StepMemory(weights, few - pixel_bytes * FEW * side_px**2, pixel_bytes)


def _live_bytes(network: nn.Module, channels: int, patches: int, side_px: int) -> Tensor:
    """Run one step forward and backward and return the bytes in use after each operation."""
    loss = GroundingLineLoss(fn_weight=0.7, fp_weight=0.3, gamma=1.33, bce_weight=0.2)
    image = torch.zeros(patches, channels, side_px, side_px)
    mask = torch.zeros(patches, side_px, side_px, dtype=torch.uint8)
    live = _LiveBytes([*network.parameters(), *network.buffers(), image, mask])
    with live:
        loss(network(image), mask).backward()
    network.zero_grad(set_to_none=True)
    return torch.tensor(live.series, dtype=torch.float64)


class _LiveBytes(TorchDispatchMode):
    """Follows the storages that operations make, until they are freed."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise PyTorch's compiler is imported, which takes a second, and never used.
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


# --- Whether the trials that share a GPU or a node fit into its memory

GIB_BYTES = 2**30
# Kernels, cuBLAS and cuDNN of one process; 0.3 to 0.6 GiB from one generation of GPUs to another.
CUDA_PROCESS_BYTES = 0.5 * GIB_BYTES
# A worker that has imported Ray, PyTorch and this package: 0.45 GiB of its own.
WORKER_BYTES = 0.5 * GIB_BYTES
# As `training.patches_on_device` has it: more patches than that stay on the host.
STORE_SHARE_OF_DEVICE = 0.25


def trials_per_node(resources: Resources, node: Node, request: Mapping[str, float]) -> int:
    """Return how many trials Ray would run on a node at once."""
    places = int(node.resources.get("CPU", 0) // resources.cpus)
    gpus = request.get("GPU", 0.0)
    return min(places, int(node.resources.get("GPU", 0) // gpus)) if gpus else places


def trials_per_gpu(resources: Resources) -> int:
    """Return how many trials share a GPU: 1 / `gpus`."""
    return max(1, math.floor(1 / resources.gpus + 1e-9)) if resources.gpus else 1


def too_big_for_device(
    node: Node,
    device_bytes: int,
    *,
    resources: Resources,
    trials: Sequence[TrialParameters],
    patch_bytes: Mapping[int, int],
) -> Iterator[Finding]:
    """Find trials that do not fit into a GPU of `node` together with those that share it.

    Parameters
    ----------
    node : Node
        Its smallest GPU has `device_bytes`.
    resources : Resources
        What a trial asks for. Ray counts a share of a GPU, and does not enforce it.
    trials : sequence of TrialParameters
        One of each stratum.
    patch_bytes : mapping of int to int
        By patch size in pixels: training and validation patches together.
    """
    together = min(trials_per_gpu(resources), max(1, int(node.resources.get("CPU", 0) // resources.cpus)))
    for trial in trials:
        stored = patch_bytes.get(trial.patch_size_px, 0)
        on_device = stored if stored <= STORE_SHARE_OF_DEVICE * device_bytes else 0
        shared_bytes = CUDA_PROCESS_BYTES + on_device
        whole, single = (
            shared_bytes + _members(resources) * step_bytes(trial),
            shared_bytes + step_bytes(trial, patches=1),
        )
        where = f"{trial.stratum.title} on a GPU of node {node.name}"
        share = f", {together} {'trials' if _members(resources) == 1 else 'cohorts'} share it"
        has = f"the GPU has {_gib(device_bytes)}{share if together > 1 else ''}"
        if single - on_device > device_bytes:
            yield error(
                f"a single patch takes about {_gib(single - on_device)}, {has}",
                where=where,
                remedy="choose a smaller base_width or patch size, or a larger GPU",
            )
        elif whole * together > device_bytes:
            yield warning(
                f"{_trial_or_cohort(resources)} takes about {_gib(whole)}, {has}; "
                "it will train in parts or fail",
                where=where,
                remedy=_less_at_once(resources) + _larger_share(whole / device_bytes),
            )


def too_big_for_node(
    node: Node, *, resources: Resources, trials: Sequence[TrialParameters]
) -> Iterator[Finding]:
    """Find trials that, run on the CPUs of `node` side by side, do not fit into its memory."""
    together = trials_per_node(resources, node, {})
    if not together or not node.memory_bytes:
        return
    for trial in trials:
        whole = WORKER_BYTES + _members(resources) * step_bytes(trial)
        single = WORKER_BYTES + step_bytes(trial, patches=1)
        where = f"{trial.stratum.title} on the CPUs of node {node.name}"
        has = f"Ray has {_gib(node.memory_bytes)} there"
        if single > node.memory_bytes:
            yield error(
                f"a single patch takes about {_gib(single)}, {has}",
                where=where,
                remedy="choose a smaller base_width or patch size, or a larger node",
            )
        elif whole * together > node.memory_bytes:
            yield warning(
                f"{_trial_or_cohort(resources)} takes about {_gib(whole)}, {together} run at once, and {has}",
                where=where,
                remedy=_less_at_once(resources) + _more_cpus(node, whole),
            )


def _members(resources: Resources) -> int:
    """Return how many trials may train in one process; `auto` groups only those that take little memory."""
    return 1 if resources.cohort == "auto" else resources.cohort


def _trial_or_cohort(resources: Resources) -> str:
    members = _members(resources)
    return "a trial" if members == 1 else f"a cohort of {members} trials"


def _less_at_once(resources: Resources) -> str:
    return "lower batch_size" + ("" if _members(resources) == 1 else " or `resources.cohort`")


def _gib(size_bytes: float) -> str:
    return f"{size_bytes / GIB_BYTES:.1f} GiB"


def _larger_share(needed: float) -> str:
    """Return the advice to ask for the share of a GPU that fits a trial, if there is one."""
    if needed > 1:
        return ""
    return f", or let a trial ask for {1 / math.floor(1 / needed):.2g} GPUs"


def _more_cpus(node: Node, needed_bytes: float) -> str:
    """Return the advice to ask for enough CPUs that trials side by side fit, if any number is enough."""
    fit = int(node.memory_bytes // needed_bytes)
    if not fit:
        return ""
    cpus = math.ceil(node.resources.get("CPU", 0) / fit)
    return f", or let a trial ask for {cpus} CPUs, so that fewer run at once"
