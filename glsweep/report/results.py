"""Everything a study has left on disk, read once for the report."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from glsweep.config.space import Metric
from glsweep.config.trial import Stratum, TrialParameters
from glsweep.errors import StudyError
from glsweep.nets.member import ModelCard, load_card_of
from glsweep.registry import ARCHITECTURES
from glsweep.study import Study
from glsweep.study.artifacts import (
    DataSummary,
    StageRecord,
    ThresholdCurve,
    ThresholdCurves,
    Winner,
    Winners,
    read_artifact,
)
from glsweep.study.configuration import STAGES, Stage, StudyConfig
from glsweep.study.evaluation_artifacts import Curves, StudyLines, StudyTable
from glsweep.sweep.records import Event, Judged, Ledger, Reported, SweepRecords, TrialRecord, records_of
from glsweep.sweep.rungs import SeedScores

JUDGED = ("trial_id", "rung_epoch", "value", "rank", "of", "kept", "cutoff")
EPOCH_NUMBERS = ("metric", "epoch_s", "micro_batch")


@dataclass(frozen=True)
class History:
    """What happened in a sweep.

    Attributes
    ----------
    epochs : DataFrame
        One row an epoch that was reported, in the order in which they came: trial_id, epoch,
        metric (the one that ranks), epoch_s, micro_batch (patches at once).
    judged : DataFrame
        One row a judgement, with the fields of the sweep's event.
    """

    epochs: pd.DataFrame
    judged: pd.DataFrame


def history_of(events: Iterable[Event], rank_by: Metric) -> History:
    """Return what the trials of a sweep reported, and how they were judged.

    An epoch that was repeated after an interruption stands there twice.
    """
    names = (rank_by, "epoch_s", "micro_batch")
    epochs: list[tuple[str | int | float, ...]] = []
    judged: list[tuple[object, ...]] = []
    for event in events:
        if isinstance(event, Reported):
            epochs.append((event.trial_id, event.epoch, *(event.figures[name] for name in names)))
        elif isinstance(event, Judged):
            judged.append(tuple(getattr(event, name) for name in JUDGED))
    return History(
        pd.DataFrame(epochs, columns=["trial_id", "epoch", *EPOCH_NUMBERS]).astype(
            dict.fromkeys(EPOCH_NUMBERS, float)
        ),
        pd.DataFrame(judged, columns=list(JUDGED)),
    )


# --- The results of a study, and their reader

TRIAL_NUMBERS = (
    "index",
    "replicate",
    "patch_size_px",
    "rung_epoch",
    "epochs",
    "best_epoch",
    "best",
    "wall_s",
)
TRIAL_LABELS = ("trial_id", "configuration", "architecture", "outcome", "reason")
HYPERPARAMETERS = set(TrialParameters.model_fields) - set(Stratum._fields)


@dataclass(frozen=True)
class Examples:
    """Patches of the test split with a member's answer.

    Attributes
    ----------
    image : float32 array (K, 2, S, S)
        Real and imaginary part; 0 where there is no data.
    mask : uint8 array (K, S, S)
        1 on the true line.
    probability : float32 array (K, S, S)
        The member's answer.
    """

    image: npt.NDArray[np.float32]
    mask: npt.NDArray[np.uint8]
    probability: npt.NDArray[np.float32]


@dataclass(frozen=True)
class MemberResults:
    """A retrained winner: its card, its history (one row an epoch) and its example patches."""

    card: ModelCard
    history: pd.DataFrame
    examples: Examples


@dataclass(frozen=True)
class Results:
    """A finished study in memory.

    Attributes
    ----------
    trials : DataFrame
        One row a trial; `TRIAL_NUMBERS` are numbers (NaN where empty), all other columns text.
    records : SweepRecords
        What is known of each trial, from the sweep's ledger.
    history : History
        What trials reported epoch by epoch, and how they were judged.
    members : dict
        From stratum, ordered by patch size and architecture.
    winners, calibration : dict
        From a stratum's key.
    at_start : dict
        From a stratum's key and a `start`, the metric of its weights before any training.
    lines : StudyLines or None
        Whole test scenes in metres, None where test ground is no part of a map.
    maps : Path
        Their folder.
    curves : Curves
        Each member's curves on the test patches.
    stages : dict
        From the name of a completed stage before the report to its record, in order.
    """

    config: StudyConfig
    data: DataSummary
    trials: pd.DataFrame
    records: SweepRecords
    history: History
    winners: dict[str, Winner]
    members: dict[Stratum, MemberResults]
    calibration: dict[str, ThresholdCurve]
    table: StudyTable
    curves: Curves
    maps: Path
    lines: StudyLines | None = None
    stages: dict[Stage, StageRecord] = field(default_factory=dict)
    at_start: dict[str, dict[str, float]] = field(default_factory=dict)

    def between_sizes(self, remark: str) -> str:
        """Return a remark on comparing patch sizes, or nothing where there is but one."""
        return remark if len({row.patch_size_px for row in self.table.rows}) > 1 else ""

    @property
    def simulated(self) -> set[str]:
        """Names of the data sets whose scenes are simulated."""
        return {card.name for card in self.config.card.data_sets if card.simulation}

    @property
    def parameter_columns(self) -> list[str]:
        """Columns of `trials` that are hyperparameters, in the file's order."""
        return [name for name in self.trials.columns if name in HYPERPARAMETERS or "." in name]

    @property
    def trial_strata(self) -> list[Stratum]:
        """Strata that have trials, ordered."""
        pairs = zip(self.trials["architecture"], self.trials["patch_size_px"], strict=True)
        return ordered({Stratum(str(name), int(size)) for name, size in pairs})

    @property
    def first_seeds(self) -> pd.DataFrame:
        """Rows of `trials` that are the first seed of their configuration."""
        return self.trials[self.trials["replicate"] == 0]

    @property
    def configurations(self) -> pd.DataFrame:
        """Rows of first seeds, with `best` the mean over those seeds that completed."""
        means = {first.trial.configuration: scores.mean for first, scores in self.seed_scores()}
        first = self.first_seeds
        return first.assign(best=first["configuration"].map(means).fillna(first["best"]))

    def seed_scores(self, stratum: Stratum | None = None) -> Iterator[tuple[TrialRecord, SeedScores]]:
        """Yield the first seed of each configuration of which a seed ran in full, with what ranks it.

        Those of one stratum, or of all, in the sweep's order.
        """
        keys = self.records.strata if stratum is None else [stratum.key]
        for key in keys:
            for first in self.records.strata.get(key, []):
                scores = SeedScores.of(self.records.seeds_of(first), self.config.space.search.rank_by)
                if scores is not None:
                    yield first, scores

    def trials_of(self, stratum: Stratum) -> pd.DataFrame:
        """Rows of `trials` that belong to `stratum`."""
        same_size = self.trials["patch_size_px"] == stratum.patch_size_px
        return self.trials[same_size & (self.trials["architecture"] == stratum.architecture)]


