"""Outlines do not depend on how a scene is parted, and hold what reaches the threshold."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from glsweep.vectorize.grid import ArrayGrid
from glsweep.vectorize.outlines import outlines


def smooth(shape, seed, deviation=3.0):
    field = gaussian_filter(np.random.default_rng(seed).random(shape), deviation)
    return ((field - field.min()) / np.ptp(field)).astype(np.float32)


@given(seed=st.integers(0, 10_000), tile_px=st.integers(7, 60), tau=st.sampled_from([0.4, 0.6, 0.75]))
@settings(max_examples=30, deadline=None)
def test_tiles_leave_no_trace(seed, tile_px, tau):
    grid = ArrayGrid(smooth((50, 70), seed))
    whole, tiled = outlines(grid, tau), outlines(grid, tau, tile_px)
    assert len(whole) == len(tiled)
    difference = shapely.symmetric_difference(shapely.union_all(whole), shapely.union_all(tiled))
    assert difference.area == pytest.approx(0, abs=1e-6)


@given(seed=st.integers(0, 10_000), tau=st.sampled_from([0.3, 0.5, 0.7]))
@settings(max_examples=20, deadline=None)
def test_a_pixel_is_inside_where_it_reaches_the_threshold(seed, tau):
    probability = smooth((30, 40), seed)
    row, col = np.indices(probability.shape) + 0.5
    inside = shapely.contains_xy(shapely.union_all(outlines(ArrayGrid(probability), tau)), col, row)
    clear = np.abs(probability - tau) > 1e-3
    np.testing.assert_array_equal(inside[clear], (probability >= tau)[clear])


def test_members_are_averaged():
    members = np.zeros((2, 20, 20), np.float32)
    members[0, 5:15, 5:15] = 0.8
    members[1, 5:15, 5:15] = 0.4
    assert len(outlines(ArrayGrid(members), 0.55)) == 1
    assert outlines(ArrayGrid(members), 0.65) == []


def test_pixels_that_touch_at_a_corner_are_one():
    diagonal = np.eye(20, dtype=np.float32)
    assert len(outlines(ArrayGrid(diagonal), 0.5)) == 1
