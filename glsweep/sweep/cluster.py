"""Ray on this machine or on a cluster, and whether it can give what a trial asks for."""

import gc
import logging
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import ray

from glsweep.config.space import Resources
from glsweep.errors import ResourceError
from glsweep.sweep.doctor.nodes import capacity
from glsweep.sweep.doctor.request import request_of, unmet
from glsweep.sweep.signals import end_on_sigterm, kept_handlers

CONNECT_S = 5.0
# Ten trials with a tenth of a GPU each fill it.
ROUNDING = 1e-6


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Start Ray on this machine, or join the cluster at `address`.

    Raises
    ------
    ResourceError
        When no cluster answers at `address`.
    """
    with kept_handlers():
        try:
            _connect(address)
            end_on_sigterm()
            yield
        finally:
            # What still refers to Ray must go before it does: should another thread's garbage collection
            # find it later, Ray ends the process without a word.
            gc.collect()
            ray.shutdown()


def _connect(address: str | None) -> None:
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
            _knock(address)
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ResourceError(
            f"Ray at {address or 'this machine'} does not start or answer ({reason}); "
            "check --address, or leave it out to run here"
        ) from error


def _knock(address: str) -> None:
    """Raise OSError where nobody listens: Ray would try again for a quarter of an hour."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.removeprefix("ray://").strip("[]"), int(port)), CONNECT_S).close()


def trial_request(resources: Resources) -> dict[str, float]:
    """Return what each trial is to take, without a GPU where the cluster has none and can start none.

    Raises
    ------
    ResourceError
        When no single node could ever meet the request: it would wait for ever.
    """
    has = capacity()
    for finding in unmet(resources, has):
        if finding.severity == "error":
            raise ResourceError(str(finding))
    return request_of(resources, has)


def trials_at_once(request: Mapping[str, float]) -> int | None:
    """Return how many trials can train side by side, None where nodes may still come or go."""
    has = capacity()
    if len(has.nodes) > 1 or has.node_types or has.hidden is not None:
        return None
    resources = has.nodes[0].resources
    return min(int(resources.get(name, 0) / amount + ROUNDING) for name, amount in request.items())