def ordered(strata: set[Stratum]) -> list[Stratum]:
    """Return strata by patch size, then in the order in which architectures are named."""
    return sorted(strata, key=lambda s: (s.patch_size_px, ARCHITECTURES.rank(s.architecture)))


def read_results(study: Study) -> Results:
    """Read a study that has been evaluated.

    Raises
    ------
    StudyError
        When a stage that the report needs has not been run, or one of its files is missing.
    """
    study.record("evaluate")
    try:
        return _read(study)
    except FileNotFoundError as error:
        raise StudyError(
            f"{error.filename}: is missing, though stage `evaluate` was completed; delete "
            f"{study.directory / 'stages'} and run the study again"
        ) from error


def _read(study: Study) -> Results:
    table = read_artifact(study.table_json, StudyTable)
    events = list(Ledger(study.ledger_jsonl).read())
    strata = ordered({Stratum(row.architecture, row.patch_size_px) for row in table.rows})
    won = read_artifact(study.winners_json, Winners)
    return Results(
        config=study.config,
        data=read_artifact(study.data_json, DataSummary),
        trials=read_trials(study.trials_csv),
        records=records_of(events),
        history=history_of(events, study.config.space.search.rank_by),
        winners=won.by_stratum,
        at_start=won.at_start,
        members={stratum: _read_member(study.member(stratum)) for stratum in strata},
        calibration=read_artifact(study.calibration_json, ThresholdCurves).by_stratum,
        table=table,
        stages={s: study.record(s) for s in STAGES if s != "report" and study.is_done(s)},
        lines=read_artifact(study.lines_json, StudyLines) if study.lines_json.is_file() else None,
        maps=study.maps,
        curves=read_artifact(study.curves_json, Curves),
    )


def read_trials(path: Path) -> pd.DataFrame:
    """Read `trials.csv`: labels stay text (`none` is a label), numbers become numbers.

    Raises
    ------
    StudyError
        When a column is missing.
    """
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = [name for name in (*TRIAL_LABELS, *TRIAL_NUMBERS) if name not in frame]
    if missing:
        raise StudyError(
            f"{path}: has no column {missing[0]!r}; delete {path.parent.parent / 'stages'} and run the "
            "study again"
        )
    for name in TRIAL_NUMBERS:
        frame[name] = pd.to_numeric(frame[name], errors="coerce")
    return frame


def _read_member(folder: Path) -> MemberResults:
    with np.load(folder / "examples.npz", allow_pickle=False) as arrays:
        examples = Examples(arrays["image"], arrays["mask"], arrays["probability"])
    return MemberResults(load_card_of(folder), pd.read_csv(folder / "history.csv"), examples)
