"""What a study tells MLflow, in the study's own words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

import pandas as pd

from glsweep.config.trial import Outcome
from glsweep.study import Study
from glsweep.tracking.runs import PARENT_TAG, Runs, Status, TrackedRun
from glsweep.tracking.store import Store, connect, study_id

STATUSES: dict[Outcome, Status] = {"completed": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


class Tracker:
    """The one door to MLflow, used by the driver's process alone.

    The sweep is a run; trials and members are its children. Each run is found again by its
    tags, so that a study that was cut off continues in the runs that it has, with no step and
    no parameter logged twice. Every method raises StudyError when the store fails.
    """

    def __init__(self, store: Store, runs: Runs, config_hash: str) -> None:
        self._store = store
        self._runs = runs
        self._config_hash = config_hash

    @classmethod
    def open(cls, study: Study) -> Self:
        """Reach MLflow and read what it has of this study.

        The experiment is named as the study; the store is the one that `MLFLOW_TRACKING_URI`
        names, or a SQLite file in the study's folder.

        Raises
        ------
        StudyError
            When the store cannot be reached or used.
        """
        store = connect(study)
        return cls(store, Runs(store, study_id(study)), study.config.content_hash())

    @property
    def uri(self) -> str:
        """The tracking URI."""
        return self._store.uri

    @property
    def experiment(self) -> str:
        """The experiment's name."""
        return self._store.experiment

    def start_sweep(self, parameters: Mapping[str, object], tags: Mapping[str, object] | None = None) -> None:
        """Begin or continue the sweep's run.

        Trials that a killed process left RUNNING are marked as interrupted until they start again.
        """
        self.interrupt()
        self._begin_sweep(parameters, tags or {})

    def start_trial(
        self, trial_id: str, parameters: Mapping[str, object], tags: Mapping[str, object]
    ) -> None:
        """Begin or continue a trial's run, with one MLflow parameter for each of `parameters`.

        Parameters
        ----------
        trial_id : str
            By which the run is found again.
        parameters : Mapping
            Every hyperparameter, None included.
        tags : Mapping
            `stratum` above all, which also goes into the run's name; a name without a dot is
            stored under `glsweep.`.
        """
        stratum = tags.get("stratum", tags.get("glsweep.stratum", ""))
        self._runs.begin(
            "trial",
            trial_id,
            title=f"{trial_id} {stratum}".strip(),
            parameters=parameters,
            tags={**tags, PARENT_TAG: self._sweep().run_id},
        )

    def log_epoch(self, trial_id: str, epoch: int, figures: Mapping[str, float]) -> None:
        """Log a trial's figures with `epoch` as their step, unless that epoch was logged before.

        MLflow's table shows the last step alone: give the best so far as a figure of its own,
        such as `best_relaxed_f1`. A figure that is not finite is kept as NaN.
        """
        self._runs.log_epochs(self._trial(trial_id), [(epoch, figures)])

    def end_trial(
        self,
        trial_id: str,
        outcome: Outcome,
        *,
        reason: str = "",
        rung_epoch: int | None = None,
        figures: Mapping[str, float] | None = None,
    ) -> None:
        """End a trial's run as FINISHED, KILLED (stopped) or FAILED.

        Parameters
        ----------
        trial_id : str
            A trial that was started.
        outcome : Outcome
            How it ended; the tag `glsweep.outcome` says it in words.
        reason : str
            Why, such as an error's message; the tag `glsweep.reason`.
        rung_epoch : int, optional
            The rung at which a stopped trial was stopped.
        figures : Mapping, optional
            Figures of the trial as a whole, such as its best.
        """
        run = self._trial(trial_id)
        self._runs.log_figures(run, figures or {})
        at_rung = f" at rung {rung_epoch}" if outcome == "stopped" and rung_epoch is not None else ""
        tags = {"outcome": outcome + at_rung}
        if reason or "glsweep.reason" in run.tags:
            tags["reason"] = reason
        self._runs.end(run, STATUSES[outcome], tags)

    def has_ended(self, trial_id: str) -> bool:
        """Whether the trial's run was ended by an outcome, not by an interruption."""
        run = self._runs.get("trial", trial_id)
        return (
            run is not None and run.status != "RUNNING" and run.tags.get("glsweep.outcome") != "interrupted"
        )

    def end_sweep(
        self,
        outcome: Literal["completed", "failed"] = "completed",
        *,
        figures: Mapping[str, float] | None = None,
    ) -> None:
        """End the sweep's run, with figures of the sweep as a whole."""
        run = self._sweep()
        self._runs.log_figures(run, figures or {})
        self._runs.end(run, STATUSES[outcome], {"outcome": outcome})

    def interrupt(self) -> None:
        """Mark every run that is still RUNNING as KILLED, until it is started again."""
        for run in self._runs.running():
            self._runs.end(run, "KILLED", {"outcome": "interrupted"})

    def log_member(
        self,
        name: str,
        *,
        parameters: Mapping[str, object],
        history: pd.DataFrame,
        figures: Mapping[str, float],
        tags: Mapping[str, object],
        artifacts: Sequence[Path],
    ) -> None:
        """Log a retrained winner, or bring its run up to date.

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
        links = {PARENT_TAG: self._sweep().run_id}
        trial = self._runs.get("trial", str(tags.get("trial_id", tags.get("glsweep.trial_id", ""))))
        if trial is not None:
            links["glsweep.trial_run_id"] = trial.run_id
        run = self._runs.begin(
            "member", name, title=f"member {name}", parameters=parameters, tags={**tags, **links}
        )
        names = [str(column) for column in history.columns if column != "epoch"]
        epochs = history["epoch"].astype(int).tolist()
        rows = history[names].astype(float).to_dict(orient="records")
        self._runs.log_epochs(
            run,
            [(epoch, {str(k): v for k, v in row.items()}) for epoch, row in zip(epochs, rows, strict=True)],
        )
        self._runs.log_figures(run, figures)
        self._runs.log_artifacts(run, artifacts)
        self._runs.end(run, "FINISHED", {"outcome": "completed"})

    def log_study_artifacts(self, paths: Sequence[Path]) -> None:
        """Copy files of the whole study, such as its table and report, to the sweep's run."""
        self._runs.log_artifacts(self._sweep(), paths)

    def _trial(self, trial_id: str) -> TrackedRun:
        run = self._runs.get("trial", trial_id)
        if run is None:
            raise KeyError(f"trial {trial_id} was not started")
        return run

    def _sweep(self) -> TrackedRun:
        """Return the sweep's run; made, and ended, where the store has none of this study yet."""
        run = self._runs.get("sweep", self._config_hash)
        if run is None:
            run = self._begin_sweep({}, {})
            self._runs.end(run, "FINISHED", {"outcome": "completed"})
        return run

    def _begin_sweep(self, parameters: Mapping[str, object], tags: Mapping[str, object]) -> TrackedRun:
        return self._runs.begin(
            "sweep",
            self._config_hash,
            title=f"sweep {self.experiment}",
            parameters=parameters,
            tags=tags,
        )
