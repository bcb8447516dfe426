"""What holds for every built-in loss, and what each comes to: twins in numpy, scipy and scikit-image."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt, grey_dilation, grey_erosion
from skimage.morphology import skeletonize

from glsweep.config.trial import BUILT_IN_LOSS
from glsweep.errors import ConfigError
from glsweep.losses import NO_DATA, FunctionLoss
from glsweep.losses.distance import distance_px
from glsweep.losses.shapes import boundary, cl_dice, label_tube, skeleton_recall, soft_skeleton
from glsweep.losses.weighted import balanced_bce, weighted_bce
from glsweep.registry import LOSSES

FUNCTIONS = [name for name in LOSSES.built_in if name != BUILT_IN_LOSS]


def drawn(seed, shape=(3, 1, 24, 20), line_share=0.1):
    """Return random logits, labels and which pixels hold data, all (N, 1, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(shape, generator=generator) * 3
    label = (torch.rand(shape, generator=generator) < line_share).float()
    return logits, label, torch.rand(shape, generator=generator) < 0.8


def band(width_px, size_px=32, slope=0.0):
    """Return a label (1, 1, H, W) with a line right across."""
    row, col = np.mgrid[:size_px, :size_px]
    across = row - size_px // 2 - np.round(slope * (col - size_px // 2))
    inside = (across >= -(width_px // 2)) & (across < width_px - width_px // 2)
    return torch.from_numpy(inside)[None, None].float()


PLUS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])


def skeleton_by_scipy(image, iterations):
    """The twin of `soft_skeleton`, of one image (H, W)."""

    def removed(image):
        eroded = grey_erosion(image, footprint=PLUS, mode="constant", cval=np.inf)
        opened = grey_dilation(eroded, size=(3, 3), mode="constant", cval=-np.inf)
        return eroded, np.maximum(image - opened, 0)

    image, skeleton = removed(image)
    for _ in range(iterations):
        image, more = removed(image)
        skeleton = skeleton + np.maximum(more - skeleton * more, 0)
    return skeleton


def smooth(seed, shape=(3, 1, 24, 20)):
    """Return random values from 0 to 1 with ridges a few pixels wide."""
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return (torch.nn.functional.avg_pool2d(noise, 5, stride=1, padding=2) * 10).sigmoid()


def of_each(function, images):
    return np.stack([function(image[0])[None] for image in images.double().numpy()])


def logs(logits):
    probability = 1 / (1 + np.exp(-logits.double().numpy()))
    return np.log(probability), np.log(1 - probability)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("said", [-1e30, 1e30, math.inf, -math.inf, math.nan])
def test_whatever_is_said_of_pixels_without_data_changes_nothing(name, said):
    loss, (logits, label, valid) = FunctionLoss(LOSSES.bind(name, {})), drawn(0)
    target = label.masked_fill(~valid, NO_DATA)[:, 0]
    found = []
    for one in (logits.clone(), logits.masked_fill(~valid, said)):
        one.requires_grad_()
        value = loss((one,), target)
        value.backward()
        assert not one.grad[~valid].any()
        found.append((value.detach(), one.grad))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("certainty", [-1e6, -3.0, 0.0, 3.0])
def test_a_batch_without_a_line_pushes_down_what_is_drawn(name, certainty):
    logits = torch.full((2, 1, 16, 16), certainty, requires_grad=True)
    loss = FunctionLoss(LOSSES.bind(name, {}))((logits,), torch.zeros(2, 16, 16))
    loss.backward()
    assert loss.isfinite()
    assert (logits.grad >= 0).all()
    assert (logits.grad > 0).all() or certainty == -1e6


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_batch_without_data_costs_nothing(name):
    logits = torch.randn(2, 1, 16, 16, requires_grad=True)
    loss = FunctionLoss(LOSSES.bind(name, {}))((logits,), torch.full((2, 16, 16), NO_DATA))
    loss.backward()
    assert loss == 0
    assert not logits.grad.any()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_gradient_is_the_slope(name):
    logits, label, valid = drawn(3, (2, 1, 10, 9))
    loss = LOSSES.bind(name, {})
    said = logits.clone().requires_grad_()
    loss(logits=said, label=label, valid=valid).backward()
    direction = torch.randn(logits.shape, generator=torch.Generator().manual_seed(4))
    step = 1e-2
    ahead, behind = (
        loss(logits=logits + sign * step * direction, label=label, valid=valid) for sign in (1, -1)
    )
    slope = float((ahead - behind) / (2 * step))
    assert slope == pytest.approx(float((said.grad * direction).sum()), rel=0.02, abs=1e-4)


@pytest.mark.parametrize("positive_weight", [1.0, 10.0, 727.0])
def test_the_weighted_cross_entropy_is_that_of_its_formula(positive_weight):
    logits, label, valid = drawn(1)
    of_line, of_none = logs(logits)
    each = -(positive_weight * label.numpy() * of_line + (1 - label.numpy()) * of_none)
    found = weighted_bce(logits, label, valid, positive_weight=positive_weight)
    assert found.item() == pytest.approx(each[valid.numpy()].mean(), rel=1e-5)


def test_the_balanced_cross_entropy_is_that_of_its_formula_where_there_is_enough_line():
    logits, label, valid = drawn(2)
    of_line, of_none = logs(logits)
    y, seen = label.numpy(), valid.numpy()
    beta = (y[seen] == 0).sum() / seen.sum()
    wanted = -(beta * of_line[seen & (y == 1)].sum() + (1 - beta) * of_none[seen & (y == 0)].sum())
    assert balanced_bce(logits, label, valid).item() == pytest.approx(wanted / seen.sum(), rel=1e-5)


def test_as_published_the_balanced_cross_entropy_learns_nothing_without_a_line():
    logits = torch.zeros(1, 1, 8, 8, requires_grad=True)
    nothing, everywhere = torch.zeros(1, 1, 8, 8), torch.ones(1, 1, 8, 8, dtype=torch.bool)
    balanced_bce(logits, nothing, everywhere, least_line_share=0.0).backward()
    assert not logits.grad.any()
    found = balanced_bce(logits, nothing, everywhere, least_line_share=0.02)
    assert found.item() == pytest.approx(0.02 * math.log(2), rel=1e-5)


def test_the_balanced_cross_entropy_moves_neither_class_more_where_all_is_unsure():
    _, label, valid = drawn(5)
    logits = torch.zeros(label.shape, requires_grad=True)
    balanced_bce(logits, label, valid).backward()
    assert logits.grad.sum().item() == pytest.approx(0, abs=1e-7)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    line_share=st.sampled_from([0.002, 0.02, 0.3]),
    reach_px=st.sampled_from([1.0, 2.5, 7.0, 20.0, 100.0]),
)
def test_the_distance_is_scipys_up_to_the_reach(seed, size, line_share, reach_px):
    line = torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(seed)) < line_share
    found = distance_px(line, reach_px)
    assert found.dtype == torch.float32
    for one, mask in zip(found, line.numpy(), strict=True):
        wanted = distance_transform_edt(~mask[0]) if mask.any() else np.full(size, np.inf)
        np.testing.assert_allclose(one[0], np.minimum(wanted, reach_px), rtol=1e-6)


