"""A small study through Ray and MLflow, from simulated scenes to the report, and whoever looks at it.

All that needs the finished study stands here, since each file's worker would make one of its own.
"""

import json
import math
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from cut_off import Life, everything, kill, look, printed_by, wait_for_epochs
from filelock import FileLock
from made_configs import study_config
from mlflow import MlflowClient
from mlflow.entities import Run
from PIL import Image
from small_study import ARGUMENTS, Start, told

import glsweep
from glsweep.config.stopping import Asha
from glsweep.config.trial import TrialParameters
from glsweep.doctor.connection import connected
from glsweep.errors import StudyError
from glsweep.files import read_json
from glsweep.nets.member import load_member
from glsweep.patches.store import open_patches
from glsweep.run import main
from glsweep.search import plan_trials
from glsweep.study import Study, create_study, open_study
from glsweep.study.artifacts import Winners, read_artifact
from glsweep.study.configuration import STAGES
from glsweep.study.evaluation_artifacts import StudyLines, StudyTable
from glsweep.sweep.records import read_records
from glsweep.sweep.rungs import rule_name
from glsweep.sweep.status import is_locked
from glsweep.training.memory import predict_patches

# The study that all look at is run by three commands, two of which are cut off.
pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]


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


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    """One Ray for every command that runs in this process."""
    with connected(None):
        yield


@pytest.fixture(scope="module")
def life(start_study: Start, ray: None, tmp_path_factory: pytest.TempPathFactory) -> Life:
    directory = tmp_path_factory.mktemp("life") / "smoke"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        # A store made by mistake would lie in the working folder.
        patch.chdir(directory.parent)
        printed_by("prepare", *ARGUMENTS, "--study", directory)
        study = open_study(directory)

        process = start_study(directory)
        wait_for_epochs(study, study.ledger_jsonl, 4, process)
        running = printed_by("status", directory)
        process.terminate()  # as clusters do before they take a machine away
        farewell, _ = process.communicate(timeout=120)
        code = process.returncode
        events = [json.loads(line) for line in study.ledger_jsonl.read_text().splitlines()]
        terminated = look(study, study.ledger_jsonl)

        process = start_study(directory)
        # The first of a member's three: after the last it would no longer train when the command is killed.
        wait_for_epochs(study, study.members_ledger_jsonl, 1, process)
        kill(process)
        begun = any(record.node for record in read_records(study.members_ledger_jsonl).trials.values())
        killed = look(study, study.members_ledger_jsonl)
        printed = printed_by(*ARGUMENTS, "--study", directory)
    return Life(study, running, code, farewell, events, terminated, begun, killed, printed)


@pytest.fixture(scope="module")
def finished(life: Life) -> tuple[Study, str]:
    """The study and what its last command printed."""
    return life.study, life.printed


