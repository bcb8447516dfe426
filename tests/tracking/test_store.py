import os
import time

import pytest
from mlflow import MlflowClient

from glsweep.errors import StudyError
from glsweep.tracking.runs import RunState
from glsweep.tracking.tracker import Tracker


def test_the_store_lies_within_the_study_by_default(study):
    tracker = Tracker.open(study)
    assert tracker.uri == f"sqlite:///{study.mlflow_db.resolve()}"
    experiment = MlflowClient(tracking_uri=tracker.uri).get_experiment_by_name(study.config.name)
    assert tracker.experiment == study.config.name
    assert experiment.artifact_location == study.mlflow_artifacts.resolve().as_uri()


def test_the_tracking_uri_of_the_environment_is_obeyed(study, tmp_path, empty_store, monkeypatch):
    elsewhere = tmp_path / "else where" / "runs.db"
    elsewhere.parent.mkdir()
    elsewhere.write_bytes(empty_store)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{elsewhere}")
    before = study.mlflow_db.read_bytes()
    tracker = Tracker.open(study)
    tracker.sync_sweep(RunState("sweep", "running"))
    client = MlflowClient(tracking_uri=f"sqlite:///{elsewhere}")
    experiment = client.get_experiment_by_name(study.config.name)
    assert len(client.search_runs([experiment.experiment_id])) == 1
    assert experiment.artifact_location == (elsewhere.parent / "mlartifacts").as_uri()
    assert study.mlflow_db.read_bytes() == before


def test_a_deleted_experiment_is_restored(study):
    tracker = Tracker.open(study)
    client = MlflowClient(tracking_uri=tracker.uri)
    experiment = client.get_experiment_by_name(study.config.name)
    client.delete_experiment(experiment.experiment_id)
    Tracker.open(study)
    assert client.get_experiment(experiment.experiment_id).lifecycle_stage == "active"


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "http://user:secret@127.0.0.1:9"])
def test_a_server_that_does_not_answer_is_one_line_within_seconds(study, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    environment = dict(os.environ)
    started_s = time.monotonic()
    with pytest.raises(StudyError) as caught:
        Tracker.open(study)
    assert time.monotonic() - started_s < 20
    message = str(caught.value)
    assert "127.0.0.1:9" in message
    assert "refused" in message
    assert "unset MLFLOW_TRACKING_URI" in message
    assert "\n" not in message
    assert "secret" not in message
    assert dict(os.environ) == environment


@pytest.mark.parametrize("uri", ["nonsense://here", "./mlruns", "postgresql://localhost:9/runs"])
def test_a_uri_that_is_no_store_is_one_line(study, monkeypatch, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(StudyError, match="unset MLFLOW_TRACKING_URI"):
        Tracker.open(study)


@pytest.mark.parametrize("rest", ["1/runs.db", "x=1", "mode=rwc"])
def test_a_question_mark_that_a_user_wrote_into_a_path_is_not_ignored(study, tmp_path, monkeypatch, rest):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/a?{rest}")
    with pytest.raises(StudyError, match="write \\? as %3F"):
        Tracker.open(study)
    assert not (tmp_path / "a").exists()
