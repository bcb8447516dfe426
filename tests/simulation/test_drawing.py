"""Lines as an analyst leaves them."""

import numpy as np
import pytest
import shapely
from affine import Affine
from shapely import LineString, box

from glsweep.simulation.outlines import drawn_lines

LINE = LineString([(0, 50), (2000, 60), (4000, 40)])
FOOTPRINT = box(0, 0, 4000, 100)
MAP = Affine(100, 0, 0, 0, -100, 0)


def drawn(seed=0, **changes):
    return drawn_lines([LINE], FOOTPRINT, MAP, np.random.default_rng(seed), **changes)


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


def test_no_line_is_drawn_through_noise_alone():
    coherence = np.full((100, 4000), 0.9)
    assert len(drawn(coherence=coherence)) == len(drawn())
    coherence[:, 2000:] = 0.05
    strokes = drawn(coherence=coherence)
    assert 0.35 * 4000 < sum(stroke.length for stroke in strokes) / 100 < 0.65 * 4000
    assert all(stroke.bounds[0] < 2_000 * 100 for stroke in strokes), "none lies wholly in noise"
    assert len(drawn(coherence=np.zeros((100, 4000)))) == 1, "a scene keeps a line"
