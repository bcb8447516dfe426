"""Overlapping windows leave no seam, and every pixel is seen once all is told."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from made_input import card
from torch import nn

from glsweep.evaluate.patches import HeldOut
from glsweep.metrics.thresholds import count_at_thresholds
from glsweep.nets import build_network
from glsweep.nets.filters import filtered
from glsweep.patches import PatchArrays
from glsweep.prediction.blend import (
    GRID_PX,
    Member,
    blending_weight,
    member_probability,
    predict_strips,
    stride_of,
    window_starts,
)
from glsweep.training.memory import predict_patches


class Pointwise(nn.Module):
    """Knows each pixel by itself, so that windows cannot matter."""

    def forward(self, image):
        return [4 * image[:, :1] - 2 * image[:, 1:]]


class Columnwise(nn.Module):
    """Looks one pixel to the right: turning it shows."""

    def forward(self, image):
        return [5 * torch.roll(image[:, :1], -1, dims=-1)]


POINTWISE = Member("a", Pointwise(), card())


def scene(shape, seed=0):
    generator = np.random.default_rng(seed)
    values = np.exp(1j * generator.uniform(-np.pi, np.pi, shape)).astype(np.complex64)
    values[: shape[0] // 4, : shape[1] // 3] = 0
    return values


def predicted(values, members, *, window_px=64, overlap=0.5, turned=False, filters=("raw",)):
    whole = np.full((len(members), *values.shape), np.nan, np.float32)
    for row, strip, shown in predict_strips(
        lambda row, rows: values[row : row + rows],
        values.shape,
        members,
        window_px=window_px,
        overlap=overlap,
        turned=turned,
        device=torch.device("cpu"),
        filters=filters,
    ):
        part = whole[:, row : row + strip.shape[1]]
        np.testing.assert_array_equal(shown, values[row : row + strip.shape[1]])
        assert np.isnan(part).all(), "each row once"
        part[:] = strip
    assert not np.isnan(whole).any(), "every row"
    return whole


@given(
    rows=st.integers(5, 200),
    cols=st.integers(5, 200),
    window_px=st.sampled_from([32, 48, 64]),
    overlap=st.sampled_from([0.0, 0.25, 0.5, 0.75]),
)
@settings(max_examples=40, deadline=None)
def test_what_knows_single_pixels_is_the_same_in_any_windows(rows, cols, window_px, overlap):
    """Swapped rows and columns, or half of a scene that is not square, would show."""
    values = scene((rows, cols))
    found = predicted(values, [POINTWISE], window_px=window_px, overlap=overlap)[0]
    expected = 1 / (1 + np.exp(-(4 * values.real - 2 * values.imag))) * (values != 0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_what_is_drawn_of_a_scene_is_what_the_table_judges_pixel_for_pixel():
    """The same network on the same ground, once as a scene and once as a test patch of its size."""
    values = scene((64, 64))
    values[:, 50:] = 0
    values[10:20, 30:33] = 0
    network = build_network("unet", in_channels=2, base_width=2, seed=0).eval()
    member = Member("a", network, card())
    drawn = predicted(values, [member], window_px=64)[0]
    image = np.stack([values.real, values.imag])[None]
    line = np.zeros((1, 64, 64), np.uint8)
    line[0, 40] = values[40] != 0
    patches = PatchArrays(image, line, member.card.posting_m, member.card.amplitude_scale)
    judged = predict_patches(network, patches, member.card.channels)[0]
    np.testing.assert_allclose(drawn, judged, atol=1e-6)
    tau = float(np.median(drawn[values != 0])) + 1e-5
    test = HeldOut(patches, tolerance_m=200.0, seed=0)
    lowest = np.where(values != 0, drawn, -1)
    assert not drawn[values == 0].any()
    for threshold in (tau, 1e-9):
        counts = count_at_thresholds(torch.from_numpy(judged[None]), test.truth, torch.tensor([threshold]))
        assert int(counts.predicted[0, 0]) == (drawn >= threshold).sum() == (lowest >= threshold).sum()
        assert test.score(judged[None], threshold) == test.score(drawn[None], threshold)


@given(length=st.integers(1, 700), window=st.integers(1, 12), overlap=st.floats(0, 0.9))
def test_windows_reach_every_pixel_on_one_grid(length, window, overlap):
    window_px = window * GRID_PX
    begun = window_starts(length, window_px, stride_of(window_px, overlap))
    assert begun == sorted(set(begun))
    assert all(start % GRID_PX == 0 for start in begun)
    reached = np.zeros(length, bool)
    for start in begun:
        reached[start : start + window_px] = True
    assert reached.all()


def test_weights_of_windows_half_a_side_apart_are_even():
    weight = blending_weight(64)
    assert weight.min() > 0
    assert weight[32, 32] == pytest.approx(1, abs=0.01)
    side = weight[32] / weight[32, 32]
    np.testing.assert_allclose((side + np.roll(side, 32)), 1, atol=0.005)


def network(seed=0, architecture="unet", **changes):
    """A network that has learnt nothing and yet looks: no layer lies idle, as most do at first."""
    made = build_network(architecture, in_channels=2, base_width=4, seed=seed).train()
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # statistics of all that passes
    with torch.no_grad():
        for number in range(4):
            values = scene((128, 128), seed=number + 1)
            made(torch.from_numpy(np.stack([values.real, values.imag])[None]))
    return Member("n", made.eval(), card(**changes))


@pytest.mark.parametrize("architecture", ["unet", "attention_unet", "unetpp"])
def test_no_seam_shows_where_windows_meet(architecture):
    """With another size of window the change is small on average, and no larger at borders.

    The tolerance of docs/lines.md: .02 on average, and .1 for 99 of 100 pixels.
    """
    values = scene((300, 420))
    member = network(architecture=architecture)
    one, other = (predicted(values, [member], window_px=size)[0] for size in (128, 192))
    inside = np.s_[64:-64, 64:-64]
    assert one[inside].std() > 0.05, "there is something to see"
    difference = np.abs(one - other)[inside]
    assert difference.mean() < 0.02
    assert np.quantile(difference, 0.99) < 0.1
    steps = np.abs(np.diff(one, axis=1))[inside]
    at_border = steps[:, [col - 64 - 1 for col in range(128, 356, 64)]]
    assert at_border.mean() < 1.2 * steps.mean()


def test_members_are_kept_apart():
    values = scene((100, 90))
    members = [network(0), network(1)]
    both = predicted(values, members)
    for found, member in zip(both, members, strict=True):
        np.testing.assert_allclose(found, predicted(values, [member])[0], atol=1e-6)


def test_turned_copies_are_averaged_over_the_whole_group():
    """The average of all eight ways turns with its input, whatever the network."""
    member = Member("c", Columnwise(), card())
    image = torch.randn(1, 2, 32, 32)
    plain = member_probability([member], image, turned=False)
    assert not torch.allclose(
        torch.rot90(plain, 1, (-2, -1)),
        member_probability([member], torch.rot90(image, 1, (-2, -1)), turned=False),
        atol=1e-3,
    )
    mean = member_probability([member], image, turned=True)
    for turns in range(4):
        for flip in (False, True):
            turned = torch.rot90(image.flip(-1) if flip else image, turns, (-2, -1))
            expected = torch.rot90(mean.flip(-1) if flip else mean, turns, (-2, -1))
            found = member_probability([member], turned, turned=True)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_mean_over_filters_is_that_of_what_each_filtered_image_gives():
    members = [network(), network(seed=1)]
    image = torch.randn(2, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    image[0, :, :20] = 0
    names = ("raw", "boxcar5", "goldstein.6")
    alone = [member_probability(members, filtered(image, name), turned=True) for name in names]
    found = member_probability(members, image, turned=True, filters=names)
    torch.testing.assert_close(found, torch.stack(alone).mean(dim=0))
    assert (found[:, 0, :20] == 0).all()
    assert not torch.allclose(alone[0], alone[1], atol=1e-3)


@pytest.mark.parametrize("name", ["boxcar5", "multilooked", "goldstein.9"])
def test_windows_filtered_by_themselves_are_as_the_scene_filtered_at_once(name):
    """Windows mirror what lies beyond their border, where they hardly count."""
    fringes = np.exp(0.4j * np.arange(130) + 0.3j * np.arange(150)[:, None])
    values = (2 * fringes + scene((150, 130))).astype(np.complex64) / 3
    image = torch.from_numpy(np.stack([values.real, values.imag]))[None]
    at_once = filtered(image, name)[0].numpy()
    expected = predicted(at_once[0] + 1j * at_once[1], [POINTWISE])[0]
    found = predicted(values, [POINTWISE], filters=[name])[0]
    changed = np.abs(found - predicted(values, [POINTWISE])[0]).mean()
    assert np.abs(found - expected).mean() < 0.1 * changed


def test_each_member_gets_its_own_channels_and_scale():
    values = scene((64, 64)) * np.float32(3)
    for changes in ({"channels": ("real", "imag"), "amplitude_scale": 3.0}, {"channels": ("cos", "sin")}):
        found = predicted(values, [Member("a", Pointwise(), card(**changes))])[0]
        np.testing.assert_allclose(found, predicted(values / 3, [POINTWISE])[0], atol=1e-5)


def test_where_there_is_no_data_the_probability_is_0():
    values = scene((100, 130))
    found = predicted(values, [network()], turned=True)[0]
    assert (found[values == 0] == 0).all()
    assert (found[values != 0] > 0).all()
