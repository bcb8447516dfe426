"""The training loop on a task that can be learnt in seconds."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from made_patches import SIZE_PX, bands, parameters, schedule
from torch import nn

from glsweep.metrics.thresholds import count_at_thresholds, truth_within
from glsweep.training import EpochReport, is_better
from glsweep.training.fit import TrainingDivergedError, fit, make_task, validate
from glsweep.training.state import fresh_state

CPU = torch.device("cpu")


def run(epochs=2, *, train=None, val=None, seed=1, with_state=None, of=None, **changes):
    of = of or parameters()
    state = with_state or fresh_state(of, seed=seed, device=CPU)
    reports = list(
        fit(state, of, train or bands(), val or bands(seed=1), schedule(epochs, **changes), seed=seed)
    )
    return state, reports


def figures(reports):
    """All that the configuration and the seed decide, so all but the wall time."""
    return [dataclasses.replace(report, epoch_s=0) for report in reports]


def all_line_f1(patches, tolerance_m):
    truth = truth_within(patches.mask, tolerance_m, patches.posting_m)
    everything = torch.ones(len(patches), SIZE_PX, SIZE_PX)
    return float(count_at_thresholds(everything, truth, torch.tensor([0.5])).relaxed_f1()[0])


@pytest.mark.parametrize(
    ("architecture", "width", "epochs"), [("unet", 4, 30), ("attention_unet", 4, 20), ("unetpp", 2, 12)]
)
def test_a_bright_band_is_learnt_far_better_than_chance(architecture, width, epochs):
    val = bands(seed=1)
    _, reports = run(epochs, val=val, of=parameters(architecture=architecture, base_width=width))
    chance = all_line_f1(val, 100.0)
    assert 0.1 < chance < 0.3
    assert max(report.relaxed_f1 for report in reports) > 3 * chance
    assert reports[-1].train_loss < reports[0].train_loss


def test_a_report_tells_figures_that_can_be_true():
    _, reports = run(3)
    assert [report.epoch for report in reports] == [1, 2, 3]
    assert [report.last for report in reports] == [False, False, True]
    for report in reports:
        told = report.metrics()
        assert set(told) == {f.name for f in dataclasses.fields(EpochReport)} - {"epoch", "last"}
        assert all(math.isfinite(v) for v in told.values())
        assert told["precision_bits"] == 32
        assert all(0 <= told[k] <= 1 for k in ("relaxed_f1", "relaxed_precision", "relaxed_recall", "dice"))
        p, r = report.relaxed_precision, report.relaxed_recall
        assert report.relaxed_f1 == pytest.approx(2 * p * r / (p + r), abs=1e-6)
        assert 0.0001 <= report.tau <= 0.9999


def test_the_same_seed_gives_the_same_figures_and_another_seed_others():
    one, again, other = run(seed=1)[1], run(seed=1)[1], run(seed=2)[1]
    assert figures(one) == figures(again)
    assert figures(one) != figures(other)


def test_the_global_generator_decides_nothing_and_is_left_alone():
    torch.manual_seed(0)
    first = figures(run()[1])
    torch.manual_seed(1)
    before = torch.get_rng_state()
    assert figures(run()[1]) == first
    assert torch.equal(torch.get_rng_state(), before)


def test_every_epoch_has_its_own_order():
    still = parameters(learning_rate=1e-30, weight_decay=0, augmentation=())
    _, reports = run(3, of=still)
    # Weights stand still, so only the way patches fall into batches can move the loss.
    assert len({report.train_loss for report in reports}) == 3


@pytest.mark.parametrize(("split", "loss"), [("train", "training"), ("val", "validation")])
def test_a_nan_in_the_patches_stops_the_training(split, loss):
    broken = bands()
    broken.image[2, 0, 5, 5] = np.nan
    with pytest.raises(TrainingDivergedError, match=f"the {loss} loss became nan"):
        run(**{split: broken})


def test_a_learning_rate_beyond_all_bounds_stops_the_training():
    with pytest.raises(TrainingDivergedError, match="loss became"):
        run(20, of=parameters(learning_rate=1e30))


@pytest.mark.parametrize("annealing", ["none", "cosine"])
def test_the_learning_rate_of_each_epoch_is_that_of_torchs_own_scheduler(annealing):
    of, epochs = parameters(learning_rate=3e-3), 5
    state = fresh_state(of, seed=1, device=CPU)
    used = [
        state.optimizer.param_groups[0]["lr"]
        for _ in fit(state, of, bands(), bands(seed=1), schedule(epochs, annealing=annealing), seed=1)
    ]
    oracle = torch.optim.Adam([torch.zeros(1, requires_grad=True)], lr=3e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(oracle, T_max=epochs)
    wanted = []
    for _ in range(epochs):
        wanted.append(oracle.param_groups[0]["lr"] if annealing == "cosine" else 3e-3)
        oracle.step()
        scheduler.step()
    assert used == pytest.approx(wanted)


def test_patience_ends_the_training_and_the_last_report_says_so():
    still = parameters(learning_rate=1e-30, weight_decay=0)
    state, reports = run(50, of=still, patience=3, monitor="dice")
    best = state.progress.best_epoch
    assert len(reports) == best + 3 < 50
    assert [report.last for report in reports] == [False] * (len(reports) - 1) + [True]
    assert state.progress.report == reports[-1]


def test_a_training_that_is_over_does_nothing_more():
    of = parameters()
    state, reports = run(2, of=of)
    assert len(reports) == 2
    assert run(2, of=of, with_state=state)[1] == []
    assert state.progress.epoch == 2


@pytest.mark.parametrize("monitor", ["relaxed_f1", "dice", "val_loss"])
def test_the_best_epochs_weights_are_kept(monitor):
    of = parameters()
    state = fresh_state(of, seed=3, device=CPU)
    weights, values = {}, {}
    plan = schedule(6, keep_best=True, monitor=monitor)
    for report in fit(state, of, bands(), bands(seed=1), plan, seed=3):
        weights[report.epoch] = {k: v.clone() for k, v in state.network.state_dict().items()}
        values[report.epoch] = getattr(report, monitor)
    extreme = min if monitor == "val_loss" else max
    best = extreme(values, key=values.get)
    assert (state.progress.best_epoch, state.progress.best_value) == (best, values[best])
    assert state.best_weights.keys() == weights[best].keys()
    for name, tensor in state.best_weights.items():
        assert torch.equal(tensor, weights[best][name]), name


def test_weights_are_kept_only_when_asked_for():
    assert run(1)[0].best_weights == {}


def test_figures_are_compared_in_the_right_direction():
    assert is_better("relaxed_f1", 0.0, None)
    assert is_better("dice", 0.6, 0.5)
    assert is_better("val_loss", 0.5, 0.6)
    assert not is_better("dice", 0.5, 0.5)
    assert not is_better("val_loss", 0.6, 0.5)


@pytest.mark.parametrize(("clip", "clipped"), [(1e-3, True), (1e6, False)])
def test_gradients_are_clipped_before_each_step(clip, clipped):
    of = parameters(gradient_clip=clip)
    state = fresh_state(of, seed=0, device=CPU)
    norms = []

    def measure(optimizer, *_):
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norms.append(float(torch.linalg.vector_norm(torch.cat([g.flatten() for g in gradients]))))

    state.optimizer.register_step_pre_hook(measure)
    run(2, of=of, with_state=state)
    assert len(norms) == 2 * 2
    assert max(norms) > 0
    assert all(norm <= clip * 1.001 for norm in norms)
    assert all(math.isclose(norm, clip, rel_tol=1e-2) == clipped for norm in norms)


def test_read_only_arrays_train_like_others():
    frozen = bands()
    frozen.image.flags.writeable = frozen.mask.flags.writeable = False
    # Warnings are errors here, and torch warns of arrays that it may not write to.
    assert figures(run(train=frozen, val=frozen)[1]) == figures(run(train=bands(), val=bands())[1])


def test_a_batch_may_be_larger_than_the_split_and_the_split_no_multiple_of_it():
    for batch_size in (3, 100):
        _, reports = run(1, of=parameters(batch_size=batch_size), train=bands(7), val=bands(5, seed=1))
        assert math.isfinite(reports[0].val_loss)


class Says(nn.Module):
    """Gives the bright band one probability and all else another."""

    def __init__(self, band, rest):
        super().__init__()
        self.band, self.rest = band, rest

    def forward(self, image):
        bright = image.mean(dim=1, keepdim=True) > 1.4
        return (torch.logit(torch.where(bright, self.band, self.rest)),)


@pytest.mark.parametrize(
    ("band", "rest"), [(0.00035, 0.00025), (0.0045, 0.0035), (0.6, 0.4), (0.9965, 0.9955), (0.99965, 0.99955)]
)
def test_a_network_is_ranked_by_what_it_tells_apart_however_unsure_or_saturated_it_is(band, rest):
    of = parameters(channels=("real", "imag"))
    task = make_task(of, bands(), bands(seed=1), schedule(1), CPU)
    _, counts = validate(Says(band, rest), task, of.batch_size)
    best = counts.best("relaxed_f1")
    assert counts.relaxed_f1()[best] > 0.99
    assert rest < counts.thresholds[best] <= band


def test_what_is_true_where_there_is_no_data_changes_nothing():
    """Neither what is learnt, nor a loss, nor a figure of validation."""
    first, reports = run(2)
    train, val = bands(), bands(seed=1)
    for patches in (train, val):
        patches.mask[(patches.image == 0).all(axis=1)] = 1
    again, the_same = run(2, train=train, val=val)
    assert figures(reports) == figures(the_same)
    for one, other in zip(first.network.parameters(), again.network.parameters(), strict=True):
        assert torch.equal(one, other)
