"""A study is a folder: the paths of its files, and how one is created, opened, extended and locked."""

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout

from glsweep.config.data_card import CORRECTIONS, DataCard
from glsweep.config.settings import load_yaml, write_as_yaml
from glsweep.config.trial import Stratum
from glsweep.errors import StudyError
from glsweep.files import write_text
from glsweep.study.artifacts import StageRecord, StageSummary, StudyId, read_artifact, write_artifact
from glsweep.study.configuration import (
    STAGES,
    Change,
    Stage,
    StudyConfig,
    changes_between,
    extended_configuration,
)


@dataclass(frozen=True)
class Study:
    """The folder of one study and its frozen configuration."""

    directory: Path
    config: StudyConfig

    @property
    def lock(self) -> Path:
        """Held by the process that works on the study; never deleted."""
        return self.directory / ".lock"

    @property
    def config_yaml(self) -> Path:
        """The frozen configuration."""
        return self.directory / "study.yaml"

    @property
    def scenes(self) -> Path:
        """Root of the scenes: the card's, or that of simulated ones within the study."""
        return self.config.card.root or self.directory / "scenes"

    @property
    def id(self) -> str:
        """Identifier of this study, whatever its name and wherever it lies; made at the first call.

        A hash of the configuration would not do: on a server, a study that was deleted and run again
        would find the runs of the first and take its own epochs as logged.
        """
        if not self.tracking_json.is_file():
            write_artifact(self.tracking_json, StudyId(study_id=uuid.uuid4().hex))
        return read_artifact(self.tracking_json, StudyId).study_id

    def scene_root(self, data_set: DataCard) -> Path:
        """Root of the scenes of one of the study's data sets."""
        joined = len(self.config.card.parts) > 0
        return data_set.root or (self.scenes / data_set.name if joined else self.scenes)

    @property
    def patches(self) -> Path:
        """One folder of patches for each patch size."""
        return self.directory / "patches"

    @property
    def data_json(self) -> Path:
        """What was found in the scenes and lines, and how ground was split."""
        return self.directory / "data.json"

    def start(self, weights_hash: str) -> Path:
        """Weights from which trials begin, as the study keeps them."""
        return self.directory / "start" / f"{weights_hash}.safetensors"

    @property
    def sweep(self) -> Path:
        """Ledger, checkpoints and winners of the sweep."""
        return self.directory / "sweep"

    @property
    def ledger_jsonl(self) -> Path:
        """Every event of the sweep, one JSON object a line."""
        return self.sweep / "ledger.jsonl"

    @property
    def has_begun(self) -> bool:
        """Whether its sweep has begun any trial."""
        return self.ledger_jsonl.is_file() and self.ledger_jsonl.stat().st_size > 0

    @property
    def optuna_db(self) -> Path:
        """The sweep as an Optuna study, in an SQLite file that follows from the ledger; see `dashboard`."""
        return self.sweep / "optuna.db"

    @property
    def trained_on_json(self) -> Path:
        """Fingerprint, for each patch size, of the patches that the sweep is trained and judged on."""
        return self.sweep / "trained_on.json"

    @property
    def trials_csv(self) -> Path:
        """One row a trial: parameters, outcome, best metric."""
        return self.sweep / "trials.csv"

    @property
    def winners_json(self) -> Path:
        """The best trial of each stratum."""
        return self.sweep / "winners.json"

    def member(self, stratum: Stratum) -> Path:
        """Folder of a retrained winner: model.safetensors, card.json, and a history.csv of each seed."""
        return self.directory / "members" / stratum.key

    @property
    def members_ledger_jsonl(self) -> Path:
        """Every event of retraining, as in the sweep's ledger."""
        return self.directory / "members" / "ledger.jsonl"

    def checkpoints(self, storage: str | None, part: Literal["sweep", "members"]) -> str:
        """Folder or URI of the checkpoints of a part of the study: within it, or in a shared `storage`."""
        if storage is None:
            return str((self.directory / part / "checkpoints").resolve())
        root = storage.rstrip("/") if "://" in storage else str(Path(storage).resolve())
        return f"{root}/{self.id}/{part}"

    @property
    def calibration_json(self) -> Path:
        """Each member's threshold and the curve that chose it."""
        return self.directory / "calibration.json"

    @property
    def table_csv(self) -> Path:
        """The study's table on the test split."""
        return self.directory / "table.csv"

    @property
    def table_json(self) -> Path:
        """The same table with counts and baselines, and each network's example patches."""
        return self.directory / "table.json"

    @property
    def curves_json(self) -> Path:
        """Each member's precision and recall at every threshold, and how reliable its probabilities are."""
        return self.directory / "curves.json"

    @property
    def maps(self) -> Path:
        """Whole test scenes as each member draws them: probability, lines, picture."""
        return self.directory / "maps"

    @property
    def lines_json(self) -> Path:
        """How far each member's lines lie from the true ones on whole test scenes, in metres."""
        return self.directory / "lines.json"

    @property
    def lines_csv(self) -> Path:
        """The same as a table, one row a member and scene."""
        return self.directory / "lines.csv"

    @property
    def second_look_json(self) -> Path:
        """The lines that are worth a second look, the most rewarding first; beside it small pictures."""
        return self.directory / "second_look" / "doubts.json"

    @property
    def review_gpkg(self) -> Path:
        """The same lines to be corrected in a GIS program; what somebody wrote into it is kept."""
        return self.directory / CORRECTIONS

    @property
    def figures(self) -> Path:
        """The report's figures as PNG and SVG."""
        return self.directory / "figures"

    @property
    def report_html(self) -> Path:
        """The report, one self-contained page."""
        return self.directory / "report.html"

    @property
    def replay(self) -> Path:
        """What other stopping rules would have done: table and figure."""
        return self.directory / "replay"

    @property
    def mlflow_db(self) -> Path:
        """MLflow's SQLite store, unless MLFLOW_TRACKING_URI names another."""
        return self.directory / "mlflow.db"

    @property
    def mlflow_artifacts(self) -> Path:
        """MLflow's artifacts when the store is the study's own."""
        return self.directory / "mlartifacts"

    @property
    def tracking_json(self) -> Path:
        """Holds the study's `id`, with which its runs in MLflow are tagged."""
        return self.directory / "tracking.json"

    def stage_record(self, stage: Stage) -> Path:
        """The file whose existence says that `stage` is complete."""
        return self.directory / "stages" / f"{stage}.json"

    def is_done(self, stage: Stage) -> bool:
        """Whether `stage` has been completed."""
        return self.stage_record(stage).is_file()

    def finish(self, stage: Stage, wall_s: float, summary: StageSummary) -> None:
        """Record that `stage` is complete, with what it found."""
        record = StageRecord(
            stage=stage, finished_unix_s=round(time.time()), wall_s=round(wall_s, 2), summary=summary
        )
        write_artifact(self.stage_record(stage), record)

    def extended(self, requested: StudyConfig) -> "Study":
        """Return the study as `extend_study` makes it."""
        requested = requested.model_copy(update={"name": self.config.name})
        return replace(
            self, config=extended_configuration(self.config, requested) if self.has_begun else requested
        )

    def record(self, stage: Stage) -> StageRecord:
        """Return the record of a completed stage.

        Raises
        ------
        StudyError
            When the stage has not been completed, or its record cannot be read.
        """
        if not self.is_done(stage):
            raise StudyError(
                f"{self.directory}: stage `{stage}` has not been run; "
                f"run `python -m glsweep.run {stage} --study {self.directory}` first"
            )
        return read_artifact(self.stage_record(stage), StageRecord)