@pytest.fixture(scope="module")
def twin(life: Life, ray: None, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """What comes of the same patches when nothing happens."""
    twin = Study(tmp_path_factory.mktemp("twin") / "smoke", life.study.config)
    for folder in ("scenes", "patches"):
        shutil.copytree(life.study.directory / folder, twin.directory / folder)
    (twin.directory / "stages").mkdir()
    for name in ("study.yaml", "data.json", "stages/simulate.json", "stages/prepare.json"):
        shutil.copy(life.study.directory / name, twin.directory / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for stage in ("sweep", "retrain", "calibrate", "evaluate"):
            printed_by(stage, *ARGUMENTS, "--study", twin.directory)
    return twin


def test_a_study_that_is_interrupted_twice_is_seen_as_it_stands_and_ends_with_the_same_table(
    life: Life, twin: Study
) -> None:
    study = life.study
    assert f"study {study.directory}: running since " in life.running
    assert "last event" in life.running
    assert "prepare   done in" in life.running
    assert "sweep     running" in life.running
    assert "retrain   to come" in life.running
    assert " of 6 trials over" in life.running
    assert "U-Net++ 64" in life.running
    assert life.code == 128 + signal.SIGTERM, life.farewell
    assert "the same command continues" in life.farewell
    assert life.begun, "none trained when it was killed"
    for stage, seen in (("sweep", life.terminated), ("retrain", life.killed)):
        assert "not running; " in seen.printed
        assert f"{stage:<10}not done" in seen.printed
        assert not seen.changed, "a reader must change nothing"
        assert seen.nodes == {None}

    events = [json.loads(line) for line in study.ledger_jsonl.read_text().splitlines()]
    later = events[len(life.events) :]
    again = [event["trial"]["trial_id"] for event in later if event["event"] == "started"]
    over = {event["trial_id"] for event in life.events if event["event"] == "ended"}
    assert again
    assert not over & set(again), "a trial that was over ran again"
    assert read_json(study.winners_json) == read_json(twin.winners_json)
    assert read_json(study.table_json) == read_json(twin.table_json)
    _, runs, _ = runs_of(study)
    assert {run.info.status for run in runs.values()} <= {"FINISHED", "KILLED"}
    assert {run.data.tags["glsweep.outcome"].split()[0] for run in runs.values()} <= {"completed", "stopped"}


def test_every_stage_is_recorded_and_every_network_is_in_the_table(finished: tuple[Study, str]) -> None:
    study, printed = finished
    assert all(study.is_done(stage) for stage in STAGES)
    table = read_artifact(study.table_json, StudyTable)
    assert sorted(row.stratum for row in table.rows) == ["attention_unet-64", "unet-64", "unetpp-64"]
    assert {row.kind for row in table.baselines} == {"all_line", "no_line", "untrained", "phase_gradient"}
    for row in (*table.rows, *table.baselines):
        assert row.patches_with_line > 0
        assert all(math.isfinite(v) for _, v in row if isinstance(v, float))
    assert len(pd.read_csv(study.table_csv)) == len(table.rows) + len(table.baselines)
    assert str(study.report_html) in printed
    assert "mlflow ui" in printed


def test_winners_are_the_best_of_the_completed_trials(finished: tuple[Study, str]) -> None:
    study, _ = finished
    trials = pd.read_csv(study.trials_csv)
    planned = plan_trials(study.config.space, seed=study.config.seed, source=study.config_yaml)
    assert sorted(trials["trial_id"]) == sorted(trial.trial_id for trial in planned)
    completed = trials[trials["outcome"] == "completed"]
    assert (completed["epochs"] == study.config.space.search.epochs).all()
    for key, won in read_artifact(study.winners_json, Winners).by_stratum.items():
        assert won.value == pytest.approx(completed[completed["stratum"] == key]["best"].max())


def test_every_trial_is_a_child_run_with_all_its_parameters(finished: tuple[Study, str]) -> None:
    study, _ = finished
    parent, runs, _ = runs_of(study)
    trials = pd.read_csv(study.trials_csv).set_index("trial_id")
    assert set(runs) == set(trials.index)
    client = MlflowClient(f"sqlite:///{study.mlflow_db}")
    for trial_id, run in runs.items():
        row = trials.loc[trial_id]
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
        assert set(TrialParameters.model_fields) - {"own"} <= set(run.data.params)
        assert float(run.data.params["focal_exponent"]) == pytest.approx(1 / 1.33)
        assert run.data.tags["glsweep.stratum"] == row.stratum
        stopped = row.outcome == "stopped"
        assert run.info.status == ("KILLED" if stopped else "FINISHED")
        told = f"stopped at rung {row['rung_epoch']:.0f}" if stopped else "completed"
        assert run.data.tags["glsweep.outcome"] == told
        history = client.get_metric_history(run.info.run_id, "relaxed_f1")
        assert [metric.step for metric in history] == list(range(1, int(row.epochs) + 1))
        assert max(metric.value for metric in history) == pytest.approx(row.best)
        assert run.data.metrics["best_relaxed_f1"] == pytest.approx(row.best)
    assert parent.info.status == "FINISHED"


def test_members_are_runs_with_model_figures_and_table(finished: tuple[Study, str]) -> None:
    study, _ = finished
    _, trials, members = runs_of(study)
    client = MlflowClient(f"sqlite:///{study.mlflow_db}")
    table = {row.stratum: row for row in read_artifact(study.table_json, StudyTable).rows}
    assert set(members) == set(table)
    for key, run in members.items():
        assert run.info.status == "FINISHED"
        assert run.data.tags["glsweep.trial_id"] in trials
        assert run.data.metrics["test.dice"] == pytest.approx(table[key].dice)
        names = {item.path for item in client.list_artifacts(run.info.run_id)}
        expected = {"model.safetensors", "card.json", "history.csv", "table.csv", "report.html", "figures"}
        assert expected <= names
        network, card = load_member(study.directory / "members" / key)
        assert card.tau == table[key].tau
        patches = open_patches(study, card.patch_size_px).arrays("train")
        assert card.amplitude_scale == patches.amplitude_scale, "prediction guesses nothing"
        lines = next(m for m in read_artifact(study.lines_json, StudyLines).members if m.stratum == key)
        tested = card.tested[study.config.card.name]
        assert tested["relaxed_f1"] == table[key].relaxed_f1
        assert tested["scenes.false_km_200"] == lines.data_sets[0].pooled.false_km_200
        assert card.trained_on == study.config.card.title
        assert not network.training


def test_members_are_registered_in_the_studys_own_store_and_nowhere_else(
    finished: tuple[Study, str],
) -> None:
    study, printed = finished
    client = MlflowClient(f"sqlite:///{study.mlflow_db}")
    registered = client.search_registered_models()
    table = read_artifact(study.table_json, StudyTable)
    assert {model.name for model in registered} == {f"glsweep-{row.stratum}" for row in table.rows}
    # Three epochs teach little: who is no better than what was never trained is no champion.
    trivial = max(row.relaxed_f1 for row in table.baselines if row.kind != "phase_gradient")
    champions = {model.name for model in registered if "champion" in model.aliases}
    assert champions == {f"glsweep-{r.stratum}" for r in table.rows if r.relaxed_f1 > trivial}
    assert ("version 1: champion" in printed) == bool(champions)
    # The command's working folder is the study's parent: a store made by mistake would lie there.
    assert [path.name for path in study.directory.parent.iterdir()] == [study.directory.name]


def test_a_finished_study_is_not_done_twice(
    finished: tuple[Study, str], capsys: pytest.CaptureFixture[str]
) -> None:
    study, _ = finished
    before = {path: path.stat().st_mtime_ns for path in study.directory.rglob("*.json")}
    printed = told(capsys, *ARGUMENTS, "--study", study.directory)
    assert printed.count("done before") == len(STAGES)
    assert {path: path.stat().st_mtime_ns for path in study.directory.rglob("*.json")} == before


def test_as_json_all_that_a_study_says_is_data(
    finished: tuple[Study, str], capsys: pytest.CaptureFixture[str]
) -> None:
    study, printed = finished
    lines = told(capsys, *ARGUMENTS, "--study", study.directory, "--log-format", "json").splitlines()
    objects = [json.loads(line) for line in lines]
    assert [one["stage"] for one in objects if one["event"] == "stage"] == list(STAGES)
    tables = {one["title"]: one for one in objects if one["event"] == "table"}
    table = read_artifact(study.table_json, StudyTable)
    assert len(tables["Test split"]["rows"]) >= len(table.rows) + len(table.baselines)
    reports = [one["text"] for one in objects if one.get("text", "").startswith("report: ")]
    assert reports[0].endswith(str(study.report_html))
    assert str(study.report_html) in printed.splitlines()[-3], "whole, in a log"


def test_a_complete_study_shows_sweep_and_retraining(
    capsys: pytest.CaptureFixture[str], finished: tuple[Study, str]
) -> None:
    study, _ = finished
    printed = told(capsys, "status", study.directory)
    assert f"study {study.directory}: complete" in printed
    assert "6 of 6 trials over" in printed
    assert "Retraining of the winners, best by val_loss" in printed
    assert "3 of 3 trials over" in printed
    assert "left" not in printed


def test_the_rule_of_a_real_sweep_is_replayed_as_it_was(
    capsys: pytest.CaptureFixture[str], finished: tuple[Study, str]
) -> None:
    study, _ = finished
    own = rule_name(study.config.space.search.scheduler)
    assert study.config.space.search.scheduler == Asha(grace_epochs=1, reduction_factor=2)
    printed = told(capsys, "replay", study.directory, "--scheduler", own, "asha:1:3", "--orders", "4")
    assert f"{own} *" in printed
    plays = pd.read_csv(study.replay / "replay.csv")
    assert sorted(plays["order"].unique()) == [0, 1, 2, 3, 4]
    as_it_was = plays[(plays["rule"] == own) & (plays["order"] == 0)]
    trials = pd.read_csv(study.trials_csv)
    assert as_it_was["epochs"].sum() == trials["epochs"].sum()
    assert (as_it_was["unknown"] == 0).all()
    assert (as_it_was["regret"] == 0).all()
    with Image.open(study.replay / "replay.png") as picture:
        assert picture.width > 1000
    assert study.record("sweep") == open_study(study.directory).record("sweep")


def test_a_study_opens_from_python_as_frames_and_modules(finished: tuple[Study, str]) -> None:
    study, _ = finished
    opened = glsweep.open_study(study.directory)
    written = pd.read_csv(study.trials_csv, dtype=str, keep_default_na=False)
    assert opened.trials["trial_id"].tolist() == written["trial_id"].tolist()
    assert opened.trials["best"].tolist() == pytest.approx(written["best"].astype(float).tolist())
    assert opened.table.equals(pd.read_csv(study.table_csv))
    assert set(opened.lines["member"]) == set(opened.table.loc[opened.table["kind"] == "network", "title"])
    networks = opened.table[opened.table["kind"] == "network"].set_index("stratum")
    assert set(opened.members) == set(networks.index)
    assert networks.loc[opened.best("relaxed_f1"), "relaxed_f1"] == networks["relaxed_f1"].max()
    assert networks.loc[opened.best("hd95_px"), "hd95_px"] == networks["hd95_px"].min()
    with pytest.raises(StudyError, match="relaxed_f9"):
        opened.best("relaxed_f9")
    with pytest.raises(StudyError, match="has no member 'unet-4096'"):
        opened.load("unet-4096")
    key = opened.best("relaxed_f1")
    model, card = opened.load(key), opened.members[key]
    patches = open_patches(study, card.patch_size_px).arrays("test")
    expected = predict_patches(load_member(study.directory / "members" / key)[0], patches, card.channels)
    image = torch.from_numpy(np.asarray(patches.image, np.float32)) * 1.0
    with torch.inference_mode():
        probability = model(torch.complex(image[:, 0], image[:, 1])).numpy()
    assert np.allclose(probability, expected, atol=1e-5)


@contextmanager
def read_only(study: Study, folder: Path) -> Iterator[Path]:
    """The study as on a disk that was mounted read-only; the test is skipped where that cannot be had."""
    folder.mkdir()
    for command in (["--bind", str(study.directory), str(folder)], ["-o", "remount,bind,ro", str(folder)]):
        if subprocess.run(["mount", *command], capture_output=True, check=False).returncode:
            pytest.skip("only root can mount a folder read-only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_an_archived_study_is_looked_at_replayed_reported_and_drawn_with(
    capsys: pytest.CaptureFixture[str], finished: tuple[Study, str], tmp_path: Path
) -> None:
    study, _ = finished
    before = everything(study)
    with read_only(study, tmp_path / "archive") as archive:
        assert "complete" in told(capsys, "status", archive)
        printed = told(capsys, "replay", archive, "--orders", "0", "--scheduler", "asha:1:2")
        assert "asha:1:2 *" in printed
        assert f"rows and figure were not written to {archive / 'replay'}: Read-only file system" in printed
        told(capsys, "report", "--study", archive, "--out", tmp_path / "report")
        member = archive / "members" / "unet-64"
        told(capsys, "predict", "--model", member, "--scene", scene_of(study), "--out", tmp_path / "lines")
        for command in (("track", archive), ("report", "--study", archive), ("--study", archive)):
            code = main([str(word) for word in command])
            message = capsys.readouterr().err
            assert (code, message.count("\n")) == (2, 1)
            assert f"{archive}: cannot be written to (Read-only file system); copy it" in message
    assert everything(study) == before
    written = {path.name for path in (tmp_path / "report").iterdir()}
    tables = {"table.csv", "table.json", "lines.csv", "lines.json", "review.gpkg"}
    assert written == {"report.html", "figures", *tables}
    assert len(list((tmp_path / "report" / "figures").iterdir())) == len(list(study.figures.iterdir()))
    assert (tmp_path / "lines" / f"{scene_of(study).stem}-lines.gpkg").is_file()


def scene_of(study: Study) -> Path:
    return min((study.scenes / "DInSAR").glob("*.tif"))


def test_the_lock_of_an_archived_study_is_looked_at_without_writing(tmp_path: Path) -> None:
    study = create_study(tmp_path / "new", study_config())
    with FileLock(study.lock), read_only(study, tmp_path / "archive") as archive:
        assert is_locked(open_study(archive))
    with read_only(study, tmp_path / "later") as archive:
        assert is_locked(open_study(archive)) is False
