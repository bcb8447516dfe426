"""A run that is cut off and resumed does the same as an undisturbed one."""

import dataclasses

import pytest
import torch
from made_patches import bands, parameters, schedule
from safetensors.torch import load_file

from glsweep.errors import StudyError
from glsweep.training.fit import fit
from glsweep.training.state import best_weights, fresh_state, load_state, read_tensors, save_state

CPU = torch.device("cpu")


def train(state, of, plan, until=None):
    """Reports without their wall time, until the listener goes away after epoch `until`."""
    reports = []
    for report in fit(state, of, bands(), bands(seed=1), plan, seed=1):
        reports.append(dataclasses.replace(report, epoch_s=0))
        if report.epoch == until:
            break
    return reports


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


@pytest.mark.parametrize(
    "of",
    [parameters(), parameters(architecture="unetpp", base_width=2, ds_weights=(0.1, 0.2, 0.3, 0.4))],
    ids=lambda of: of.architecture,
)
@pytest.mark.parametrize("annealing", ["none", "cosine"])
def test_a_resumed_run_equals_an_undisturbed_one_bit_for_bit(tmp_path, of, annealing):
    plan = schedule(5, keep_best=True, annealing=annealing)
    undisturbed = fresh_state(of, seed=7, device=CPU)
    wanted = train(undisturbed, of, plan)

    cut_off = fresh_state(of, seed=7, device=CPU)
    before = train(cut_off, of, plan, until=2)
    save_state(cut_off, tmp_path / "state.safetensors")
    resumed = fresh_state(of, seed=8, device=CPU)
    load_state(resumed, tmp_path / "state.safetensors")
    after = train(resumed, of, plan)

    assert before + after == wanted
    assert_same(resumed.network.state_dict(), undisturbed.network.state_dict())
    assert_same(resumed.best_weights, undisturbed.best_weights)
    progress = dataclasses.replace(resumed.progress, report=None)
    assert progress == dataclasses.replace(undisturbed.progress, report=None)


def test_what_is_saved_is_what_is_loaded(tmp_path):
    of = parameters()
    state = fresh_state(of, seed=0, device=CPU)
    train(state, of, schedule(2, keep_best=True))
    save_state(state, tmp_path / "state.safetensors")
    again = fresh_state(of, seed=1, device=CPU)
    load_state(again, tmp_path / "state.safetensors")
    assert again.progress == state.progress
    assert again.progress.report.epoch == 2
    assert_same(again.best_weights, state.best_weights)
    old, new = state.optimizer.state_dict(), again.optimizer.state_dict()
    assert old["param_groups"] == new["param_groups"]
    assert old["state"].keys() == new["state"].keys()
    for index in old["state"]:
        assert_same(old["state"][index], new["state"][index])
    progress, weights = best_weights(tmp_path / "state.safetensors")
    assert progress == state.progress
    assert_same(weights, state.best_weights)


def test_a_state_that_has_not_begun_can_be_saved_too(tmp_path):
    of = parameters()
    save_state(fresh_state(of, seed=0, device=CPU), tmp_path / "state.safetensors")
    state = fresh_state(of, seed=1, device=CPU)
    load_state(state, tmp_path / "state.safetensors")
    assert_same(state.network.state_dict(), fresh_state(of, seed=0, device=CPU).network.state_dict())
    assert state.progress.epoch == 0


def test_the_run_whose_last_report_was_lost_has_nothing_left_to_do(tmp_path):
    of = parameters()
    state = fresh_state(of, seed=0, device=CPU)
    reports = train(state, of, schedule(1))
    save_state(state, tmp_path / "state.safetensors")
    again = fresh_state(of, seed=0, device=CPU)
    load_state(again, tmp_path / "state.safetensors")
    assert train(again, of, schedule(1)) == []
    assert dataclasses.replace(again.progress.report, epoch_s=0) == reports[0]


@pytest.mark.parametrize("kept", [0, 5, 0.5, 0.99])
def test_a_checkpoint_that_is_cut_short_is_told(tmp_path, kept):
    path = tmp_path / "state.safetensors"
    save_state(fresh_state(parameters(), seed=0, device=CPU), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept if kept > 1 else kept * len(whole))])
    for read in (lambda p: load_state(fresh_state(parameters(), seed=0, device=CPU), p), read_tensors):
        with pytest.raises(StudyError, match="is no whole checkpoint") as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_a_checkpoint_that_is_missing_is_told(tmp_path):
    with pytest.raises(StudyError, match=r"state\.safetensors: is no whole checkpoint"):
        best_weights(tmp_path / "state.safetensors")


@pytest.mark.parametrize("other", [{"base_width": 2}, {"architecture": "attention_unet"}])
def test_the_checkpoint_of_another_network_is_refused(tmp_path, other):
    path = tmp_path / "state.safetensors"
    save_state(fresh_state(parameters(), seed=0, device=CPU), path)
    with pytest.raises(StudyError, match="does not fit this network"):
        load_state(fresh_state(parameters(**other), seed=0, device=CPU), path)


def test_a_checkpoint_is_a_safetensors_file(tmp_path):
    path = tmp_path / "state.safetensors"
    save_state(fresh_state(parameters(), seed=0, device=CPU), path)
    assert all(name.startswith("network.") for name in load_file(path))
    assert [p.name for p in tmp_path.iterdir()] == ["state.safetensors"]
