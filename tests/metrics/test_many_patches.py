"""Figures of many patches at once are those of each patch by itself, and of pixels counted one by one."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from one_patch import bf_score, boundary_scores, pixel_scores
from scipy.ndimage import binary_dilation

from glsweep.metrics.counts import pooled_relaxed_f1, pooled_share
from glsweep.metrics.distances import MaskStack, distance_percentiles, squared_distances
from glsweep.metrics.patches import MACRO, MaskPairs, patch_metrics
from glsweep.metrics.thresholds import count_at_thresholds, truth_within


@st.composite
def stacks(draw):
    patches, rows, cols = draw(st.tuples(st.integers(1, 5), st.integers(1, 14), st.integers(1, 14)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shares = st.sampled_from([0, 0.03, 0.3, 0.9])
    predicted, truth = (
        np.stack([rng.random((rows, cols)) < draw(shares) for _ in range(patches)]) for _ in range(2)
    )
    return predicted, truth


def figures_of(predicted, truth, tolerance_m=200.0, posting_m=100.0, has_data=None):
    probability = np.where(predicted, 0.6, 0.4).astype(np.float32)
    return patch_metrics(
        probability, 0.6, truth, tolerance_m=tolerance_m, posting_m=posting_m, has_data=has_data
    )


@settings(max_examples=80, deadline=None)
@given(stacks(), st.sampled_from([0.0, 150.0, 200.0, 370.0, 5_000.0]))
def test_each_patch_scores_as_it_would_alone(stack, tolerance_m):
    figures = figures_of(*stack, tolerance_m)
    for index, (predicted, truth) in enumerate(zip(*stack, strict=True)):
        alone = vars(boundary_scores(predicted, truth, tolerance_m=tolerance_m, posting_m=100))
        expected = {**alone, **pixel_scores(predicted, truth)._asdict(), "bf": alone.pop("bf_score")}
        expected |= {f"bf_{m}": bf_score(predicted, truth, m, 100) for m in (100, 200, 500)}
        found = {name: figures[name][index] for name in MACRO}
        assert found == pytest.approx({name: expected[name] for name in MACRO}, abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(stacks(), st.sampled_from([0.0, 150.0, 200.0, 370.0, 5_000.0]))
def test_counts_within_a_tolerance_are_those_at_thresholds(stack, tolerance_m):
    predicted, truth = stack
    figures = figures_of(predicted, truth, tolerance_m)
    counts = count_at_thresholds(
        torch.from_numpy(predicted.astype(np.float32)),
        truth_within(truth.astype(np.uint8), tolerance_m, 100.0),
        torch.tensor([0.5]),
    )
    for name, expected in (
        ("predicted_px", counts.predicted[:, 0]),
        ("hits_px", counts.true_positive[:, 0]),
        ("near_px", counts.predicted_near[:, 0]),
        ("found_px", counts.line_found[:, 0]),
        ("truth_px", counts.line),
    ):
        np.testing.assert_array_equal(figures[name], expected, err_msg=name)
    near, ours, found, theirs, hits = (
        figures[name].sum() for name in ("near_px", "predicted_px", "found_px", "truth_px", "hits_px")
    )
    assert pooled_relaxed_f1(near, ours, found, theirs) == pytest.approx(float(counts.relaxed_f1()[0]))
    assert pooled_share(hits, ours, theirs) == pytest.approx(float(counts.precision()[0]))
    assert pooled_share(hits, theirs, ours) == pytest.approx(float(counts.recall()[0]))


@settings(max_examples=60, deadline=None)
@given(stacks(), st.integers(0, 2**32), st.sampled_from([0.0, 0.5, 0.9]))
def test_pixels_without_data_are_of_neither_mask_nor_of_a_dilated_one(stack, seed, share):
    predicted, truth = stack
    has_data = np.random.default_rng(seed).random(truth.shape) < share
    found = figures_of(predicted, truth, has_data=has_data)
    seen = predicted & has_data, truth & has_data
    expected = figures_of(*seen)
    for name in expected.keys() - {"iou_tol2_literal"}:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    row, col = np.mgrid[-2:3, -2:3]
    for literal, ours, line, visible in zip(found["iou_tol2_literal"], *seen, has_data, strict=True):
        dilated = binary_dilation(line, np.hypot(row, col) <= 2) & visible
        either = (ours | dilated).sum()
        both_or_neither = float(ours.any() == line.any())
        wanted = (ours & dilated).sum() / either if ours.any() and line.any() else both_or_neither
        assert literal == pytest.approx(wanted)


@settings(max_examples=40, deadline=None)
@given(stacks(), st.integers(1, 5))
def test_a_patch_that_ends_in_pixels_without_data_scores_as_if_it_were_cut_there(stack, cols):
    predicted, truth = stack
    wider = [np.concatenate([one, np.ones_like(one[:, :, :1]).repeat(cols, axis=2)], axis=2) for one in stack]
    has_data = np.zeros(wider[0].shape, bool)
    has_data[:, :, : truth.shape[2]] = True
    found, expected = figures_of(*wider, has_data=has_data), figures_of(*stack)
    # A mask that is empty costs a patch's diagonal, which is another.
    same = predicted.any(axis=(1, 2)) == truth.any(axis=(1, 2))
    for name, values in expected.items():
        chosen = same if name.startswith("hd95") else slice(None)
        np.testing.assert_array_equal(found[name][chosen], values[chosen], err_msg=name)


@settings(max_examples=40, deadline=None)
@given(stacks())
def test_pairs_and_distance_transforms_measure_the_same(stack):
    by_pairs = MaskPairs(*stack)
    expected = by_pairs.hd95(), by_pairs.hd95_union(), by_pairs.bf(500.0, 100.0)[0]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("glsweep.metrics.distances.MOST_PAIRS", 0)
        transformed = MaskPairs(*stack)
        found = transformed.hd95(), transformed.hd95_union(), transformed.bf(500.0, 100.0)[0]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("side", "dtype"), [(1_400, np.float32), (1_600, np.float64)])
def test_distances_are_held_in_the_shortest_numbers_that_are_exact_with_room_to_spare(side, dtype):
    masks = np.zeros((1, side, side), np.bool_)
    masks[0, 0, 0] = True
    stack = MaskStack.of(masks, 0.0)
    assert squared_distances(stack, stack).dtype == dtype


def test_groups_of_patches_are_joined_in_order(monkeypatch):
    rng = np.random.default_rng(0)
    predicted, truth = rng.random((2, 7, 16, 16)) < 0.1
    whole = figures_of(predicted, truth)
    monkeypatch.setattr("glsweep.metrics.patches._GROUP_PX", 3 * 16 * 16)
    for name, expected in figures_of(predicted, truth).items():
        np.testing.assert_array_equal(whole[name], expected, err_msg=name)


def test_distances_in_a_large_patch_are_exact():
    """Squares of such coordinates exceed what a number of 24 bits holds."""
    truth, predicted = np.zeros((2, 1, 8, 9_001), bool)
    truth[0, 0, 0] = predicted[0, 7, 9_000] = True
    assert MaskPairs(predicted, truth).hd95()[0] == np.hypot(7, 9_000)


@given(st.lists(st.lists(st.integers(0, 10_000), max_size=30), min_size=1, max_size=4), st.floats(0, 100))
@settings(max_examples=60, deadline=None)
def test_percentiles_are_those_of_numpy(squares, percent):
    patches = [np.array(one, np.float32) for one in squares]
    expected = [np.percentile(np.sqrt(one, dtype=float), percent) if len(one) else 0 for one in patches]
    np.testing.assert_allclose(distance_percentiles([patches], percent), expected, atol=1e-9)
    twice = [np.percentile(np.sqrt([*one, *one], dtype=float), percent) if one else 0 for one in squares]
    np.testing.assert_allclose(distance_percentiles([patches, patches], percent), twice, atol=1e-9)


def test_pixels_are_not_counted_beyond_the_reach_of_their_distances():
    pairs = MaskPairs(*np.eye(9, dtype=bool)[None, None].repeat(2, axis=0), reach_px=4.0)
    assert pairs.near_px(4.0)[0].tolist() == [9]
    with pytest.raises(ValueError, match=r"tolerance_px is 4\.5, need at most 4"):
        pairs.near_px(4.5)
