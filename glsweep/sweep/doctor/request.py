"""What a trial asks Ray for, and whether any node can ever meet it."""

from collections.abc import Iterator

from glsweep.config.space import Resources
from glsweep.sweep.doctor.finding import Finding, error, warning
from glsweep.sweep.doctor.nodes import Capacity


def request_of(resources: Resources, capacity: Capacity) -> dict[str, float]:
    """Return what each trial is to take.

    No GPU where the cluster has none and could start none; where that cannot be seen, one is asked
    for as the search space says.
    """
    has_gpus = capacity.largest("GPU") > 0 or capacity.hidden is not None
    gpus = resources.gpus if has_gpus else 0.0
    return {"CPU": resources.cpus, "GPU": gpus} if gpus else {"CPU": resources.cpus}


def unmet(resources: Resources, capacity: Capacity) -> Iterator[Finding]:
    """Find a request that would wait for ever, or that may have to wait for a node to be started."""
    request = request_of(resources, capacity)
    where, gpus = "resources", request.get("GPU", 0.0)
    asked = f"a trial asks for {resources.cpus} CPUs and {gpus:g} GPUs"
    if any(
        all(offer.get(name, 0) >= count for name, count in request.items()) for offer in capacity.offers()
    ):
        return
    if capacity.hidden is not None:
        yield warning(
            f"{asked}, which no running node has, and what the autoscaler could start cannot be seen "
            f"({capacity.hidden})",
            where=where,
            remedy="watch that nodes are started, or lower `resources` in the search space",
        )
        return
    best = max(capacity.offers(), key=lambda offer: (offer.get("GPU", 0), offer.get("CPU", 0)), default={})
    also = ", running or to be started," if capacity.node_types else ""
    yield error(
        f"{asked}, the largest node{also} has {best.get('CPU', 0):g} and {best.get('GPU', 0):g}",
        where=where,
        remedy="lower `resources` in the search space, or add such a node",
    )