def test_the_boundary_loss_is_the_mean_of_probability_times_distance():
    logits, label, valid = drawn(6, line_share=0.01)
    label[2] = 0
    probability, seen = logits.double().sigmoid().numpy(), valid.numpy()
    line = (label * valid).numpy()
    distance = [
        np.minimum(distance_transform_edt(one == 0), 8) if one.any() else np.full(one.shape, 8)
        for one in line
    ]
    wanted = (probability * distance)[seen].mean() / 8
    found = boundary(logits, label, valid, reach_px=8, boundary_share=1.0)
    assert found.item() == pytest.approx(wanted, rel=1e-5)


def test_the_boundary_loss_charges_more_for_what_is_invented_farther_off():
    label, valid = band(3), torch.ones(1, 1, 32, 32, dtype=torch.bool)
    costs = [boundary((label.roll(shift, -2) * 2 - 1) * 9, label, valid) for shift in range(1, 14)]
    assert all(nearer < farther for nearer, farther in pairwise(costs))


@pytest.mark.parametrize("width_px", [1, 2, 3, 5, 8])
def test_the_soft_skeleton_of_a_band_is_its_middle(width_px):
    label = band(width_px)
    skeleton = soft_skeleton(label, iterations=3)
    assert set(skeleton.unique().tolist()) == {0, 1}
    rows = skeleton[0, 0, :, 16].nonzero().flatten()
    middle = label[0, 0, :, 16].nonzero().float().mean()
    assert 1 <= len(rows) <= 2
    assert (rows - middle).abs().max() <= 0.5


@pytest.mark.parametrize("iterations", [0, 1, 4])
def test_the_soft_skeleton_of_any_image_is_that_of_scipys_morphology(iterations):
    images = smooth(7)
    wanted = of_each(lambda image: skeleton_by_scipy(image, iterations), images)
    found = soft_skeleton(images, iterations)
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert (found <= images + 1e-6).all()


@pytest.mark.parametrize("dice_share", [0.0, 0.3, 1.0])
def test_cl_dice_is_that_of_its_formula_over_pixels_with_data(dice_share):
    seen = drawn(0)[2]
    probability, label = smooth(8), (smooth(9) > 0.7).float()
    p, y = ((one * seen) for one in (probability, label))
    thin_p, thin_y = (of_each(lambda image: skeleton_by_scipy(image, 3), one) for one in (p, y))
    p, y = p.double().numpy(), y.numpy()
    precision = ((thin_p * y).sum() + 1) / (thin_p.sum() + 1)
    recall = ((thin_y * p).sum() + 1) / (thin_y.sum() + 1)
    dice = (2 * (p * y).sum() + 2) / (p.sum() + y.sum() + 2)
    wanted = dice_share * (1 - dice) + (1 - dice_share) * (1 - 2 / (1 / precision + 1 / recall))
    found = cl_dice(probability.logit(), label, seen, dice_share=dice_share)
    assert found.item() == pytest.approx(wanted, rel=1e-4)


