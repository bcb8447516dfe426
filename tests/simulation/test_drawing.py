"""Lines as an analyst leaves them."""

import numpy as np
import pytest
import shapely
from affine import Affine
from shapely import LineString, box

from glsweep.simulation.drawing import drawn_lines

LINE = LineString([(0, 50), (2000, 60), (4000, 40)])
FOOTPRINT = box(0, 0, 4000, 100)
MAP = Affine(100, 0, 0, 0, -100, 0)


def drawn(seed=0, **changes):
    return drawn_lines([LINE], FOOTPRINT, MAP, np.random.default_rng(seed), **changes).lines


def test_without_gaps_strokes_are_the_whole_line():
    whole = shapely.transform(LINE, lambda xy: xy * (100, -100))
    assert sum(stroke.length for stroke in drawn()) == pytest.approx(whole.length)


def test_the_share_of_gaps_is_that_asked_for():
    every = len(drawn())
    assert every > 15
    counts = [len(drawn(seed, gap_share=0.3)) for seed in range(40)]
    assert np.mean(counts) == pytest.approx(0.7 * every, rel=0.1)
    assert all(len(drawn(seed, gap_share=1.0)) == 1 for seed in range(3)), "a scene keeps a line"


def test_a_hand_errs_by_what_is_asked_for_and_slowly():
    whole = shapely.transform(LINE, lambda xy: xy * (100, -100))
    strokes = drawn(wobble_m=40.0)
    points = np.concatenate([shapely.get_coordinates(shapely.segmentize(s, 50)) for s in strokes])
    away_m = shapely.distance(whole, shapely.points(points))
    assert away_m.max() <= 3 * 40 * 2**0.5
    assert 20 < np.sqrt(np.mean(away_m**2)) < 60
    for stroke in strokes:
        steps = np.diff(shapely.get_coordinates(stroke), axis=0)
        assert np.hypot(*steps.T).max() < 500, "no jump"


STRAIGHT = LineString([(0, 50), (1000, 50)])
"""100 km long."""


def drawn_where(seen):
    """Lines and unsure ones of STRAIGHT, as kilometres along it, where it is seen in the given ranges."""
    coherence = np.full((100, 1000), 0.05)
    for start_km, end_km in seen:
        coherence[:, start_km * 10 : end_km * 10] = 0.9
    drawn = drawn_lines([STRAIGHT], box(0, 0, 1000, 100), MAP, np.random.default_rng(0), coherence=coherence)
    return [
        [
            (part.bounds[0] / 1000, part.bounds[2] / 1000)
            for part in shapely.get_parts(shapely.line_merge(shapely.union_all(lines)))
        ]
        if lines
        else []
        for lines in drawn
    ]


def test_a_line_is_drawn_as_far_as_a_kilometre_into_noise_and_is_unsure_beyond():
    lines, unsure = drawn_where([(0, 50)])
    assert len(lines) == len(unsure) == 1
    assert lines[0] == pytest.approx((0, 51), abs=0.5)
    assert unsure[0] == pytest.approx((51, 100), abs=0.5)


def test_a_line_goes_on_across_two_kilometres_of_noise_and_not_across_ten():
    lines, unsure = drawn_where([(0, 30), (33, 60), (72, 100)])
    assert len(lines) == 2, "three kilometres of noise, of which one at either end is near something seen"
    assert len(unsure) == 1
    assert unsure[0] == pytest.approx((61, 71), abs=0.5)


def test_nothing_is_drawn_where_nothing_can_be_seen():
    lines, unsure = drawn_where([])
    assert lines == []
    assert unsure[0] == pytest.approx((0, 100))
    assert drawn(coherence=np.full((100, 4000), 0.9)) == drawn()


def test_a_stroke_that_was_left_out_is_unsure():
    everything = drawn_lines([LINE], FOOTPRINT, MAP, np.random.default_rng(0), gap_share=0.5)
    assert everything.unsure
    together = shapely.union_all([*everything.lines, *everything.unsure])
    assert together.length == pytest.approx(sum(stroke.length for stroke in drawn()))
