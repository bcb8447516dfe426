"""Tags as MLflow takes them, the URI of its store, and what happens when it fails."""

import math
import os
import re
import shlex
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

from mlflow.exceptions import MlflowException
from rich.console import Console
from rich.text import Text
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from glsweep.config.labels import Labelled, parameter_label
from glsweep.errors import GlsweepError, StudyError
from glsweep.study import Study

Tags = Mapping[str, Labelled]
"""By which runs and versions are found and described; a name without a dot goes under `glsweep.`."""


def metric_name(name: str) -> str:
    """Return `name` as MLflow accepts it: `@` becomes `_at_`, any other character that it refuses `_`."""
    return re.sub(r"[^\w\-. :/]", "_", name.replace("@", "_at_"), flags=re.ASCII)


def metric_value(value: float) -> float:
    """Return `value`, or NaN where it is infinite.

    MLflow's SQL stores keep an infinity as 1.8e308, which ruins the scale of every chart;
    NaN they keep as such.
    """
    return float(value) if math.isfinite(value) else math.nan


def as_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return `metrics` with names and values as MLflow takes them."""
    return {metric_name(name): metric_value(value) for name, value in metrics.items()}


def as_tags(values: Tags) -> dict[str, str]:
    """Return `values` as tags: a name without a dot goes under `glsweep.`."""
    return {
        name if "." in name else f"glsweep.{name}": parameter_label(value) for name, value in values.items()
    }


# --- The URI of the store, and the page on which runs are compared

SERVERS = ("http://", "https://")
LOCAL_PAGES = "http://127.0.0.1:5000"
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
        When the URI has something after a `?` that is no option, such as the rest of a path.
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
    """Return a shell command that opens the store in MLflow's pages; None for a server, which has its own."""
    if uri.startswith(SERVERS):
        return None
    # A password belongs neither on the screen nor in the shell's history.
    store = shlex.quote(uri) if uri == without_password(uri) else '"$MLFLOW_TRACKING_URI"'
    return f"mlflow ui --backend-store-uri {store} --host 127.0.0.1"


def trials_page(uri: str, experiment_id: str, study_id: str, metric: str) -> str:
    """Return the address of the page that shows a study's trials alone, the best first."""
    only_trials = f"tags.`glsweep.study_id` = '{study_id}' and tags.`glsweep.kind` = 'trial'"
    best = f"metrics.`{metric_name(f'best_{metric}')}`"
    shown = f"searchFilter={quote(only_trials, safe='')}&orderByKey={quote(best, safe='')}&orderByAsc=false"
    return f"{_pages(uri)}/#/experiments/{experiment_id}/runs?{shown}"


def _pages(uri: str) -> str:
    if not uri.startswith(SERVERS):
        return LOCAL_PAGES
    parts = urlsplit(uri)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))


# --- What happens when MLflow fails: the study goes on, and one line says what to do

LONGEST_REASON = 200
EXPECTED = (MlflowException, SQLAlchemyError, OSError, ImportError)
"""Errors of MLflow that say what is wrong; of any other the type is shown too."""


class StoreError(StudyError):
    """MLflow's store cannot be reached or used; no metric is lost, since the ledger has them all."""


@contextmanager
def errors_of_store(uri: str) -> Iterator[None]:
    """Turn any failure of MLflow or its store into one line that names `uri` and the remedy.

    Every exception is caught, since MLflow passes on those of databases and servers as they are.
    """
    try:
        yield
    except GlsweepError:
        raise
    except Exception as error:
        first_line = str(error).strip().partition("\n")[0]
        reason = without_password(first_line.rpartition("Caused by ")[2])
        if not isinstance(error, EXPECTED):
            reason = f"{type(error).__name__}: {reason}"
        raise StoreError(
            f"{without_password(uri)}: MLflow cannot use this store "
            f"({reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 3] + '...'}); "
            f"{_remedy(uri)}"
        ) from error


@contextmanager
def carry_on_without_store(study: Study, console: Console) -> Iterator[None]:
    """Turn a failure of tracking within this block into a printed line with the remedy."""
    try:
        with errors_of_store(tracking_uri(study)):
            yield
    except GlsweepError as error:
        remedy = f"`python -m glsweep.run track {shlex.quote(str(study.directory))}` sends what is held back"
        console.print(Text(f"{error}; {remedy}", style="yellow"), soft_wrap=True)


def _remedy(uri: str) -> str:
    if "MLFLOW_TRACKING_URI" in os.environ:
        return "start or mend it, or unset MLFLOW_TRACKING_URI to keep the runs within the study"
    return f"make its folder writable, or move {Path(sqlite_path(uri) or uri).name} away"


# --- Whether MLflow answers

ANSWER_S = 8.0
SERVER_ERROR = 500


def check_reachable(uri: str) -> None:
    """Check that the server or database at `uri` answers, and change nothing in it.

    A server that asks for a password counts as answering.

    Raises
    ------
    StoreError
        When nothing answers there within seconds, or a SQLite file could not be written.
    """
    with errors_of_store(uri):
        path = sqlite_path(uri)
        if uri.startswith(SERVERS):
            _request(f"{uri.rstrip('/')}/health")
        elif path is not None and not path.exists():
            # Opening it would create it.
            folder = next(parent for parent in path.parents if parent.exists())
            if not (folder.is_dir() and os.access(folder, os.W_OK)):
                raise PermissionError(f"{folder} is no folder that can be written")
        else:
            engine = create_engine(uri)
            try:
                engine.connect().close()
            finally:
                engine.dispose()


def _request(address: str) -> None:
    try:
        urllib.request.urlopen(address, timeout=ANSWER_S).close()
    except HTTPError as error:
        error.close()
        if error.code >= SERVER_ERROR:
            raise