@contextmanager
def locked(study: Study) -> Iterator[None]:
    """Keep other processes from working on the study within this block.

    Raises
    ------
    StudyError
        When one already does, or the folder cannot be written to.
    """
    # Wait a second: `status` holds the lock for a moment.
    lock = FileLock(study.lock, timeout=1)
    try:
        lock.acquire()
    except Timeout as error:
        raise StudyError(f"{study.directory}: another process works on this study; wait for it") from error
    except OSError as error:
        raise StudyError(
            f"{study.directory}: cannot be written to ({error.strerror}); copy it to where it can, or "
            "only read it with `status`, `replay`, `predict` or `report --out FOLDER`"
        ) from error
    try:
        yield
    finally:
        lock.release()


def is_study(directory: Path) -> bool:
    """Whether `directory` holds a study."""
    return (directory / "study.yaml").is_file()


def open_study(directory: Path) -> Study:
    """Open an existing study; its name is that of its folder.

    Raises
    ------
    StudyError
        When the folder is not a study.
    """
    if not is_study(directory):
        raise StudyError(f"{directory}: is not a study (no study.yaml); name a study or leave --study out")
    config = load_yaml(directory / "study.yaml", StudyConfig).with_absolute_paths(directory)
    return Study(directory, config.model_copy(update={"name": directory.resolve().name}))


def create_study(directory: Path, config: StudyConfig) -> Study:
    """Create a study in a folder that does not exist or is empty.

    Raises
    ------
    StudyError
        When the folder holds files, or cannot be written.
    """
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise StudyError(f"{directory}: exists and is not a study; name another folder with --study")
    study = Study(directory, config.model_copy(update={"name": directory.resolve().name}))
    try:
        _write_config(study)
    except OSError as error:
        raise StudyError(
            f"{directory}: cannot be made ({error}); name another folder with --study"
        ) from error
    return study


def extend_study(study: Study, requested: StudyConfig) -> Study:
    """Change a study to the requested configuration: text, places, and more of what it has.

    The records of stages whose results no longer hold are removed, so that these are run again; the
    results themselves stay until then. The study must be locked, see `locked`.

    Raises
    ------
    StudyError
        When its trials could not be compared with those to come; the message names every such key, and
        nothing is written.
    """
    changes = check_extension(study, requested)
    extended = study.extended(requested)
    if extended.config == study.config:
        return study
    # If the process dies in between, some stages are run again without need, and nothing is lost.
    for stage in reversed(STAGES):
        if any(stage in change.stale for change in changes):
            study.stage_record(stage).unlink(missing_ok=True)
    _write_config(extended)
    return extended


def check_extension(study: Study, requested: StudyConfig) -> list[Change]:
    """Return what would change, or raise `StudyError` as `extend_study` does."""
    changes = changes_between(study.config, study.extended(requested).config)
    refused = [change for change in changes if not change.is_possible]
    if refused and study.has_begun:
        raise StudyError(_refusal(study, refused))
    return changes


def _refusal(study: Study, refused: Sequence[Change]) -> str:
    changes = "; ".join(map(str, refused))
    return (
        f"{study.directory}: its trials were run with other settings, and could not be compared with those "
        f"to come: {changes}; put back what was, or name another folder with --study"
    )


def _write_config(study: Study) -> None:
    relative = study.config.with_relative_paths(study.directory)
    write_text(study.config_yaml, write_as_yaml(relative.model_dump(mode="json", exclude={"name"})))
