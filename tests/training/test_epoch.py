"""An epoch: which patches it sees, in which order and turned how, and what it says of validation."""

import dataclasses

import pytest
import torch
from made_patches import bands, parameters, schedule
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from glsweep.metrics.thresholds import count_at_thresholds
from glsweep.nets import network_of
from glsweep.training.fit import RANKING_THRESHOLDS, batches, fit, loss_of, make_task, train, validate
from glsweep.training.state import fresh_state
from glsweep.training.step import take_step

CPU = torch.device("cpu")


def task_of(of, count=10, val=None):
    return make_task(of, bands(count), val or bands(7, seed=1), schedule(3), CPU)


class Heads(nn.Module):
    """Only its last head sees the band; the first is sure of a line wherever there is none."""

    def forward(self, image):
        last = 2 * image[:, :1] - 3
        return -3 * last, -2 * last, -last, last


def by_hand(of, heads, label):
    """The loss of a batch, from its definition (Abraham & Khan 2019, eqs. 3 and 4, and cross-entropy)."""
    weights = of.ds_weights or (1,) * len(heads)
    losses, has_data = [], label >= 0
    label = label[has_data]
    for head in heads:
        logits = head.squeeze(1)[has_data]
        p = logits.sigmoid()
        hits, missed, invented = (p * label).sum(), ((1 - p) * label).sum(), (p * (1 - label)).sum()
        index = (hits + 1) / (hits + of.fn_weight * missed + of.fp_weight * invented + 1)
        tversky = (1 - index) ** (1 / of.gamma)
        entropy = binary_cross_entropy_with_logits(logits, label)
        losses.append(of.bce_weight * entropy + (1 - of.bce_weight) * tversky)
    return sum(w * loss for w, loss in zip(weights, losses, strict=True)) / sum(weights)


def test_each_head_of_a_shallower_unetpp_counts_as_its_weight_says():
    of = parameters(architecture="unetpp", base_width=2, ds_weights=(0.2, 0.6), own={"unetpp.depth": 2})
    draws = torch.Generator().manual_seed(1)
    heads = network_of(of, seed=1)(torch.randn(2, 2, 32, 32, generator=draws))
    label = (torch.rand(2, 32, 32, generator=draws) < 0.1).float()
    torch.testing.assert_close(loss_of(of)(heads, label), by_hand(of, heads, label))


@pytest.mark.parametrize("micro_batch", [1, 3, 4])
def test_validation_counts_what_the_last_head_predicts(micro_batch):
    of = parameters(architecture="unetpp", ds_weights=(0.1, 0.2, 0.3, 0.4))
    task = task_of(of)
    _, counts = validate(Heads(), task, micro_batch)
    probability = Heads()(task.val.image / task.val.amplitude_scale)[-1].squeeze(1).sigmoid()
    wanted = count_at_thresholds(probability, task.truth, RANKING_THRESHOLDS)
    for found, expected in (
        (counts.relaxed_f1(), wanted.relaxed_f1()),
        (counts.macro_dice(), wanted.macro_dice()),
    ):
        torch.testing.assert_close(torch.as_tensor(found), torch.as_tensor(expected))
    assert float(torch.as_tensor(counts.relaxed_f1()).max()) > 0.8


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"fn_weight": 0.2, "fp_weight": 0.8, "gamma": 0.75},
        {"gamma": 3.0, "bce_weight": 0.9},
        {"bce_weight": 0.0, "ds_weights": (0.7, 0.1, 0.1, 0.1)},
    ],
)
def test_the_loss_is_that_of_the_trials_parameters(changes):
    of = parameters(architecture="unetpp", **{"ds_weights": (0.1, 0.2, 0.3, 0.4), **changes})
    image, label = torch.from_numpy(bands().image), torch.from_numpy(bands().mask).float()
    heads = Heads()(image)
    torch.testing.assert_close(loss_of(of)(heads, label), by_hand(of, heads, label), rtol=1e-5, atol=1e-6)


def test_the_validation_loss_is_the_mean_over_patches_though_the_last_batch_is_smaller():
    of = parameters(batch_size=4, architecture="unetpp", ds_weights=(0.1, 0.2, 0.3, 0.4))
    task = task_of(of)
    found, _ = validate(Heads(), task, 4)
    total = 0.0
    for start, size in ((0, 4), (4, 3)):
        image, label = task.val.batch(torch.arange(start, start + size))
        total += size * float(by_hand(of, Heads()(image / task.val.amplitude_scale), label))
    assert found == pytest.approx(total / 7, rel=1e-5)


