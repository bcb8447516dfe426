"""What a study sends to MLflow: sweep, trials and members, with versions, git state and machine."""

import hashlib
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

import pandas as pd

from glsweep import __version__
from glsweep.config.labels import Labelled
from glsweep.nets.member import load_card_of
from glsweep.study import Study
from glsweep.study.artifacts import read_artifact
from glsweep.study.evaluation_artifacts import StudyTable
from glsweep.tracking.address import Tags
from glsweep.tracking.runs import PARENT_TAG, TITLE_TAG, Epoch, Runs, RunState, TrackedRun
from glsweep.tracking.store import Store, connect

PACKAGES = ("torch", "ray", "mlflow", "optuna")


def origin_tags() -> dict[str, Labelled]:
    """Return versions, git state and machine of this process as tags of an MLflow run."""
    return {**_versions(), **_git_state(), **_machine()}


def _versions() -> dict[str, Labelled]:
    found: dict[str, Labelled] = {"version.glsweep": __version__, "version.python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[f"version.{package}"] = version(package)
        except PackageNotFoundError:
            found[f"version.{package}"] = "none"
    return {f"glsweep.{name}": value for name, value in found.items()}


def _git_state() -> dict[str, Labelled]:
    """Return the commit and whether files differ from it; nothing when this package is not under git.

    A package that is installed within another project's work tree is not part of it, hence `ls-files`.
    """
    package = Path(__file__).resolve().parents[1]
    if _output("git", "-C", str(package), "ls-files", "--error-unmatch", "__init__.py") is None:
        return {}
    commit = _output("git", "-C", str(package), "rev-parse", "HEAD")
    if commit is None:
        return {}
    changes = _output("git", "-C", str(package), "status", "--porcelain", "--untracked-files=no")
    # MLflow's own tag for the commit, which its pages show.
    return {"mlflow.source.git.commit": commit, "glsweep.git_dirty": bool(changes)}


def _machine() -> dict[str, Labelled]:
    gpus = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    found: dict[str, Labelled] = {"platform": platform.platform(), "cpus": os.cpu_count()}
    if "SC_PHYS_PAGES" in os.sysconf_names:
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        found["memory_gib"] = round(memory_bytes / 2**30, 1)
    found["gpus"] = gpus.splitlines() if gpus else None
    return {f"glsweep.machine.{name}": value for name, value in found.items()}


def _output(*command: str) -> str | None:
    """Return what a program prints, or None where it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


# --- The tracker: one study in MLflow

STUDY_TAG = "glsweep.study"
"""The study's name, which may change."""
DESCRIPTION_TAG = "mlflow.note.content"
VERDICT = "**Verdict**"
"""How a description of ours begins; one that a user wrote is left alone."""
CONFIGURATION_TAG = "glsweep.study_yaml_sha256"
"""Hash of the configuration that was last sent; it changes when a study is extended."""


class Tracker:
    """Brings a study's runs in MLflow up to date; for one thread at a time.

    The sweep is a run; trials and members are its children. Each run is found again by its
    tags, so that a study that was interrupted continues in its runs, with no step and no
    parameter logged twice. Every method raises StoreError when the store fails; the tracker
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
        """How often this tracker has called MLflow."""
        return self.store.calls

    def last_epoch(self, trial_id: str) -> int:
        """Return the last epoch of a trial that MLflow has; -1 when it has none."""
        run = self._runs.get("trial", trial_id)
        return run.last_epoch if run else -1

    def sync_sweep(self, state: RunState) -> str:
        """Bring the sweep's run up to date, with the study's configuration as artifact; return its id."""
        configuration_hash = hashlib.sha256(self._study.config_yaml.read_bytes()).hexdigest()
        run = self._runs.get("sweep", self._study_id)
        if run is not None and run.tags.get(STUDY_TAG) != self._study.config.name:
            state = replace(state, tags={**state.tags, TITLE_TAG: state.title})
        tags = self._without_description_of_others(state.tags, run)
        state = replace(state, tags={**tags, STUDY_TAG: self._study.config.name})
        run = self._runs.sync("sweep", self._study_id, state)
        if run.tags.get(CONFIGURATION_TAG) != configuration_hash:
            self._runs.log_artifacts(run, [self._study.config_yaml])
            state = replace(state, tags={**state.tags, CONFIGURATION_TAG: configuration_hash})
            self._runs.sync("sweep", self._study_id, state)
        return run.run_id

    def _without_description_of_others(self, tags: Tags, run: TrackedRun | None) -> Tags:
        """Return the tags without ours where a user has written a description of the sweep."""
        there = run.tags.get(DESCRIPTION_TAG, "") if run else ""
        is_theirs = there != "" and not there.startswith(VERDICT)
        return {name: tag for name, tag in tags.items() if not (is_theirs and name == DESCRIPTION_TAG)}

    def sync_trial(self, trial_id: str, state: RunState) -> None:
        """Bring a trial's run up to date, in at most three calls; none if it is already.

        MLflow's table shows only the last step: give the best so far as a metric of its own,
        such as `best_relaxed_f1`. A metric that is not finite is kept as NaN.
        """
        parent = {PARENT_TAG: self._sweep().run_id}
        self._runs.sync("trial", trial_id, replace(state, tags={**state.tags, **parent}))

    def sync_member(
        self,
        name: str,
        *,
        parameters: Tags,
        history: pd.DataFrame,
        metrics: Mapping[str, float],
        tags: Tags,
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
            One row an epoch: a column `epoch`, and one for each metric.
        metrics : Mapping
            Metrics of the member as a whole, such as its threshold and test metrics.
        tags : Mapping
            `trial_id` links it to the run of the trial that won.
        artifacts : sequence of Path
            Files and folders: the weights, the card, the table.
        """
        links: dict[str, Labelled] = {PARENT_TAG: self._sweep().run_id}
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
            metrics=metrics,
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
        """Return the sweep's run; one that has ended is created if the store has none."""
        bare = RunState(title=f"sweep {self._study.config.name}", condition="completed")
        run = self._runs.get("sweep", self._study_id)
        return run or self._runs.sync("sweep", self._study_id, bare)


# --- Members in MLflow

BY_DATA_SET = ("relaxed_f1", "dice", "bf")


def track_members(study: Study) -> int:
    """Log every member's run, or bring it up to date with the stages that were completed since.

    After retraining a run has the history, the weights and the card; after the evaluation also
    the threshold and the test metrics; after the report the metrics, the table and the page.
    Returns the number of members.

    Raises
    ------
    StoreError
        When the store cannot be reached or used; see `carry_on_without_store`.
    """
    tracker = Tracker.open(study)
    tested = _test_metrics(study)
    shared = [path for path in (study.table_csv, study.report_html) if path.is_file()]
    figures = [path for path in (study.figures,) if path.is_dir()]
    cards = sorted((study.directory / "members").glob("*/card.json"))
    for path in cards:
        member, card = path.parent, load_card_of(path.parent)
        metrics = {f"best_epoch.{name}": value for name, value in card.figures.items()}
        if card.tau is not None:
            metrics["tau"] = card.tau
        metrics |= {f"test.{name}": value for name, value in tested.get(member.name, {}).items()}
        tracker.sync_member(
            member.name,
            parameters={**card.parameters, "seed": card.seed},
            history=pd.read_csv(member / "history.csv"),
            metrics=metrics,
            tags={"stratum": member.name, "trial_id": card.trial_id},
            artifacts=[*sorted(p for p in member.iterdir() if p.is_file()), *figures, *shared],
        )
    if shared:
        tracker.log_study_artifacts([*shared, *figures])
    return len(cards)


def _test_metrics(study: Study) -> dict[str, dict[str, float]]:
    """Return the test metrics of each evaluated member, by its stratum's key."""
    if not study.table_json.is_file():
        return {}
    table = read_artifact(study.table_json, StudyTable)
    found = {
        row.stratum: {name: float(value) for name, value in row if isinstance(value, int | float)}
        for row in table.rows
    }
    for row in table.by_data_set:
        if row.kind == "network" and row.stratum is not None:
            found[row.stratum] |= {f"{row.data_set}.{name}": getattr(row, name) for name in BY_DATA_SET}
    return found
