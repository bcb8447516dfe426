"""Intervals from sums that are drawn anew, against patches that are."""

import numpy as np
import pytest

from glsweep.evaluate.patches import DRAWS, interval, resampled


def test_sums_are_those_of_units_drawn_one_by_one():
    sums = np.random.default_rng(0).integers(0, 50, (7, 3)).astype(float)
    drawn = resampled(sums, np.random.default_rng(4))
    order = np.random.default_rng(4).integers(7, size=(DRAWS, 7))
    np.testing.assert_array_equal(drawn, [sums[places].sum(axis=0) for places in order])


def test_an_interval_is_known_where_half_of_the_draws_have_a_value():
    values = np.linspace(0, 1, DRAWS)
    assert interval(values) == pytest.approx((0.025, 0.975))
    values[: DRAWS // 2 + 1] = np.nan
    assert interval(values) is None
