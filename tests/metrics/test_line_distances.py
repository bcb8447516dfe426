"""Distances between lines, against geometry known by hand and a plain loop."""

import itertools

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, MultiLineString, Point

from glsweep.metrics.lines import LineDistances, line_distances

STRAIGHT = LineString([(0, 0), (10_000, 0)])


def shifted(line, dy_m):
    return shapely.affinity.translate(line, 0, dy_m)


def test_a_parallel_line_is_as_far_as_it_was_shifted():
    found = line_distances([shifted(STRAIGHT, 150)], [STRAIGHT])
    assert (found.mean_m(), found.median_m(), found.mad_m()) == pytest.approx((150, 150, 0))
    assert (found.completeness(100), found.completeness(200)) == (0, 1)
    assert (found.false_km(100), found.false_km(200)) == pytest.approx((10, 0))
    assert (found.drawn_km, found.reference_km) == pytest.approx((10, 10))


def test_a_missed_line_is_not_free():
    missed = shifted(STRAIGHT, 5_000)
    found = line_distances([STRAIGHT], [STRAIGHT, missed])
    assert found.mean_m() == pytest.approx((0 + 2_500) / 2)
    assert found.completeness(500) == pytest.approx(0.5)
    assert found.missed_km(500) == pytest.approx(10)
    assert found.false_km(500) == 0
    assert found.correctness(500) == 1


def test_an_invented_line_is_not_free():
    found = line_distances([STRAIGHT, shifted(STRAIGHT, 5_000)], [STRAIGHT])
    assert found.mean_m() == pytest.approx(1_250)
    assert found.false_km(500) == pytest.approx(10)
    assert found.completeness(100) == 1
    assert found.correctness(100) == pytest.approx(0.5)


def test_without_any_line_distances_are_those_that_are_told():
    found = line_distances([], [STRAIGHT], farthest_m=9_000)
    assert np.isnan(found.mean_m())
    assert np.isnan(found.median_m())
    assert (found.completeness(500), found.missed_km(500), found.drawn_km) == (0, pytest.approx(10), 0)
    assert np.isnan(found.correctness(500))
    other = line_distances([STRAIGHT], [STRAIGHT])
    both = LineDistances.pooled([found, other])
    assert both.mean_m() == pytest.approx((0 + 4_500) / 2), "a missed scene counts in the mean"
    assert both.completeness(100) == pytest.approx(0.5)


def test_scenes_that_each_lack_a_side_are_infinitely_far_off_without_a_warning():
    neither = LineDistances.pooled([line_distances([], [STRAIGHT]), line_distances([STRAIGHT], [])])
    assert (neither.mean_m(), neither.median_m()) == (np.inf, np.inf)
    assert not np.isfinite(neither.mad_m())


def test_the_mean_does_not_depend_on_how_densely_a_line_was_clicked():
    bent = LineString([(0, 100), (9_000, 100), (10_000, 600)])
    clicked = LineString([*[(x, 100) for x in range(0, 9_000, 7)], (9_000, 100), (10_000, 600)])
    coarse, dense = (line_distances([line], [STRAIGHT]).mean_m() for line in (bent, clicked))
    assert coarse == pytest.approx(dense, rel=1e-3)


def test_the_median_counts_both_sides_half():
    """Nine tenths of a long line that is right do not outvote what a short reference says."""
    found = line_distances([STRAIGHT], [LineString([(0, 300), (1_000, 300)])])
    # The reference's kilometre is 300 m away; of the drawn line most is farther than that.
    assert found.median_m() == pytest.approx(300, abs=1)


def test_the_median_is_the_distance_below_which_half_of_both_sides_lies():
    """Three tenths of each side are 20 m away and three 200 m, the rest in between 100 m."""
    away = [(0, 3_000, 20), (4_000, 8_000, 100), (9_000, 12_000, 200)]
    reference = [LineString([(start, 0), (stop, 0)]) for start, stop, _ in away]
    drawn = [LineString([(start, y), (stop, y)]) for start, stop, y in away]
    found = line_distances(drawn, reference)
    assert (found.median_m(), found.mad_m()) == pytest.approx((100, 80))


def test_a_long_piece_is_found_behind_the_many_ends_of_nearer_short_ones():
    """Of its two ends none is among the nearest few, though it passes by nearer than all of them."""
    point = LineString([(-0.01, 0), (0.01, 0)])
    passes_by = LineString([(-10, 5), (10, 5)])
    short = [LineString([(0, -8 - 0.8 * n), (0, -8.4 - 0.8 * n)]) for n in range(12)]
    found = line_distances([point], [passes_by, *short])
    assert found.drawn_m == pytest.approx([5])


coordinate = st.integers(-3_000, 3_000)
lines = st.lists(
    st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=4, unique=True).map(LineString),
    min_size=1,
    max_size=3,
)


@given(drawn=lines, reference=lines)
@settings(max_examples=40, deadline=None)
def test_distances_are_those_of_a_plain_loop(drawn, reference):
    found = line_distances(drawn, reference, step_m=500)
    for distances, own, other in (
        (found.drawn_m, drawn, MultiLineString(reference)),
        (found.reference_m, reference, MultiLineString(drawn)),
    ):
        pieces = [piece for line in own for piece in itertools.pairwise(shapely.segmentize(line, 500).coords)]
        expected = [Point((np.array(a) + b) / 2).distance(other) for a, b in pieces]
        np.testing.assert_allclose(distances, expected, atol=1e-6)
    total_m = sum(line.length for line in drawn)
    assert found.drawn_km == pytest.approx(total_m / 1000)
    assert found.false_km(200) / found.drawn_km == pytest.approx(1 - found.correctness(200))
    back = line_distances(reference, drawn, step_m=500)
    assert back.mean_m() == pytest.approx(found.mean_m()), "the mean is symmetric"
    assert back.median_m() == pytest.approx(found.median_m())
