"""Boundary figures against pairwise distances, and what a shifted line must score."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from one_patch import (
    BoundaryScores,
    bf_score,
    boundary_scores,
    hd95,
    hd95_union,
    iou_tol2_literal,
    iou_tolerance,
    pixel_scores,
)
from skimage.draw import line

from glsweep.metrics.distances import MaskStack, disk_offsets, radius_px

PX = {"tolerance_m": 200.0, "posting_m": 100.0}


def neighbours_inside(mask, row, col):
    around = [(row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)]
    return all(0 <= r < mask.shape[0] and 0 <= c < mask.shape[1] and mask[r, c] for r, c in around)


def boundary_by_brute_force(mask):
    return np.array([[r, c] for r, c in np.argwhere(mask) if not neighbours_inside(mask, r, c)]).reshape(
        -1, 2
    )


def nearest(from_px, to_px):
    return np.linalg.norm(from_px[:, None] - to_px[None], axis=-1).min(axis=1)


def by_brute_force(predicted, truth):
    if not predicted.any() or not truth.any():
        both = float(predicted.any() == truth.any())
        far = 0.0 if both else float(np.hypot(*truth.shape))
        return BoundaryScores(both, both, both, both, both, far, far)
    p, t = boundary_by_brute_force(predicted), boundary_by_brute_force(truth)
    to_t, to_p = nearest(p, t), nearest(t, p)
    precision, recall = (to_t <= 2).mean(), (to_p <= 2).mean()
    every = np.argwhere(np.ones_like(truth))
    near_t, near_p = ((nearest(every, np.argwhere(m)) <= 2).reshape(truth.shape) for m in (truth, predicted))
    wrong = (predicted & ~near_t).sum() + (truth & ~near_p).sum()
    return BoundaryScores(
        bf_score=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        boundary_precision=precision,
        boundary_recall=recall,
        iou_tol2=1 - wrong / (predicted | truth).sum(),
        iou_tol2_literal=(predicted & near_t).sum() / (predicted | near_t).sum(),
        hd95_px=max(np.percentile(to_t, 95), np.percentile(to_p, 95)),
        hd95_union_px=np.percentile(np.concatenate([to_t, to_p]), 95),
    )


@st.composite
def mask_pairs(draw):
    rows, cols = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    # From empty through line-like to solid: solid ones have an inside.
    return tuple(rng.random((rows, cols)) < draw(st.sampled_from([0, 0.02, 0.3, 0.9])) for _ in range(2))


def approx(scores):
    return pytest.approx(vars(scores), abs=1e-9)


@settings(max_examples=150, deadline=None)
@given(mask_pairs())
def test_all_figures_equal_those_from_pairwise_distances(pair):
    scores = boundary_scores(*pair, **PX)
    assert vars(scores) == approx(by_brute_force(*pair))
    assert scores.bf_score == bf_score(*pair, 200.0, 100.0)
    assert scores.iou_tol2 == iou_tolerance(*pair)
    assert scores.iou_tol2_literal == iou_tol2_literal(*pair)
    assert scores.hd95_px == hd95(*pair)
    assert scores.hd95_union_px == hd95_union(*pair)


@settings(max_examples=50, deadline=None)
@given(mask_pairs(), st.sampled_from([np.flipud, np.fliplr, np.rot90, np.transpose]))
def test_turning_and_flipping_both_masks_changes_nothing(pair, turn):
    turned = [turn(mask) for mask in pair]
    assert vars(boundary_scores(*turned, **PX)) == approx(boundary_scores(*pair, **PX))


@settings(max_examples=50, deadline=None)
@given(mask_pairs())
def test_swapping_the_masks_swaps_precision_and_recall_alone(pair):
    straight, swapped = boundary_scores(*pair, **PX), boundary_scores(*pair[::-1], **PX)
    expected = vars(straight) | {
        "boundary_precision": straight.boundary_recall,
        "boundary_recall": straight.boundary_precision,
    }
    del expected["iou_tol2_literal"]
    found = vars(swapped).copy()
    del found["iou_tol2_literal"]  # only the truth is dilated
    assert found == pytest.approx(expected, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(mask_pairs())
def test_without_tolerance_the_tolerant_iou_is_the_iou(pair):
    predicted, truth = pair
    union = (predicted | truth).sum()
    expected = (predicted & truth).sum() / union if union else 1.0
    assert iou_tolerance(predicted, truth, tolerance_px=0) == pytest.approx(expected)


@pytest.fixture(scope="module")
def sinuous():
    """Lines of 256 px that wander as drawn ones do, 4-connected as `all_touched` makes them."""
    rng = np.random.default_rng(1)
    lines = np.zeros((8, 256, 256), bool)
    for mask in lines:
        steps = np.convolve(rng.normal(0, 3, 256 + 8), np.ones(8) / 8, "valid")[:256]
        rows = (128 + np.cumsum(steps)).clip(8, 247).round().astype(int)
        for col in range(255):
            r, c = line(rows[col], col, rows[col + 1], col + 1)
            mask[r, c] = True
            mask[r[:-1], c[1:]] = True
    return lines


@pytest.mark.parametrize(("tolerance_px", "expected"), [(5, 1.0), (4, 0.0)])
def test_the_tolerant_iou_may_forgive_more_than_two_pixels(tolerance_px, expected):
    truth = np.zeros((12, 12), np.bool_)
    truth[2] = True
    assert iou_tolerance(np.roll(truth, 5, axis=0), truth, tolerance_px) == expected


def test_dice_falls_where_relaxed_figures_do_not(sinuous):
    def shifted(px):
        return np.roll(sinuous, px, axis=1)

    def mean(score, px):
        return np.mean([score(p, t) for p, t in zip(shifted(px), sinuous, strict=True)])

    def dice(p, t):
        return pixel_scores(p, t).dice

    assert mean(dice, 0) == 1
    assert 0.2 < mean(dice, 1) < 0.7
    assert mean(dice, 2) < mean(dice, 1)
    for px in (0, 1, 2):
        assert mean(lambda p, t: bf_score(p, t, 200, 100), px) == 1
        assert mean(iou_tolerance, px) == 1
    assert mean(lambda p, t: bf_score(p, t, 200, 100), 5) < 0.75
    assert mean(lambda p, t: bf_score(p, t, 500, 100), 5) == 1


@pytest.mark.parametrize(
    ("pixels", "shift", "expected"),
    [
        ([(20, c) for c in range(10, 30)], (1, 0), 0),
        ([(20, c) for c in range(10, 30)], (0, 3), 17 / 20),
        ([(n, n) for n in range(10, 30)], (0, 1), 0),
        ([(n, n) for n in range(10, 30)] + [(n, n + 1) for n in range(10, 30)], (0, 1), 20 / 40),
        ([(n, n) for n in range(10, 30)] + [(n, n + 1) for n in range(10, 30)], (0, 2), 0),
    ],
    ids=["level, across", "level, along", "one pixel wide, slanted", "all touched, slanted", "by two"],
)
def test_dice_of_a_shifted_line_is_the_share_of_its_pixels_that_stay_on_it(pixels, shift, expected):
    truth = np.zeros((40, 40), bool)
    truth[tuple(np.transpose(pixels))] = True
    assert pixel_scores(np.roll(truth, shift, (0, 1)), truth).dice == pytest.approx(expected)


def test_a_perfect_prediction_fails_the_literal_tolerant_iou(sinuous):
    literal = np.mean([iou_tol2_literal(mask, mask) for mask in sinuous])
    assert 0.22 < literal < 0.36
    assert all(iou_tolerance(mask, mask) == 1 for mask in sinuous)


@pytest.mark.parametrize(("shift", "expected"), [(1, 1.0), (2, 1.0), (3, 0.0)])
def test_a_straight_line_is_found_within_the_tolerance_and_not_beyond(shift, expected):
    truth = np.zeros((32, 32), bool)
    truth[:, 10] = True
    scores = boundary_scores(np.roll(truth, shift, axis=1), truth, **PX)
    assert scores.bf_score == scores.iou_tol2 == expected
    assert scores.hd95_px == scores.hd95_union_px == shift


def test_a_false_speck_moves_the_larger_percentile_and_not_the_joint_one():
    truth = np.zeros((64, 64), bool)
    truth[:, 5] = True
    predicted = np.zeros((64, 64), bool)
    predicted[:32, 5] = True
    predicted[:3, 60] = True
    scores = boundary_scores(predicted, truth, **PX)
    assert scores.hd95_px == 55
    assert scores.hd95_union_px < 40


def test_a_missed_line_costs_the_diagonal_and_two_empty_masks_nothing():
    truth, empty = np.eye(24, 32, dtype=bool), np.zeros((24, 32), bool)
    for pair in ((truth, empty), (empty, truth)):
        assert boundary_scores(*pair, **PX) == BoundaryScores(0, 0, 0, 0, 0, 40, 40)
        assert pixel_scores(*pair) == (0, 0, 0)
    assert boundary_scores(empty, empty, **PX) == BoundaryScores(1, 1, 1, 1, 1, 0, 0)
    assert pixel_scores(empty, empty) == (1, 1, 1)


def test_a_solid_masks_boundary_includes_where_it_meets_the_patchs_edge():
    mask = np.ones((5, 6), bool)
    assert MaskStack.of(mask[None], 0.0).boundary_px.tolist() == [5 * 6 - 3 * 4]


def test_a_tolerance_of_exactly_three_pixels_survives_rounding():
    truth = np.zeros((16, 16), bool)
    truth[:, 4] = True
    assert bf_score(np.roll(truth, 3, axis=1), truth, 99.9, 33.3) == 1
    assert bf_score(np.roll(truth, 3, axis=1), truth, 99.8, 33.3) == 0


def test_a_disk_holds_every_pixel_as_near_as_its_radius_and_no_other():
    within_two = {(r, c) for r in range(-2, 3) for c in range(-2, 3) if r * r + c * c <= 4}
    assert set(map(tuple, disk_offsets(2.0).tolist())) == within_two
    assert len(disk_offsets(2.0)) == len(within_two) == 13
    assert disk_offsets(0.9).tolist() == [[0, 0]]
    assert radius_px(0.5, 0.25) == pytest.approx(2, abs=1e-5)


@pytest.mark.parametrize(("tolerance_m", "posting_m"), [(-1.0, 100.0), (200.0, 0.0), (200.0, -100.0)])
def test_a_tolerance_below_zero_or_a_pixel_without_a_side_is_refused(tolerance_m, posting_m):
    with pytest.raises(ValueError, match="need >= 0 and > 0"):
        radius_px(tolerance_m, posting_m)


def test_masks_of_another_shape_or_type_are_refused():
    mask = np.zeros((4, 4), bool)
    for other in (np.zeros((4, 5), bool), np.zeros((4, 4), np.uint8)):
        with pytest.raises(ValueError, match="bool masks of one shape"):
            boundary_scores(mask, other, **PX)


def test_pixel_scores_of_a_hand_counted_case():
    predicted, truth = np.zeros((2, 8, 8), bool)
    predicted[0, :4] = truth[0, 2:8] = True  # 2 hits, 4 predicted, 6 true
    assert pixel_scores(predicted, truth) == pytest.approx((4 / 10, 2 / 4, 2 / 6))
