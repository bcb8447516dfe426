"""Members in the model registry: loaded without unpickling, and champion only by merit."""

import pickle
from dataclasses import replace

import cloudpickle
import mlflow
import numpy as np
import pytest
import torch
from made_artifacts import baseline_row, study_table
from made_members import UNET, scores, write_member, write_patches
from mlflow import MlflowClient

from glsweep.nets.member import load_member
from glsweep.patches.store import open_patches
from glsweep.register import Registered, register_members
from glsweep.study.artifacts import read_artifact, write_artifact
from glsweep.study.evaluation_artifacts import StudyTable
from glsweep.tracking.address import tracking_uri
from glsweep.training.memory import predict_patches

MODEL = "glsweep-unet-64"


@pytest.fixture
def evaluated(make_study, tmp_path, monkeypatch, empty_store):
    """Makes studies of one shared store, each with a member."""
    store = tmp_path / "shared.db"
    store.write_bytes(empty_store)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}")
    monkeypatch.chdir(tmp_path)

    def make(folder, **member):
        study = make_study(folder, name=folder)
        write_patches(study)
        write_member(study, **member)
        return study

    return make


@pytest.fixture
def nothing_is_unpickled(monkeypatch):
    def refuse(*_arguments, **_named):
        raise AssertionError("something was unpickled")

    for module, name in [
        (pickle, "load"),
        (pickle, "loads"),
        (pickle, "Unpickler"),
        (cloudpickle, "load"),
        (cloudpickle, "loads"),
        (torch, "load"),
    ]:
        monkeypatch.setattr(module, name, refuse)


def client_of(study):
    return MlflowClient(tracking_uri(study), registry_uri=tracking_uri(study))


def relaxed_f1_of(study):
    return read_artifact(study.table_json, StudyTable).rows[0].relaxed_f1


def champion_of(study):
    return str(client_of(study).get_registered_model(MODEL).aliases["champion"])


def loaded(study, uri):
    """As a user does, who has named the store."""
    mlflow.set_tracking_uri(tracking_uri(study))
    try:
        return mlflow.pyfunc.load_model(uri)
    finally:
        mlflow.set_tracking_uri(None)


def test_the_champion_predicts_as_the_member_does_and_nothing_is_unpickled(evaluated, nothing_is_unpickled):
    study = evaluated("one", seed=1)
    register_members(study)
    model = loaded(study, f"models:/{MODEL}@champion")
    network, card = load_member(study.member(UNET))
    test = open_patches(study, 64).arrays("test")
    image = np.array(test.image)
    image[:, :, :, 50:] = 0
    predicted = model.predict(image)
    assert (predicted.dtype, predicted.shape) == (np.float32, (6, 64, 64))
    expected = predict_patches(network, replace(test, image=image), card.channels)
    np.testing.assert_allclose(predicted, expected, atol=1e-6)
    assert predicted[:, :, :50].all() and not predicted[:, :, 50:].any(), "nothing where there is no data"


def test_other_batches_and_patch_sizes_are_taken(evaluated):
    study = evaluated("one", seed=1)
    register_members(study)
    model = loaded(study, f"models:/{MODEL}/1")
    assert model.input_example.shape == (2, 2, 32, 32)
    for shape in [(1, 2, 64, 64), (3, 2, 128, 96), (17, 2, 16, 16)]:
        assert model.predict(np.zeros(shape, np.float32)).shape == (shape[0], *shape[2:])
    with pytest.raises(mlflow.MlflowException):
        model.predict(np.zeros((2, 3, 64, 64), np.float32))


def test_a_version_says_what_it_is(evaluated):
    study = evaluated("one", seed=1, tau=0.45)
    register_members(study)
    version = client_of(study).get_model_version(MODEL, "1")
    tags = version.tags
    assert tags["glsweep.tau"] == "0.45"
    assert tags["glsweep.trial_id"] == "0003-abcd"
    assert tags["glsweep.data_card"] == study.config.card.content_hash()
    assert float(tags["glsweep.test.relaxed_f1"]) == pytest.approx(relaxed_f1_of(study))
    run = client_of(study).get_run(version.run_id)
    assert tags["glsweep.study_id"] == run.data.tags["glsweep.study_id"]
    assert run.data.tags["glsweep.member"] == "unet-64"


def test_registering_twice_makes_no_second_version(evaluated):
    study = evaluated("one", seed=1)
    first, second = register_members(study), register_members(study)
    assert first["unet-64"] == Registered(MODEL, "1", is_champion=True, reason="is the first")
    assert second["unet-64"].number == "1"
    assert len(client_of(study).search_model_versions(f"name = '{MODEL}'")) == 1


