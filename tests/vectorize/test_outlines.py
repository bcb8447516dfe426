"""Outlines do not depend on how a scene is parted, and hold what reaches the threshold."""

import numpy as np
import pytest
import shapely
from array_grid import ArrayGrid
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from glsweep.vectorize.outlines import BEYOND_PX, MARGIN_PX, outlines


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


class Watched(ArrayGrid):
    """Remembers how much was read at once."""

    most_px = 0

    def read(self, tile):
        self.most_px = max(self.most_px, tile.rows, tile.cols)
        return super().read(tile)


def test_no_more_than_a_tile_and_its_margin_is_read_at_a_time():
    grid = Watched(smooth((50, 70), 0))
    outlines(grid, 0.5, 20)
    assert 20 <= grid.most_px <= 20 + 2 * (BEYOND_PX + MARGIN_PX)


@pytest.mark.parametrize("tile_px", [1024, 7])
def test_what_reaches_the_border_goes_beyond_it_on_every_side(tile_px):
    (found,) = outlines(ArrayGrid(np.full((13, 19), 0.8, np.float32)), 0.5, tile_px)
    assert found.equals(shapely.box(-BEYOND_PX, -BEYOND_PX, 19 + BEYOND_PX, 13 + BEYOND_PX))


def test_a_single_pixel_and_one_that_just_reaches_the_threshold_are_no_fault():
    probability = np.zeros((9, 9), np.float32)
    probability[4, 4] = 0.5
    assert outlines(ArrayGrid(probability), 0.5) == []
    probability[4, 4] = 0.9
    (found,) = outlines(ArrayGrid(probability), 0.5)
    assert found.centroid.coords[0] == pytest.approx((4.5, 4.5))


def test_members_are_averaged():
    members = np.zeros((2, 20, 20), np.float32)
    members[0, 5:15, 5:15] = 0.8
    members[1, 5:15, 5:15] = 0.4
    assert len(outlines(ArrayGrid(members), 0.55)) == 1
    assert outlines(ArrayGrid(members), 0.65) == []


def test_pixels_that_touch_at_a_corner_are_one():
    diagonal = np.eye(20, dtype=np.float32)
    assert len(outlines(ArrayGrid(diagonal), 0.5)) == 1
