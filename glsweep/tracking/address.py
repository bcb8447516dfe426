"""The address of MLflow's store: from a path to a URI and back, and the page on which runs are compared."""

import os
import re
import shlex
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from glsweep.errors import StudyError
from glsweep.study import Study
from glsweep.tracking.labels import metric_name

SERVERS = ("http://", "https://")
PAGES = "http://127.0.0.1:5000"
"""Where `mlflow ui` shows its pages."""
DRIVER_OPTIONS = {"timeout", "isolation_level", "detect_types", "check_same_thread", "cached_statements"}


def tracking_uri(study: Study) -> str:
    """Return `MLFLOW_TRACKING_URI`, or without it a SQLite file within the study."""
    return os.environ.get("MLFLOW_TRACKING_URI") or sqlite_uri(study.mlflow_db.resolve())


def sqlite_uri(path: Path) -> str:
    """Return the URI under which SQLAlchemy, MLflow and its commands open a SQLite file.

    What follows a `?` would be lost, and a `%` be decoded, hence the quoting. With the driver's
    name MLflow does not take the quoted path for a folder that it has to make.
    """
    text = str(path)
    return f"sqlite+pysqlite:///{quote(text)}" if "?" in text or "%" in text else f"sqlite:///{text}"


def sqlite_path(uri: str) -> Path | None:
    """Return the file that a URI names, or None when it names no SQLite file.

    Raises
    ------
    StudyError
        When the URI says something after a `?` that is no option, such as the rest of a path.
    """
    if not uri.startswith("sqlite"):
        return None
    try:
        url = make_url(uri)
    except ArgumentError:
        return None
    options = dict(parse_qsl(uri.partition("?")[2], keep_blank_values=True))
    if "uri" not in options and options.keys() - DRIVER_OPTIONS:
        raise StudyError(
            f"{without_password(uri)}: what follows the `?` is not read as part of the path; "
            "in the path write ? as %3F and % as %25"
        )
    database = url.database or ":memory:"
    if database.startswith("file:") and "uri" in options:
        database = unquote(urlsplit(database).path)
    return None if ":memory:" in database else Path(database).resolve()


def without_password(text: str) -> str:
    """Return `text` with the user and the password of every address in it hidden."""
    return re.sub(r"://[^/@\s]+@", "://***@", text)


def browse_command(uri: str) -> str | None:
    """Return a command that opens the store in MLflow's pages, as it can be pasted; None for a server."""
    if uri.startswith(SERVERS):
        return None
    # A password belongs neither on the screen nor in the shell's history.
    store = shlex.quote(uri) if uri == without_password(uri) else '"$MLFLOW_TRACKING_URI"'
    return f"mlflow ui --backend-store-uri {store} --host 127.0.0.1"


def trials_page(uri: str, experiment_id: str, study_id: str, figure: str) -> str:
    """Return the address of the page that shows a study's trials alone, the best first."""
    ours = f"tags.`glsweep.study_id` = '{study_id}' and tags.`glsweep.kind` = 'trial'"
    best = f"metrics.`{metric_name(f'best_{figure}')}`"
    shown = f"searchFilter={quote(ours, safe='')}&orderByKey={quote(best, safe='')}&orderByAsc=false"
    return f"{_pages(uri)}/#/experiments/{experiment_id}/runs?{shown}"


def _pages(uri: str) -> str:
    if not uri.startswith(SERVERS):
        return PAGES
    parts = urlsplit(uri)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
