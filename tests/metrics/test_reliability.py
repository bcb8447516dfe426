"""Reliability of probabilities, against a loop over pixels and networks that are right by design."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glsweep.metrics.reliability import measure_reliability
from glsweep.metrics.thresholds import truth_within


def by_brute_force(probability, mask, has_data, bins):
    line = list(zip(*np.nonzero(mask * has_data), strict=True))
    rows = [[] for _ in range(bins)]
    for n, row, col in zip(*np.nonzero(has_data), strict=True):
        value = probability[n, row, col]
        place = min(int(float(value) * bins), bins - 1)
        near = any(m == n and np.hypot(r - row, c - col) <= 2 for m, r, c in line)
        rows[place].append((float(value), float(mask[n, row, col]), float(near)))
    return [np.mean(row, axis=0) if row else None for row in rows], [len(row) for row in rows]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([1, 4, 10]), st.sampled_from([0, 0.05, 0.4]))
def test_shares_are_those_of_a_loop_over_pixels(seed, bins, share):
    rng = np.random.default_rng(seed)
    # Tenths, so that many lie on an edge.
    probability = rng.integers(0, 11, (2, 6, 7)).astype(np.float32) / 10
    mask = (rng.random(probability.shape) < share).astype(np.uint8)
    has_data = rng.random(probability.shape) < rng.choice([0, 0.7, 1])
    truth = truth_within(mask, 200, 100, has_data=has_data)
    found = measure_reliability(torch.from_numpy(probability), truth, bins)
    means, pixels = by_brute_force(probability, mask, has_data, bins)
    assert found.pixels == pixels
    for place, expected in enumerate(means):
        got = found.mean_probability[place], found.line_share[place], found.near_share[place]
        assert got == ((None,) * 3 if expected is None else pytest.approx(expected, rel=1e-12))


def test_probabilities_that_come_true_have_no_error():
    rng = np.random.default_rng(0)
    probability = rng.random((8, 128, 128), np.float32)
    mask = (rng.random(probability.shape) < probability).astype(np.uint8)
    found = measure_reliability(torch.from_numpy(probability), truth_within(mask, 0, 100))
    assert found.error(found.line_share) < 0.01
    assert found.near_share == found.line_share, "without a tolerance both ask the same"
    too_sure = measure_reliability(torch.from_numpy(probability).sqrt(), truth_within(mask, 0, 100))
    assert too_sure.error(too_sure.line_share) > 0.1


def test_ground_that_nobody_takes_for_a_line_does_not_hide_an_error():
    probability = torch.zeros(1, 100, 100)
    probability[0, 50] = 0.95
    found = measure_reliability(probability, truth_within(np.zeros((1, 100, 100), np.uint8), 200, 100))
    assert found.pixels == [9_900, *[0] * 8, 100]
    assert found.error(found.line_share) == pytest.approx(0.95)


def test_nothing_claimed_is_no_error():
    found = measure_reliability(torch.zeros(1, 9, 9), truth_within(np.ones((1, 9, 9), np.uint8), 200, 100))
    assert found.error(found.line_share) == 0