def test_the_training_loss_is_the_mean_over_patches_though_the_last_batch_is_smaller():
    losses = iter([2.0, 2.0, 8.0])
    task = task_of(parameters(batch_size=4))
    task = dataclasses.replace(task, step=lambda *_: torch.tensor(next(losses)))
    state = fresh_state(task.parameters, seed=0, device=CPU)
    assert train(state, task, 0, 4) == pytest.approx((4 * 2 + 4 * 2 + 2 * 8) / 10)


def seen(task, seed):
    """Inputs and labels of an epoch, in the order in which they come."""
    of_each = [(inputs, label) for inputs, label, *_ in batches(task, seed)]
    return torch.cat([inputs for inputs, _ in of_each]), torch.cat([label for _, label in of_each])


def places(inputs, task):
    """Which patch each input is, known by its mean, which no turn changes."""
    own = task.train.image.mean(dim=(1, 2, 3)) / task.train.amplitude_scale
    return (inputs.mean(dim=(1, 2, 3))[:, None] - own).abs().argmin(dim=1).tolist()


def test_an_epoch_sees_every_patch_once_in_an_order_that_its_seed_decides():
    task = task_of(parameters(augmentation=()))
    orders = [places(seen(task, seed)[0], task) for seed in (1, 1, 2)]
    assert [sorted(order) for order in orders] == [list(range(10))] * 3
    assert orders[0] == orders[1] != orders[2]
    assert orders[0] != list(range(10)), "shuffled"
    assert [len(inputs) for inputs, *_ in batches(task, 1)] == [4, 4, 2]


def test_labels_are_turned_with_their_patches():
    task = task_of(parameters(augmentation=("dihedral",)), count=20)
    inputs, label = seen(task, 1)
    turned = 0
    _, unturned = task.train.batch(torch.arange(20))
    for patch, image, line in zip(places(inputs, task), inputs, label, strict=True):
        turned += bool((unturned[patch] != line).any())
        if (line > 0).any():
            # The band is bright in both parts, whichever way it lies now.
            assert image[:, line > 0].mean() > 3 * image.abs().mean()
    assert turned > 5


def test_augmentations_are_drawn_anew_for_another_seed():
    # All patches alike, so that no order matters.
    one = bands(2)
    same = dataclasses.replace(one, image=one.image[[0] * 8], mask=one.mask[[0] * 8])
    task = make_task(parameters(augmentation=("dihedral",)), same, bands(7, seed=1), schedule(3), CPU)
    assert torch.equal(seen(task, 1)[0], seen(task, 1)[0])
    assert not torch.equal(seen(task, 1)[0], seen(task, 2)[0])


def test_a_trials_seed_decides_its_draws_beside_its_first_weights():
    of = parameters(augmentation=())
    losses = []
    for seed in (1, 1, 2):
        state = fresh_state(of, seed=0, device=CPU)
        (report,) = fit(state, of, bands(10), bands(7, seed=1), schedule(1), seed=seed)
        losses.append(report.train_loss)
    assert losses[0] == losses[1] != losses[2]


def test_a_step_starts_without_the_gradients_of_the_one_before():
    weights = []
    for left_over in (None, 7.0):
        state, task = fresh_state(parameters(), seed=0, device=CPU), task_of(parameters())
        for parameter in state.network.parameters():
            parameter.grad = None if left_over is None else torch.full_like(parameter, left_over)
        take_step(state, task, *seen(task, 0), 4)
        weights.append(torch.cat([parameter.detach().flatten() for parameter in state.network.parameters()]))
    assert torch.equal(*weights)


def test_validation_uses_the_running_statistics_and_changes_nothing():
    of = parameters()
    state, task = fresh_state(of, seed=0, device=CPU), task_of(of)
    before = {name: tensor.clone() for name, tensor in state.network.state_dict().items()}
    assert state.network.training
    alone = validate(state.network, task, 1)[0]
    assert alone == pytest.approx(validate(state.network, task, of.batch_size)[0], rel=1e-5)
    for name, tensor in state.network.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_training_normalises_by_the_batch_and_remembers_it():
    of = parameters(learning_rate=1e-30, weight_decay=0)
    state, task = fresh_state(of, seed=0, device=CPU), task_of(of)
    state.network.eval()
    train(state, task, 0, 4)
    remembered = [m for m in state.network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert remembered
    assert all(int(m.num_batches_tracked) == 3 for m in remembered)
    assert all(float(m.running_mean.abs().max()) > 0 for m in remembered)
