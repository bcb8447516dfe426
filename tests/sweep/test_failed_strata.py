"""A real study of which one stratum diverges in the sweep and another in retraining: the third goes on."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from small_study import SMOKE

from glsweep.config.trial import Stratum
from glsweep.doctor.connection import connected
from glsweep.files import read_json
from glsweep.run import SOME_FAILED, main
from glsweep.study import Study, open_study
from glsweep.study.artifacts import Winners, read_artifact, write_artifact
from glsweep.study.evaluation_artifacts import StudyTable
from glsweep.sweep.outcomes import read_failures

pytestmark = [pytest.mark.ray, pytest.mark.slow]

TOO_FAST = 1e30


@pytest.fixture(autouse=True)
def ray() -> Iterator[None]:
    """One Ray for every command."""
    with connected(None):
        yield


def write_space(folder: Path) -> Path:
    """Three strata with a rate each, one of which cannot be trained with."""
    space = yaml.safe_load((SMOKE / "space.yaml").read_text())
    del space["dimensions"]["architecture"], space["dimensions"]["bce_weight"]
    del space["fixed"]["learning_rate"], space["retraining"]["learning_rate"]
    del space["dimensions"]["base_width"]
    rates = [["unet", 4, 3e-3], ["attention_unet", 4, TOO_FAST], ["unetpp", 2, 3e-3]]
    tied = {"choices": rates, "keys": ["architecture", "base_width", "learning_rate"]}
    space["dimensions"]["network"] = tied
    space["fixed"]["bce_weight"] = 0.2
    space["search"] |= {"epochs": 1, "scheduler": {"name": "none"}}
    space["retraining"] |= {"epochs": 1, "batch_size": 6}
    path = folder / "space.yaml"
    path.write_text(yaml.safe_dump(space))
    return path


def started(study: Study) -> list[str]:
    """Every start of a member that the ledger tells of."""
    return [line for line in study.members_ledger_jsonl.read_text().splitlines() if '"started"' in line]


def test_the_other_strata_are_searched_retrained_and_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    place = ["--study", str(tmp_path / "study")]
    asked = [*place, "--data", str(SMOKE / "card.yaml"), "--space", str(write_space(tmp_path))]
    assert main(["prepare", *asked]) == 0
    assert main(["sweep", *asked]) == SOME_FAILED
    study = open_study(tmp_path / "study")
    trials = pd.read_csv(study.trials_csv).set_index("stratum")
    assert trials["outcome"].to_dict() == {
        "attention_unet-64": "failed",
        "unet-64": "completed",
        "unetpp-64": "completed",
    }
    winners = read_artifact(study.winners_json, Winners)
    won = winners.by_stratum
    assert sorted(won) == ["unet-64", "unetpp-64"]
    # A winner that was just slow enough in the sweep may diverge in full training.
    parameters = won["unetpp-64"].parameters.model_copy(update={"learning_rate": TOO_FAST})
    broken = won["unetpp-64"].model_copy(update={"parameters": parameters})
    write_artifact(study.winners_json, Winners(by_stratum={**won, "unetpp-64": broken}))

    capsys.readouterr()
    assert main(["study", *asked]) == SOME_FAILED
    printed = capsys.readouterr().out
    table = read_artifact(study.table_json, StudyTable)
    assert [row.stratum for row in table.rows] == ["unet-64"]
    assert {row.stratum: row.stage for row in table.failed} == {
        "attention_unet-64": "sweep",
        "unetpp-64": "retrain",
    }
    listed = pd.read_csv(study.table_csv).set_index("kind")
    assert "nan" in listed.loc["failed", "reason"].iloc[0]
    assert printed.count("failed: U-Net++ 64 failed in stage `retrain`") == 1
    assert "trained in full with batch_size 6 (the trial had 4)" in printed
    assert read_json(study.member(Stratum.parse("unet-64")) / "card.json")["changed_since_trial"] == {
        "batch_size": [4, 6]
    }

    before = study.members_ledger_jsonl.read_bytes()
    assert main(["study", *asked]) == SOME_FAILED, "and nothing is trained again"
    assert study.members_ledger_jsonl.read_bytes() == before
    capsys.readouterr()
    assert main(["status", str(study.directory)]) == 0
    assert "failed: Attention U-Net 64 failed in stage `sweep`" in capsys.readouterr().out

    write_artifact(study.winners_json, winners)
    kept = (study.member(Stratum.parse("unet-64")) / "model.safetensors").read_bytes()
    assert main(["retrain", *asked]) == SOME_FAILED
    assert list(read_failures(study)) == ["attention_unet-64"]
    assert (study.member(Stratum.parse("unetpp-64")) / "card.json").is_file()
    assert (study.member(Stratum.parse("unet-64")) / "model.safetensors").read_bytes() == kept
    assert sum("unet-64" in line and "attention" not in line for line in started(study)) == 1
    assert not study.is_done("calibrate")

    weights = study.member(Stratum.parse("unetpp-64")) / "model.safetensors"
    whole = weights.read_bytes()
    for stage, asked_for in (("calibrate", ["calibrate", "evaluate"]), ("evaluate", ["evaluate"])):
        weights.write_bytes(whole[:-100])
        assert [main([command, *asked]) for command in asked_for] == [SOME_FAILED] * len(asked_for)
        failed = read_failures(study)["unetpp-64"]
        assert (failed.stage, "retrain" in failed.remedy) == (stage, True)
        table = read_artifact(study.table_json, StudyTable)
        assert [row.stratum for row in table.rows] == ["unet-64"]
        assert {row.stratum: row.stage for row in table.failed}["unetpp-64"] == stage
        weights.write_bytes(whole)
        assert main(["calibrate", *asked]) == SOME_FAILED
        assert list(read_failures(study)) == ["attention_unet-64"], "it is tried again"