def test_skeleton_recall_is_that_of_its_formula_over_pixels_with_data():
    seen = drawn(0)[2]
    probability, label = smooth(8), (smooth(9) > 0.7).float() * seen
    p, y = (probability * seen).double().numpy(), label.numpy()
    tube = of_each(
        lambda image: grey_dilation(skeleton_by_scipy(image, 3), footprint=PLUS, mode="constant"), label
    )
    tube = np.minimum(tube, y)
    entropy = -np.where(y > 0, *logs(probability.logit()))[seen.numpy()].mean()
    dice = (2 * (p * y).sum() + 2) / (p.sum() + y.sum() + 2)
    recall = ((tube * p).sum() + 1) / (tube.sum() + 1)
    found = skeleton_recall(probability.logit(), label, seen, tube_px=1, dice_weight=0.5, recall_weight=2.0)
    assert found.item() == pytest.approx(entropy + 0.5 * (1 - dice) + 2 * (1 - recall), rel=1e-4)


def test_what_is_wider_than_the_iterations_allow_has_no_skeleton():
    assert not soft_skeleton(band(9), iterations=3)[..., 8:-8].any()
    assert soft_skeleton(band(9), iterations=4)[..., 8:-8].any()


@pytest.mark.parametrize("width_px", [1, 3, 7])
@pytest.mark.parametrize("slope", [0.0, 0.4, 1.0])
def test_the_labels_tube_is_that_of_scikit_image_to_a_pixel(width_px, slope):
    label = band(width_px, 48, slope)
    inside = label[0, 0].numpy() > 0
    thinned = skeletonize(inside)
    # A skeleton ends before its line does.
    middle = np.s_[10:-10, 10:-10]
    wanted = (distance_transform_edt(~thinned) <= 2) & inside
    found = label_tube(label, 3, 2)[0, 0].numpy() > 0
    for one, other in ((found, wanted), (wanted, found)):
        assert distance_transform_edt(~other)[middle][one[middle]].max() <= 1


def test_a_gap_in_the_line_costs_more_skeleton_recall_than_a_line_that_is_thinner():
    label, valid = band(5), torch.ones(1, 1, 32, 32, dtype=torch.bool)
    gap = label.clone()
    gap[..., 10:22] = 0
    thin = band(3)
    assert gap.sum().item() == pytest.approx(thin.sum().item(), rel=0.1)

    def recall_loss(prediction, **own):
        logits = (prediction * 2 - 1) * 30
        return skeleton_recall(logits, label, valid, dice_weight=0, **own).item() - skeleton_recall(
            logits, label, valid, dice_weight=0, recall_weight=0
        )

    assert recall_loss(gap, tube_px=0) == pytest.approx(12 / 33, rel=1e-3)
    assert recall_loss(thin, tube_px=0) == pytest.approx(0, abs=1e-5)


def test_with_cl_dice_drawing_everything_costs_more_than_a_line_that_is_a_pixel_off():
    label, valid = torch.zeros(1, 1, 128, 128), torch.ones(1, 1, 128, 128, dtype=torch.bool)
    label[..., 64:66, :] = 1
    everything, a_pixel_off = torch.full_like(label, 30.0), (label.roll(1, -2) * 2 - 1) * 30
    assert cl_dice(everything, label, valid) > cl_dice(a_pixel_off, label, valid) + 0.2


def test_cl_dice_is_dice_of_the_middle_lines():
    label, valid = band(3), torch.ones(1, 1, 32, 32, dtype=torch.bool)
    gap = label.clone()
    gap[..., :16] = 0
    found = cl_dice((gap * 2 - 1) * 30, label, valid, dice_share=0.0).item()
    recall = 17 / 33
    assert found == pytest.approx(1 - 2 * recall / (1 + recall), abs=0.01)
    whole = cl_dice((gap * 2 - 1) * 30, label, valid, dice_share=1.0).item()
    assert whole == pytest.approx(1 - (2 * 48 + 2) / (48 + 96 + 2), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("weighted_bce", {"positive_weight": -1}),
        ("balanced_bce", {"least_line_share": 2}),
        ("cl_dice", {"dice_share": 1.5}),
        ("cl_dice", {"iterations": -1}),
        ("skeleton_recall", {"tube_px": -1}),
        ("boundary", {"reach_px": 0}),
        ("boundary", {"boundary_share": -0.1}),
    ],
)
def test_a_parameter_out_of_range_is_refused(name, own):
    logits, label, valid = drawn(0)
    (key,) = own
    with pytest.raises(ConfigError, match=rf"{name}\.{key}: \S+ is out of range; choose"):
        LOSSES.bind(name, own)(logits=logits, label=label, valid=valid)
