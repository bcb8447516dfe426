"""A small study through Ray and MLflow, from simulated scenes to the report."""

import json
import math
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from conftest import Start
from mlflow import MlflowClient
from mlflow.entities import Run

from glsweep.config.trial import TrialParameters
from glsweep.files import read_json
from glsweep.nets.member import load_member
from glsweep.patches.store import open_patches
from glsweep.spaces.samplers import plan_trials
from glsweep.study import STAGES, Study

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def runs_of(study: Study) -> tuple[Run, dict[str, Run], dict[str, Run]]:
    """The sweep's run, the trials' by trial id and the members' by name, read from the store."""
    client = MlflowClient(f"sqlite:///{study.mlflow_db}")
    experiment = client.get_experiment_by_name(study.config.name)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    by_kind = {
        kind: [r for r in runs if r.data.tags["glsweep.kind"] == kind]
        for kind in ("sweep", "trial", "member")
    }
    assert len(by_kind["sweep"]) == 1
    trials = {r.data.tags["glsweep.trial_id"]: r for r in by_kind["trial"]}
    members = {r.data.tags["glsweep.member"]: r for r in by_kind["member"]}
    assert len(trials) + len(members) + 1 == len(runs), "a run was doubled"
    return by_kind["sweep"][0], trials, members


def test_every_stage_is_recorded_and_every_network_is_in_the_table(undisturbed: tuple[Study, str]) -> None:
    study, printed = undisturbed
    assert all(study.is_done(stage) for stage in STAGES)
    table = read_json(study.table_json)
    assert sorted(row["stratum"] for row in table["rows"]) == ["attention_unet-64", "unet-64", "unetpp-64"]
    assert {row["kind"] for row in table["baselines"]} == {"all_line", "no_line", "untrained"}
    for row in [*table["rows"], *table["baselines"]]:
        assert row["patches_with_line"] > 0
        assert all(math.isfinite(v) for v in row.values() if isinstance(v, float))
    assert len(pd.read_csv(study.table_csv)) == len(table["rows"]) + len(table["baselines"])
    assert str(study.report_html) in printed
    assert "mlflow ui" in printed


def test_winners_are_the_best_of_the_completed_trials(undisturbed: tuple[Study, str]) -> None:
    study, _ = undisturbed
    trials = pd.read_csv(study.trials_csv)
    planned = plan_trials(study.config.space, seed=study.config.seed, source=study.config_yaml)
    assert sorted(trials["trial_id"]) == sorted(trial.trial_id for trial in planned)
    completed = trials[trials["outcome"] == "completed"]
    assert (completed["epochs"] == study.config.space.search.epochs).all()
    for key, won in read_json(study.winners_json).items():
        assert won["value"] == pytest.approx(completed[completed["stratum"] == key]["best"].max())


def test_every_trial_is_a_child_run_with_all_its_parameters(undisturbed: tuple[Study, str]) -> None:
    study, _ = undisturbed
    parent, runs, _ = runs_of(study)
    trials = pd.read_csv(study.trials_csv).set_index("trial_id")
    assert set(runs) == set(trials.index)
    client = MlflowClient(f"sqlite:///{study.mlflow_db}")
    for trial_id, run in runs.items():
        row = trials.loc[trial_id]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert set(TrialParameters.model_fields) <= set(run.data.params)
        assert float(run.data.params["focal_exponent"]) == pytest.approx(1 / 1.33)
        assert run.data.tags["glsweep.stratum"] == row["stratum"]
        stopped = row["outcome"] == "stopped"
        assert run.info.status == ("KILLED" if stopped else "FINISHED")
        told = f"stopped at rung {row['rung_epoch']:.0f}" if stopped else "completed"
        assert run.data.tags["glsweep.outcome"] == told
        history = client.get_metric_history(run.info.run_id, "relaxed_f1")
        assert [metric.step for metric in history] == list(range(1, int(row["epochs"]) + 1))
        assert max(metric.value for metric in history) == pytest.approx(row["best"])
        assert run.data.metrics["best_relaxed_f1"] == pytest.approx(row["best"])
    assert parent.info.status == "FINISHED"


