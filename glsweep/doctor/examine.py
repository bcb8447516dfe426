"""All checks in their order, for a sweep and for the command `doctor`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from glsweep.config.space import Resources
from glsweep.doctor import Finding, cluster_file, cluster_sizes, error, memory, nodes, probe, warning
from glsweep.doctor.connection import connected, limitations, missing_requirements
from glsweep.doctor.memory import SweepRequirements
from glsweep.doctor.nodes import Capacity, Node, read_capacity, request_of, unmet_request_of
from glsweep.doctor.probe import NodeAnswer, describe_node
from glsweep.errors import ResourceError, StudyError
from glsweep.tracking.address import check_reachable

FILE_RULES = (*cluster_sizes.SIZE_RULES, *cluster_file.SOFTWARE_RULES, *cluster_file.EXPOSURE_RULES)
CLUSTER_CHECKS = (
    "requests",
    "nodes that answer",
    "versions",
    "storage",
    "memory",
    "threads",
    "this machine",
)


@dataclass(frozen=True)
class NodeAnswers:
    """The answers of nodes by their name, and for those that did not answer the reason."""

    by_node: Mapping[str, NodeAnswer]
    silent: Mapping[str, str]


def examine_file(path: Path, resources: Resources | None = None) -> list[Finding]:
    """Return what is wrong with a cluster file, beginning with what Ray itself refuses.

    Parameters
    ----------
    path : Path
        The file; paths within it are relative to the working folder, as for `ray up`.
    resources : Resources, optional
        What a trial asks for.
    """
    opened = cluster_file.open_cluster_file(path, resources)
    return [opened] if isinstance(opened, Finding) else cluster_file.examine(opened, FILE_RULES)


def examine_cluster(
    requirements: SweepRequirements, *, storage_root: str | None = None, answer_s: float = nodes.ANSWER_S
) -> list[Finding]:
    """Return what is wrong with the connected cluster for a sweep. Ray must be connected.

    If the only node is this one, nothing is sent.

    Parameters
    ----------
    requirements : SweepRequirements
        What the sweep asks for.
    storage_root : str, optional
        Absolute folder or URI of the checkpoints, which all nodes must share.
    answer_s : float
        Seconds in which every node must have answered.
    """
    capacity = read_capacity()
    findings = list(unmet_request_of(requirements.resources, capacity))
    with ExitStack() as stack:
        folder = None
        if storage_root is not None:
            try:
                folder = stack.enter_context(probe.storage_probe(storage_root))
            except probe.FAILURES as failure:
                findings.append(probe.unwritable_storage(storage_root, failure))
        answers = _ask(capacity.nodes, folder, answer_s)
        if folder is not None and storage_root is not None:
            faults = {node: answer["storage_fault"] for node, answer in answers.by_node.items()}
            findings += probe.unshared_storage(folder, faults, storage_root)
    findings += (_silent(node, reason) for node, reason in answers.silent.items())
    here = describe_node("driver", gpus=0)["versions"]
    findings += nodes.version_differences(
        here, {name: answer["versions"] for name, answer in answers.by_node.items()}
    )
    findings += _by_node(requirements, capacity, answers)
    if len(capacity.nodes) == 1 and nodes.is_here(capacity.nodes[0]):
        findings += limitations(capacity.nodes[0].resources.get("object_store_memory", 0.0))
    return findings


def check_before_sweep(
    requirements: SweepRequirements, *, storage_root: str | None, console: Console
) -> None:
    """Print the warnings, and refuse to go on with an error. Ray must be connected.

    Raises
    ------
    ResourceError
        With the first error, in one line.
    """
    findings = examine_cluster(requirements, storage_root=storage_root)
    for finding in findings:
        if finding.severity == "error":
            raise ResourceError(str(finding))
        console.print(Text.assemble(("warning: ", "yellow"), str(finding)), soft_wrap=True)


def _by_node(requirements: SweepRequirements, capacity: Capacity, answers: NodeAnswers) -> Iterator[Finding]:
    """Yield the trials that do not fit a node's GPUs, memory or cores."""
    request = request_of(requirements.resources, capacity)
    for node in capacity.nodes:
        together = memory.trials_per_node(requirements.resources, node, request)
        answer = answers.by_node.get(node.name)
        if not together or answer is None:
            continue
        if "GPU" not in request:
            yield from memory.too_big_for_node(
                node, resources=requirements.resources, trials=requirements.trials
            )
        elif answer["gpu_bytes"] is not None:
            yield from memory.too_big_for_device(
                node,
                answer["gpu_bytes"],
                resources=requirements.resources,
                trials=requirements.trials,
                patch_bytes=requirements.patch_bytes,
            )
        yield from nodes.too_many_threads(
            node.name,
            resources=requirements.resources,
            together=together,
            cores=answer["cores"],
            threads=answer["threads"],
        )


