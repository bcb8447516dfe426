"""A member is written whole, read back the same, and refused when its files do not fit."""

import json

import pytest
import torch

from glsweep.errors import ConfigError, StudyError
from glsweep.nets import build_network
from glsweep.nets.member import ModelCard, load_card_of, load_member, save_member, write_card

CARD = ModelCard(
    architecture="unetpp",
    patch_size_px=64,
    base_width=2,
    channels=("cos", "sin", "magnitude"),
    amplitude_scale=1.5,
    posting_m=100.0,
    wavelength_m=0.0555,
    tau=None,
    data_card_hash="0123456789",
    seed=3,
    trial_id="t0001",
    parameters={"learning_rate": 1e-4, "ds_weights": None, "channels": ["cos", "sin", "magnitude"]},
    best_epoch=7,
    figures={"relaxed_f1": 0.5},
    glsweep_version="0.1.0",
)


@pytest.fixture
def network():
    network = build_network("unetpp", in_channels=3, base_width=2, seed=11)
    network(torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))  # moves the statistics
    return network


def test_a_member_predicts_the_same_after_it_was_saved_and_loaded(tmp_path, network):
    save_member(tmp_path / "member", network.to(memory_format=torch.channels_last), CARD)
    loaded, card = load_member(tmp_path / "member")
    image = torch.randn(1, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    assert card == CARD
    assert not loaded.training
    with torch.no_grad():
        torch.testing.assert_close(loaded(image), network.eval()(image))


def test_the_folder_holds_weights_and_card_and_keeps_other_files(tmp_path, network):
    (tmp_path / "history.csv").write_text("epoch\n")
    save_member(tmp_path, network, CARD)
    save_member(tmp_path, network, CARD)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["card.json", "history.csv", "model.safetensors"]


def test_a_card_can_be_replaced_alone(tmp_path, network):
    save_member(tmp_path, network, CARD)
    weights = (tmp_path / "model.safetensors").read_bytes()
    write_card(tmp_path, CARD.model_copy(update={"tau": 0.9}))
    assert load_card_of(tmp_path).tau == 0.9
    assert (tmp_path / "model.safetensors").read_bytes() == weights


def test_a_save_that_was_cut_off_leaves_no_card(tmp_path, network, monkeypatch):
    save_member(tmp_path, network, CARD)

    def cut_off(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("glsweep.nets.member.write_card", cut_off)
    with pytest.raises(KeyboardInterrupt):
        save_member(tmp_path, network, CARD)
    with pytest.raises(StudyError, match=r"no complete member.*run the stage `retrain`"):
        load_member(tmp_path)


def test_missing_or_broken_files_are_named(tmp_path, network):
    save_member(tmp_path, network, CARD)
    (tmp_path / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(StudyError, match=r"model\.safetensors: cannot be read"):
        load_member(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(StudyError, match=r"model\.safetensors: cannot be read"):
        load_member(tmp_path)
    (tmp_path / "card.json").write_text("{")
    with pytest.raises(StudyError, match=r"card\.json: is not readable JSON"):
        load_member(tmp_path)


def test_weights_of_another_network_are_refused_in_one_line(tmp_path, network):
    save_member(tmp_path, network, CARD)
    write_card(tmp_path, CARD.model_copy(update={"base_width": 4}))
    with pytest.raises(StudyError, match=r"does not fit its card\.json") as caught:
        load_member(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_card_with_an_unknown_key_is_refused(tmp_path, network):
    save_member(tmp_path, network, CARD)
    card = tmp_path / "card.json"
    card.write_text(card.read_text().replace('"tau"', '"threshold"'))
    with pytest.raises(ConfigError, match=r"card\.json: line \d+: threshold: unknown key"):
        load_card_of(tmp_path)


@pytest.mark.parametrize("key", ["channels", "amplitude_scale", "posting_m", "wavelength_m", "architecture"])
def test_a_card_that_leaves_something_to_be_guessed_is_refused(tmp_path, network, key):
    save_member(tmp_path, network, CARD)
    values = json.loads((tmp_path / "card.json").read_text())
    del values[key]
    (tmp_path / "card.json").write_text(json.dumps(values))
    with pytest.raises(ConfigError, match=rf"card\.json: {key}: is missing"):
        load_member(tmp_path)
