"""Whether MLflow answers, without touching anything in it."""

import os
import urllib.request
from urllib.error import HTTPError

from sqlalchemy import create_engine

from glsweep.tracking.address import SERVERS, sqlite_path
from glsweep.tracking.away import reached

ANSWER_S = 8.0
SERVER_ERROR = 500


def reach(uri: str) -> None:
    """Ask the server or open the database at `uri`; a server that wants a password has answered.

    Raises
    ------
    StoreError
        When nothing answers there within seconds, or a SQLite file could not be written.
    """
    with reached(uri):
        path = sqlite_path(uri)
        if uri.startswith(SERVERS):
            _ask(f"{uri.rstrip('/')}/health")
        elif path is not None and not path.exists():
            # Opening it would make it.
            folder = next(parent for parent in path.parents if parent.exists())
            if not (folder.is_dir() and os.access(folder, os.W_OK)):
                raise PermissionError(f"{folder} is no folder that can be written")
        else:
            engine = create_engine(uri)
            try:
                engine.connect().close()
            finally:
                engine.dispose()


def _ask(address: str) -> None:
    try:
        urllib.request.urlopen(address, timeout=ANSWER_S).close()
    except HTTPError as error:
        error.close()
        if error.code >= SERVER_ERROR:
            raise
