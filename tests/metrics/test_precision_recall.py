"""Relaxed precision against recall: without a tolerance, the curve that everybody has."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from glsweep.metrics.precision_recall import THRESHOLDS, relaxed_precision_recall
from glsweep.metrics.thresholds import truth_within


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 9))
def test_without_a_tolerance_the_area_is_that_of_scikit_learn(seed, levels):
    rng = np.random.default_rng(seed)
    values = np.linspace(0, 1, levels, dtype=np.float32)
    probability = rng.choice(values, size=(3, 8, 9))
    mask = (rng.random(probability.shape) < 0.2).astype(np.uint8)
    mask[0, 0, 0] = 1
    curve = relaxed_precision_recall(
        torch.from_numpy(probability), truth_within(mask, 0, 100), torch.from_numpy(values)
    )
    assert curve.area == pytest.approx(average_precision_score(mask.ravel(), probability.ravel()))


def test_a_line_within_the_tolerance_has_the_whole_area():
    mask = np.zeros((2, 32, 32), np.uint8)
    mask[:, :, 12] = 1
    shifted = torch.from_numpy(np.roll(mask, 2, axis=2)).float() * 0.8
    curve = relaxed_precision_recall(shifted, truth_within(mask, 200, 100))
    assert curve.area == pytest.approx(1)
    assert (curve.precision[-1], curve.recall[-1]) == (1, 1)
    assert max(curve.thresholds) < 0.8, "thresholds at which nothing is predicted are left out"


def test_at_the_lowest_threshold_everything_is_found_and_recall_never_rises_with_it():
    rng = np.random.default_rng(0)
    mask = (rng.random((4, 24, 24)) < 0.02).astype(np.uint8)
    curve = relaxed_precision_recall(
        torch.from_numpy(rng.random(mask.shape, np.float32) ** 4), truth_within(mask, 200, 100)
    )
    assert (curve.thresholds[0], curve.recall[0]) == (0, 1)
    assert (np.diff(curve.recall) <= 0).all()
    assert len(curve.thresholds) < len(THRESHOLDS)
