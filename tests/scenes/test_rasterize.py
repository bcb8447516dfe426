import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import label
from shapely import LineString

from glsweep.scenes import masks
from glsweep.scenes.masks import line_mask

NORTH_UP = Affine(100, 0, -5e5, 0, -100, 3e5)
ROTATED = Affine.translation(1e6, 2e5) @ Affine.rotation(37) @ Affine.scale(100, -100)
SHAPE = (13, 29)

coordinate = st.floats(-8, 36, allow_nan=False).map(lambda value: round(value, 3))
inner = st.tuples(st.floats(0.01, 28.99), st.floats(0.01, 12.99))
inner_vertices = st.lists(inner, min_size=2, max_size=6, unique=True)
vertices = st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=6, unique=True)


def on_map(pixels, transform):
    return LineString([transform @ vertex for vertex in pixels])


def crossed_length_px(pixels, shape, *, grown_px):
    """Brute force: the length of line within every pixel, made a little larger or smaller."""
    rows, cols = np.indices(shape)
    boxes = shapely.box(cols - grown_px, rows - grown_px, cols + 1 + grown_px, rows + 1 + grown_px)
    return shapely.length(shapely.intersection(boxes, LineString(pixels)))


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED], ids=["north up", "rotated"])
@given(pixels=vertices)
@settings(max_examples=60, deadline=None)
def test_all_touched_is_what_the_line_crosses_and_nothing_else(transform, pixels):
    mask = line_mask([on_map(pixels, transform)], SHAPE, transform, "all_touched").astype(bool)
    assert not ((crossed_length_px(pixels, SHAPE, grown_px=-1e-2) > 0) & ~mask).any()
    assert not (mask & (crossed_length_px(pixels, SHAPE, grown_px=1e-2) == 0)).any()


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED], ids=["north up", "rotated"])
@given(
    pixels=st.lists(
        st.tuples(st.floats(0.01, 28.99), st.floats(0.01, 12.99)), min_size=2, max_size=6, unique=True
    )
)
@settings(max_examples=60, deadline=None)
def test_bresenham_is_one_8_connected_part_within_a_pixel_of_the_line(transform, pixels):
    mask = line_mask([on_map(pixels, transform)], SHAPE, transform, "bresenham")
    _, parts = label(mask, structure=np.ones((3, 3)))
    assert parts <= 1
    far = shapely.box(0, 0, 1, 1)
    for row, col in np.argwhere(mask):
        assert LineString(pixels).distance(shapely.affinity.translate(far, col, row)) < 1
    assert set(np.unique(mask)) <= {0, 1}


def test_bresenham_is_thinner_than_all_touched():
    pixels = [(0.5, 0.5), (12.5, 12.5)]
    thin = line_mask([on_map(pixels, NORTH_UP)], SHAPE, NORTH_UP, "bresenham")
    np.testing.assert_array_equal(thin[:, :13], np.eye(13))
    wiggly = [(0.5, 0.5), (27.5, 11.5)]
    masks = [
        line_mask([on_map(wiggly, NORTH_UP)], SHAPE, NORTH_UP, rule) for rule in ("bresenham", "all_touched")
    ]
    assert masks[0].sum() == 28
    assert masks[1].sum() == 28 + 11


@pytest.mark.parametrize("rule", ["all_touched", "bresenham"])
def test_rows_and_columns_are_not_swapped(rule):
    mask = line_mask([on_map([(20.5, 0.5), (20.5, 12.5)], NORTH_UP)], SHAPE, NORTH_UP, rule)
    assert mask.shape == SHAPE
    assert mask.dtype == np.uint8
    assert mask[:, 20].all()
    assert mask.sum() == 13


@pytest.mark.parametrize("rule", ["all_touched", "bresenham"])
def test_a_line_that_reaches_far_away_is_cut_at_the_border(rule):
    far = on_map([(-1e9, 5.5), (1e9, 5.5)], NORTH_UP)
    mask = line_mask([far], SHAPE, NORTH_UP, rule)
    assert mask[5].all()
    assert mask.sum() == 29


@pytest.mark.parametrize("rule", ["all_touched", "bresenham"])
def test_no_line_and_a_line_elsewhere_leave_the_mask_empty(rule):
    assert not line_mask([], SHAPE, NORTH_UP, rule).any()
    assert not line_mask([on_map([(50, 50), (60, 70)], NORTH_UP)], SHAPE, NORTH_UP, rule).any()


@pytest.mark.parametrize("rule", ["all_touched", "bresenham"])
def test_lines_add_up(rule):
    lines = [on_map([(1, 1), (20, 9)], NORTH_UP), on_map([(25, 1), (3, 12)], NORTH_UP)]
    both = line_mask(lines, SHAPE, NORTH_UP, rule)
    singly = [line_mask([one], SHAPE, NORTH_UP, rule) for one in lines]
    np.testing.assert_array_equal(both, np.maximum(*singly))


@pytest.mark.parametrize("rule", ["all_touched", "bresenham"])
def test_rows_of_a_drawing_are_those_of_the_whole(rule, monkeypatch):
    generator = np.random.default_rng(5)
    lines = [on_map(generator.uniform(-20, 80, (9, 2)).tolist(), NORTH_UP) for _ in range(6)]
    whole = line_mask(lines, SHAPE, NORTH_UP, rule)
    monkeypatch.setattr(masks, "BLOCK_PX", 5 * SHAPE[1])
    drawn = masks.LineRows(lines, SHAPE, NORTH_UP, rule)
    for top, bottom in ((0, SHAPE[0]), (3, 4), (4, 6), (5, 10), (0, 5), (9, 9), (11, SHAPE[0] + 20)):
        np.testing.assert_array_equal(drawn.rows(top, bottom), whole[top:bottom])