def _ask(targets: Sequence[Node], folder: str | None, answer_s: float) -> NodeAnswers:
    """Have every node describe itself at once, however busy it is: the task requests no CPU of Ray."""
    if len(targets) == 1 and nodes.is_here(targets[0]):
        node = targets[0]
        gpus = node.resources.get("GPU", 0)
        return NodeAnswers({node.name: describe_node(node.name, gpus=gpus, storage=folder)}, {})
    task = ray.remote(describe_node)
    tasks = {
        node.name: task.options(
            num_cpus=0,
            max_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node.node_id, soft=False),
        ).remote(node.name, gpus=node.resources.get("GPU", 0), storage=folder)
        for node in targets
    }
    ready, late = ray.wait(list(tasks.values()), num_returns=len(tasks), timeout=answer_s)
    for reference in late:
        ray.cancel(reference, force=True)
    answered, silent = {}, {}
    for name, reference in tasks.items():
        if reference not in ready:
            silent[name] = f"did not answer within {answer_s:g} s"
            continue
        try:
            answered[name] = ray.get(reference)
        except ray.exceptions.RayError as failure:
            last = str(failure).strip().splitlines()[-1]
            silent[name] = f"cannot run this package ({last.strip()[:160]})"
    return NodeAnswers(answered, silent)


def _silent(node: str, reason: str) -> Finding:
    return error(
        reason,
        where=f"node {node}",
        remedy="look at it with `ray status`, install the lock there, or remove it",
    )


# --- The command `doctor`

COLOURS = {"error": "red", "warning": "yellow"}


def doctor(
    *,
    cluster_yaml: Path | None,
    address: str | None,
    requirements: SweepRequirements,
    storage: str | None,
    console: Console,
) -> int:
    """Check a cluster file, or else the cluster at `address`, or else this machine; print what is found.

    A file is checked without a cluster, unless `address` is given as well.

    Parameters
    ----------
    cluster_yaml : Path, optional
        A file for `ray up`.
    address : str, optional
        A cluster's address; None starts Ray on this machine.
    requirements : SweepRequirements
        What the sweep asks for, see `requirements_of`.
    storage : str, optional
        Folder or URI of the checkpoints.
    console : Console
        Where the findings are printed.

    Returns
    -------
    int
        Exit code: 2 when there is an error among the findings, else 0.
    """
    findings, checks = [], 0
    if cluster_yaml is not None:
        findings += examine_file(cluster_yaml, requirements.resources)
        checks += 1 + len(FILE_RULES)
    if cluster_yaml is None or address is not None:
        root = None if storage is None or "://" in storage else str(Path(storage).resolve())
        findings += _examine_at(address, requirements, root or storage)
        findings += _unreachable_tracking()
        checks += 1 + len(CLUSTER_CHECKS)
    print_findings(findings, console, checks=checks)
    return 2 if any(finding.severity == "error" for finding in findings) else 0


def print_findings(findings: Sequence[Finding], console: Console, *, checks: int) -> None:
    """Print a table of findings, errors first, or one line that says that there are none."""
    if not findings:
        console.print(f"no findings: {checks} checks", highlight=False)
        return
    table = Table(box=None, pad_edge=False)
    for column in ("severity", "where", "what", "what to do"):
        table.add_column(column, overflow="fold")
    for finding in sorted(findings, key=lambda finding: finding.severity):
        style = COLOURS[finding.severity]
        table.add_row(f"[{style}]{finding.severity}[/{style}]", *_escaped(finding))
    console.print(table)
    console.print(f"{len(findings)} findings: {checks} checks", highlight=False)


def _escaped(finding: Finding) -> tuple[str, str, str]:
    where, what, remedy = (escape(text) for text in (finding.where, finding.what, finding.remedy))
    return where, what, remedy


def _examine_at(address: str | None, requirements: SweepRequirements, storage: str | None) -> list[Finding]:
    if address is None and (missing := list(missing_requirements())):
        return missing
    try:
        with connected(address):
            return examine_cluster(requirements, storage_root=storage)
    except ResourceError as failure:
        what, _, remedy = str(failure).rpartition("; ")
        where = "this machine" if address is None else f"--address {address}"
        return [error(what, where=where, remedy=remedy)]


def _unreachable_tracking() -> list[Finding]:
    """Return a warning where MLflow does not answer: `track` sends the metrics later."""
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        return []
    try:
        check_reachable(uri)
    except StudyError as failure:
        return [
            warning(str(failure), where="MLFLOW_TRACKING_URI", remedy="metrics can be sent later by `track`")
        ]
    return []
