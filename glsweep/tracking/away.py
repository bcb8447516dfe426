"""What is done when MLflow fails: the study goes on, and one line tells what to do."""

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlflow.exceptions import MlflowException
from rich.console import Console
from rich.text import Text
from sqlalchemy.exc import SQLAlchemyError

from glsweep.errors import GlsweepError, StudyError
from glsweep.study import Study
from glsweep.tracking.address import sqlite_path, tracking_uri, without_password

LONGEST_REASON = 200
EXPECTED = (MlflowException, SQLAlchemyError, OSError, ImportError)
"""What MLflow raises when it says itself what is wrong; of anything else the kind is told too."""


class StoreError(StudyError):
    """MLflow's store cannot be reached or used; no figure is lost, for the ledger has them all."""


@contextmanager
def reached(uri: str) -> Iterator[None]:
    """Turn any failure of MLflow or its store into one line that names `uri` and the remedy.

    Whatever it is: MLflow lets errors of databases, of servers and of its own through as they are.
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
def without_stopping(study: Study, console: Console) -> Iterator[None]:
    """Turn a failure within this block, MLflow's or of what it is told, into a line with the remedy."""
    try:
        with reached(tracking_uri(study)):
            yield
    except GlsweepError as error:
        remedy = f"`python -m glsweep.run track {shlex.quote(str(study.directory))}` sends what is held back"
        console.print(Text(f"{error}; {remedy}", style="yellow"), soft_wrap=True)


def _remedy(uri: str) -> str:
    if "MLFLOW_TRACKING_URI" in os.environ:
        return "start or mend it, or unset MLFLOW_TRACKING_URI to keep the runs within the study"
    return f"make its folder writable, or move {Path(sqlite_path(uri) or uri).name} away"
