"""A study that is moved, copied or renamed keeps its runs, and leaves nothing at its old place."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from invented import Reader, assert_mirrors, journal_of, planned, play
from made_members import write_member, write_patches
from mlflow import MlflowClient

from glsweep.register import register_members
from glsweep.study import open_study
from glsweep.sweep.mirror import track_study
from glsweep.tracking.address import sqlite_uri
from glsweep.tracking.registry import fetched_member
from glsweep.tracking.sqlite_file import readable_store
from glsweep.tracking.store import connect

TRIALS = [planned(index) for index in range(2)]
MODEL = "models:/glsweep-unet-64@champion"

# In a process of its own: MLflow keeps in memory where a run's artifacts were.
GO_ON = f"""
import os, sys
from pathlib import Path
import numpy as np
from glsweep.register import register_members
from glsweep.study import open_study
from glsweep.sweep.mirror import track_study
from glsweep.tracking.address import tracking_uri
study = open_study(Path(sys.argv[1]))
track_study(study)
assert register_members(study)["unet-64"].number == "1"
import mlflow
mlflow.set_tracking_uri(tracking_uri(study))
model = mlflow.pyfunc.load_model("{MODEL}")
assert model.predict(np.zeros((2, 2, 64, 64), np.float32)).shape == (2, 64, 64)
"""


@pytest.fixture
def old(make_study):
    """A study with trials and a registered member."""
    study = make_study("old place")
    list(play(journal_of(study), TRIALS))
    write_patches(study)
    write_member(study, seed=1)
    track_study(study)
    register_members(study)
    return study


def written(folder: Path) -> str:
    """All text that lies in a folder, that of databases included."""
    text = []
    for path in folder.rglob("*"):
        if path.suffix == ".db":
            with closing(sqlite3.connect(path)) as database:
                text += database.iterdump()
        elif path.is_file():
            text.append(path.read_bytes().decode("latin-1"))
    return "\n".join(text)


def test_a_moved_study_goes_on_at_its_new_place_and_its_models_load(old, tmp_path):
    new = tmp_path / "elsewhere" / "is it 100% here?"
    new.parent.mkdir()
    old.directory.rename(new)
    subprocess.run([sys.executable, "-c", GO_ON, str(new)], cwd=tmp_path / "elsewhere", check=True)
    study = open_study(new)
    assert_mirrors(study, journal_of(study))
    reader = Reader(study)
    assert "model.safetensors" in reader.artifacts(reader.run("member"))
    assert "old%20place" not in written(new)
    assert "old place" not in written(new)
    assert {path.name for path in tmp_path.iterdir()} == {"elsewhere"}
    assert {path.name for path in new.parent.iterdir()} == {new.name}


def test_a_copy_leaves_the_study_that_it_was_made_of_alone(old, tmp_path):
    before = written(old.directory)
    shutil.copytree(old.directory, tmp_path / "copy")
    copy = open_study(tmp_path / "copy")
    connect(copy)
    assert "old%20place" not in written(copy.directory)
    assert written(old.directory) == before
    assert copy.id == old.id
    # As a user is told to who wants two studies of it.
    copy.tracking_json.unlink()
    track_study(copy)
    assert copy.id != old.id
    assert len(Reader(copy).runs("sweep")) == 2


def test_a_member_of_a_moved_store_is_fetched_without_its_study(old, tmp_path, monkeypatch):
    new = tmp_path / "archive"
    old.directory.rename(new)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_uri(new / "mlflow.db"))
    with fetched_member(MODEL) as folder:
        assert (folder / "model.safetensors").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {"archive"}


def test_a_store_in_a_folder_that_is_read_only_is_read_from_a_copy(old, tmp_path, monkeypatch):
    new = tmp_path / "archive"
    old.directory.rename(new)
    before = (new / "mlflow.db").read_bytes()
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # root may write everywhere
    with readable_store(new / "mlflow.db") as uri:
        client = MlflowClient(uri)
        (experiment,) = client.search_experiments(filter_string="name = 'getz-test'")
        assert experiment.artifact_location == (new / "mlartifacts").as_uri()
    assert (new / "mlflow.db").read_bytes() == before


def renamed(study, name):
    return replace(study, config=study.config.model_copy(update={"name": name}))


def test_a_renamed_study_keeps_its_runs_under_its_new_name(old):
    study = renamed(old, "another name")
    track_study(study)
    reader = Reader(study)
    assert len(reader.runs("trial")) == len(TRIALS)
    sweep = reader.run("sweep")
    assert sweep.info.run_name == "sweep another name"
    assert sweep.data.tags["glsweep.study"] == "another name"
    assert reader.client.get_experiment_by_name("getz-test") is None


def test_a_renamed_study_leaves_the_experiment_of_others_its_name(
    make_study, tmp_path, monkeypatch, empty_store
):
    (tmp_path / "shared.db").write_bytes(empty_store)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_uri(tmp_path / "shared.db"))
    first, second = make_study("first"), make_study("second")
    for study in (first, second):
        list(play(journal_of(study), TRIALS))
        track_study(study)
    before = Reader(first).experiment_id
    track_study(renamed(first, "another name"))
    assert connect(renamed(first, "another name")).experiment_id == before
    assert len(Reader(second).runs("trial")) == 2 * len(TRIALS)
    assert {run.data.tags["glsweep.study"] for run in Reader(second).runs("sweep")} == {
        "getz-test",
        "another name",
    }


def test_a_study_that_grows_keeps_its_run_and_sends_its_new_configuration(make_study):
    study = make_study()
    list(play(journal_of(study), TRIALS))
    track_study(study)
    first = Reader(study).run("sweep")
    search = study.config.space.search.model_copy(update={"epochs": 20})
    space = study.config.space.model_copy(update={"search": search, "name": "wider"})
    grown = replace(study, config=study.config.model_copy(update={"space": space}))
    grown.config_yaml.write_text(grown.config_yaml.read_text().replace("epochs: 9", "epochs: 20"))
    track_study(grown)
    reader = Reader(grown)
    sweep = reader.run("sweep")
    assert sweep.info.run_id == first.info.run_id
    assert (sweep.data.tags["glsweep.epochs"], sweep.data.tags["glsweep.space"]) == ("20", "wider")
    path = reader.client.download_artifacts(sweep.info.run_id, "study.yaml")
    assert Path(path).read_text() == grown.config_yaml.read_text()
    assert track_study(grown).calls <= 2
