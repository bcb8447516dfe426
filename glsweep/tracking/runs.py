"""The study's runs in MLflow: found again by their tags, written in batches, never doubled."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

from mlflow.entities import Metric, Param, RunTag

from glsweep.tracking import labels
from glsweep.tracking.store import Store, reached

Kind = Literal["sweep", "trial", "member"]
Status = Literal["RUNNING", "FINISHED", "KILLED", "FAILED"]
PARENT_TAG = "mlflow.parentRunId"
NAME_TAGS: dict[Kind, str] = {
    "sweep": "glsweep.study",
    "trial": "glsweep.trial_id",
    "member": "glsweep.member",
}
METRICS_PER_BATCH = 1000  # MLflow's own limit; 100 for parameters and tags
LABELS_PER_BATCH = 100

Item = TypeVar("Item")


@dataclass
class TrackedRun:
    """One run as the store has it, so that nothing is asked or written twice."""

    run_id: str
    status: Status = "RUNNING"
    parameters: set[str] = field(default_factory=set)
    figures: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def last_epoch(self) -> int:
        """The last epoch that was logged; -1 when none was."""
        return int(self.figures.get("epoch", -1))


class Runs:
    """The runs of one study, each known by its kind and its name.

    Parameters
    ----------
    store : Store
        Where they lie.
    study_id : str
        What tells them from the runs of other studies in the same experiment.
    """

    def __init__(self, store: Store, study_id: str) -> None:
        self._store = store
        self._study_id = study_id
        self._known = dict(self._stored())

    def get(self, kind: Kind, name: str) -> TrackedRun | None:
        """Return the run of that kind and name, or None."""
        return self._known.get((kind, name))

    def running(self) -> list[TrackedRun]:
        """Return every run that is not ended, trials before the sweep."""
        found = [(kind == "sweep", run) for (kind, _), run in self._known.items() if run.status == "RUNNING"]
        return [run for _, run in sorted(found, key=lambda pair: pair[0])]

    def begin(
        self,
        kind: Kind,
        name: str,
        *,
        title: str,
        parameters: Mapping[str, object],
        tags: Mapping[str, object],
    ) -> TrackedRun:
        """Create the run, or set it RUNNING again; parameters are logged once only."""
        wanted = labels.tags({**tags, "outcome": "running"})
        run = self.get(kind, name)
        if run is None:
            run = self._create(kind, name, title, wanted)
        elif run.status != "RUNNING":
            with reached(self._store.uri):
                self._store.client.update_run(run.run_id, status="RUNNING")
            run.status = "RUNNING"
        new = {key: value for key, value in parameters.items() if key not in run.parameters}
        self._log(run, parameters=new, tags=wanted)
        return run

    def log_epochs(self, run: TrackedRun, rows: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Log the figures of each (epoch, figures) that comes after the run's last epoch."""
        now_ms = _now_ms()
        new = [(epoch, figures) for epoch, figures in sorted(rows, key=_epoch) if epoch > run.last_epoch]
        metrics = [
            Metric(name, value, now_ms, epoch)
            for epoch, figures in new
            # The epoch comes last, so that one cut off between two batches is logged again.
            for name, value in [*labels.metrics(figures).items(), ("epoch", float(epoch))]
        ]
        self._log(run, metrics=metrics)

    def log_figures(self, run: TrackedRun, figures: Mapping[str, float]) -> None:
        """Log figures of the run as a whole, at its last epoch, where they are new or changed."""
        now_ms, step = _now_ms(), max(run.last_epoch, 0)
        new = {
            name: value
            for name, value in labels.metrics(figures).items()
            if name not in run.figures or not _same(run.figures[name], value)
        }
        self._log(run, metrics=[Metric(name, value, now_ms, step) for name, value in new.items()])

    def log_artifacts(self, run: TrackedRun, paths: Sequence[Path]) -> None:
        """Copy files, and folders with all that they hold, into the run's artifacts.

        Raises
        ------
        FileNotFoundError
            Before anything is copied, when one of them does not exist.
        """
        for path in paths:
            path.stat()
        with reached(self._store.uri):
            for path in paths:
                if path.is_dir():
                    self._store.client.log_artifacts(run.run_id, str(path), artifact_path=path.name)
                else:
                    self._store.client.log_artifact(run.run_id, str(path))

    def end(self, run: TrackedRun, status: Status, tags: Mapping[str, object]) -> None:
        """Write the last tags and end the run."""
        self._log(run, tags=labels.tags(tags))
        with reached(self._store.uri):
            self._store.client.set_terminated(run.run_id, status=status)
        run.status = status

    def _create(self, kind: Kind, name: str, title: str, tags: Mapping[str, str]) -> TrackedRun:
        own = {"glsweep.kind": kind, "glsweep.study_id": self._study_id, NAME_TAGS[kind]: name}
        with reached(self._store.uri):
            created = self._store.client.create_run(
                self._store.experiment_id, run_name=title, tags={**tags, **own}
            )
        run = self._known[kind, name] = TrackedRun(created.info.run_id, tags={**tags, **own})
        return run

    def _log(
        self,
        run: TrackedRun,
        *,
        metrics: Sequence[Any] = (),
        parameters: Mapping[str, object] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        new_tags = {key: value for key, value in (tags or {}).items() if run.tags.get(key) != value}
        log_batch, run_id = self._store.client.log_batch, run.run_id
        with reached(self._store.uri):
            for some in _batches(list(metrics), METRICS_PER_BATCH):
                log_batch(run_id, metrics=some)
                run.figures |= {metric.key: metric.value for metric in some}
            for some in _batches(list((parameters or {}).items()), LABELS_PER_BATCH):
                log_batch(run_id, params=[Param(key, labels.parameter_label(value)) for key, value in some])
                run.parameters |= {key for key, _ in some}
            for some in _batches(list(new_tags.items()), LABELS_PER_BATCH):
                log_batch(run_id, tags=[RunTag(key, value) for key, value in some])
                run.tags |= dict(some)

    def _stored(self) -> Iterator[tuple[tuple[Kind, str], TrackedRun]]:
        """Read the study's runs, oldest first."""
        token: str | None = None
        while token != "":
            with reached(self._store.uri):
                page = self._store.client.search_runs(
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


def _now_ms() -> int:
    return int(time.time() * 1000)


def _epoch(row: tuple[int, Mapping[str, float]]) -> int:
    return row[0]


def _same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def _batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
