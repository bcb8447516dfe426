"""What one stage of a study writes and another reads: a model for each JSON file, and how it is read.

The files of the stage `evaluate` are described in `glsweep.study.evaluation_artifacts`.
"""

from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer

from glsweep.config.data_card import SplitName
from glsweep.config.settings import Settings
from glsweep.config.space import Criterion, Metric
from glsweep.config.trial import Stratum, TrialParameters
from glsweep.errors import StudyError
from glsweep.files import read_json, write_json
from glsweep.study.configuration import Stage

VERSION = 1
"""Version of the format of all these files; raised whenever that of one of them changes."""

CountsBySplit = dict[SplitName, "PatchCounts"]


class Artifact(Settings):
    """The whole content of one file, with the version of its format."""

    version: int = VERSION
    written_by: ClassVar[Stage | None] = None
    """The stage whose record must be deleted for the file to be written again."""


AnyArtifact = TypeVar("AnyArtifact", bound=Artifact)


def write_artifact(path: Path, value: Artifact) -> None:
    """Write `value` as JSON, whole or not at all."""
    write_json(path, value.model_dump(mode="json"))


def read_artifact(path: Path, model: type[AnyArtifact]) -> AnyArtifact:
    """Read a file that `write_artifact` wrote.

    Raises
    ------
    StudyError
        When the file is missing, damaged, or of another version; the message says what to do.
    """
    stage = model.written_by
    record = f"stages/{stage}.json in the study's folder"
    again = f"delete it{f' and {record}' if stage else ''}, then run the study again"
    try:
        value = read_json(path)
    except FileNotFoundError as error:
        missing = f"delete {record}, then run the study again" if stage else "run the study again"
        raise StudyError(f"{path}: is missing; {missing}") from error
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror}); make it readable") from error
    except ValueError as error:
        raise StudyError(f"{path}: is not readable JSON ({error}); {again}") from error
    version = value.get("version") if isinstance(value, dict) else None
    if version != VERSION:
        found = "not named" if version is None else version
        raise StudyError(
            f"{path}: was written by another version of glsweep (its format is {found}, this version reads "
            f"{VERSION}); open the study with that version, or run it again in a new folder with --study"
        )
    try:
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise StudyError(f"{path}: {key}: {first['msg'].lower()}; {again}") from error


class StudyId(Artifact):
    """`tracking.json`: the identifier of a study."""

    study_id: str


class PatchCounts(Settings):
    """How many patches of one size and split hold a line, and how many do not."""

    with_line: int
    without_line: int


class SceneFacts(Settings):
    """One scene: its size, its map, and the lines that lie on it."""

    rows: int
    cols: int
    posting_m: float
    crs: str
    lines: int
    line_km: float


class CatalogueFindings(Settings):
    """What was found in a data set: counts, and the names behind each count.

    `rows_without_scene` counts rows by the scene that they name and that has no raster; `remarks` are
    sentences on what was not used as it is.
    """

    scenes: int
    posting_m: float
    line_rows: int
    rows_without_geometry: int
    rows_without_geometry_by_scene: dict[str, int]
    rows_without_scene: dict[str, int]
    remarks: tuple[str, ...]
    scenes_without_row: tuple[str, ...]
    scenes_without_line: tuple[str, ...]
    scenes_with_lines_outside_only: tuple[str, ...]
    scenes_without_position: tuple[str, ...]
    by_scene: dict[str, SceneFacts]


class SplitFindings(Settings):
    """How ground was divided among the splits: the rule, the reason for it, and what each split got."""

    rule: str
    reason: str
    leak_proof: bool
    scenes: dict[SplitName, tuple[str, ...]]
    line_km: dict[SplitName, float]


class GroundProof(Settings):
    """What patches of different splits have in common on the map.

    `pairs_checked` is the number of pairs that were checked and share no ground; under the rule `patch` it is
    None, and `leak` is the share of patches that share ground with a training patch, by size in px and split.
    """

    pairs_checked: int | None = None
    leak: dict[int, dict[SplitName, float]] | None = None


class DataSummary(Artifact):
    """`data.json`: what was found in scenes and lines, and how patches were drawn.

    `left_out` gives the reason for each scene that is not used; `patches`, `too_small` (names of scenes) and
    `overlap` (the largest share of pixels that two patches have in common) are by patch size in px.
    """

    written_by = "prepare"

    catalogue: CatalogueFindings
    left_out: dict[str, str]
    asked_rule: str
    split: SplitFindings
    patches: dict[int, CountsBySplit]
    too_small: dict[int, tuple[str, ...]]
    overlap: dict[int, dict[SplitName, float]]
    proof: GroundProof


