"""Networks that tell grounded from floating ice beside drawing the line."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_patches import bands, parameters, schedule
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from glsweep.errors import StudyError
from glsweep.patches.augmentation import augment_dihedral, conjugate
from glsweep.training.fit import fit, loss_of, make_task
from glsweep.training.memory import place
from glsweep.training.state import fresh_state
from glsweep.training.step import backward

CPU = torch.device("cpu")


class TwoHeads(nn.Module):
    """Two heads on one layer."""

    zone_head = True

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(in_channels, 8, 5, padding=2), nn.ReLU())
        self.zone, self.line = nn.Conv2d(8, 1, 1), nn.Conv2d(8, 1, 1)

    def forward(self, image):
        found = self.layer(image)
        return self.zone(found), self.line(found)


ZONED = {"architecture": "test_zones:TwoHeads", "base_width": None, "zone_weight": 0.25}
BUILT_IN = {"architecture": "two_head", "base_width": 4, "zone_weight": 0.25}


def zoned(patches):
    """Ice floats below the line, or everywhere where there is none."""
    return replace(patches, zone=(np.cumsum(patches.mask, axis=1) > 0).astype(np.uint8))


@pytest.mark.parametrize("zoned_trial", [ZONED, BUILT_IN], ids=["own", "two_head"])
def test_line_and_zones_are_learned_together(zoned_trial):
    trial = parameters(**zoned_trial)
    state = fresh_state(trial, seed=3, device=CPU)
    reports = list(fit(state, trial, zoned(bands(16, seed=1)), zoned(bands(4, seed=2)), schedule(4), seed=5))
    assert reports[-1].train_loss < reports[0].train_loss


def test_the_loss_is_the_two_heads_losses_weighed():
    trial = parameters(**ZONED)
    _, target = place(zoned(bands(4)), CPU, trial=trial).batch(torch.arange(4))
    assert (target < 0).any()
    heads = tuple(torch.randn(4, 1, 32, 32, generator=torch.Generator().manual_seed(n)) for n in (1, 2))
    known = target[:, 1] >= 0
    of_zones = binary_cross_entropy_with_logits(heads[0][:, 0][known], target[:, 1][known])
    of_line = loss_of(trial.model_copy(update={"zone_weight": None}))(heads[1:], target[:, 0])
    torch.testing.assert_close(loss_of(trial)(heads, target), 0.75 * of_line + 0.25 * of_zones)


def test_micro_batches_give_the_gradients_of_the_batch():
    trial = parameters(**ZONED)
    task = make_task(trial, zoned(bands(4)), zoned(bands(4)), schedule(1), CPU)
    image, target = task.train.batch(torch.arange(4))
    found = []
    for micro_batch in (4, 3):
        network = fresh_state(trial, seed=3, device=CPU).network
        loss = backward(network, task.loss, image, target, micro_batch=micro_batch, dtype=torch.float32)
        found.append([loss, *(parameter.grad for parameter in network.parameters())])
    torch.testing.assert_close(*found)


def test_zones_turn_with_the_image_and_a_tide_of_the_other_sign_swaps_none():
    image, target = place(zoned(bands(8)), CPU, trial=parameters(**ZONED)).batch(torch.arange(8))
    draws = torch.Generator().manual_seed(1)
    _, turned = augment_dihedral(image, target, draws)
    draws.manual_seed(1)
    _, turned_zone = augment_dihedral(image, target[:, 1], draws)
    assert torch.equal(turned[:, 1], turned_zone)
    assert not torch.equal(turned, target)
    assert conjugate(image, draws).shape == image.shape


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"zone_weight": 0.5}, "architecture: unet: has no head for zones; remove `zone_weight`"),
        ({**ZONED, "zone_weight": None}, "has a head for zones; set `zone_weight`"),
        ({**BUILT_IN, "zone_weight": None}, "two_head: has a head for zones; set `zone_weight`"),
        (ZONED, "name a file of polygons by `layout.grounded`"),
    ],
)
def test_a_network_and_data_that_do_not_fit_are_refused_in_one_line(changes, told):
    with pytest.raises(StudyError, match=told) as refused:
        place(bands(4), CPU, trial=parameters(**changes))
    assert "\n" not in str(refused.value)
