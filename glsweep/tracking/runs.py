"""A study's runs in MLflow: found by their tags, brought up to date in few calls, never created twice."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from mlflow.entities import Metric, Param, RunTag

from glsweep.config.labels import parameter_label
from glsweep.config.trial import Outcome
from glsweep.tracking.address import Tags, as_metrics, as_tags
from glsweep.tracking.store import Store

Kind = Literal["sweep", "trial", "member"]
Condition = Outcome | Literal["running", "interrupted"]
STATUSES: dict[Condition, str] = {
    "running": "RUNNING",
    "completed": "FINISHED",
    "stopped": "KILLED",
    "interrupted": "KILLED",
    "failed": "FAILED",
}
PARENT_TAG = "mlflow.parentRunId"
TITLE_TAG = "mlflow.runName"
REASON_TAG = "glsweep.reason"
NAME_TAGS: dict[Kind, str] = {
    "sweep": "glsweep.study_id",
    "trial": "glsweep.trial_id",
    "member": "glsweep.member",
}
"""The tag by which a run is found again. A study has one sweep, whatever its name and however it grows."""


class Epoch(NamedTuple):
    """One epoch's metrics, and when they were reported, None for now."""

    number: int
    metrics: Mapping[str, float]
    unix_s: float | None = None


@dataclass(frozen=True)
class RunState:
    """What a run should hold.

    Attributes
    ----------
    title : str
        The run's name as MLflow shows it.
    condition : Condition
        Decides MLflow's status; also the tag `glsweep.outcome`, unless `tags` has a longer one.
    parameters : Mapping
        One MLflow parameter each, None included; those that the run already has are not changed.
    tags : Mapping
        A name without a dot goes under `glsweep.`.
    epochs : sequence of Epoch
        Those that the run already has are skipped.
    metrics : Mapping
        Metrics of the run as a whole.
    started_unix_s, ended_unix_s : float, optional
        None for now.
    """

    title: str
    condition: Condition
    parameters: Tags = field(default_factory=dict)
    tags: Tags = field(default_factory=dict)
    epochs: Sequence[Epoch] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    started_unix_s: float | None = None
    ended_unix_s: float | None = None


@dataclass
class TrackedRun:
    """One run as the store has it, so that nothing is read or written twice."""

    run_id: str
    status: str = "RUNNING"
    parameters: set[str] = field(default_factory=set)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def last_epoch(self) -> int:
        """The last epoch that was logged; -1 when none was."""
        return int(self.metrics.get("epoch", -1))


