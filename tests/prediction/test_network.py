"""Members predict with their last head, on what their card says, turned and turned back."""

import numpy as np
import pytest
import torch
from made_input import card
from torch import nn

from glsweep.nets import build_network
from glsweep.prediction.blend import Member, member_probability

IMAGE = torch.randn(3, 2, 32, 32, generator=torch.Generator().manual_seed(0))


class Heads(nn.Module):
    """Only its last head has learnt anything; it weighs what lies to the right and what lies above."""

    def forward(self, image):
        real = image[:, :1]
        last = 3 * torch.roll(real, -1, dims=-1) - torch.roll(real, 2, dims=-2)
        return torch.full_like(real, 9.0), torch.full_like(real, -9.0), last


def test_of_several_heads_the_last_one_predicts():
    found = member_probability([Member("a", Heads(), card(channels=("real",)))], IMAGE, turned=False)
    np.testing.assert_allclose(found[0], Heads()(IMAGE)[-1][:, 0].sigmoid(), atol=1e-6)


def test_unetpp_predicts_with_the_last_of_its_heads():
    network = build_network("unetpp", in_channels=2, base_width=2, seed=0).eval()
    member = Member("a", network, card(architecture="unetpp", channels=("real", "imag"), amplitude_scale=1.0))
    with torch.inference_mode():
        heads = network(IMAGE)
    found = member_probability([member], IMAGE, turned=False)[0]
    np.testing.assert_allclose(found, heads[-1][:, 0].sigmoid(), atol=1e-6)
    assert not np.allclose(found, heads[0][:, 0].sigmoid(), atol=1e-2)


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_each_member_sees_its_own_channels_at_its_own_scale(scale):
    one = Member("one", Heads(), card(channels=("real",), amplitude_scale=scale))
    other = Member("other", Heads(), card(channels=("imag",), amplitude_scale=1.0))
    found = member_probability([one, other], IMAGE, turned=False)
    np.testing.assert_allclose(found[0], Heads()(IMAGE[:, :1] / scale)[-1][:, 0].sigmoid(), atol=1e-6)
    np.testing.assert_allclose(found[1], Heads()(IMAGE[:, 1:])[-1][:, 0].sigmoid(), atol=1e-6)


def test_a_turned_prediction_is_the_mean_over_the_eight_ways_to_lay_a_scene():
    member = Member("a", Heads(), card(channels=("real",)))
    total = np.zeros((3, 32, 32))
    for turns in range(4):
        for flipped in (False, True):
            laid = np.rot90(IMAGE.numpy(), turns, (2, 3))
            laid = laid[..., ::-1] if flipped else laid
            seen = Heads()(torch.from_numpy(laid.copy()))[-1][:, 0].sigmoid().numpy()
            seen = seen[..., ::-1] if flipped else seen
            total += np.rot90(seen, -turns, (1, 2)) / 8
    found = member_probability([member], IMAGE, turned=True)
    np.testing.assert_allclose(found[0], total, atol=1e-6)


def test_nothing_is_drawn_where_there_is_no_data():
    image = IMAGE.clone()
    image[:, :, 10:20, 5:9] = 0
    image[0, 0, 0, 0] = 0  # one part may be 0
    found = member_probability([Member("a", Heads(), card(channels=("real",)))], image, turned=False)[0]
    assert (found[:, 10:20, 5:9] == 0).all()
    assert found[0, 0, 0] > 0
    assert (found > 0).sum() == found.numel() - 3 * 10 * 4
