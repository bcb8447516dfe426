"""Trials of a cohort must come to what they come to alone."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from made_patches import bands, parameters, schedule

from glsweep.nets import derive_channels
from glsweep.training import EpochReport, cohort
from glsweep.training import memory as patches_on_device
from glsweep.training.cohort import CohortTrial, fit_cohort, run_cohort_epoch
from glsweep.training.fit import TrainingDivergedError, fit
from glsweep.training.memory import OutOfDeviceMemoryError
from glsweep.training.state import fresh_state, load_state, save_state

CPU = torch.device("cpu")
TRAIN, VAL = bands(10), bands(7, seed=1)
# Batches of 4 leave a smaller one at the end of both.

DIFFERENT = (
    {},
    {"fn_weight": 0.85, "fp_weight": 0.15, "bce_weight": 0.2, "learning_rate": 1e-3, "gradient_clip": 0.1},
    {"gamma": 1.0, "weight_decay": 1e-2, "augmentation": ("dihedral", "speckle")},
)


@pytest.fixture
def in_double(monkeypatch):
    """Compute in double precision: what then differs is no matter of rounding, which trainings magnify."""
    monkeypatch.setattr(patches_on_device, "derive_channels", lambda *given: derive_channels(*given).double())


def settings(architecture="unet", **changes):
    """Settings that differ in all that members may differ in."""
    heads = [None, (0.1, 0.2, 0.3, 0.4), (0.05, 0.1, 0.2, 0.65)]
    ds_weights = heads if architecture == "unetpp" else itertools.repeat(None)
    return [
        parameters(architecture=architecture, base_width=2, **{**of, "ds_weights": weights, **changes})
        for of, weights in zip(DIFFERENT, ds_weights, strict=False)
    ]


def start(of, seed, *, double=True):
    state = fresh_state(of, seed=seed, device=CPU)
    if double:
        state.network.double()
    return state


def cohort_of(all_settings, *, double=True):
    return {
        f"t{seed}": CohortTrial(start(of, seed, double=double), of, seed)
        for seed, of in enumerate(all_settings)
    }


def train_together(members, plan, *, train=TRAIN, leave_after=None):
    """Return what is told of each; a member leaves after the epoch that `leave_after` has for it."""
    told = {name: [] for name in members}
    for reports in fit_cohort(members, train, VAL, plan):
        for name, report in reports.items():
            told[name].append(report)
            if leave_after and leave_after.get(name) == report.epoch:
                del members[name]
    return told


def train_alone(member, plan, *, train=TRAIN, until=None):
    """Return the state and the reports of the same trial that trains from its beginning in `fit`."""
    state = start(member.parameters, member.seed)
    reports = []
    for report in fit(state, member.parameters, train, VAL, plan, seed=member.seed):
        reports.append(report)
        if report.epoch == until:
            break
    return state, reports


def assert_same_reports(told, wanted):
    assert [report.epoch for report in told] == [report.epoch for report in wanted]
    for one, other in zip(told, wanted, strict=True):
        ours, theirs = (dataclasses.asdict(dataclasses.replace(r, epoch_s=0)) for r in (one, other))
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)


def assert_same_states(one, other):
    for name, tensor in other.network.state_dict().items():
        torch.testing.assert_close(one.network.state_dict()[name], tensor, rtol=1e-4, atol=1e-6)
    ours, theirs = one.optimizer.state_dict(), other.optimizer.state_dict()
    assert ours["param_groups"] == theirs["param_groups"]
    assert ours["state"].keys() == theirs["state"].keys()
    for index, moments in theirs["state"].items():
        for name, tensor in moments.items():
            torch.testing.assert_close(ours["state"][index][name], tensor, rtol=1e-4, atol=1e-6)
    assert one.best_weights.keys() == other.best_weights.keys()
    for name, tensor in other.best_weights.items():
        torch.testing.assert_close(one.best_weights[name], tensor, rtol=1e-4, atol=1e-6)


def assert_as_alone(member, told, plan, *, until=None):
    state, reports = train_alone(member, plan, until=until)
    assert_same_reports(told, reports)
    assert_same_states(member.state, state)


@pytest.mark.usefixtures("in_double")
@pytest.mark.parametrize(
    ("architecture", "annealing"), [("unet", "none"), ("attention_unet", "cosine"), ("unetpp", "none")]
)
def test_each_comes_to_what_it_comes_to_alone(architecture, annealing):
    members = cohort_of(settings(architecture))
    kept, plan = dict(members), schedule(3, keep_best=True, annealing=annealing)
    told = train_together(members, plan)
    for name, member in kept.items():
        assert_as_alone(member, told[name], plan)


@pytest.mark.parametrize("architecture", ["unet", "attention_unet", "unetpp"])
@pytest.mark.parametrize(("precision", "rounding"), [("float32", 1e-4), ("bfloat16", 2e-2)])
def test_in_lower_precision_losses_differ_by_rounding(architecture, precision, rounding):
    members = cohort_of(settings(architecture, learning_rate=1e-4, precision=precision), double=False)
    kept = dict(members)
    told = train_together(members, schedule(2))
    for name, member in kept.items():
        state = start(member.parameters, member.seed, double=False)
        alone = list(fit(state, member.parameters, TRAIN, VAL, schedule(2), seed=member.seed))
        for one, other in zip(told[name], alone, strict=True):
            assert one.train_loss == pytest.approx(other.train_loss, rel=rounding)
            assert one.val_loss == pytest.approx(other.val_loss, rel=rounding)
            assert one.precision_bits == other.precision_bits


@pytest.mark.usefixtures("in_double")
def test_one_that_leaves_changes_nothing_for_the_others():
    members = cohort_of(settings())
    kept, plan = dict(members), schedule(3)
    told = train_together(members, plan, leave_after={"t1": 1})
    assert [len(reports) for reports in told.values()] == [3, 1, 3]
    for name, until in (("t0", None), ("t1", 1), ("t2", None)):
        assert_as_alone(kept[name], told[name], plan, until=until)


@pytest.mark.usefixtures("in_double")
def test_one_that_joins_later_trains_as_it_does_alone():
    all_members = cohort_of(settings())
    members, plan = {name: all_members[name] for name in ("t0", "t1")}, schedule(3)
    told = {name: [] for name in all_members}
    for reports in fit_cohort(members, TRAIN, VAL, plan):
        for name, report in reports.items():
            told[name].append(report)
        if "t1" in reports and reports["t1"].epoch == 2:
            members["t2"] = all_members["t2"]
    for name, member in all_members.items():
        assert_as_alone(member, told[name], plan)


@pytest.mark.usefixtures("in_double")
def test_one_that_diverges_fails_alone_and_for_the_reason_that_it_has_alone():
    of = settings()
    of[1] = parameters(base_width=2, learning_rate=1e300)
    members, plan = cohort_of(of), schedule(3)
    kept = dict(members)
    told = train_together(members, plan)
    with pytest.raises(TrainingDivergedError) as alone:
        train_alone(kept["t1"], plan)
    *before, failure = told["t1"]
    assert isinstance(failure, TrainingDivergedError)
    assert str(failure) == str(alone.value)
    assert all(isinstance(report, EpochReport) for report in before)
    for name in ("t0", "t2"):
        assert_as_alone(kept[name], told[name], plan)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_network_of_nothing_but_nan_fails_alone_though_kernels_may_let_it_into_others(precision):
    members = cohort_of(settings(precision=precision), double=False)
    with torch.no_grad():
        members["t1"].state.network.encoder[0][0].weight.fill_(torch.nan)
    told = train_together(members, schedule(2))
    assert [type(report) for report in told["t1"]] == [TrainingDivergedError]
    assert [len(told[name]) for name in ("t0", "t2")] == [2, 2]


def test_patches_that_hold_nan_fail_every_member():
    broken = bands(10)
    broken.image[2, 0, 5, 5] = np.nan
    members = cohort_of(settings(), double=False)
    told = train_together(members, schedule(3), train=broken)
    assert [[type(report) for report in reports] for reports in told.values()] == [
        [TrainingDivergedError]
    ] * 3
    assert members == {}


@pytest.mark.usefixtures("in_double")
def test_checkpoints_go_from_a_single_training_to_a_cohort_and_back(tmp_path):
    members, plan, file = cohort_of(settings()), schedule(5, keep_best=True), tmp_path / "state.safetensors"
    wanted = {name: train_alone(member, plan) for name, member in members.items()}

    def hand_on(member):
        save_state(member.state, file)
        state = start(member.parameters, seed=99)
        load_state(state, file)
        return dataclasses.replace(member, state=state)

    state, begun = train_alone(members["t1"], plan, until=2)
    members["t1"] = hand_on(dataclasses.replace(members["t1"], state=state))
    told = train_together(dict(members), dataclasses.replace(plan, epochs=4))
    for name, member in members.items():
        last = hand_on(member)
        rest = list(fit(last.state, last.parameters, TRAIN, VAL, plan, seed=last.seed))
        before = begun if name == "t1" else []
        reports = [dataclasses.replace(r, last=r.epoch == 5) for r in (*before, *told[name], *rest)]
        assert_same_reports(reports, wanted[name][1])
        assert_same_states(last.state, wanted[name][0])
        assert last.state.progress.report == rest[-1]


@pytest.mark.usefixtures("in_double")
def test_patience_ends_each_member_in_its_own_time():
    still = parameters(base_width=2, learning_rate=1e-30, weight_decay=0)
    members = cohort_of([still, parameters(base_width=2)])
    kept, plan = dict(members), schedule(5, patience=2, monitor="val_loss")
    told = train_together(members, plan)
    assert members == {}
    for name, member in kept.items():
        assert_as_alone(member, told[name], plan)
        assert [report.last for report in told[name]] == [False] * (len(told[name]) - 1) + [True]


def test_members_that_are_over_do_nothing_more():
    members = cohort_of(settings(), double=False)
    kept = dict(members)
    train_together(members, schedule(1))
    assert train_together(dict(kept), schedule(1)) == {name: [] for name in kept}
    assert all(member.state.progress.epoch == 1 for member in kept.values())


def refuse_more_than(most, monkeypatch):
    """Let a cohort run out of memory, and return the list of all sizes that were tried."""
    tried = []

    def run(states, tasks, seeds):
        tried.append(len(states))
        if len(states) > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return run_cohort_epoch(states, tasks, seeds)

    monkeypatch.setattr(cohort, "run_cohort_epoch", run)
    return tried


@pytest.mark.usefixtures("in_double")
def test_where_memory_runs_out_the_cohort_is_parted_and_nothing_else_changes(monkeypatch):
    tried = refuse_more_than(2, monkeypatch)
    members = cohort_of([*settings(), *settings()])
    kept, plan = dict(members), schedule(2)
    told = train_together(members, plan)
    assert tried == [6, 3, 2, 3, 2, 2, 2, 2]
    for name, member in kept.items():
        assert_as_alone(member, told[name], plan)
        assert member.state.progress.micro_batch is None


def test_one_that_once_had_no_memory_alone_stays_alone(monkeypatch):
    tried = refuse_more_than(9, monkeypatch)
    members = cohort_of(settings(), double=False)
    members["t2"].state.progress.micro_batch = 2
    told = train_together(members, schedule(1))
    assert tried == [2]
    assert [reports[0].micro_batch for reports in told.values()] == [4, 4, 2]


def test_a_member_for_which_there_is_no_memory_at_all_fails_alone(monkeypatch):
    members = cohort_of(settings()[:2], double=False)
    refuse_more_than(1, monkeypatch)
    first = members["t0"].state.network

    def refuse(module, inputs):
        raise torch.OutOfMemoryError("CUDA out of memory")

    first.register_forward_pre_hook(refuse)
    told = train_together(members, schedule(2))
    assert [type(report) for report in told["t0"]] == [OutOfDeviceMemoryError]
    assert [report.epoch for report in told["t1"]] == [1, 2]


@pytest.mark.parametrize(
    "other", [{"base_width": 4}, {"channels": ("cos", "sin")}, {"batch_size": 3}, {"precision": "bfloat16"}]
)
def test_members_of_different_kinds_are_refused(other):
    members = cohort_of([parameters(base_width=2), parameters(**{"base_width": 2, **other})], double=False)
    with pytest.raises(ValueError, match="cannot train with"):
        train_together(members, schedule(1))


def test_an_error_of_another_kind_is_no_lack_of_memory(monkeypatch):
    def fail(*_):
        raise RuntimeError("something else")

    monkeypatch.setattr(cohort, "run_cohort_epoch", fail)
    with pytest.raises(RuntimeError, match="something else"):
        train_together(cohort_of(settings(), double=False), schedule(1))