class Runs:
    """The runs of one study, each known by its kind and its name.

    Parameters
    ----------
    store : Store
        Where they lie.
    study_id : str
        Distinguishes them from the runs of other studies in the same experiment.
    """

    def __init__(self, store: Store, study_id: str) -> None:
        self._store = store
        self._study_id = study_id
        self._known = dict(self._read_runs())

    def get(self, kind: Kind, name: str) -> TrackedRun | None:
        """Return the run of that kind and name, or None."""
        return self._known.get((kind, name))

    def sync(self, kind: Kind, name: str, state: RunState) -> TrackedRun:
        """Bring a run up to date: create it, log what it lacks in one batch, set its status.

        A run that is up to date costs no call. One whose update was interrupted is continued: the status
        is set last, and only epochs that the store lacks are logged.
        """
        tags = as_tags({"outcome": state.condition, **state.tags})
        run = self.get(kind, name) or self._create(kind, name, state, tags)
        self._log(run, state, tags)
        status = STATUSES[state.condition]
        if run.status != status:
            self._set_status(run, status, state.ended_unix_s)
        return run

    def log_artifacts(self, run: TrackedRun, paths: Sequence[Path]) -> None:
        """Copy files and whole folders into the run's artifacts.

        Raises
        ------
        FileNotFoundError
            Before anything is copied, when one of them does not exist.
        """
        for path in paths:
            path.stat()
        client = self._store.client
        for path in paths:
            if path.is_dir():
                self._store.call(client.log_artifacts, run.run_id, str(path), artifact_path=path.name)
            else:
                self._store.call(client.log_artifact, run.run_id, str(path))

    def _create(self, kind: Kind, name: str, state: RunState, tags: Mapping[str, str]) -> TrackedRun:
        own = {"glsweep.kind": kind, NAME_TAGS[kind]: name, "glsweep.study_id": self._study_id}
        created = self._store.call(
            self._store.client.create_run,
            self._store.experiment_id,
            run_name=state.title,
            start_time=_milliseconds(state.started_unix_s),
            tags={**tags, **own},
        )
        run = self._known[kind, name] = TrackedRun(created.info.run_id, tags={**tags, **own})
        return run

    def _log(self, run: TrackedRun, state: RunState, tags: Mapping[str, str]) -> None:
        metrics = [*_epoch_metrics(run, state), *_run_metrics(run, state)]
        parameters = {k: parameter_label(v) for k, v in state.parameters.items()}
        new_parameters = {key: text for key, text in parameters.items() if key not in run.parameters}
        new_tags = {key: text for key, text in tags.items() if run.tags.get(key) != text}
        if REASON_TAG in run.tags and REASON_TAG not in tags:
            # The trial had failed before it was tried again.
            self._store.call(self._store.client.delete_tag, run.run_id, REASON_TAG)
            del run.tags[REASON_TAG]
        if not (metrics or new_parameters or new_tags):
            return
        self._store.call(
            self._store.client.log_batch,
            run.run_id,
            metrics=metrics,
            params=[Param(key, text) for key, text in new_parameters.items()],
            tags=[RunTag(key, text) for key, text in new_tags.items()],
        )
        run.metrics |= {metric.key: metric.value for metric in metrics}
        run.parameters |= new_parameters.keys()
        run.tags |= new_tags

    def _set_status(self, run: TrackedRun, status: str, ended_unix_s: float | None) -> None:
        client = self._store.client
        if status == "RUNNING":
            self._store.call(client.update_run, run.run_id, status=status)
        else:
            ended_ms = _milliseconds(ended_unix_s)
            self._store.call(client.set_terminated, run.run_id, status=status, end_time=ended_ms)
        run.status = status

    def _read_runs(self) -> Iterator[tuple[tuple[Kind, str], TrackedRun]]:
        """Read the study's runs, oldest first."""
        token: str | None = None
        while token != "":
            page = self._store.call(
                self._store.client.search_runs,
                [self._store.experiment_id],
                filter_string=f"tags.`glsweep.study_id` = '{self._study_id}'",
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            for run in page:
                kind = run.data.tags["glsweep.kind"]
                yield (
                    (kind, run.data.tags[NAME_TAGS[kind]]),
                    TrackedRun(
                        run.info.run_id,
                        run.info.status,
                        set(run.data.params),
                        dict(run.data.metrics),
                        dict(run.data.tags),
                    ),
                )
            token = page.token or ""


def _epoch_metrics(run: TrackedRun, state: RunState) -> Iterator[Metric]:
    for epoch in sorted(state.epochs, key=lambda epoch: epoch.number):
        if epoch.number > run.last_epoch:
            at_ms = _milliseconds(epoch.unix_s)
            for name, value in as_metrics(epoch.metrics).items():
                yield Metric(name, value, at_ms, epoch.number)
            # Comes last, so that an epoch cut off between two batches is logged again.
            yield Metric("epoch", float(epoch.number), at_ms, epoch.number)


def _run_metrics(run: TrackedRun, state: RunState) -> Iterator[Metric]:
    step = max([run.last_epoch, 0, *(epoch.number for epoch in state.epochs)])
    for name, value in as_metrics(state.metrics).items():
        if name not in run.metrics or not _same(run.metrics[name], value):
            yield Metric(name, value, _milliseconds(state.ended_unix_s), step)


def _milliseconds(unix_s: float | None) -> int:
    return int(1000 * (time.time() if unix_s is None else unix_s))


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))
