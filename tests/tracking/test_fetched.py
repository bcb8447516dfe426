"""A registered member is found by its address, as a folder that needs no unpickling."""

import pytest
from made_configs import SPACE, write_yaml
from made_members import UNET, write_member, write_patches

from glsweep.config.space import load_space
from glsweep.errors import StudyError
from glsweep.nets.member import WEIGHTS, load_member, weights_hash
from glsweep.register import register_members
from glsweep.sweep.start import read_start
from glsweep.tracking.address import tracking_uri
from glsweep.tracking.registry import fetched_member

MODEL = "glsweep-unet-64"


@pytest.fixture
def registered(make_study, tmp_path, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    study = make_study("one", name="one")
    write_patches(study)
    write_member(study, seed=1)
    register_members(study)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri(study))
    return study


@pytest.mark.parametrize("address", [f"models:/{MODEL}@champion", f"models:/{MODEL}/1"])
def test_a_member_is_fetched_by_alias_and_by_version(registered, address):
    with fetched_member(address) as folder:
        network, card = load_member(folder)
    assert not folder.exists()
    assert card.patch_size_px == 64
    assert sum(parameter.numel() for parameter in network.parameters()) > 0


@pytest.mark.parametrize(
    "address", [f"models:/{MODEL}@nobody", f"models:/{MODEL}/9", "models:/unknown@champion"]
)
def test_a_member_that_is_not_there_is_refused(registered, address):
    with pytest.raises(StudyError, match="MLflow cannot use this store"), fetched_member(address):
        pass


def test_an_address_that_is_none_is_refused():
    with pytest.raises(StudyError, match="is no registered model's address"), fetched_member("models:x"):
        pass


def test_trials_begin_from_a_registered_member_as_from_its_folder(registered, tmp_path):
    member = registered.member(UNET)
    for named in (f"models:/{MODEL}@champion", str(member)):
        fixed = {**SPACE["fixed"], "start": named}
        source = write_yaml(tmp_path / "space.yaml", {**SPACE, "fixed": fixed})
        space, [weights] = read_start(load_space(source), source)
        assert space.fixed["start"] == f"unet@{weights_hash(member)}"
        assert weights.content == (member / WEIGHTS).read_bytes()
