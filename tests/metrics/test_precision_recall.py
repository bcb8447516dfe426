"""Relaxed precision against recall: without a tolerance, the curve that everybody has."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from sklearn.metrics import average_precision_score

from glsweep.metrics.reliability import relaxed_precision_recall
from glsweep.metrics.thresholds import truth_within

RADII_PX = (0, 1, 2, 2.3, 30)


def area_of_scikit_learn(probability, mask):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No positive class found")
        return float(average_precision_score(mask.ravel(), probability.ravel()))


def area_by_brute_force(probability, mask, has_data, radius_px):
    """Try every probability as a threshold, with distance transforms of what can be seen."""
    line = mask.astype(bool) & has_data

    def near(masks):
        return np.stack([distance_transform_edt(~one) <= radius_px if one.any() else one for one in masks])

    area = before = 0.0
    for threshold in np.unique(probability)[::-1]:
        predicted = (probability >= threshold) & has_data
        if predicted.any() and line.any():
            recall = (line & near(predicted)).sum() / line.sum()
            area += (recall - before) * (predicted & near(line)).sum() / predicted.sum()
            before = recall
    return area


@st.composite
def cases(draw):
    """Draw few patches of few pixels, of saturated, tied or all different probabilities."""
    shape = draw(st.tuples(st.integers(0, 3), st.integers(1, 8), st.integers(1, 8)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["different", "tied", "saturated"]))
    probability = {
        "different": rng.random(shape),
        "tied": rng.choice([0, 0.3, 0.5, 1], shape),
        # Nearly all within a hundred-thousandth of 0 or 1, where no grid of thresholds tells them apart.
        "saturated": 1 / (1 + np.exp(-rng.normal(0, 14, shape))),
    }[kind].astype(np.float32)
    mask = (rng.random(shape) < draw(st.sampled_from([0, 0.05, 0.3, 1]))).astype(np.uint8)
    has_data = rng.random(shape) < draw(st.sampled_from([0, 0.5, 1]))
    return probability, mask, has_data


@settings(max_examples=150, deadline=None)
@given(cases())
def test_without_a_tolerance_the_area_is_that_of_scikit_learn(case):
    probability, mask, has_data = case
    truth = truth_within(mask, 0, 100, has_data=has_data)
    curve = relaxed_precision_recall(torch.from_numpy(probability), truth)
    assert 0 <= curve.area <= 1
    if has_data.any():  # scikit-learn refuses no pixels at all
        expected = area_of_scikit_learn(probability[has_data], mask[has_data])
        assert curve.area == pytest.approx(expected, abs=1e-12)


@settings(max_examples=150, deadline=None)
@given(cases(), st.sampled_from(RADII_PX))
def test_the_area_is_that_of_a_loop_over_all_probabilities(case, radius_px):
    probability, mask, has_data = case
    truth = truth_within(mask, 100 * radius_px, 100, has_data=has_data)
    curve = relaxed_precision_recall(torch.from_numpy(probability), truth)
    expected = area_by_brute_force(probability, mask, has_data, radius_px + 1e-6)
    assert curve.area == pytest.approx(expected, abs=1e-12)


def test_probabilities_that_crowd_at_0_or_1_have_the_area_of_the_same_order_spread_out():
    rng = np.random.default_rng(0)
    mask = (rng.random((4, 64, 64)) < 0.02).astype(np.uint8)
    order = rng.permutation(mask.size).reshape(mask.shape) + 4_000.0 * mask
    share, truth = order / order.max(), truth_within(mask, 200, 100)
    areas = [
        relaxed_precision_recall(torch.from_numpy(probability.astype(np.float32)), truth).area
        for probability in (share, 0.99 + 0.01 * share, 1e-9 * share)
    ]
    assert areas[0] == areas[1] == areas[2]


def test_a_line_within_the_tolerance_has_the_whole_area():
    mask = np.zeros((2, 32, 32), np.uint8)
    mask[:, :, 12] = 1
    shifted = torch.from_numpy(np.roll(mask, 2, axis=2)).float() * 0.8
    curve = relaxed_precision_recall(shifted, truth_within(mask, 200, 100))
    assert curve.area == pytest.approx(1)
    assert (curve.precision.tolist(), curve.recall.tolist()) == ([1], [1])
    assert curve.thresholds.tolist() == [np.float32(0.8)]


def test_without_a_line_there_is_no_curve_and_thresholds_are_float32_all_the_same():
    said = torch.full((1, 8, 8), 0.3)
    nothing = relaxed_precision_recall(said, truth_within(np.zeros((1, 8, 8), np.uint8), 200, 100))
    found = relaxed_precision_recall(said, truth_within(np.eye(8, dtype=np.uint8)[None], 200, 100))
    assert (len(nothing.thresholds), len(nothing.precision), len(nothing.recall), nothing.area) == (
        0,
        0,
        0,
        0,
    )
    assert nothing.thresholds.dtype == found.thresholds.dtype == np.float32


def test_a_thinned_curve_keeps_both_ends_the_order_and_every_recall_within_its_step():
    rng = np.random.default_rng(0)
    mask = (rng.random((4, 64, 64)) < 0.05).astype(np.uint8)
    curve = relaxed_precision_recall(
        torch.from_numpy(rng.random(mask.shape, np.float32) ** 4), truth_within(mask, 100, 100)
    )
    assert len(curve.recall) > 300
    for points in (2, 7, 50):
        thin = curve.thinned(points)
        assert len(thin.recall) <= points
        assert (thin.recall[0], thin.recall[-1]) == (1, curve.recall[-1])
        assert (np.diff(thin.recall) < 0).all() and (np.diff(thin.thresholds) > 0).all()
        gaps = np.abs(curve.recall[:, None] - thin.recall).min(axis=1)
        assert gaps.max() <= 1 / (points - 1)
        at = np.searchsorted(curve.thresholds, thin.thresholds)
        np.testing.assert_array_equal(thin.precision, curve.precision[at])
    assert curve.thinned(10_000) is curve


def test_nan_in_the_probabilities_is_refused_where_there_is_data():
    probability, mask = torch.rand(1, 8, 8), np.eye(8, dtype=np.uint8)[None]
    has_data = np.ones(mask.shape, bool)
    has_data[0, 0, 5] = False
    probability[0, 0, 5] = torch.nan
    relaxed_precision_recall(probability, truth_within(mask, 100, 100, has_data=has_data))
    with pytest.raises(ValueError, match="NaN"):
        relaxed_precision_recall(probability, truth_within(mask, 100, 100))
