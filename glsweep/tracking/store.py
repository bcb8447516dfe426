"""Where MLflow lives and how it is reached."""

import os
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.db.db_types import DATABASE_ENGINES
from sqlalchemy.exc import SQLAlchemyError

from glsweep.errors import StudyError
from glsweep.files import read_json, write_json
from glsweep.study import Study

SQLITE = "sqlite:///"
# MLflow's pages then open on runs and charts instead of on tools for language models.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class StoreError(StudyError):
    """MLflow's store cannot be reached or used; no figure is lost, for the ledger has them all."""


@dataclass
class Store:
    """An MLflow store that was reached, and the study's experiment in it.

    Attributes
    ----------
    uri, registry_uri : str
        Where runs and registered models are.
    client : MlflowClient
        Bound to these, whatever the process's global MLflow state says.
    experiment, experiment_id : str
        The experiment's name and number.
    calls : int
        How often something was asked of MLflow.
    """

    uri: str
    registry_uri: str
    client: MlflowClient
    experiment: str
    experiment_id: str
    calls: int = 0

    def ask(self, function: Callable[Given, Answer], *arguments: Given.args, **named: Given.kwargs) -> Answer:
        """Call a method of `client`, count it, and turn any failure into a StoreError."""
        self.calls += 1
        with reached(self.uri):
            return function(*arguments, **named)


def tracking_uri(study: Study) -> str:
    """Return `MLFLOW_TRACKING_URI`, or without it a SQLite file within the study."""
    return os.environ.get("MLFLOW_TRACKING_URI") or SQLITE + str(study.mlflow_db.resolve())


def connect(study: Study) -> Store:
    """Reach MLflow and find, restore or create the study's experiment.

    Raises
    ------
    StoreError
        When the store cannot be reached or used.
    """
    uri, name = tracking_uri(study), study.config.name
    # Without a word, the registry would follow the process's global MLflow state.
    registry_uri = os.environ.get("MLFLOW_REGISTRY_URI") or uri
    with reached(uri):
        client = MlflowClient(uri, registry_uri=registry_uri)
        found = client.get_experiment_by_name(name)
        if found is None:
            location = _artifact_location(uri, study)
            experiment_id = client.create_experiment(name, artifact_location=location, tags=EXPERIMENT_TAGS)
        else:
            experiment_id = found.experiment_id
            if found.lifecycle_stage == "deleted":
                client.restore_experiment(experiment_id)
    return Store(uri, registry_uri, client, name, experiment_id)


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
        raise StoreError(
            f"{_without_password(uri)}: MLflow cannot use this store "
            f"({reason if len(reason) <= 200 else reason[:197] + '...'}); {_remedy(uri)}"
        ) from error


def _artifact_location(uri: str, study: Study) -> str | None:
    """Artifacts lie beside a SQLite file, in the study for other databases; a server has its own place."""
    if uri.startswith(SQLITE):
        database = Path(uri.removeprefix(SQLITE)).resolve()
        if database != study.mlflow_db.resolve():
            return (database.parent / study.mlflow_artifacts.name).as_uri()
    elif uri.partition(":")[0].partition("+")[0] not in DATABASE_ENGINES:
        return None
    return study.mlflow_artifacts.resolve().as_uri()


def _remedy(uri: str) -> str:
    if "MLFLOW_TRACKING_URI" in os.environ:
        return "start or mend it, or unset MLFLOW_TRACKING_URI to keep the runs within the study"
    return f"move {uri.removeprefix(SQLITE)} away or make its folder writable"


def _without_password(text: str) -> str:
    return re.sub(r"://[^/@\s]+@", "://***@", text)
