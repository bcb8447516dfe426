import math
import pickle

import pandas as pd
import pytest
from mlflow import MlflowClient

from glsweep.tracking.tracker import Tracker

PARAMETERS = {
    "architecture": "unetpp",
    "patch_size_px": 128,
    "learning_rate": 1e-4,
    "ds_weights": None,
    "base_width": None,
    "channels": ("real", "imag"),
}


class Reader:
    """Reads a study's store with MLflow's own client."""

    def __init__(self, study):
        self.client = MlflowClient(tracking_uri=f"sqlite:///{study.mlflow_db.resolve()}")
        self.experiment_id = self.client.get_experiment_by_name(study.config.name).experiment_id

    def runs(self, kind):
        return self.client.search_runs([self.experiment_id], f"tags.`glsweep.kind` = '{kind}'")

    def run(self, kind):
        (run,) = self.runs(kind)
        return run

    def trial(self, trial_id):
        (run,) = (r for r in self.runs("trial") if r.data.tags["glsweep.trial_id"] == trial_id)
        return run

    def steps(self, run, figure):
        return [(m.step, m.value) for m in self.client.get_metric_history(run.info.run_id, figure)]

    def artifacts(self, run, path=None):
        return {a.path for a in self.client.list_artifacts(run.info.run_id, path)}


def started(study, *trials):
    tracker = Tracker.open(study)
    tracker.start_sweep({"seed": 0}, {"version": "0.1"})
    for trial in trials:
        tracker.start_trial(trial, PARAMETERS, {"stratum": "unetpp-128"})
    return tracker


def test_a_trial_is_a_child_of_the_sweep_and_named_after_its_stratum(study):
    started(study, "t001")
    sweep, trial = Reader(study).run("sweep"), Reader(study).run("trial")
    assert trial.data.tags["mlflow.parentRunId"] == sweep.info.run_id
    assert trial.data.tags["glsweep.stratum"] == "unetpp-128"
    assert trial.info.run_name == "t001 unetpp-128"
    assert sweep.data.params == {"seed": "0"}
    assert sweep.data.tags["glsweep.study"] == study.config.content_hash()
    assert {sweep.info.status, trial.info.status} == {"RUNNING"}


def test_every_hyperparameter_is_a_parameter_of_its_own_with_a_label(study):
    started(study, "t001")
    assert Reader(study).run("trial").data.params == {
        "architecture": "unetpp",
        "patch_size_px": "128",
        "learning_rate": "0.0001",
        "ds_weights": "none",
        "base_width": "none",
        "channels": "real,imag",
    }


def test_each_epoch_is_a_step(study):
    tracker = started(study, "t001")
    for epoch in (1, 2, 3):
        tracker.log_epoch("t001", epoch, {"val_loss": 1 / epoch, "relaxed_f1@200m": 0.1 * epoch})
    reader = Reader(study)
    trial = reader.run("trial")
    assert reader.steps(trial, "val_loss") == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    assert [step for step, _ in reader.steps(trial, "relaxed_f1_at_200m")] == [1, 2, 3]
    assert trial.data.metrics["epoch"] == 3


def test_figures_that_are_not_finite_are_kept_as_nan(study):
    tracker = started(study, "t001")
    tracker.log_epoch("t001", 0, {"val_loss": math.inf, "dice": math.nan, "precision": 0.5})
    figures = Reader(study).run("trial").data.metrics
    assert math.isnan(figures["val_loss"])
    assert math.isnan(figures["dice"])
    assert figures["precision"] == 0.5


@pytest.mark.parametrize(
    ("outcome", "more", "status", "tag"),
    [
        ("completed", {}, "FINISHED", "completed"),
        ("stopped", {"rung_epoch": 3}, "KILLED", "stopped at rung 3"),
        ("failed", {"reason": "CUDA out of memory"}, "FAILED", "failed"),
    ],
)
def test_how_a_trial_ended_is_its_status_and_its_tag(study, outcome, more, status, tag):
    tracker = started(study, "t001")
    tracker.end_trial("t001", outcome, figures={"best_dice": 0.4}, **more)
    trial = Reader(study).run("trial")
    assert trial.info.status == status
    assert trial.data.tags["glsweep.outcome"] == tag
    assert trial.data.tags.get("glsweep.reason", "") == more.get("reason", "")
    assert trial.data.metrics["best_dice"] == 0.4


