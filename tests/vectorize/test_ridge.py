"""Of a band wider on one side than on the other the ridge is drawn, not the middle."""

import numpy as np
import pytest
import shapely
from affine import Affine
from array_grid import ArrayGrid
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree
from scipy.special import expit
from shapely import LineString

from glsweep.vectorize import draw_lines
from glsweep.vectorize.centre_lines import centre_lines
from glsweep.vectorize.outlines import TILE_PX, outlines
from glsweep.vectorize.ridge import on_ridge

SHAPE = (90, 140)
INSIDE = shapely.box(12, 12, SHAPE[1] - 12, SHAPE[0] - 12)
TAU = 0.5


def sinuous():
    x = np.linspace(-20, 160, 1500)
    return LineString(np.column_stack([x, 45.3 + 10 * np.sin(x / 18)]))


def straight(degrees):
    way = 200 * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    return LineString([(70.2 - way[0], 45.3 - way[1]), (70.2 + way[0], 45.3 + way[1])])


def offsets(true, points):
    """Offset of points from a line, positive to its right in an image."""
    vertices = shapely.get_coordinates(true.segmentize(0.05))
    away, at = cKDTree(vertices).query(points)
    along, beside = np.gradient(vertices, axis=0)[at], points - vertices[at]
    return away * np.sign(along[:, 0] * beside[:, 1] - along[:, 1] * beside[:, 0])


def band(true, width_px, askew, height=2.5, noise=0.0):
    """Logits that fall as a parabola, `askew` times more slowly to the right; highest on the line."""
    across = offsets(true, np.indices(SHAPE)[::-1].reshape(2, -1).T + 0.5).reshape(SHAPE)
    left = width_px / (1 + askew)
    logits = height * (1 - np.where(across < 0, across / left, across / (width_px - left)) ** 2)
    field = gaussian_filter(np.random.default_rng(5).normal(size=SHAPE), 1.2)
    return expit(logits + noise * field / field.std()).astype(np.float32)


def offsets_of(lines, true):
    cut = shapely.get_parts(shapely.intersection(np.array(lines, dtype=object), INSIDE))
    return offsets(true, shapely.get_coordinates(shapely.segmentize(cut, 0.25)))


def both_ways(probability):
    grid = ArrayGrid(probability)
    middles = centre_lines(outlines(grid, TAU), grid, bridge_px=5)
    return middles, on_ridge(middles, grid, TAU)


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("height", [2.5, 9.0])
@pytest.mark.parametrize("width_px", [4, 7])
@pytest.mark.parametrize("true", [straight(0), straight(33), sinuous()])
def test_a_band_twice_as_wide_on_one_side_is_drawn_along_its_ridge(true, width_px, height, noise):
    """Also where its probability is 1 but for rounding over several pixels."""
    middle, ridge = (offsets_of(lines, true) for lines in both_ways(band(true, width_px, 2, height, noise)))
    assert middle.mean() > 0.13 * width_px
    assert abs(ridge.mean()) < 0.3
    assert np.sqrt((ridge**2).mean()) < 0.7 * np.sqrt((middle**2).mean())


def test_over_all_lines_and_widths_the_bias_is_less_than_a_fifth_of_a_pixel():
    for askew in (1, 2, 3):
        ridges = [
            offsets_of(both_ways(band(true, width_px, askew, noise=noise))[1], true).mean()
            for true in (straight(0), straight(33), sinuous())
            for width_px in (3, 5, 7)
            for noise in (0.0, 0.5)
        ]
        assert abs(np.mean(ridges)) < 0.2


@pytest.mark.parametrize("true", [straight(0), straight(33), sinuous()])
def test_the_ridge_of_an_even_band_is_its_middle(true):
    for width_px in (3, 7):
        middle, ridge = (offsets_of(lines, true) for lines in both_ways(band(true, width_px, 1)))
        assert abs(ridge.mean()) < 0.08
        assert np.sqrt((ridge**2).mean()) < np.sqrt((middle**2).mean()) + 0.05


def test_a_flat_band_says_nothing_but_its_middle():
    across = np.abs(offsets(straight(20), np.indices(SHAPE)[::-1].reshape(2, -1).T + 0.5)).reshape(SHAPE)
    probability = np.where(across < 4, 0.9, 0).astype(np.float32)
    middle, ridge = (offsets_of(lines, straight(20)) for lines in both_ways(probability))
    assert np.sqrt((ridge**2).mean()) < np.sqrt((middle**2).mean()) + 0.02


def test_a_loop_is_moved_all_around_and_stays_closed():
    true = LineString(shapely.Point(70.2, 45.3).buffer(25, quad_segs=64).exterior)
    (found,) = draw_lines(
        ArrayGrid(band(true, 6, 3)), Affine.identity(), tau=TAU, shortest_m=0.0, bridge_m=0.0
    )
    assert found.line.is_closed
    assert np.abs(offsets(true, shapely.get_coordinates(found.line))).max() < 0.5


def test_members_are_averaged_and_tiles_leave_no_trace():
    row = np.arange(60)[:, None] + 0.5
    across = np.where(row < 30.3, (row - 30.3) / 2, (row - 30.3) / 4) * np.ones((1, TILE_PX + 80))
    probability = expit(3 * (1 - across**2)).astype(np.float32)
    grid = ArrayGrid(np.stack([probability, probability]))
    (middle,) = centre_lines(outlines(grid, TAU), grid, bridge_px=0)
    (ridge,) = on_ridge([middle], grid, TAU)
    y = shapely.get_coordinates(ridge)[:, 1]
    assert np.ptp(y[20:-20]) < 0.02
    assert y[20:-20] == pytest.approx(30.3, abs=0.2)
    assert shapely.get_coordinates(middle)[:, 1].mean() > 31


def test_a_bridge_is_moved_as_the_lines_that_it_joins():
    true = straight(0)
    probability = band(true, 6, 3)
    probability[:, 66:70] = 0.01
    (ridge,) = both_ways(probability)[1]
    assert np.abs(offsets_of([ridge], true)).max() < 0.4


def test_no_line_leaves_the_scene_or_its_band():
    """Here the scene's border cuts the band just beyond its middle."""
    true = LineString([(-20, 88.7), (160, 88.7)])
    probability = band(true, 6, 3)
    for line in both_ways(probability)[1]:
        xy = shapely.get_coordinates(line)
        assert ((xy[:, 1] <= SHAPE[0]) | (xy[:, 0] < 0) | (xy[:, 0] > SHAPE[1])).all()


def test_where_nothing_is_drawn_nothing_is_moved():
    assert on_ridge([], ArrayGrid(np.zeros((20, 20), np.float32)), TAU) == []
