"""A network and a loss of a user's own train as the built-in ones do."""

import dataclasses
from pathlib import Path

import pytest
import torch
from made_patches import bands, parameters, schedule

from glsweep.config.space import Budget
from glsweep.losses import NO_DATA
from glsweep.nets import network_of
from glsweep.search.plan import ListedPlan, PlannedTrial
from glsweep.sweep.queue import groupable_strata
from glsweep.training.cohort import CohortTrial, fit_cohort
from glsweep.training.fit import fit, loss_of
from glsweep.training.memory import predict_patches
from glsweep.training.state import fresh_state, load_state, save_state
from glsweep.training.step import backward

CPU = torch.device("cpu")
MODULE = """
import torch
from torch import nn

class Dropping(nn.Module):
    def __init__(self, in_channels, rate=0.3):
        super().__init__()
        self.first = nn.Conv2d(in_channels, 4, 3, stride=2, padding=1)
        self.norm, self.drop = nn.GroupNorm(2, 4), nn.Dropout2d(rate)
        self.heads = nn.ModuleList([nn.Conv2d(4, 1, 1) for _ in range(2)])

    def forward(self, image):
        features = self.drop(self.norm(self.first(image)).relu())
        return [head(features) for head in self.heads]

class Plain(nn.Sequential):
    def __init__(self, in_channels, width=4):
        super().__init__(nn.Conv2d(in_channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
                         nn.Conv2d(width, 1, 1))

def of_batch(logits, label, valid, power=2):
    assert logits.shape == label.shape == valid.shape and valid.dtype == torch.bool
    assert label.min() >= 0 and label.max() <= 1 and not label[~valid].any()
    return ((logits.sigmoid() - label).abs() ** power)[valid].mean()
"""
OWN_LOSS = {"loss": "trained_things:of_batch", "of_batch.power": 3}


@pytest.fixture(scope="module", autouse=True)
def module(tmp_path_factory):
    folder: Path = tmp_path_factory.mktemp("mine")
    (folder / "trained_things.py").write_text(MODULE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield


def own(name="Dropping", **changes):
    return parameters(architecture=f"trained_things:{name}", base_width=None, **changes)


def trained(state, of, epochs, until=None):
    reports = []
    for report in fit(state, of, bands(), bands(seed=1), schedule(epochs), seed=1):
        reports.append(dataclasses.replace(report, epoch_s=0))
        if report.epoch == until:
            break
    return reports


def test_a_network_with_dropout_that_is_cut_off_goes_on_as_if_it_had_not_been(tmp_path):
    of = own(**OWN_LOSS, **{"Dropping.rate": 0.5})
    undisturbed, cut_off = (fresh_state(of, seed=7, device=CPU) for _ in range(2))
    torch.manual_seed(1)
    wanted = trained(undisturbed, of, 4)
    before = trained(cut_off, of, 4, until=2)
    save_state(cut_off, tmp_path / "state.safetensors")
    torch.manual_seed(2)
    resumed = fresh_state(of, seed=8, device=CPU)
    load_state(resumed, tmp_path / "state.safetensors")
    assert before + trained(resumed, of, 4) == wanted
    for name, tensor in undisturbed.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], tensor), name


def test_training_leaves_the_global_generator_as_it_was():
    before = torch.get_rng_state()
    trained(fresh_state(own(), seed=0, device=CPU), own(), 1)
    assert torch.equal(torch.get_rng_state(), before)


def test_own_parameters_reach_the_network_and_its_weights_have_their_own_names():
    network = network_of(own("Plain", **{"Plain.width": 6}), seed=0)
    assert network.state_dict()["0.weight"].shape == (6, 2, 3, 3)


def test_heads_of_another_stride_are_brought_to_the_patch_and_the_last_one_predicts():
    network = network_of(own(), seed=0).eval()
    patches = bands()
    image = torch.from_numpy(patches.image)
    heads = network(image)
    assert [head.shape for head in heads] == [(len(patches), 1, 32, 32)] * 2
    raw = network.forward(image)
    assert [head.shape[-1] for head in raw] == [16, 16]
    torch.testing.assert_close(
        torch.nn.functional.avg_pool2d(heads[-1], 2)[..., 2:-2, 2:-2].mean(),
        raw[-1][..., 2:-2, 2:-2].mean(),
        rtol=0.05,
        atol=0.01,
    )
    probability = predict_patches(network, patches, ("real", "imag"))
    assert probability.shape == patches.mask.shape


def test_an_own_loss_is_the_mean_over_heads_of_what_the_function_says():
    loss = loss_of(own(**OWN_LOSS))
    generator = torch.Generator().manual_seed(0)
    heads = tuple(torch.randn(3, 1, 8, 8, generator=generator) for _ in range(2))
    target = (torch.rand(3, 8, 8, generator=generator) < 0.3).float()
    target[:, :3] = NO_DATA
    seen = target[:, None] >= 0
    by_hand = [((head.sigmoid() - target[:, None]).abs() ** 3)[seen].mean() for head in heads]
    torch.testing.assert_close(loss(heads, target), (by_hand[0] + by_hand[1]) / 2)


@pytest.mark.parametrize("micro_batch", [1, 2, 3])
def test_parts_of_a_batch_weigh_by_their_pixels_that_hold_data(micro_batch):
    of = own("Plain", **OWN_LOSS)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(4, 2, 16, 16, generator=generator)
    target = (torch.rand(4, 16, 16, generator=generator) < 0.3).float()
    target[0, 2:] = NO_DATA
    found = []
    for size in (4, micro_batch):
        network = network_of(of, seed=0).train()
        network[1] = torch.nn.Identity()  # what is left treats each patch on its own
        loss = backward(network, loss_of(of), inputs, target, micro_batch=size, dtype=torch.float32)
        found.append([loss, *(parameter.grad for parameter in network.parameters())])
    # A mean over pixels is linear in them, so that the parts come to the same.
    torch.testing.assert_close(found[1], found[0])


def plan_of(*of):
    return ListedPlan(
        PlannedTrial(trial_id=f"{n:04d}", index=n, seed=n, parameters=each) for n, each in enumerate(of)
    )


def test_trials_of_a_network_that_cannot_be_grouped_are_not_put_together():
    both = plan_of(own(), own(bce_weight=0.5))
    assert groupable_strata(both, Budget()) == {}
    plain = plan_of(own("Plain"), own("Plain", bce_weight=0.5))
    assert list(groupable_strata(plain, Budget())) == ["trained_things.Plain-32"]
    widths = plan_of(own("Plain"), own("Plain", **{"Plain.width": 6}))
    assert groupable_strata(widths, Budget()) == {}


def test_own_networks_and_losses_that_train_together_come_to_what_each_does_alone():
    several = [own("Plain", **OWN_LOSS), own("Plain", bce_weight=0.5), own("Plain", learning_rate=3e-3)]
    alone = [
        [report.val_loss for report in fit(state, of, bands(), bands(seed=1), schedule(3), seed=n)]
        for n, of in enumerate(several)
        for state in [fresh_state(of, seed=n, device=CPU)]
    ]
    members = {
        str(n): CohortTrial(fresh_state(of, seed=n, device=CPU), of, n) for n, of in enumerate(several)
    }
    together = list(fit_cohort(members, bands(), bands(seed=1), schedule(3)))
    for n, wanted in enumerate(alone):
        assert [told[str(n)].val_loss for told in together] == pytest.approx(wanted, rel=1e-4)
