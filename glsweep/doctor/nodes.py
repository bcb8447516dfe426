"""The nodes of a cluster: what they offer, what a trial asks for, and how they differ.

Two trials with two threads each on two cores were seen to run 35 times slower than with one each.
"""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import yaml
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from glsweep.config.space import Resources
from glsweep.doctor import Finding, error, warning

HEAD = "node:__internal_head__"
ANSWER_S = 30.0


@dataclass(frozen=True)
class Node:
    """A node that runs, with the resources that Ray was told of."""

    node_id: str
    name: str
    resources: Mapping[str, float]

    @property
    def memory_bytes(self) -> float:
        """Memory for workers, without the object store; 0 where Ray does not say."""
        return self.resources.get("memory", 0.0)


@dataclass(frozen=True)
class NodeType:
    """A kind of node that the autoscaler can start."""

    name: str
    resources: Mapping[str, float]


@dataclass(frozen=True)
class Capacity:
    """What a cluster can offer to a trial, now or after scaling up.

    `hidden` says why an autoscaler's node types could not be read; None otherwise.
    """

    nodes: tuple[Node, ...]
    node_types: tuple[NodeType, ...] = ()
    hidden: str | None = None

    def offers(self) -> Iterator[Mapping[str, float]]:
        """Yield the resources of every node that runs or could be started."""
        yield from (node.resources for node in self.nodes)
        yield from (kind.resources for kind in self.node_types)

    def largest(self, resource: str) -> float:
        """Return the most of a resource that any one node has or would have."""
        return max((offer.get(resource, 0.0) for offer in self.offers()), default=0.0)


def read_capacity() -> Capacity:
    """Ask the connected Ray which nodes it has and could start."""
    alive = [node for node in ray.nodes() if node["Alive"]]
    shared = Counter(node["NodeManagerAddress"] for node in alive)
    nodes = tuple(_node(node, is_alone=shared[node["NodeManagerAddress"]] == 1) for node in alive)
    head = next((node for node in nodes if HEAD in node.resources), None)
    config, hidden = (None, None) if head is None else _autoscaling_config(head)
    return Capacity(nodes, node_types(config) if config else (), hidden)


def _node(info: Mapping[str, Any], *, is_alone: bool) -> Node:
    """Name a node by its address; several on one host are told apart by Ray's number."""
    address, node_id = info["NodeManagerAddress"], info["NodeID"]
    return Node(node_id, address if is_alone else f"{address}-{node_id[:6]}", info["Resources"])


def is_here(node: Node) -> bool:
    """Whether this process runs on `node`."""
    return bool(ray.get_runtime_context().get_node_id() == node.node_id)


def node_types(config: Mapping[str, Any]) -> tuple[NodeType, ...]:
    """Return the kinds of nodes that a cluster file lets the autoscaler start."""
    if not config.get("max_workers", 1):
        return ()
    return tuple(
        NodeType(name, kind.get("resources") or {})
        for name, kind in (config.get("available_node_types") or {}).items()
        if kind.get("max_workers", 0 if name == config.get("head_node_type") else 1)
    )


def _autoscaling_config(head: Node) -> tuple[dict[str, Any] | None, str | None]:
    """Return the cluster file that the autoscaler on the head works with, or why it cannot be read."""
    address = ray.get_runtime_context().gcs_address
    if is_here(head):
        return read_autoscaling_config(address)
    task = ray.remote(read_autoscaling_config).options(
        num_cpus=0,
        max_retries=0,
        scheduling_strategy=NodeAffinitySchedulingStrategy(head.node_id, soft=False),
    )
    try:
        found: tuple[dict[str, Any] | None, str | None] = ray.get(task.remote(address), timeout=ANSWER_S)
    except ray.exceptions.RayError as failure:
        return None, f"the head {head.name} does not answer ({type(failure).__name__})"
    return found


def read_autoscaling_config(
    address: str, processes: Path = Path("/proc")
) -> tuple[dict[str, Any] | None, str | None]:
    """Find the autoscaler's process on this host and read the file that it was started with.

    Ray publishes the node types nowhere; its monitor's command line names the file.
    """
    monitors = [
        options
        for arguments in _command_lines(processes)
        if any(Path(argument).name == "monitor.py" for argument in arguments[:5])
        and (options := _options(arguments)).get("--gcs-address") == address
    ]
    if not monitors and "RAY_USAGE_STATS_KUBERAY_IN_USE" in os.environ:
        return None, "KubeRay keeps them to itself"
    file = next((m["--autoscaling-config"] for m in monitors if "--autoscaling-config" in m), None)
    if file is None:
        return None, None
    path = Path(file).expanduser()
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as failure:
        return None, f"{path}: {' '.join(str(failure).split())}"
    return (config, None) if isinstance(config, dict) else (None, f"{path}: is no cluster file")


