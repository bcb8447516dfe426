"""Where MLflow lives and how it is reached."""

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from glsweep.errors import StudyError
from glsweep.files import read_json, write_json
from glsweep.study import Study

SQLITE = "sqlite:///"
# Enough to tell whether a server answers; MLflow's own defaults take minutes to say no.
QUICK = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "8"}


@dataclass(frozen=True)
class Store:
    """An MLflow store that was reached, and the study's experiment in it.

    Attributes
    ----------
    uri : str
        The tracking URI.
    client : MlflowClient
        Bound to `uri`, whatever the process's global MLflow state says.
    experiment, experiment_id : str
        The experiment's name and number.
    """

    uri: str
    client: MlflowClient
    experiment: str
    experiment_id: str


def connect(study: Study) -> Store:
    """Reach MLflow and find, restore or create the study's experiment.

    `MLFLOW_TRACKING_URI` is obeyed; without it the store is a SQLite file within the study.

    Raises
    ------
    StudyError
        When the store cannot be reached or used; a server that does not answer is given up
        after seconds.
    """
    uri = os.environ.get("MLFLOW_TRACKING_URI") or SQLITE + str(study.mlflow_db.resolve())
    name = study.config.name
    with reached(uri):
        with _quickly():
            client = MlflowClient(tracking_uri=uri)
            found = client.get_experiment_by_name(name)
        if found is None:
            location = _artifact_location(uri, study)
            experiment_id = client.create_experiment(name, artifact_location=location)
        else:
            experiment_id = found.experiment_id
            if found.lifecycle_stage == "deleted":
                client.restore_experiment(experiment_id)
    return Store(uri, client, name, experiment_id)


def study_id(study: Study) -> str:
    """Return what tells this study's runs from those of any other, made at the first call.

    A hash of the configuration would not do: on a server, a study that was deleted and run
    again would find the runs of the first and take its own epochs as logged.
    """
    if not study.tracking_json.is_file():
        write_json(study.tracking_json, {"study_id": uuid.uuid4().hex})
    return str(read_json(study.tracking_json)["study_id"])


@contextmanager
def reached(uri: str) -> Iterator[None]:
    """Turn any failure of MLflow or its store into one line that names `uri` and the remedy."""
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
        first_line = str(error).strip().partition("\n")[0]
        reason = _without_password(first_line.rpartition("Caused by ")[2])
        raise StudyError(
            f"{_without_password(uri)}: MLflow cannot use this store "
            f"({reason if len(reason) <= 200 else reason[:197] + '...'}); {_remedy(uri)}"
        ) from error


def _artifact_location(uri: str, study: Study) -> str | None:
    """Artifacts lie beside a SQLite file, the study's own or another; a server has its own place."""
    if not uri.startswith(SQLITE):
        return None
    database = Path(uri.removeprefix(SQLITE)).resolve()
    own = database == study.mlflow_db.resolve()
    folder = study.mlflow_artifacts if own else database.parent / study.mlflow_artifacts.name
    return folder.resolve().as_uri()


@contextmanager
def _quickly() -> Iterator[None]:
    """Give up soon within this block, except as the user has said in the environment.

    Only the first request is hurried: in mid-sweep a server may take minutes to come back.
    """
    ours = {name: value for name, value in QUICK.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]


def _remedy(uri: str) -> str:
    if "MLFLOW_TRACKING_URI" in os.environ:
        return "start or mend it, or unset MLFLOW_TRACKING_URI to keep the runs within the study"
    return f"move {uri.removeprefix(SQLITE)} away or make its folder writable"


def _without_password(text: str) -> str:
    return re.sub(r"://[^/@\s]+@", "://***@", text)
