"""Ray on this machine or on a cluster, and whether it can give what a trial asks for."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import ray

from glsweep.config.space import Resources
from glsweep.errors import ResourceError


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Start Ray on this machine, or join the cluster at `address`.

    Raises
    ------
    ResourceError
        When no cluster answers at `address`.
    """
    try:
        if address is None:
            ray.init(
                address="local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                _node_ip_address="127.0.0.1",
            )
        else:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ResourceError(
            f"Ray at {address or 'this machine'} does not start or answer ({reason}); "
            "check --address, or leave it out to run here"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def trial_request(resources: Resources) -> dict[str, float]:
    """Return what each trial is to take, without a GPU where the cluster has none.

    Raises
    ------
    ResourceError
        When no single node could ever meet the request: it would wait for ever.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = resources.gpus if any(node.get("GPU", 0) > 0 for node in nodes) else 0.0
    if not any(node.get("CPU", 0) >= resources.cpus and node.get("GPU", 0) >= gpus for node in nodes):
        largest = max(nodes, key=lambda node: (node.get("GPU", 0), node.get("CPU", 0)))
        raise ResourceError(
            f"resources: a trial asks for {resources.cpus} CPUs and {gpus:g} GPUs, the largest node has "
            f"{largest.get('CPU', 0):g} and {largest.get('GPU', 0):g}; lower `resources` in the search space"
        )
    return {"CPU": resources.cpus, "GPU": gpus} if gpus else {"CPU": resources.cpus}
