"""A stated share of unseen lines lies within the uncertainty, or none is stated."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString

from glsweep.metrics.lines import line_distances, piece_distances
from glsweep.metrics.reliability import (
    FEWEST_SCENES,
    HELD_WITHIN,
    LARGEST_ERROR,
    SHARE,
    PiecesInBand,
    conformal_factor,
    factor_that_holds,
    share_error,
)
from glsweep.randomness import generator_for


def scenes(count, generator, *, factor, differ=0.0, length_differs=0.0, lines=12, pieces=40):
    """Lines whose bands are `factor` times too narrow for their errors, more or less so in each scene."""
    found = []
    for _ in range(count):
        half_width_m = np.repeat(generator.uniform(50, 300, lines), pieces)
        own = factor * np.exp(differ * generator.normal())
        distance_m = np.abs(generator.normal(size=lines * pieces)) * own * half_width_m
        length_m = generator.uniform(5, 20, lines * pieces) * np.exp(length_differs * generator.normal())
        found.append(PiecesInBand(length_m, distance_m, half_width_m))
    return found


def held(by_scene, factor):
    pieces = PiecesInBand.pooled(by_scene)
    return np.average(pieces.held(factor), weights=pieces.length_m)


def quantile(by_scene):
    """What a factor is when it is taken from whatever scenes there are, with one more that holds nothing."""
    pieces = PiecesInBand.pooled(by_scene)
    ratio = np.append(pieces.distance_m / pieces.half_width_m, np.inf)
    weights = np.append(pieces.length_m, pieces.length_m.sum() / len(by_scene))
    return np.quantile(ratio, SHARE, weights=weights, method="inverted_cdf")


@given(seed=st.integers(0, 10_000), factor=st.floats(0.05, 20))
@settings(max_examples=20, deadline=None)
def test_the_stated_share_of_other_scenes_is_held_however_wide_a_network_draws(seed, factor):
    generator = generator_for(seed, "scenes")
    learnt = factor_that_holds(scenes(FEWEST_SCENES, generator, factor=factor)).value
    # One standard deviation of a normal error holds 68.3 % of it.
    assert learnt == pytest.approx(factor, rel=0.12)
    assert held(scenes(24, generator, factor=factor), learnt) == pytest.approx(SHARE, abs=HELD_WITHIN)


@pytest.mark.parametrize("differ", [0.4, 0.7])
def test_nine_in_ten_of_the_stated_factors_hold_in_scenes_that_err_each_in_its_own_way(differ):
    """As simulated scenes do: their shares differ by .2 to .35, and a few have most of the length."""
    generator = generator_for(int(differ * 10), "scenes")
    alike = {"factor": 1.0, "differ": differ, "length_differs": 0.8, "lines": 4, "pieces": 10}
    there, trials = scenes(1500, generator, **alike), 60

    def holds(factor):
        return abs(held(there, factor) - SHARE) <= HELD_WITHIN

    def drawn(count):
        return [there[number] for number in generator.integers(len(there), size=count)]

    by_rule, naive = [], []
    for count in (20, 60, 120, 250):
        for _ in range(trials):
            sample = drawn(count)
            learnt = factor_that_holds(sample).value
            if learnt is not None:
                by_rule.append(holds(learnt))
            if count == 20:
                naive.append(holds(quantile(sample)))
    assert len(by_rule) >= trials, "where there are scenes enough metres are stated"
    assert np.mean(by_rule) >= 0.9
    assert np.mean(naive) < 0.8, "kilometres of few scenes tell less than they seem to"


def test_nothing_is_stated_from_few_scenes_or_from_ones_that_disagree_and_the_reason_is_told():
    generator = generator_for(0, "scenes")
    few = scenes(FEWEST_SCENES - 1, generator, factor=1)
    empty = PiecesInBand(*(np.zeros(0) for _ in range(3)))
    assert factor_that_holds([]).unknown_because.startswith("0 validation scenes")
    learnt = factor_that_holds([*few, *[empty] * 5])
    assert learnt.value is None, "scenes in which nothing is drawn do not count"
    assert learnt.unknown_because.endswith(f"and {FEWEST_SCENES} are needed")
    learnt = factor_that_holds([*few, *scenes(1, generator, factor=1), empty])
    assert (learnt.value is None, learnt.scenes, learnt.unknown_because) == (False, FEWEST_SCENES, "")
    apart = scenes(2 * FEWEST_SCENES, generator, factor=1, differ=1.5)
    learnt = factor_that_holds(apart)
    assert learnt.value is None
    error = share_error(apart, quantile(apart))
    needed = int(re.search(r"about (\d+) are needed", learnt.unknown_because)[1])
    assert error * np.sqrt(len(apart) / needed) == pytest.approx(LARGEST_ERROR, rel=0.01)


def test_a_line_without_any_error_has_an_uncertainty_of_nothing():
    perfect = [PiecesInBand(np.ones(5), np.zeros(5), np.full(5, 80.0))] * FEWEST_SCENES
    assert factor_that_holds(perfect).value == 0


def test_the_error_of_a_share_is_that_of_samples_drawn_anew():
    generator = generator_for(1, "scenes")
    samples = [scenes(10, generator, factor=1, differ=0.5, lines=4) for _ in range(300)]
    spread = np.std([held(sample, 1.0) for sample in samples])
    assert np.mean([share_error(sample, 1.0) for sample in samples]) == pytest.approx(spread, rel=0.15)


def test_a_longer_piece_counts_more():
    one = PiecesInBand(np.array([30.0, 10.0]), np.array([1.0, 9.0]), np.array([2.0, 2.0]))
    assert held([one, one], 1.0) == 0.75


def test_the_factor_is_the_least_that_holds_the_share_of_the_length():
    # In each scene 69 % lie within 1 half width, 1 % more within 2, the rest within 3.
    lengths_m, distances_m = np.array([0.3, 0.69, 0.01]), np.array([3.0, 1.0, 2.0])
    one = PiecesInBand(lengths_m, 7 * distances_m, np.full(3, 7.0))
    # With one more that holds nothing 69 % are 67.6 of 50 scenes, and 68.01 of 70.
    assert [factor_that_holds([one] * count).value for count in (FEWEST_SCENES, 70)] == [2.0, 1.0]


def regions_of_scenes(count, generator):
    """Three regions: errors of one to three widths, wide bands and narrow, that differ by scene."""
    return {
        "even": scenes(count, generator, factor=1.0, differ=0.4),
        "coarse": scenes(count, generator, factor=3.0, differ=0.5, length_differs=0.5),
        "fine": scenes(count, generator, factor=0.3, differ=0.3, length_differs=0.3),
    }


@pytest.mark.parametrize("region", ["even", "coarse", "fine"])
def test_a_regions_factor_holds_the_share_in_its_other_scenes(region):
    generator = generator_for(5, "scenes")
    own = regions_of_scenes(200, generator)[region]
    other = regions_of_scenes(1000, generator)[region]
    learnt = factor_that_holds(own).value
    assert held(other, learnt) == pytest.approx(SHARE, abs=HELD_WITHIN)


@pytest.mark.parametrize("count", [3, 10])
def test_scenes_that_could_be_drawn_hold_the_share_or_more_on_average_however_few_calibrate(count):
    generator = generator_for(count, "scenes")
    there = scenes(400, generator, factor=1.0, differ=1.0, lines=2, pieces=10)
    corrected, plain = [], []
    for _ in range(1500):
        *sample, other = (there[number] for number in generator.integers(len(there), size=count + 1))
        pieces = PiecesInBand.pooled(sample)
        ratio = pieces.distance_m / pieces.half_width_m
        least = np.quantile(ratio, SHARE, weights=pieces.length_m, method="inverted_cdf")
        for found, factor in ((corrected, conformal_factor(sample)), (plain, least)):
            found.append(held([other], factor))
    assert SHARE - 0.015 <= np.mean(corrected) <= SHARE + 1 / (count + 1) + 0.015
    assert np.mean(plain) < np.mean(corrected)


def test_the_error_of_a_share_follows_cochrans_equation_worked_out_by_hand():
    def scene(held_m, length_m):
        lengths_m, distances_m = np.array([held_m, length_m - held_m]), np.array([1.0, 9.0])
        return PiecesInBand(lengths_m, distances_m, np.ones(2))

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
