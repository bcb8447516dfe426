"""What is told of strata that failed: why, and what really helps."""

import math
from pathlib import Path

import pandas as pd
import pytest
from made_configs import space, study_config
from rich.console import Console
from sweeps import figures, journal_at, planned

from glsweep.config.stopping import NoStopping
from glsweep.config.trial import Stratum
from glsweep.errors import DataError, StudyError
from glsweep.search import make_plan
from glsweep.stages import Context, run_stages
from glsweep.study import Study, create_study
from glsweep.study.artifacts import Failure, StageSummary, Winners, write_artifact
from glsweep.study.configuration import STAGES, Stage
from glsweep.sweep.engine import write_trials_table
from glsweep.sweep.outcomes import (
    Failures,
    check_some_survive,
    failure_in_retraining,
    failure_in_sweep,
    read_failures,
    recorded_failure,
    surviving_strata,
)
from glsweep.sweep.records import TrialRecord

UNET = Stratum("unet", 128)
MEMORY = "cpu ran out of memory on a single patch: U-Net 128 px; choose a smaller base_width"


def failed(stratum: str, stage: Stage = "sweep") -> Failure:
    return Failure(stratum=stratum, stage=stage, reason="it diverged", remedy="lower the rate")


def record(index: int, outcome: str | None, reason: str = "") -> TrialRecord:
    return TrialRecord(planned(index), started_unix_s=0.0, outcome=outcome, reason=reason)  # type: ignore[arg-type]


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return create_study(tmp_path / "study", study_config())


@pytest.mark.parametrize(
    ("records", "words"),
    [
        ([], ["none of its trials was begun", "raise `search.budget`"]),
        (
            [
                record(0, "failed", "epoch 1: val_loss is nan"),
                record(1, "failed", "epoch 1: val_loss is nan"),
            ],
            ["all 2 trials failed: epoch 1: val_loss is nan", "smaller `learning_rate`"],
        ),
        ([record(0, "failed", MEMORY)], ["its only trial failed: cpu ran out of memory", "`base_width`"]),
        (
            [record(0, "failed", MEMORY), record(1, "stopped"), record(2, "stopped")],
            ["1 of its trials failed", "the others of 3 were stopped early"],
        ),
        (
            [
                record(0, "failed", "it is inf"),
                record(1, "failed", MEMORY),
                record(2, "failed", "it is inf"),
            ],
            ["all 3 trials failed: it is inf, and 1 other reason;"],
        ),
    ],
)
def test_a_stratum_without_a_winner_is_told_with_its_commonest_reason(
    records: list[TrialRecord], words: list[str]
) -> None:
    text = str(failure_in_sweep(UNET, records, space()))
    assert text.startswith("U-Net 128 failed in stage `sweep` (")
    assert text.endswith("in the search space, then give the same command")
    assert all(word in text.replace(");", ";") for word in words)


def test_a_spent_budget_must_be_raised_as_well_for_further_choices_to_be_tried() -> None:
    limited = space(search__budget={"trials": 4})
    diverged = [record(0, "failed", "the training loss became nan")]
    assert "and raise `search.budget`" in failure_in_sweep(UNET, diverged, limited).remedy
    assert "budget" not in failure_in_sweep(UNET, diverged, space()).remedy


RATES = {"choices": [1e-3, 1e-2]}


@pytest.mark.parametrize(
    ("reason", "searched", "remedy"),
    [
        ("epoch 3: the training loss became nan", {}, "`retraining.learning_rate`"),
        ("epoch 3: the training loss became nan", {"learning_rate": RATES}, "`annealing: cosine`"),
        (MEMORY, {}, "`retraining.batch_size`"),
        (MEMORY, {"size": {"choices": [[2, 1.0]], "keys": ["batch_size", "gradient_clip"]}}, "make room: `"),
        ("the worker died", {}, "mend that: `python -m glsweep.run retrain --study"),
    ],
)
def test_the_remedy_of_a_member_never_names_a_setting_that_was_searched(
    tmp_path: Path, reason: str, searched: dict[str, object], remedy: str
) -> None:
    config = study_config()
    dimensions = space(dimensions={"architecture": {"choices": ["unet"]}, **searched}).dimensions
    config = config.model_copy(update={"space": config.space.model_copy(update={"dimensions": dimensions})})
    failure = failure_in_retraining(Study(tmp_path, config), record(0, "failed", reason))
    assert remedy in failure.remedy
    for name in ("learning_rate", "batch_size"):
        assert f"`retraining.{name}`" not in failure.remedy or name not in str(searched)