def _options(arguments: list[str]) -> dict[str, str]:
    return dict(argument.split("=", 1) for argument in arguments if "=" in argument)


def _command_lines(processes: Path) -> Iterator[list[str]]:
    for file in processes.glob("[0-9]*/cmdline"):
        try:
            yield [part for part in file.read_text(errors="replace").split("\0") if part]
        except OSError:
            # A process that has ended meanwhile, or belongs to somebody else.
            continue


# --- What a trial asks Ray for, and whether any node can meet it


def request_of(resources: Resources, capacity: Capacity) -> dict[str, float]:
    """Return the resources of each trial.

    It has no GPU where the cluster has none and could start none; where that is unknown, it is as the
    search space says.
    """
    has_gpus = capacity.largest("GPU") > 0 or capacity.hidden is not None
    gpus = resources.gpus if has_gpus else 0.0
    return {"CPU": resources.cpus, "GPU": gpus} if gpus else {"CPU": resources.cpus}


def unmet_request_of(resources: Resources, capacity: Capacity) -> Iterator[Finding]:
    """Find a request that would wait for ever, or that may have to wait for a node to be started."""
    request = request_of(resources, capacity)
    where, gpus = "resources", request.get("GPU", 0.0)
    request_text = f"a trial asks for {resources.cpus} CPUs and {gpus:g} GPUs"
    if any(
        all(offer.get(name, 0) >= count for name, count in request.items()) for offer in capacity.offers()
    ):
        return
    if capacity.hidden is not None:
        yield warning(
            f"{request_text}, which no running node has, and what the autoscaler could start cannot be seen "
            f"({capacity.hidden})",
            where=where,
            remedy="watch that nodes are started, or lower `resources` in the search space",
        )
        return
    best = max(capacity.offers(), key=lambda offer: (offer.get("GPU", 0), offer.get("CPU", 0)), default={})
    also = ", running or to be started," if capacity.node_types else ""
    yield error(
        f"{request_text}, the largest node{also} has {best.get('CPU', 0):g} and {best.get('GPU', 0):g}",
        where=where,
        remedy="lower `resources` in the search space, or add such a node",
    )


# --- Whether all nodes run the same Python, Ray, PyTorch and glsweep as the driver

REMEDY = "install the same lock on every node (requirements.lock, then this package)"


def version_differences(
    here: Mapping[str, str | None], there: Mapping[str, Mapping[str, str | None]]
) -> Iterator[Finding]:
    """Find the nodes whose versions differ from the driver's.

    A build label such as `+cu128`, for PyTorch on a GPU, is no difference.

    Parameters
    ----------
    here : mapping of str to (str or None)
        The driver's version of each package; None where it is not installed.
    there : mapping of str to mapping
        The same by node.
    """
    for node, versions in there.items():
        different = [
            f"{package} {versions.get(package) or 'none'} instead of {version or 'none'}"
            for package, version in here.items()
            if _public(versions.get(package)) != _public(version)
        ]
        if different:
            yield error(f"has {', '.join(different)}", where=f"node {node}", remedy=REMEDY)


def _public(version: str | None) -> str | None:
    if version is None:
        return None
    number, _, rest = version.partition(" ")
    return f"{number.partition('+')[0]} {rest}".strip()


# --- Whether trials that run side by side have more threads than there are cores


def too_many_threads(
    node: str, *, resources: Resources, together: int, cores: int, threads: Mapping[str, str]
) -> Iterator[Finding]:
    """Find trials on a node that would have more threads than there are cores.

    Parameters
    ----------
    node : str
        Its name.
    resources : Resources
        What a trial asks for; it starts as many threads as it has CPUs.
    together : int
        Trials that Ray would run there at once.
    cores : int
        Cores that the node really lets its processes use.
    threads : mapping of str to str
        The environment variables that set numbers of threads, where they are set.
    """
    where = f"node {node}"
    if together * resources.cpus > cores:
        yield warning(
            f"{together} trials with {resources.cpus} threads each would share {cores} cores",
            where=where,
            remedy=f"start Ray there with --num-cpus={cores}",
        )
    for name, value in threads.items():
        if together and value.isdigit() and int(value) > resources.cpus:
            yield warning(
                f"{name}={value}, but a trial has {resources.cpus} CPUs",
                where=where,
                remedy=f"unset {name} there, or set it to {resources.cpus}",
            )
