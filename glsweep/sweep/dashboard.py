"""Optuna's dashboard over a sweep's Optuna study, served to this machine alone."""

import errno
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.storages import BaseStorage
from optuna_dashboard import wsgi

from glsweep.errors import ConfigError

LOOPBACK = "127.0.0.1"


class _Server(ThreadingMixIn, WSGIServer):
    """Answers several requests at once, and waits for none of them at the end."""

    daemon_threads = True


class _Handler(WSGIRequestHandler):
    """Says nothing of requests that went well."""

    def log_request(self, code: Any = "-", size: Any = "-") -> None:
        """Keep the terminal free."""


@contextmanager
def serving(storage: BaseStorage, port: int) -> Iterator[str]:
    """Serve the dashboard of a storage within this block.

    Yields
    ------
    str
        Its address.

    Raises
    ------
    ConfigError
        When the port is in use, or is not one that this user may take.
    """
    try:
        server = make_server(LOOPBACK, port, wsgi(storage), server_class=_Server, handler_class=_Handler)
    except (OSError, OverflowError) as error:
        reason = (
            "is in use" if getattr(error, "errno", None) == errno.EADDRINUSE else f"cannot be had ({error})"
        )
        raise ConfigError(
            f"--port {port}: {reason}; name another, such as --port {port % 60000 + 1}"
        ) from error
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/dashboard"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
