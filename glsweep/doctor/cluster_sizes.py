"""More faults of a cluster file: numbers of nodes, and what they offer to trials."""

import re
from collections.abc import Iterator

from glsweep.doctor import Finding
from glsweep.doctor.cluster_file import HEAD, WORKER, ClusterFile

AWS_INSTANCE_TYPE = re.compile(
    r"[a-z]+[0-9]+[a-z0-9-]*\.(nano|micro|small|medium|large|[0-9]*xlarge|metal(-[0-9a-z]+)?)"
)
AWS_GPU_FAMILY = re.compile(r"(g|p)[0-9]|gr[0-9]")


def minimum_above_maximum(file: ClusterFile) -> Iterator[Finding]:
    """A type of node has a larger minimum than maximum."""
    for name, kind in file.node_types.items():
        lowest, highest = kind.get("min_workers", 0), kind.get("max_workers", 0)
        if lowest > highest:
            yield file.find(
                "error",
                f"available_node_types.{name}",
                f"min_workers {lowest} is above max_workers {highest}",
                "raise max_workers or lower min_workers",
            )


def no_workers(file: ClusterFile) -> Iterator[Finding]:
    """No worker can ever be started."""
    if not file.worker_types or not file.prepared.get("max_workers"):
        yield file.find(
            "error",
            "max_workers",
            "no worker can ever be started",
            "raise max_workers, here and in a node type",
        )


def fewer_than_hosts(file: ClusterFile) -> Iterator[Finding]:
    """More hosts are listed than may be used."""
    hosts, most = len(file.provider.get("worker_ips") or ()), file.given.get("max_workers")
    if most is not None and most < hosts:
        yield file.find(
            "warning",
            "max_workers",
            f"{most} of {hosts} hosts in provider.worker_ips would be used",
            f"set max_workers to {hosts}",
        )


def listed_hosts_under_autoscaler_v2(file: ClusterFile) -> Iterator[Finding]:
    """Ray 2.60's default autoscaler was seen to start one of two listed hosts."""
    listed = file.provider["type"] == "local" and "worker_ips" in file.provider
    if listed and not re.search(r"RAY_enable_autoscaler_v2=(0|false)\b", file.commands(HEAD)):
        yield file.find(
            "error",
            "head_start_ray_commands",
            "the default autoscaler starts only some of a list of hosts",
            "export RAY_enable_autoscaler_v2=0 before `ray start` on the head",
        )


def unknown_instance_type(file: ClusterFile) -> Iterator[Finding]:
    """An instance type that AWS does not have."""
    if file.provider["type"] != "aws":
        return
    for name, kind in file.node_types.items():
        instance = (kind.get("node_config") or {}).get("InstanceType")
        if not isinstance(instance, str) or not AWS_INSTANCE_TYPE.fullmatch(instance):
            yield file.find(
                "error",
                f"available_node_types.{name}.node_config.InstanceType",
                f"{instance!r} is no type of instance",
                "write family.size, such as g5.xlarge",
            )


def unmet_request(file: ClusterFile) -> Iterator[Finding]:
    """No type of node offers what a trial asks for, as far as the file says what they offer."""
    request = file.resources
    offers = [_offer(kind) for kind in file.worker_types.values()]
    if request is None or not offers or file.provider["type"] == "local":
        return
    for resource, count in (("GPU", request.gpus), ("CPU", request.cpus)):
        known = [offer.get(resource) for offer in offers]
        if all(have is not None and have < count for have in known):
            yield file.find(
                "error" if resource == "CPU" else "warning",
                "available_node_types",
                f"a trial asks for {count:g} {resource}s, no type of worker has them",
                "add such a type, or lower `resources` in the search space",
            )


def head_takes_trials(file: ClusterFile) -> Iterator[Finding]:
    """Trials on the head compete with the driver and MLflow, and the head is never given back."""
    kind = file.node_types[file.head_type].get("resources") or {}
    if kind.get("CPU") == 0 or re.search(r"--num-cpus[= ]0\b", file.start(HEAD)):
        return
    local = file.provider["type"] == "local"
    yield file.find(
        "warning",
        "head_start_ray_commands" if local else f"available_node_types.{file.head_type}.resources",
        "the head offers its CPUs to trials",
        "start Ray on the head with --num-cpus=0" if local else "set resources: {CPU: 0}",
    )


def no_idle_timeout(file: ClusterFile) -> Iterator[Finding]:
    """Idle nodes cost money."""
    if file.given.get("idle_timeout_minutes") is None:
        yield file.find(
            "warning",
            "idle_timeout_minutes",
            "is not set",
            "say after how many minutes an idle node is given back",
        )


def workers_without_head(file: ClusterFile) -> Iterator[Finding]:
    """Workers that do not know where the head is."""
    if not re.search(r"ray start\b.*--address[= ]['\"]?\$\{?RAY_HEAD_IP\b", file.start(WORKER)):
        yield file.find(
            "error",
            "worker_start_ray_commands",
            "workers are not told the head's address",
            "start them with `ray start --address=$RAY_HEAD_IP:6379`",
        )


def _offer(kind: dict[str, object]) -> dict[str, float | None]:
    """Return what a type offers; None where Ray finds it out on the node."""
    stated = kind.get("resources")
    known = dict(stated) if isinstance(stated, dict) else {}
    config = kind.get("node_config")
    instance = str(config.get("InstanceType", "")) if isinstance(config, dict) else ""
    if not known and instance and not AWS_GPU_FAMILY.match(instance):
        return {"GPU": 0, "CPU": None}
    return {"GPU": known.get("GPU", 0), "CPU": known.get("CPU", 0)} if known else {}


SIZE_RULES = (
    minimum_above_maximum,
    no_workers,
    fewer_than_hosts,
    listed_hosts_under_autoscaler_v2,
    unknown_instance_type,
    unmet_request,
    head_takes_trials,
    no_idle_timeout,
    workers_without_head,
)
