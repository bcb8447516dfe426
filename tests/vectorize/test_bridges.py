"""Which gaps are bridged: short ones across which both lines go straight on, the shortest first."""

import numpy as np
import pytest
import shapely
from affine import Affine
from array_grid import ArrayGrid
from scipy.spatial import cKDTree
from shapely import LineString, Point

from glsweep.vectorize import draw_lines

SIZE_PX = 110
CENTRES = np.indices((SIZE_PX, SIZE_PX))[::-1].reshape(2, -1).T + 0.5


def drawn(lines, bridge_px):
    """Draw bands 3 px wide along lines, in pixels."""
    along = np.concatenate([shapely.get_coordinates(shapely.segmentize(line, 0.2)) for line in lines])
    away = cKDTree(along).query(CENTRES)[0].reshape(SIZE_PX, SIZE_PX)
    height = (0.9 / (1 + np.exp(2 * (away - 1.5)))).astype(np.float32)
    found = draw_lines(ArrayGrid(height), Affine.identity(), tau=0.45, shortest_m=0.0, bridge_m=bridge_px)
    return [one.line for one in found]


def turned(points, quarters, *, mirrored=False):
    """Turn and mirror points within the scene, for no direction is another than the rest."""
    xy = np.array(points, np.float64) - SIZE_PX / 2
    xy = xy * [-1, 1] if mirrored else xy
    for _ in range(quarters):
        xy = np.column_stack([-xy[:, 1], xy[:, 0]])
    return LineString(xy + SIZE_PX / 2)


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("slope", [0.0, 0.6])
def test_a_line_with_a_gap_is_one_across_it(quarters, slope):
    whole = turned([(10, 30), (95, 30 + 85 * slope)], quarters)
    parts = [shapely.ops.substring(whole, 0, 40), shapely.ops.substring(whole, 52, whole.length)]
    (found,) = drawn(parts, 14)
    assert found.length == pytest.approx(whole.length, abs=3)
    assert shapely.hausdorff_distance(found, whole, densify=0.1) < 2
    assert len(drawn(parts, 9)) == 2


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_gap_is_left_where_one_of_two_lines_turns_away(quarters, mirrored):
    goes_on = turned([(10, 60), (55, 60)], quarters, mirrored=mirrored)
    elsewhere = [turned([(9 + 48 * n, 10), (48 + 48 * n, 10)], quarters, mirrored=mirrored) for n in (0, 1)]
    for angle, count in ((40, 1), (80, 2), (120, 2)):
        way = 35 * np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        turns = turned([(65, 60), (65 + way[0], 60 + way[1])], quarters, mirrored=mirrored)
        assert len(drawn([goes_on, turns, *elsewhere], 13)) == count + 1


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_how_a_line_ends_decides_and_not_how_it_lies(quarters, mirrored):
    other = turned([(62, 40), (100, 40)], quarters, mirrored=mirrored)
    comes_round = turned([(15, 90), (15, 40), (50, 40)], quarters, mirrored=mirrored)
    assert len(drawn([comes_round, other], 14)) == 1
    hook = turned([(10, 75), (50, 75), (50, 40)], quarters, mirrored=mirrored)
    assert len(drawn([hook, other], 14)) == 2


@pytest.mark.parametrize("quarters", range(4))
def test_an_end_is_joined_once_with_the_nearest(quarters):
    one = turned([(10, 50), (50, 50)], quarters)
    near = turned([(60, 54), (80, 54)], quarters)
    far = turned([(63, 46), (100, 46)], quarters)
    both, alone = drawn([one, near, far], 18)
    assert both.length == pytest.approx(71, abs=3)
    assert alone.length == pytest.approx(37, abs=3)


def test_bridges_join_more_than_two_lines_to_one():
    parts = [LineString([(5 + 20 * n, 50), (17 + 20 * n, 50)]) for n in range(5)]
    (found,) = drawn(parts, 10)
    assert found.length == pytest.approx(92, abs=3)


def test_a_line_is_never_closed_into_a_loop():
    ring = Point(55, 55).buffer(30).exterior
    (found,) = drawn([shapely.ops.substring(ring, 5, ring.length - 5)], 14)
    assert not found.is_closed
    assert found.length == pytest.approx(ring.length - 10, abs=4)


def test_loops_take_no_part_in_bridges():
    ring = LineString(Point(25, 55).buffer(15).exterior)
    parts = [LineString([(50, 55), (70, 55)]), LineString([(78, 55), (100, 55)])]
    joined, loop = sorted(drawn([ring, *parts], 12), key=lambda line: line.is_closed)
    assert loop.length == pytest.approx(ring.length, rel=0.06)
    assert joined.length == pytest.approx(50, abs=3)


@pytest.mark.parametrize("quarters", range(4))
def test_a_line_that_a_bridge_makes_cross_itself_stays_one(quarters):
    tail = turned([(10, 55), (47, 55)], quarters)
    loop = turned([(63, 55), (92, 55), (92, 18), (55, 18), (55, 100)], quarters)
    (found,) = drawn([tail, loop], 18)
    assert not found.is_simple
    assert found.length == pytest.approx(tail.length + 16 + loop.length, rel=0.03)
