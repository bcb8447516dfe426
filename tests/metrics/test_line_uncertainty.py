"""A stated share of unseen lines lies within the uncertainty, or none is stated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString

from glsweep.metrics.line_uncertainty import (
    FEWEST_SCENES,
    SHARE,
    PiecesInBand,
    factor_that_holds,
    share_error,
)
from glsweep.metrics.lines import line_distances, piece_distances
from glsweep.randomness import generator_for


def scenes(count, generator, *, factor, differ=0.0, lines=12, pieces=40):
    """Lines whose bands are `factor` times too narrow for their errors, more or less so in each scene."""
    found = []
    for _ in range(count):
        half_width_m = np.repeat(generator.uniform(50, 300, lines), pieces)
        own = factor * np.exp(differ * generator.normal())
        distance_m = np.abs(generator.normal(size=lines * pieces)) * own * half_width_m
        length_m = generator.uniform(5, 20, lines * pieces)
        found.append(PiecesInBand(np.repeat(np.arange(lines), pieces), length_m, distance_m, half_width_m))
    return found


def held(by_scene, factor):
    pieces = PiecesInBand.pooled(by_scene)
    return np.average(pieces.held(factor), weights=pieces.length_m)


@given(seed=st.integers(0, 10_000), factor=st.floats(0.05, 20))
@settings(max_examples=30, deadline=None)
def test_the_stated_share_of_other_scenes_is_held_however_wide_a_network_draws(seed, factor):
    generator = generator_for(seed, "scenes")
    learnt = factor_that_holds(scenes(24, generator, factor=factor))
    # One standard deviation of a normal error holds 68.3 % of it.
    assert learnt == pytest.approx(factor, rel=0.12)
    assert held(scenes(24, generator, factor=factor), learnt) == pytest.approx(SHARE, abs=0.05)


def test_scenes_that_differ_are_held_all_the_same_or_nothing_is_stated():
    generator = generator_for(0, "scenes")
    stated = [factor_that_holds(scenes(60, generator, factor=1, differ=0.4)) for _ in range(40)]
    others = scenes(200, generator, factor=1, differ=0.4)
    errors = np.array([held(others, factor) - SHARE for factor in stated if factor is not None])
    assert len(errors) > 10
    assert np.sqrt((errors**2).mean()) < 0.05


def test_nothing_is_stated_from_few_scenes_or_from_ones_that_disagree():
    generator = generator_for(0, "scenes")
    few = scenes(FEWEST_SCENES - 1, generator, factor=1)
    empty = PiecesInBand(np.zeros(0, np.int64), *(np.zeros(0) for _ in range(3)))
    assert factor_that_holds([]) is None
    assert factor_that_holds([*few, *[empty] * 5]) is None, "nor from scenes in which nothing is drawn"
    assert factor_that_holds([*few, *scenes(1, generator, factor=1)]) is not None
    assert factor_that_holds(scenes(FEWEST_SCENES, generator, factor=1, differ=1.5)) is None


def test_the_error_of_a_share_is_that_of_samples_drawn_anew():
    generator = generator_for(1, "scenes")
    samples = [scenes(10, generator, factor=1, differ=0.5, lines=4) for _ in range(300)]
    spread = np.std([held(sample, 1.0) for sample in samples])
    assert np.mean([share_error(sample, 1.0) for sample in samples]) == pytest.approx(spread, rel=0.15)


def test_a_longer_piece_counts_more_and_lines_of_two_scenes_are_two():
    one = PiecesInBand(np.array([0, 2]), np.array([30.0, 10.0]), np.array([1.0, 9.0]), np.array([2.0, 2.0]))
    nothing = PiecesInBand(np.zeros(0, np.int64), *(np.zeros(0) for _ in range(3)))
    several = PiecesInBand.pooled([one, one, nothing, one])
    assert several.line.tolist() == [0, 2, 3, 5, 6, 8]
    assert several.line.dtype == np.int64
    assert held([one, one], 1.0) == 0.75


def test_the_factor_is_the_least_that_holds_the_share_of_the_length():
    # In each scene 67 % lie within 1 half width, 2 % more within 2, the rest within 3.
    lengths_m, distances_m = np.array([0.31, 0.67, 0.02]), np.array([3.0, 1.0, 2.0])
    one = PiecesInBand(np.zeros(3, np.int64), lengths_m, 7 * distances_m, np.full(3, 7.0))
    assert factor_that_holds([one] * FEWEST_SCENES) == 2.0


def test_the_error_of_a_share_follows_cochrans_equation_worked_out_by_hand():
    def scene(held_m, length_m):
        lengths_m, distances_m = np.array([held_m, length_m - held_m]), np.array([1.0, 9.0])
        return PiecesInBand(np.zeros(2, np.int64), lengths_m, distances_m, np.ones(2))

    # 6 of 10, 4 of 10 and 10 of 20 m: half in all, so that 1, -1 and 0 m are too many.
    found = share_error([scene(6.0, 10.0), scene(4.0, 10.0), scene(10.0, 20.0)], 1.0)
    assert found == pytest.approx(np.sqrt(3 / 2 * (1 + 1)) / 40)


def test_pieces_are_those_of_their_lines_and_as_far_off_as_the_symmetric_distance_has_them():
    reference = [LineString([(0, 0), (900, 0)])]
    lines = [LineString([(0, 50), (300, 50)]), LineString([(0, 80), (100, 80), (500, 90)])]
    pieces = piece_distances(lines, reference)
    both = line_distances(lines, reference)
    np.testing.assert_allclose(pieces.distance_m, both.drawn_m)
    lengths_m = np.bincount(pieces.line, pieces.length_m)
    np.testing.assert_allclose(lengths_m, [line.length for line in lines])
    assert pieces.distance_m[pieces.line == 0] == pytest.approx(50)
    assert np.isinf(piece_distances(lines, []).distance_m).all()