def test_the_better_of_two_members_is_champion_whichever_comes_first(evaluated):
    one, two = evaluated("one", seed=1), evaluated("two", seed=2)
    values = [relaxed_f1_of(study) for study in (one, two)]
    assert values[0] != values[1]
    worse, better = (one, two) if values[0] < values[1] else (two, one)
    register_members(worse)
    assert champion_of(one) == "1"
    registered = register_members(better)["unet-64"]
    assert champion_of(one) == "2"
    assert registered.reason == f"beats version 1: relaxed F1 {max(values):.4f} against {min(values):.4f}"
    registered = register_members(worse)["unet-64"]
    assert champion_of(one) == "2"
    assert registered.reason.startswith("does not beat version 2")
    assert client_of(one).get_model_version(MODEL, "1").tags["glsweep.verdict"] == registered.reason


def test_a_studys_own_store_is_asked_for_the_champion_wherever_the_command_runs(
    make_study, tmp_path, monkeypatch
):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(tmp_path)
    study = make_study("one", name="one")
    write_patches(study)
    for seed, number in ((1, "1"), (2, "2")):
        write_member(study, seed=seed)
        registered = register_members(study)[UNET.key]
        assert registered.number == number
    assert "version 1: relaxed F1" in registered.reason
    assert not (tmp_path / "mlflow.db").exists()


def test_the_champion_is_scored_as_in_the_table(evaluated):
    one, two = evaluated("one", seed=1), evaluated("two", seed=2)
    register_members(one)
    reason = register_members(two)["unet-64"].reason
    assert reason.endswith(f"against {scores(two, one.member(UNET)).relaxed_f1:.4f}")


@pytest.mark.parametrize(
    ("card", "why"),
    [
        ({"posting_m": 50.0}, "was trained for a posting of 50 m, and this data has 100"),
        ({"wavelength_m": 0.24}, "was trained for a wavelength of 0.24 m"),
    ],
)
def test_a_champion_of_other_data_stays(evaluated, card, why):
    register_members(evaluated("one", seed=1, **card))
    two = evaluated("two", seed=2)
    registered = register_members(two)["unet-64"]
    assert champion_of(two) == "1"
    assert not registered.is_champion
    assert why in registered.reason


def test_a_member_that_cannot_be_scored_takes_no_alias(evaluated):
    register_members(evaluated("one", seed=1))
    two = evaluated("two", seed=2)
    table = read_artifact(two.table_json, StudyTable)
    without_line = table.rows[0].model_copy(update={"patches_with_line": 0})
    write_artifact(two.table_json, study_table(without_line))
    assert "has no relaxed F1" in register_members(two)["unet-64"].reason
    assert champion_of(two) == "1"


def with_baseline(study, relaxed_f1):
    table = read_artifact(study.table_json, StudyTable)
    write_artifact(study.table_json, study_table(*table.rows, baseline_row("all_line", 64, relaxed_f1)))
    return study


def test_a_member_that_does_not_beat_drawing_everything_is_no_champion_though_it_is_the_first(evaluated):
    study = with_baseline(evaluated("one", seed=1), 0.99)
    registered = register_members(study)["unet-64"]
    assert (registered.number, registered.is_champion) == ("1", False)
    assert registered.reason.startswith("does not beat drawing everything: relaxed F1")
    assert registered.reason.endswith("against 0.9900 of all-line 64")
    assert not client_of(study).get_registered_model(MODEL).aliases
    assert client_of(study).get_model_version(MODEL, "1").tags["glsweep.verdict"] == registered.reason


def test_a_member_that_does_not_beat_drawing_everything_dethrones_nobody(evaluated):
    one, two = evaluated("one", seed=1), evaluated("two", seed=2)
    worse, better = sorted((one, two), key=relaxed_f1_of)
    register_members(worse)
    register_members(with_baseline(better, 0.99))
    assert champion_of(worse) == "1"
    # What was crowned before there was such a rule stays.
    assert register_members(with_baseline(worse, 0.99))["unet-64"].is_champion


def test_a_member_is_registered_through_a_server(server, make_study):
    study = make_study(name="registered-through-a-server")
    write_patches(study)
    write_member(study, seed=1)
    register_members(study)
    model = loaded(study, f"models:/{MODEL}@champion")
    assert model.predict(np.zeros((2, 2, 64, 64), np.float32)).shape == (2, 64, 64)