class PatchMeta(Artifact):
    """`meta.json` beside the patches of one size: what is needed to use them."""

    posting_m: float
    amplitude_scale: float
    size_px: int
    hash: str
    counts: CountsBySplit


class TrainedOn(Artifact):
    """`sweep/trained_on.json`: a fingerprint of the patches that trials saw, by patch size in px."""

    fingerprints: dict[int, str]


class Winner(Settings):
    """The best configuration of a stratum, by the mean over its seeds; see `glsweep.sweep.outcomes`.

    `trial_id`, `epoch` and `seed` are those of its first seed; `spread` is the sample standard deviation
    over seeds, None with one.
    """

    trial_id: str
    index: int
    figure: Metric
    value: float
    replicates: int
    spread: float | None
    epoch: int
    seed: int
    parameters: TrialParameters


class Winners(Artifact):
    """`sweep/winners.json`: the winner of each stratum that has one, by the stratum's key.

    `at_start` is, by stratum and `start`, the metric that ranks of the weights from which trials began,
    before any training.
    """

    written_by = "sweep"

    by_stratum: dict[str, Winner]
    at_start: dict[str, dict[str, float]] = Field(default_factory=dict)


class ThresholdCurve(Settings):
    """How a threshold was chosen: the criterion at each threshold that was tried.

    `on_grid_edge` says that `tau` is the first or the last of them, so that a better one may lie outside;
    probabilities are those of logits divided by `temperature`, None where they are taken as they are.
    """

    criterion: Criterion
    tau: float
    on_grid_edge: bool
    thresholds: tuple[float, ...]
    values: tuple[float, ...]
    temperature: float | None = None

    @model_serializer(mode="wrap")
    def _without_what_is_unset(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialise(self)
        return {key: value for key, value in values.items() if (key, value) != ("temperature", None)}


class ThresholdCurves(Artifact):
    """`calibration.json`: the curve of each member that was calibrated, by its stratum's key."""

    written_by = "calibrate"

    by_stratum: dict[str, ThresholdCurve]


class Failure(Settings):
    """Why a stratum has no network in the study's table.

    Attributes
    ----------
    stratum : str
        Its key.
    stage : Stage
        Where it failed.
    reason, remedy : str
        Clauses for a message; the remedy is something that the user can do.
    """

    stratum: str
    stage: Stage
    reason: str = Field(min_length=1)
    remedy: str = Field(min_length=1)

    @property
    def title(self) -> str:
        """The stratum's name in messages."""
        return Stratum.parse(self.stratum).title

    def __str__(self) -> str:
        return f"{self.title} failed in stage `{self.stage}` ({self.reason}); {self.remedy}"


class StageSummary(Settings):
    """What a stage found, for its record; above all the strata that failed in it, by their key."""

    failed: dict[str, Failure] = Field(default_factory=dict)


class SimulateSummary(StageSummary):
    """How many scenes were simulated, or why none had to be."""

    scenes: int
    skipped: str = ""


class PrepareSummary(StageSummary):
    """The patches of each size in px."""

    patches: dict[int, CountsBySplit]


class SweepSummary(StageSummary):
    """The number of trials, their outcomes and epochs, and the winners by their stratum's key."""

    trials: int
    outcomes: dict[str, int]
    epochs: int
    winners: dict[str, str]


class RetrainSummary(StageSummary):
    """The epochs that each member was trained for, all its seeds together, by its stratum's key."""

    epochs_of_members: dict[str, int]


class ChosenThreshold(Settings):
    """A member's threshold, and whether it lies on the edge of the grid that was tried."""

    tau: float
    on_grid_edge: bool


class CalibrateSummary(StageSummary):
    """Each member's threshold, by its stratum's key."""

    chosen: dict[str, ChosenThreshold]


class HeadlineMetrics(Settings):
    """A member's main metrics on test patches."""

    relaxed_f1: float
    dice: float


class EvaluateSummary(StageSummary):
    """Each member's main metrics, by its stratum's key."""

    metrics: dict[str, HeadlineMetrics]


class ReportSummary(StageSummary):
    """The page's file name, how many figures it has, and the sentences that are printed too."""

    report: str
    figures: int
    headlines: tuple[str, ...]
    cautions: tuple[str, ...]


AnySummary = (
    SimulateSummary
    | PrepareSummary
    | SweepSummary
    | RetrainSummary
    | CalibrateSummary
    | EvaluateSummary
    | ReportSummary
    | StageSummary
)


class StageRecord(Artifact):
    """`stages/*.json`: its existence says that the stage is complete."""

    stage: Stage
    finished_unix_s: int
    wall_s: float
    summary: AnySummary
