"""Ray on this machine or on a cluster, and whether it can give what a trial asks for."""

import gc
import logging
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import ray
from ray.exceptions import AuthenticationError

from glsweep.config.space import Resources
from glsweep.errors import ResourceError
from glsweep.sweep.doctor.nodes import capacity
from glsweep.sweep.doctor.request import request_of, unmet
from glsweep.sweep.doctor.this_machine import give_key, lacking, ray_folder
from glsweep.sweep.signals import kept_handlers, signals_for_this_process_alone

CONNECT_S = 5.0
# How the protocol of Ray's servers begins (RFC 9113, section 3.4).
HTTP2_SETTINGS = b"\x04"
HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00" + HTTP2_SETTINGS + bytes(5)
# Ten trials with a tenth of a GPU each fill it.
ROUNDING = 1e-6


@contextmanager
def connected(address: str | None) -> Iterator[None]:
    """Start Ray on this machine, or join the cluster at `address`.

    Raises
    ------
    ResourceError
        When Ray cannot start here, with the reason, or no cluster answers at `address`.
    """
    with kept_handlers(), ray_folder() as folder:
        try:
            _connect(address, folder)
            yield
        finally:
            # What still refers to Ray must go before it does: should another thread's garbage collection
            # find it later, Ray ends the process without a word.
            gc.collect()
            ray.shutdown()


def _connect(address: str | None, folder: Path) -> None:
    """Start or join Ray, and keep the command's own handlers of signals."""
    try:
        with signals_for_this_process_alone(), kept_handlers():
            if address is None:
                _start(folder)
            else:
                _join(address)
    except SystemExit:
        # From the handler that Ray puts in place; the command's own one is to hear it instead.
        signal.raise_signal(signal.SIGTERM)


def _start(folder: Path) -> None:
    for finding in lacking():
        raise ResourceError(str(finding))
    give_key()
    try:
        ray.init(
            address="local",
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address="127.0.0.1",
            _temp_dir=str(folder),
        )
    except Exception as error:  # Ray raises bare ones too
        raise ResourceError(
            f"Ray does not start on this machine ({_short(error)}); "
            f"its logs in {folder / 'session_latest' / 'logs'} may say more"
        ) from error


def _join(address: str) -> None:
    try:
        _knock(address)
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except AuthenticationError as error:
        raise ResourceError(
            f"Ray at {address} asks for its key, and none is here; copy ~/.ray/auth_token from its head to "
            "this home, or name it by RAY_AUTH_TOKEN_PATH"
        ) from error
    except Exception as error:
        raise ResourceError(
            f"Ray at {address} does not answer ({_short(error)}); "
            "start the cluster, check --address, or leave it out to run here"
        ) from error


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _knock(address: str) -> None:
    """Raise OSError where nobody listens, or not Ray: it would try again for a quarter of an hour."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return
    place = host.removeprefix("ray://").strip("[]"), int(port)
    with socket.create_connection(place, CONNECT_S) as connection:
        if os.environ.get("RAY_USE_TLS", "0") != "0":
            return
        connection.sendall(HTTP2_GREETING)
        # Each frame has its length in three bytes, then its kind.
        if connection.recv(4)[3:] != HTTP2_SETTINGS:
            raise OSError("what listens there is not Ray")


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
