"""Whether the trials that share a device, or a node's memory, fit into it."""

import math
from collections.abc import Iterator, Mapping, Sequence

from glsweep.config.space import Resources
from glsweep.config.trial import TrialParameters
from glsweep.sweep.doctor.finding import Finding, error, warning
from glsweep.sweep.doctor.footprint import step_bytes
from glsweep.sweep.doctor.nodes import Node

GIB_BYTES = 2**30
# Kernels, cuBLAS and cuDNN of one process; 0.3 to 0.6 GiB from one generation of GPUs to another.
CUDA_PROCESS_BYTES = 0.5 * GIB_BYTES
# A worker that has imported Ray, PyTorch and this package: 0.45 GiB of its own.
WORKER_BYTES = 0.5 * GIB_BYTES
# As `training.patches_on_device` has it: more patches than that stay on the host.
STORE_SHARE_OF_DEVICE = 0.25


def side_by_side(resources: Resources, node: Node, request: Mapping[str, float]) -> int:
    """Return how many trials Ray would run on a node at once."""
    places = int(node.resources.get("CPU", 0) // resources.cpus)
    gpus = request.get("GPU", 0.0)
    return min(places, int(node.resources.get("GPU", 0) // gpus)) if gpus else places


def sharing(resources: Resources) -> int:
    """Return how many trials share a GPU: 1/gpus of them."""
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
        Whose smallest GPU has `device_bytes`.
    resources : Resources
        What a trial asks for. Ray counts a share of a GPU, and does not enforce it.
    trials : sequence of TrialParameters
        One of each stratum.
    patch_bytes : mapping of int to int
        By patch size in pixels, of training and validation together.
    """
    together = min(sharing(resources), max(1, int(node.resources.get("CPU", 0) // resources.cpus)))
    for trial in trials:
        stored = patch_bytes.get(trial.patch_size_px, 0)
        on_device = stored if stored <= STORE_SHARE_OF_DEVICE * device_bytes else 0
        beside = CUDA_PROCESS_BYTES + on_device
        whole, single = (
            beside + _members(resources) * step_bytes(trial),
            beside + step_bytes(trial, patches=1),
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
                f"{_who(resources)} takes about {_gib(whole)}, {has}; it will train in parts or fail",
                where=where,
                remedy=_less_at_once(resources) + _larger_share(whole / device_bytes),
            )


def too_big_for_node(
    node: Node, *, resources: Resources, trials: Sequence[TrialParameters]
) -> Iterator[Finding]:
    """Find trials that, run on the CPUs of `node` side by side, do not fit into its memory."""
    together = side_by_side(resources, node, {})
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
                f"{_who(resources)} takes about {_gib(whole)}, {together} run at once, and {has}",
                where=where,
                remedy=_less_at_once(resources) + _more_cpus(node, whole),
            )


def _members(resources: Resources) -> int:
    """Return how many trials may train in one place; those that `auto` lets do so take little memory."""
    return 1 if resources.cohort == "auto" else resources.cohort


def _who(resources: Resources) -> str:
    members = _members(resources)
    return "a trial" if members == 1 else f"a cohort of {members} trials"


def _less_at_once(resources: Resources) -> str:
    return "lower batch_size" + ("" if _members(resources) == 1 else " or `resources.cohort`")


def _gib(size_bytes: float) -> str:
    return f"{size_bytes / GIB_BYTES:.1f} GiB"


def _larger_share(needed: float) -> str:
    """Return the advice to ask for a share of a GPU that gives a trial `needed` of it, if any does."""
    if needed > 1:
        return ""
    return f", or let a trial ask for {1 / math.floor(1 / needed):.2g} GPUs"


def _more_cpus(node: Node, needed_bytes: float) -> str:
    """Return the advice to ask for so many CPUs that the trials side by side fit, if any number does."""
    fit = int(node.memory_bytes // needed_bytes)
    if not fit:
        return ""
    cpus = math.ceil(node.resources.get("CPU", 0) / fit)
    return f", or let a trial ask for {cpus} CPUs, so that fewer run at once"
