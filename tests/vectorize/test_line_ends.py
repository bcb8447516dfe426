"""Lines of bands whose middle is known end where it does: at a border, a collar, a cut, in a round end."""

import numpy as np
import pytest
import shapely
from affine import Affine
from array_grid import ArrayGrid
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree
from shapely import LineString, Polygon, box

from glsweep.vectorize import draw_lines

SHAPE = (100, 130)
SCENE = box(0, 0, SHAPE[1], SHAPE[0])
CENTRES = np.indices(SHAPE)[::-1].reshape(2, -1).T + 0.5
COLLAR = Polygon([(22.3, -5), (122, -5), (108, 105), (8.3, 105)])
"""Data that lies slanted in its raster, as that of a satellite's path does."""


def band(middle, width_px, softness_px=0.5):
    """A probability of .9 within half a width of a line, which falls to 0 over about a pixel."""
    points = shapely.get_coordinates(middle.segmentize(0.05))
    away = cKDTree(points).query(CENTRES, distance_upper_bound=60)[0].clip(max=60)
    height = 0.9 / (1 + np.exp((away - width_px / 2) / softness_px))
    return height.reshape(SHAPE).astype(np.float32)


def drawn(probability):
    """Draw in pixels."""
    found = draw_lines(ArrayGrid(probability), Affine.identity(), tau=0.45, shortest_m=0.0, bridge_m=0.0)
    return [one.line for one in found]


def straight(angle):
    way = 300 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    return LineString([(65.2 - way[0], 49.6 - way[1]), (65.2 + way[0], 49.6 + way[1])])


def curved():
    at = np.linspace(-40, 200, 400)
    return LineString(np.column_stack([at, 50 + 14 * np.sin(at / 30)]))


def without_data(probability, data):
    return np.where(shapely.contains_xy(data, CENTRES).reshape(SHAPE), probability, np.nan)


def assert_ends_as(found, true):
    assert found.length == pytest.approx(true.length, abs=max(2.0, 0.005 * true.length))
    ends, wanted = (np.array([line.coords[0], line.coords[-1]]) for line in (found, true))
    apart = np.hypot(*(ends[:, None] - wanted[None]).T).min(axis=0)
    assert apart.max() < 1.2
    assert shapely.hausdorff_distance(found, true, densify=0.05) < 1.5


@given(angle=st.floats(-50, 50), width_px=st.floats(2, 22))
@settings(max_examples=12, deadline=None)
def test_a_band_that_leaves_the_scene_is_drawn_up_to_its_border_in_its_middle(angle, width_px):
    middle = straight(angle)
    (found,) = drawn(band(middle, width_px))
    assert_ends_as(found, shapely.intersection(middle, SCENE))


@example(angle=-30.5, width_px=12.5)
@example(angle=-30.125, width_px=12.4375)
@example(angle=-40, width_px=2)
@given(angle=st.floats(-40, 40), width_px=st.floats(2, 22))
@settings(max_examples=12, deadline=None)
def test_a_band_that_leaves_the_data_is_drawn_up_to_its_edge_in_its_middle(angle, width_px):
    middle = straight(angle)
    (found,) = drawn(without_data(band(middle, width_px), COLLAR))
    assert_ends_as(found, shapely.intersection(middle, COLLAR))


@pytest.mark.parametrize("width_px", [1.5, 6, 12])
@pytest.mark.parametrize("data", [SCENE, COLLAR])
def test_a_curved_band_leaves_in_its_middle_too(width_px, data):
    (found,) = drawn(without_data(band(curved(), width_px), data))
    assert_ends_as(found, shapely.intersection(curved(), shapely.intersection(data, SCENE)))


@pytest.mark.parametrize("width_px", [3, 6, 12])
@pytest.mark.parametrize("data", [SCENE, COLLAR])
def test_a_scene_that_is_turned_or_mirrored_is_drawn_alike(width_px, data):
    probability = without_data(band(curved(), width_px), data)
    (upright,) = drawn(probability)
    rows, cols = SHAPE
    for other, back in (
        (probability.T, lambda xy: xy[:, ::-1]),
        (probability[::-1], lambda xy: xy * [1, -1] + [0, rows]),
        (probability[:, ::-1], lambda xy: xy * [-1, 1] + [cols, 0]),
    ):
        (found,) = drawn(np.ascontiguousarray(other))
        assert shapely.hausdorff_distance(shapely.transform(found, back), upright, densify=0.05) < 0.5


@pytest.mark.parametrize("angle", [0, 20, 45])
@pytest.mark.parametrize("width_px", [3, 12, 20])
def test_a_round_end_is_that_of_a_line_drawn_with_a_round_pen(angle, width_px):
    middle = shapely.intersection(straight(angle), box(30.3, 22.4, 100.6, 77.7))
    (found,) = drawn(band(middle, width_px))
    assert_ends_as(found, middle)


@pytest.mark.parametrize("angle", [0, 20])
@pytest.mark.parametrize("width_px", [12, 20])
def test_a_band_that_is_cut_square_is_drawn_up_to_the_cut_and_into_no_corner(angle, width_px):
    middle = shapely.intersection(straight(angle), box(30.3, 22.4, 100.6, 77.7))
    inside = shapely.contains_xy(middle.buffer(width_px / 2, cap_style="flat"), CENTRES).reshape(SHAPE)
    (found,) = drawn(np.where(inside, 0.9, 0).astype(np.float32))
    assert_ends_as(found, middle)


@pytest.mark.parametrize("row", [0.5, 2.0, 4.0])
def test_a_band_along_the_border_is_no_reason_to_draw_the_border(row):
    """It is drawn in its middle: not towards the border, nor around a corner of the scene."""
    middle = LineString([(20, row), (110, row)])
    found = drawn(band(middle, 4.0))
    assert sum(line.length for line in found) <= middle.length + 4
    for line in found:
        assert shapely.hausdorff_distance(line, middle) < 8 or line.length < 8
        assert line.bounds[0] > 14
        assert line.bounds[2] < 116


def test_a_band_around_a_hole_in_the_data_is_no_mouth():
    probability = band(straight(0), 20.0)
    probability[47:52, 60:66] = np.nan
    assert sum(line.length for line in drawn(probability)) > 125