def test_a_study_that_is_resumed_doubles_nothing(study):
    tracker = started(study, "t001", "t002")
    for epoch in (1, 2, 3):
        tracker.log_epoch("t001", epoch, {"val_loss": float(epoch)})
    tracker.end_trial("t002", "completed", figures={"best_dice": math.nan})
    del tracker  # killed: nothing was ended
    tracker = started(study, "t001", "t002")
    for epoch in (2, 3, 4):
        tracker.log_epoch("t001", epoch, {"val_loss": float(epoch)})
    for trial in ("t001", "t002"):
        tracker.end_trial(trial, "completed", figures={"best_dice": math.nan})
    tracker.end_sweep()
    reader = Reader(study)
    assert len(reader.runs("sweep")) == 1
    assert len(reader.runs("trial")) == 2
    assert reader.steps(reader.trial("t001"), "val_loss") == [(e, float(e)) for e in (1, 2, 3, 4)]
    assert len(reader.steps(reader.trial("t002"), "best_dice")) == 1
    assert {r.info.status for r in reader.runs("trial") + reader.runs("sweep")} == {"FINISHED"}


def test_an_interrupted_sweep_leaves_no_run_running_until_it_is_resumed(study):
    tracker = started(study, "t001", "t002")
    tracker.end_trial("t002", "completed")
    tracker.interrupt()
    reader = Reader(study)
    assert reader.run("sweep").info.status == "KILLED"
    assert reader.trial("t001").info.status == "KILLED"
    assert reader.trial("t001").data.tags["glsweep.outcome"] == "interrupted"
    assert reader.trial("t002").info.status == "FINISHED"
    started(study, "t001")
    assert reader.run("sweep").info.status == "RUNNING"
    assert reader.trial("t001").info.status == "RUNNING"
    assert reader.trial("t001").data.tags["glsweep.outcome"] == "running"


def test_only_an_outcome_ends_a_trial(study):
    tracker = started(study, "t001", "t002")
    tracker.end_trial("t001", "stopped", rung_epoch=3)
    assert not tracker.has_ended("t002")
    tracker.interrupt()
    for reader in (tracker, Tracker.open(study)):
        assert [reader.has_ended(trial) for trial in ("t001", "t002", "t003")] == [True, False, False]


def test_trials_that_a_killed_driver_left_running_are_interrupted_at_the_next_start(study):
    started(study, "t001", "t002")
    started(study, "t001")
    assert Reader(study).trial("t001").info.status == "RUNNING"
    assert Reader(study).trial("t002").info.status == "KILLED"


def test_parameters_that_a_kill_kept_from_being_logged_are_logged_at_the_resumption(study):
    tracker = started(study)
    tracker.start_trial("t001", {}, {"stratum": "unetpp-128"})
    started(study, "t001")
    assert len(Reader(study).run("trial").data.params) == len(PARAMETERS)


def test_eight_trials_at_once_keep_their_figures_apart(study):
    trials = [f"t{number:03d}" for number in range(8)]
    tracker = started(study, *trials)
    for epoch in (1, 2):
        for number, trial in enumerate(trials):
            tracker.log_epoch(trial, epoch, {"dice": number + epoch / 10})
    reader = Reader(study)
    for number, trial in enumerate(trials):
        assert reader.steps(reader.trial(trial), "dice") == [(1, number + 0.1), (2, number + 0.2)]


def test_two_studies_in_one_experiment_do_not_share_a_run(make_study, tmp_path, empty_store, monkeypatch):
    (tmp_path / "shared.db").write_bytes(empty_store)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'shared.db'}")
    for folder in ("one", "two"):
        started(make_study(folder), "t001").log_epoch("t001", 1, {"dice": 0.5})
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'shared.db'}")
    experiment = client.get_experiment_by_name("getz-test")
    assert len(client.search_runs([experiment.experiment_id])) == 4


def member(tracker, history, folder, **figures):
    (folder / "card.json").write_text('{"tau": 0.9}')
    tracker.log_member(
        "unetpp-128",
        parameters=PARAMETERS,
        history=history,
        figures=figures,
        tags={"trial_id": "t001", "stratum": "unetpp-128"},
        artifacts=[folder / "card.json"],
    )


def test_a_member_is_logged_once_and_brought_up_to_date(study, tmp_path):
    started(study, "t001").end_trial("t001", "completed")
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
    assert run.data.tags["glsweep.trial_run_id"] == reader.trial("t001").info.run_id
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


def test_a_trial_that_was_not_started_is_refused(study):
    with pytest.raises(KeyError, match="t404 was not started"):
        started(study).log_epoch("t404", 1, {"dice": 0.1})


def test_a_tracker_can_be_stored_with_the_sweeps_state(study):
    tracker = pickle.loads(pickle.dumps(started(study, "t001")))
    tracker.log_epoch("t001", 1, {"dice": 0.5})
    assert Reader(study).run("trial").data.metrics["dice"] == 0.5
