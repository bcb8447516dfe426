"""Runs in MLflow are brought up to date, and nothing is written twice."""

import math

import pandas as pd
import pytest
from invented import Reader
from mlflow import MlflowClient

from glsweep.tracking.runs import Epoch, RunState
from glsweep.tracking.tracker import Tracker

PARAMETERS = {
    "architecture": "unetpp",
    "patch_size_px": 128,
    "learning_rate": 1e-4,
    "ds_weights": None,
    "base_width": None,
    "channels": ("real", "imag"),
}


def opened(study):
    tracker = Tracker.open(study)
    tracker.sync_sweep(RunState("sweep", "running", parameters={"seed": 0}))
    return tracker


def sync(tracker, condition="running", *, trial_id="t001", epochs=(), **more):
    state = RunState(
        title=f"{trial_id} unetpp-128",
        condition=condition,
        parameters=PARAMETERS,
        tags={"stratum": "unetpp-128", **more.pop("tags", {})},
        epochs=[Epoch(number, {"val_loss": 1 / number}) for number in epochs],
        **more,
    )
    tracker.sync_trial(trial_id, state)


def test_a_trial_is_a_child_of_the_sweep_with_a_label_for_every_parameter(study):
    sync(opened(study))
    sweep, trial = Reader(study).run("sweep"), Reader(study).run("trial")
    assert trial.data.tags["mlflow.parentRunId"] == sweep.info.run_id
    assert trial.data.tags["glsweep.stratum"] == "unetpp-128"
    assert trial.info.run_name == "t001 unetpp-128"
    assert sweep.data.params == {"seed": "0"}
    assert sweep.data.tags["glsweep.study"] == study.config.name
    assert {sweep.info.status, trial.info.status} == {"RUNNING"}
    assert trial.data.params == {
        "architecture": "unetpp",
        "patch_size_px": "128",
        "learning_rate": "0.0001",
        "ds_weights": "none",
        "base_width": "none",
        "channels": "real,imag",
    }


def test_each_epoch_is_a_step_at_its_own_time(study):
    tracker = opened(study)
    figures = {"val_loss": 0.5, "relaxed_f1@200m": 0.1}
    epochs = [Epoch(number, figures, unix_s=1.7e9 + number) for number in (1, 2, 3)]
    state = RunState("t001", "completed", epochs=epochs, started_unix_s=1.7e9, ended_unix_s=1.7e9 + 4)
    tracker.sync_trial("t001", state)
    reader = Reader(study)
    run = reader.run("trial")
    history = reader.client.get_metric_history(run.info.run_id, "relaxed_f1_at_200m")
    assert [(m.step, m.timestamp) for m in history] == [(n, int(1000 * (1.7e9 + n))) for n in (1, 2, 3)]
    assert (run.info.start_time, run.info.end_time) == (int(1.7e12), int(1.7e12) + 4000)
    assert run.data.metrics["epoch"] == 3


def test_figures_that_are_not_finite_are_kept_as_nan(study):
    state = RunState("t001", "running", epochs=[Epoch(1, {"val_loss": math.inf, "dice": math.nan})])
    opened(study).sync_trial("t001", state)
    figures = Reader(study).run("trial").data.metrics
    assert math.isnan(figures["val_loss"])
    assert math.isnan(figures["dice"])


@pytest.mark.parametrize(
    ("condition", "tags", "status", "told"),
    [
        ("completed", {}, "FINISHED", "completed"),
        ("stopped", {"outcome": "stopped at rung 3"}, "KILLED", "stopped at rung 3"),
        ("interrupted", {}, "KILLED", "interrupted"),
        ("failed", {"reason": "CUDA out of memory"}, "FAILED", "failed"),
    ],
)
def test_how_a_trial_ended_is_its_status_and_its_tag(study, condition, tags, status, told):
    sync(opened(study), condition, tags=tags)
    trial = Reader(study).run("trial")
    assert trial.info.status == status
    assert trial.data.tags["glsweep.outcome"] == told
    assert trial.data.tags.get("glsweep.reason", "") == tags.get("reason", "")


def test_a_trial_costs_three_calls_and_nothing_when_it_is_up_to_date(study):
    tracker = opened(study)
    before = tracker.calls
    sync(tracker, "completed", epochs=range(1, 31), metrics={"best_dice": math.nan})
    assert tracker.calls - before == 3
    sync(tracker, "completed", epochs=range(1, 31), metrics={"best_dice": math.nan})
    assert tracker.calls - before == 3
    again = opened(study)
    before = again.calls
    sync(again, "completed", epochs=range(1, 31), metrics={"best_dice": math.nan})
    assert again.calls == before