def test_failures_live_as_long_as_the_record_of_their_stage(study: Study) -> None:
    study.finish("sweep", 1.0, StageSummary(failed={"unet-32": failed("unet-32")}))
    study.finish("retrain", 1.0, StageSummary(failed={"unetpp-32": failed("unetpp-32", "retrain")}))
    study.finish("calibrate", 1.0, StageSummary())
    assert [failure.stage for failure in read_failures(study).values()] == ["sweep", "retrain"]
    assert surviving_strata(study, ["unetpp-32", "attention_unet-32"]) == ["attention_unet-32"]
    study.stage_record("retrain").unlink()
    assert surviving_strata(study, ["unetpp-32", "attention_unet-32"]) == ["attention_unet-32", "unetpp-32"]


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (DataError("model.safetensors: cannot be read; mend it"), "glsweep.run retrain"),
        (MemoryError("no memory"), "glsweep.run evaluate"),
        (ValueError("a probability is nan"), "`retraining.learning_rate`"),
    ],
)
def test_what_one_member_brings_about_is_kept_apart(study: Study, error: Exception, again: str) -> None:
    found: Failures = {}
    with recorded_failure(found, study, "evaluate", "unet-32"):
        raise error
    assert found["unet-32"].stage == "evaluate"
    assert found["unet-32"].reason == str(error).partition("; ")[0]
    assert again in found["unet-32"].remedy


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), KeyboardInterrupt(), KeyError("x")]
)
def test_what_is_no_members_fault_stops_the_stage(study: Study, error: BaseException) -> None:
    found: Failures = {}
    with pytest.raises(type(error)), recorded_failure(found, study, "evaluate", "unet-32"):
        raise error
    assert not found


def test_a_study_without_any_stratum_left_is_refused_in_one_line_each_time(study: Study) -> None:
    for stage in STAGES[:3]:
        study.finish(stage, 1.0, StageSummary())
    both = {key: failed(key) for key in ("unet-32", "unetpp-32")}
    study.finish("sweep", 1.0, StageSummary(failed=both))
    write_artifact(study.winners_json, Winners(by_stratum={}))
    plan = make_plan(study.config.space, seed=0, source=study.config_yaml)
    for _ in range(2):
        with pytest.raises(StudyError, match=r"every stratum failed: U-Net 32 .*lower the rate .*status"):
            run_stages(study, STAGES[2:], Context(plan, None, None, Console(quiet=True)))
    assert not study.is_done("retrain")


def test_one_stratum_left_is_enough(study: Study) -> None:
    study.finish("sweep", 1.0, StageSummary(failed={"unet-32": failed("unet-32")}))
    check_some_survive(study, ["unetpp-32"])


@pytest.mark.parametrize("error", [KeyboardInterrupt, StudyError])
def test_the_table_of_trials_is_there_however_the_sweep_ends(
    study: Study, error: type[BaseException]
) -> None:
    def cut_off() -> None:
        journal = journal_at(study.ledger_jsonl, epochs=2, stopping=NoStopping())
        for index in range(2):
            journal.start(planned(index))
        journal.report("0000", 1, figures(math.nan), last=False)
        raise error

    study.sweep.mkdir()
    with pytest.raises(error), write_trials_table(study):
        cut_off()
    table = pd.read_csv(study.trials_csv, dtype={"trial_id": str}, keep_default_na=False)
    assert list(table["trial_id"]) == ["0000", "0001"]
    assert list(table["outcome"]) == ["failed", ""]
    assert "is nan" in table["reason"][0]


def test_a_full_disk_is_told_by_the_error_that_found_it(study: Study) -> None:
    study.sweep.write_text("where the folder of the table should be")
    with pytest.raises(StudyError, match="the ledger cannot be written"), write_trials_table(study):
        raise StudyError("the ledger cannot be written")
