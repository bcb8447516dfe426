"""What a study tells MLflow, in the study's own words."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import pandas as pd

from glsweep.study import Study
from glsweep.tracking.runs import PARENT_TAG, TITLE_TAG, Epoch, Runs, RunState, TrackedRun
from glsweep.tracking.store import Store, connect

STUDY_TAG = "glsweep.study"
"""The study's name, which may change."""
CONFIGURATION_TAG = "glsweep.study_yaml_sha256"
"""Of the configuration that was last sent; a study that is extended has another."""


class Tracker:
    """The one door to MLflow's runs, used by one thread at a time.

    The sweep is a run; trials and members are its children. Each run is found again by its
    tags, so that a study that was cut off continues in the runs that it has, with no step and
    no parameter logged twice. Every method raises StoreError when the store fails; the tracker
    may then no longer know what the store has, and another one must be opened.
    """

    def __init__(self, store: Store, runs: Runs, study: Study) -> None:
        self.store = store
        self._runs = runs
        self._study = study
        self._study_id = study.id

    @classmethod
    def open(cls, study: Study) -> Self:
        """Reach MLflow and read what it has of this study.

        The experiment is named as the study; the store is the one that `MLFLOW_TRACKING_URI`
        names, or a SQLite file in the study's folder.

        Raises
        ------
        StoreError
            When the store cannot be reached or used.
        """
        store = connect(study)
        return cls(store, Runs(store, study.id), study)

    @property
    def uri(self) -> str:
        """The tracking URI."""
        return self.store.uri

    @property
    def experiment(self) -> str:
        """The experiment's name."""
        return self.store.experiment

    @property
    def calls(self) -> int:
        """How often this tracker has asked something of MLflow."""
        return self.store.calls

    def last_epoch(self, trial_id: str) -> int:
        """Return the last epoch of a trial that MLflow has; -1 when it has none."""
        run = self._runs.get("trial", trial_id)
        return run.last_epoch if run else -1

    def sync_sweep(self, state: RunState) -> str:
        """Bring the sweep's run up to date, with the study's configuration as artifact; return its id."""
        written = hashlib.sha256(self._study.config_yaml.read_bytes()).hexdigest()
        known = self._runs.get("sweep", self._study_id)
        if known is not None and known.tags.get(STUDY_TAG) != self._study.config.name:
            state = replace(state, tags={**state.tags, TITLE_TAG: state.title})
        state = replace(state, tags={**state.tags, STUDY_TAG: self._study.config.name})
        run = self._runs.sync("sweep", self._study_id, state)
        if run.tags.get(CONFIGURATION_TAG) != written:
            self._runs.log_artifacts(run, [self._study.config_yaml])
            state = replace(state, tags={**state.tags, CONFIGURATION_TAG: written})
            self._runs.sync("sweep", self._study_id, state)
        return run.run_id

    def sync_trial(self, trial_id: str, state: RunState) -> None:
        """Bring a trial's run up to date: at most three calls, none when it is.

        MLflow's table shows the last step alone: give the best so far as a figure of its own,
        such as `best_relaxed_f1`. A figure that is not finite is kept as NaN.
        """
        parent = {PARENT_TAG: self._sweep().run_id}
        self._runs.sync("trial", trial_id, replace(state, tags={**state.tags, **parent}))

    def sync_member(
        self,
        name: str,
        *,
        parameters: Mapping[str, object],
        history: pd.DataFrame,
        figures: Mapping[str, float],
        tags: Mapping[str, object],
        artifacts: Sequence[Path],
    ) -> str:
        """Log a retrained winner, or bring its run up to date; return the run's id.

        Parameters
        ----------
        name : str
            The member's name, by which its run is found again.
        parameters : Mapping
            Every parameter of its training; those logged before stay.
        history : DataFrame
            One row an epoch: a column `epoch`, and one for each figure.
        figures : Mapping
            Figures of the member as a whole, such as its threshold and test figures.
        tags : Mapping
            `trial_id` links it to the run of the trial that won.
        artifacts : sequence of Path
            Files and folders: the weights, the card, the table.
        """
        links: dict[str, object] = {PARENT_TAG: self._sweep().run_id}
        trial = self._runs.get("trial", str(tags["trial_id"]))
        if trial is not None:
            links["glsweep.trial_run_id"] = trial.run_id
        names = [str(column) for column in history.columns if column != "epoch"]
        rows = zip(
            history["epoch"].astype(int).tolist(),
            history[names].astype(float).to_dict(orient="records"),
            strict=True,
        )
        state = RunState(
            title=f"member {name}",
            condition="running",
            parameters=parameters,
            tags={**tags, **links},
            epochs=[Epoch(number, {str(k): v for k, v in row.items()}) for number, row in rows],
            figures=figures,
        )
        run = self._runs.sync("member", name, state)
        self._runs.log_artifacts(run, artifacts)
        self._runs.sync("member", name, replace(state, condition="completed"))
        return run.run_id

    def member_run_id(self, name: str) -> str | None:
        """Return the id of a member's run, or None when it was never tracked."""
        run = self._runs.get("member", name)
        return run.run_id if run else None

    def log_study_artifacts(self, paths: Sequence[Path]) -> None:
        """Copy files of the whole study, such as its table and report, to the sweep's run."""
        self._runs.log_artifacts(self._sweep(), paths)

    def _sweep(self) -> TrackedRun:
        """Return the sweep's run; made, and ended, where the store has none of this study yet."""
        bare = RunState(title=f"sweep {self._study.config.name}", condition="completed")
        run = self._runs.get("sweep", self._study_id)
        return run or self._runs.sync("sweep", self._study_id, bare)