def test_a_study_that_is_resumed_doubles_nothing(study):
    sync(opened(study), epochs=(1, 2, 3))
    sync(opened(study), "completed", epochs=(2, 3, 4))
    reader = Reader(study)
    run = reader.run("trial")
    assert reader.steps(run, "val_loss") == [(e, 1 / e) for e in (1, 2, 3, 4)]
    assert run.info.status == "FINISHED"
    sync(opened(study), "interrupted")
    sync(opened(study), "running")
    assert reader.run("trial").info.status == "RUNNING"
    assert reader.run("trial").data.tags["glsweep.outcome"] == "running"


def test_a_history_longer_than_a_batch_is_logged_once(study):
    tracker = opened(study)
    sync(tracker, "completed", epochs=range(1, 1201))
    reader = Reader(study)
    assert [step for step, _ in reader.steps(reader.run("trial"), "val_loss")] == list(range(1, 1201))


def test_parameters_that_a_kill_kept_from_being_logged_are_logged_at_the_resumption(study):
    opened(study).sync_trial("t001", RunState("t001", "running"))
    sync(opened(study))
    assert len(Reader(study).run("trial").data.params) == len(PARAMETERS)


def test_a_run_that_a_user_deleted_is_made_again(study):
    sync(opened(study), epochs=(1, 2))
    reader = Reader(study)
    reader.client.delete_run(reader.run("trial").info.run_id)
    sync(opened(study), "completed", epochs=(1, 2, 3))
    assert [step for step, _ in reader.steps(reader.run("trial"), "val_loss")] == [1, 2, 3]


def test_two_studies_in_one_experiment_do_not_share_a_run(make_study, tmp_path, empty_store, monkeypatch):
    (tmp_path / "shared.db").write_bytes(empty_store)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'shared.db'}")
    for folder in ("one", "two"):
        sync(opened(make_study(folder)))
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'shared.db'}")
    experiment = client.get_experiment_by_name("getz-test")
    assert len(client.search_runs([experiment.experiment_id])) == 4


def test_a_study_that_is_deleted_and_run_again_has_runs_of_its_own(study):
    sync(opened(study), epochs=(1,))
    study.tracking_json.unlink()
    sync(opened(study), epochs=(1,))
    assert len(Reader(study).runs("trial")) == 2


def member(tracker, history, folder, **figures):
    (folder / "card.json").write_text("{}")
    tracker.sync_member(
        "unetpp-128",
        parameters=PARAMETERS,
        history=history,
        metrics=figures,
        tags={"stratum": "unetpp-128", "trial_id": "t001"},
        artifacts=[folder / "card.json"],
    )


def test_a_member_is_logged_once_and_brought_up_to_date(study, tmp_path):
    sync(opened(study), "completed")
    history = pd.DataFrame({"epoch": range(1, 401), "val_loss": [1 / e for e in range(1, 401)]})
    for figures in ({"tau": 0.9}, {"tau": 0.9, "test_dice": 0.4}):
        member(Tracker.open(study), history.assign(dice=0.1, precision=0.2), tmp_path, **figures)
    reader = Reader(study)
    run = reader.run("member")
    assert run.info.status == "FINISHED"
    assert len(reader.steps(run, "val_loss")) == len(reader.steps(run, "precision")) == 400
    assert len(reader.steps(run, "tau")) == 1
    assert run.data.metrics["test_dice"] == 0.4
    assert run.data.metrics["val_loss"] == 1 / 400
    assert run.data.tags["glsweep.trial_run_id"] == reader.run("trial").info.run_id
    assert run.data.tags["mlflow.parentRunId"] == reader.run("sweep").info.run_id
    assert reader.artifacts(run) == {"card.json"}


def test_files_of_the_study_are_kept_with_the_sweep(study, tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "curve.png").write_bytes(b"png")
    (tmp_path / "table.csv").write_text("model,dice\n")
    tracker = Tracker.open(study)
    tracker.log_study_artifacts([tmp_path / "table.csv", tmp_path / "figures"])
    reader = Reader(study)
    sweep = reader.run("sweep")
    assert sweep.info.status == "FINISHED"
    assert reader.artifacts(sweep) == {"table.csv", "figures"}
    assert reader.artifacts(sweep, "figures") == {"figures/curve.png"}
    assert (study.mlflow_artifacts / sweep.info.run_id / "artifacts" / "table.csv").is_file()


def test_a_file_that_does_not_exist_is_not_blamed_on_mlflow(study, tmp_path):
    with pytest.raises(FileNotFoundError):
        Tracker.open(study).log_study_artifacts([tmp_path / "absent.csv"])
