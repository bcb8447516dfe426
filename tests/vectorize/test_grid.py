"""Pieces of a scene, and what lies around them, against the scene as a whole."""

import numpy as np
import pytest
from array_grid import ArrayGrid
from hypothesis import given, settings
from hypothesis import strategies as st

from glsweep.vectorize.outlines import TILE_PX, Tile, at_edge_of_data, read_around, tiles

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


def members(shape, seed, empty_share=0.2):
    generator = np.random.default_rng(seed)
    values = generator.random((2, *shape), np.float32)
    values[:, generator.random(shape) < empty_share] = np.nan
    return values


@given(shape=SHAPES, size_px=st.integers(1, 5))
def test_tiles_cover_every_pixel_once(shape, size_px):
    covered = np.zeros(shape, np.int64)
    for tile in tiles(shape, size_px):
        assert 1 <= tile.rows <= size_px
        assert 1 <= tile.cols <= size_px
        covered[tile.row : tile.row + tile.rows, tile.col : tile.col + tile.cols] += 1
    assert (covered == 1).all()


@given(shape=SHAPES, size_px=st.integers(1, 5), margin_px=st.integers(0, 4), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_a_tiles_margin_is_the_scene_around_it_and_repeats_its_border(shape, size_px, margin_px, seed):
    values = members(shape, seed)
    around = np.pad(np.nan_to_num(values), [(0, 0), (margin_px,) * 2, (margin_px,) * 2], mode="edge")
    for tile in tiles(shape, size_px):
        rows = slice(tile.row, tile.row + tile.rows + 2 * margin_px)
        cols = slice(tile.col, tile.col + tile.cols + 2 * margin_px)
        found = read_around(ArrayGrid(values), tile, margin_px)
        np.testing.assert_array_equal(found, around[:, rows, cols])


def by_loop(values, points):
    """Look at the nine pixels around each point's own, or at the scene's nearest where it lies beyond."""
    is_empty = np.isnan(values).any(axis=0)
    rows, cols = is_empty.shape
    found = []
    for x, y in points:
        row, col = min(max(int(np.floor(y)), 0), rows - 1), min(max(int(np.floor(x)), 0), cols - 1)
        around = [(row + i, col + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        found.append(any(not (0 <= r < rows and 0 <= c < cols) or is_empty[r, c] for r, c in around))
    return found


@given(shape=SHAPES, seed=st.integers(0, 999), share=st.sampled_from([0.0, 0.05, 0.5]))
@settings(max_examples=80, deadline=None)
def test_the_edge_of_data_is_a_pixel_beside_one_without_or_beyond(shape, seed, share):
    values = members(shape, seed, share)
    points = np.random.default_rng(seed).uniform(-3, 12, (20, 2))
    assert at_edge_of_data(ArrayGrid(values), points).tolist() == by_loop(values, points)


@pytest.mark.parametrize("upright", [False, True])
def test_the_edge_of_data_is_the_same_where_tiles_meet(upright):
    values = np.full((1, 5, TILE_PX + 9), 0.5, np.float32)
    points = np.column_stack([np.arange(TILE_PX - 4, TILE_PX + 5) + 0.5, np.full(9, 2.5)])
    assert not at_edge_of_data(ArrayGrid(values), points).any()
    for empty in (TILE_PX - 1, TILE_PX):
        values[:] = 0.5
        values[0, 1, empty] = np.nan
        beside = np.abs(points[:, 0] - 0.5 - empty) <= 1
        grid, asked = (values.swapaxes(1, 2), points[:, ::-1]) if upright else (values, points)
        assert at_edge_of_data(ArrayGrid(grid), asked).tolist() == beside.tolist()


def test_one_network_may_come_without_an_axis_of_its_own():
    values = members((3, 4), 0)[0]
    grid = ArrayGrid(values)
    assert grid.shape == (3, 4)
    np.testing.assert_array_equal(grid.read(Tile(1, 0, 2, 3)), values[None, 1:3, :3])
