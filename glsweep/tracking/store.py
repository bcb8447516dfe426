"""The connection to MLflow's store, the study's experiment in it, and metrics of the machine."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from mlflow import MlflowClient
from mlflow.entities import Experiment, ViewType
from mlflow.environment_variables import MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING
from mlflow.exceptions import MlflowException
from sqlalchemy import NullPool, create_engine, func, select

from glsweep.study import Study
from glsweep.tracking.address import SERVERS, errors_of_store, sqlite_path, tracking_uri
from glsweep.tracking.sqlite_file import ARTIFACTS, relocate_artifacts, store_made_ready

# MLflow's pages then open on runs and charts instead of on tools for language models.
EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}
STUDY_TAG_PREFIX = "glsweep.study."
"""An experiment has a tag for each study in it: this followed by the study's id, with its name as value."""
ADVISORY_LOCK = 7_403_209_551
"""The number of the lock that processes of glsweep take in PostgreSQL."""

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


@dataclass
class Store:
    """A connected MLflow store, and the study's experiment in it.

    Attributes
    ----------
    uri, registry_uri : str
        Where runs and registered models are.
    client : MlflowClient
        Bound to these, whatever the process's global MLflow state says.
    experiment, experiment_id : str
        The experiment's name and number.
    calls : int
        How often MLflow was called.
    """

    uri: str
    registry_uri: str
    client: MlflowClient
    experiment: str
    experiment_id: str
    calls: int = 0

    def call(
        self, function: Callable[Parameters, Result], *arguments: Parameters.args, **named: Parameters.kwargs
    ) -> Result:
        """Call a method of `client`, count it, and turn any failure into a StoreError."""
        self.calls += 1
        with errors_of_store(self.uri):
            return function(*arguments, **named)


def connect(study: Study) -> Store:
    """Reach MLflow and find, restore, rename or create the study's experiment.

    Raises
    ------
    StoreError
        When the store cannot be reached or used.
    """
    uri = tracking_uri(study)
    # Unless it is named, the registry would follow the process's global MLflow state.
    registry_uri = os.environ.get("MLFLOW_REGISTRY_URI") or uri
    registry = nullcontext() if registry_uri == uri else _prepare(registry_uri, study)
    with errors_of_store(uri), _prepare(uri, study), registry:
        client = MlflowClient(uri, registry_uri=registry_uri)
        experiment = _find_experiment(client, study) or _create_experiment(client, uri, study)
        experiment = _relocate_artifacts(client, experiment, uri, study)
        tag, name = _study_tag(study), study.config.name
        if experiment.tags.get(tag) != name:
            client.set_experiment_tag(experiment.experiment_id, tag, name)
    return Store(uri, registry_uri, client, experiment.name, experiment.experiment_id)


def _prepare(uri: str, study: Study) -> AbstractContextManager[None]:
    """Make a SQLite file usable, or open another database once, since MLflow would retry for minutes."""
    path = sqlite_path(uri)
    if path is not None:
        return store_made_ready(uri, path, is_own=path == study.mlflow_db.resolve())
    return nullcontext() if uri.startswith(SERVERS) else _locked(uri)


@contextmanager
def _locked(uri: str) -> Iterator[None]:
    """Keep other studies from opening the database: two that create its tables at once would fail."""
    engine = create_engine(uri)
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_lock(ADVISORY_LOCK)))
            yield
    finally:
        engine.dispose()


def _find_experiment(client: MlflowClient, study: Study) -> Experiment | None:
    """Return the experiment that holds the study, renamed after it if that name is free, or None.

    A study that was renamed keeps its runs. Its experiment is renamed, unless other
    studies are in it too, or another experiment has the name.
    """
    tagged = f"tags.`{_study_tag(study)}` LIKE '%'"
    found = client.search_experiments(view_type=ViewType.ALL, filter_string=tagged, max_results=1)
    named = client.get_experiment_by_name(study.config.name)
    experiment = found[0] if found else named
    if experiment is None:
        return None
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    members = [tag for tag in experiment.tags if tag.startswith(STUDY_TAG_PREFIX)]
    if named is None and members == [_study_tag(study)]:
        client.rename_experiment(experiment.experiment_id, study.config.name)
        return client.get_experiment(experiment.experiment_id)
    return experiment


def _create_experiment(client: MlflowClient, uri: str, study: Study) -> Experiment:
    name, location = study.config.name, _artifact_location(uri, study)
    tags = {**EXPERIMENT_TAGS, _study_tag(study): name}
    try:
        experiment_id = client.create_experiment(name, artifact_location=location, tags=tags)
    except MlflowException as error:
        # Another study of this name began at the same moment.
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        return client.get_experiment_by_name(name)
    return client.get_experiment(experiment_id)


def _relocate_artifacts(client: MlflowClient, experiment: Experiment, uri: str, study: Study) -> Experiment:
    """Point a database without a server to the artifacts in the study, after both were moved."""
    if uri.startswith(SERVERS) or sqlite_path(uri) is not None:
        return experiment
    engine = create_engine(uri, poolclass=NullPool)
    with engine.begin() as connection:
        location, here = experiment.artifact_location, study.mlflow_artifacts.resolve()
        relocate_artifacts(connection, [location], here, always=False)
    return client.get_experiment(experiment.experiment_id)


def _study_tag(study: Study) -> str:
    return f"{STUDY_TAG_PREFIX}{study.id}"


def _artifact_location(uri: str, study: Study) -> str | None:
    """Return where artifacts go: beside a SQLite file, else into the study; None leaves it to a server."""
    path = sqlite_path(uri)
    if path is not None:
        return (path.parent / ARTIFACTS).as_uri()
    return None if uri.startswith(SERVERS) else study.mlflow_artifacts.resolve().as_uri()


# --- CPU, memory, disk, network and GPU of the driver's machine as metrics of a run


class SystemMetrics:
    """MLflow's own monitor, which a user turns on with `MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING=true`.

    It samples in a thread of its own, and ends when the run does or the store fails.
    """

    def __init__(self) -> None:
        self._stop: Callable[[], None] | None = None

    def start(self, store: Store, run_id: str) -> None:
        """Begin or continue to log for a run that is RUNNING."""
        if not MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING.get():
            return
        self.stop()
        from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor  # noqa: PLC0415

        monitor = store.call(SystemMetricsMonitor, run_id, resume_logging=True, tracking_uri=store.uri)
        monitor.start()
        self._stop = monitor.finish

    def stop(self) -> None:
        """End the monitor and send what it has collected."""
        if self._stop is not None:
            self._stop()
            self._stop = None