def test_members_are_runs_with_model_figures_and_table(undisturbed: tuple[Study, str]) -> None:
    study, _ = undisturbed
    _, trials, members = runs_of(study)
    client = MlflowClient(f"sqlite:///{study.mlflow_db}")
    table = {row["stratum"]: row for row in read_json(study.table_json)["rows"]}
    assert set(members) == set(table)
    for key, run in members.items():
        assert run.info.status == "FINISHED"
        assert run.data.tags["glsweep.trial_id"] in trials
        assert run.data.metrics["test.dice"] == pytest.approx(table[key]["dice"])
        names = {item.path for item in client.list_artifacts(run.info.run_id)}
        expected = {"model.safetensors", "card.json", "history.csv", "table.csv", "report.html", "figures"}
        assert expected <= names
        network, card = load_member(study.directory / "members" / key)
        assert card.tau == table[key]["tau"]
        patches = open_patches(study, card.patch_size_px).arrays("train")
        assert card.amplitude_scale == patches.amplitude_scale, "prediction guesses nothing"
        lines = next(m for m in read_json(study.lines_json)["members"] if m["stratum"] == key)
        tested = card.tested[study.config.card.name]
        assert tested["relaxed_f1"] == table[key]["relaxed_f1"]
        assert tested["scenes.false_km_200"] == lines["data_sets"][0]["pooled"]["false_km_200"]
        assert card.trained_on == study.config.card.title
        assert not network.training


def test_members_are_registered_in_the_studys_own_store_and_nowhere_else(
    undisturbed: tuple[Study, str],
) -> None:
    study, printed = undisturbed
    client = MlflowClient(f"sqlite:///{study.mlflow_db}")
    registered = client.search_registered_models()
    table = read_json(study.table_json)
    assert {model.name for model in registered} == {f"glsweep-{row['stratum']}" for row in table["rows"]}
    # Three epochs teach little: who is no better than what was never trained is no champion.
    trivial = max(row["relaxed_f1"] for row in table["baselines"])
    champions = {model.name for model in registered if "champion" in model.aliases}
    assert champions == {f"glsweep-{r['stratum']}" for r in table["rows"] if r["relaxed_f1"] > trivial}
    assert ("version 1: champion" in printed) == bool(champions)
    # The command's working folder is the study's parent: a store made by mistake would lie there.
    assert [path.name for path in study.directory.parent.iterdir()] == [study.directory.name]


def test_a_finished_study_is_not_done_twice(undisturbed: tuple[Study, str], start_study: Start) -> None:
    study, _ = undisturbed
    before = {path: path.stat().st_mtime_ns for path in study.directory.rglob("*.json")}
    printed, _ = start_study(study.directory).communicate(timeout=60)
    assert printed.count("done before") == len(STAGES)
    assert {path: path.stat().st_mtime_ns for path in study.directory.rglob("*.json")} == before


def wait_for_epochs(ledger: Path, count: int, process: "subprocess.Popen[str]") -> None:
    """Wait until that many epochs were reported."""
    deadline = time.monotonic() + 120
    while not ledger.is_file() or ledger.read_text().count('"event":"epoch"') < count:
        assert process.poll() is None, "ended too soon"
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_study_that_was_interrupted_twice_ends_with_the_same_table(
    undisturbed: tuple[Study, str], start_study: Start, tmp_path: Path
) -> None:
    study, _ = undisturbed
    other = Study(tmp_path / "smoke", study.config)
    shutil.copytree(study.directory / "scenes", other.scenes)
    shutil.copytree(study.directory / "patches", other.patches)
    (other.directory / "stages").mkdir()
    for name in ("study.yaml", "data.json", "stages/simulate.json", "stages/prepare.json"):
        shutil.copy(study.directory / name, other.directory / name)

    process = start_study(other.directory)
    wait_for_epochs(other.ledger_jsonl, 4, process)
    process.terminate()  # as clusters do before they take a machine away
    printed, _ = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, printed
    assert "the same command continues" in printed
    ended = [json.loads(line) for line in other.ledger_jsonl.read_text().splitlines()]
    over = {event["trial_id"] for event in ended if event["event"] == "ended"}

    process = start_study(other.directory)
    wait_for_epochs(other.directory / "members" / "ledger.jsonl", 3, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)

    process = start_study(other.directory)
    printed, _ = process.communicate(timeout=280)
    assert process.returncode == 0, printed

    events = [json.loads(line) for line in other.ledger_jsonl.read_text().splitlines()]
    again = [event["trial"]["trial_id"] for event in events[len(ended) :] if event["event"] == "started"]
    assert not over & set(again), "a trial that was over ran again"
    assert read_json(other.winners_json) == read_json(study.winners_json)
    assert read_json(other.table_json) == read_json(study.table_json)
    _, runs, _ = runs_of(other)
    assert {run.info.status for run in runs.values()} <= {"FINISHED", "KILLED"}
    assert {run.data.tags["glsweep.outcome"].split()[0] for run in runs.values()} <= {"completed", "stopped"}
