"""Whether MLflow answers, without touching anything in it."""

import urllib.request
from urllib.error import HTTPError

from sqlalchemy import create_engine

from glsweep.tracking.store import reached

ANSWER_S = 8.0
SERVER_ERROR = 500


def reach(uri: str) -> None:
    """Ask the server or open the database at `uri`; a server that wants a password has answered.

    Raises
    ------
    StoreError
        When nothing answers there within seconds.
    """
    with reached(uri):
        if uri.startswith(("http://", "https://")):
            _ask(f"{uri.rstrip('/')}/health")
        else:
            create_engine(uri).connect().close()


def _ask(address: str) -> None:
    try:
        urllib.request.urlopen(address, timeout=ANSWER_S).close()
    except HTTPError as error:
        error.close()
        if error.code >= SERVER_ERROR:
            raise
