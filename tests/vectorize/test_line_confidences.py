"""What is read off across a line lies where the line lies, to a fraction of a pixel."""

import numpy as np
import pytest
from array_grid import ArrayGrid
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString

from glsweep.vectorize import REACH_PX, line_confidences
from glsweep.vectorize.outlines import TILE_PX


def slope(shape, per_row, per_col):
    """A probability that is linear in (col, row) from the scene's CORNER; pixels hold it at their centres."""
    row, col = np.indices(shape) + 0.5
    return (0.5 + per_row * (row - shape[0] / 2) + per_col * (col - shape[1] / 2)).astype(np.float32)


places = st.tuples(st.floats(5, 55), st.floats(5, 35))


@given(start=places, end=places, per_row=st.floats(-0.01, 0.01), per_col=st.floats(-0.007, 0.007))
@settings(max_examples=60, deadline=None)
def test_a_linear_probability_is_read_exactly_where_the_line_lies(start, end, per_row, per_col):
    line = LineString([start, end])
    if line.length < 1:
        return
    (found,) = line_confidences([line], ArrayGrid(slope((40, 60), per_row, per_col)))
    col, row = line.interpolate(0.5, normalized=True).coords[0]
    assert found.probability == pytest.approx(0.5 + per_row * (row - 20) + per_col * (col - 30), abs=1e-5)


@pytest.mark.parametrize("level", [False, True])
def test_where_tiles_meet_nothing_is_read_beside_its_place(level):
    shape = (30, TILE_PX + 60) if level else (TILE_PX + 60, 30)
    probability = slope(shape, *((0.0, 4e-4) if level else (4e-4, 0.0)))
    ends = [(TILE_PX - 40.3, 14.2), (TILE_PX + 40.3, 15.1)]
    line = LineString(ends if level else [end[::-1] for end in ends])
    (found,) = line_confidences([line], ArrayGrid(probability))
    wanted = 0.5 + 4e-4 * (TILE_PX - (TILE_PX + 60) / 2)
    assert found.probability == pytest.approx(wanted, abs=1e-5)


def test_each_line_is_told_its_own_probability_and_members_are_averaged():
    members = np.stack([slope((40, 60), 0.01, 0), slope((40, 60), 0.0, 0.007)])
    lines = [LineString([(5, row), (50, row)]) for row in (8.25, 20.5, 31.0)]
    found = line_confidences(lines, ArrayGrid(members))
    for line, known in zip(lines, found, strict=True):
        row = line.coords[0][1]
        wanted = 0.5 + (0.01 * (row - 20) + 0.007 * (27.5 - 30)) / 2
        assert known.probability == pytest.approx(wanted, abs=1e-5)


def test_no_lines_are_told_nothing():
    assert line_confidences([], ArrayGrid(slope((40, 60), 0, 0))) == []


def by_loop(rows, at_row):
    """Probability and half width of a level line in members' `rows`, which are alike in every column."""
    centres, offsets = np.arange(rows.shape[1]) + 0.5, np.arange(-REACH_PX, REACH_PX + 0.25, 0.5)
    members = np.array([np.interp(at_row + offsets, centres, own) for own in rows])
    mean, middle = members.mean(axis=0), len(offsets) // 2
    least = mean[np.abs(offsets) <= 1].max() / 2
    if mean[middle] < least:
        return mean[middle], 0.0
    first = last = middle
    while first > 0 and mean[first - 1] >= least:
        first -= 1
    while last < len(offsets) - 1 and mean[last + 1] >= least:
        last += 1
    band = slice(first, last + 1)
    centre = [np.average(offsets[band], weights=own[band]) for own in members]
    return mean[middle], np.hypot((last - first + 1) * 0.5 / 2, np.std(centre))


@given(
    at_row=st.floats(2, 38),
    peaks=st.lists(st.tuples(st.floats(-3, 3), st.floats(0.7, 9)), min_size=1, max_size=3),
    noise=st.sampled_from([0.0, 0.02, 0.3]),
    height=st.sampled_from([1.0, 0.02]),
    upright=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_the_band_is_what_hangs_together_around_the_line(at_row, peaks, noise, height, upright, seed):
    row = np.arange(40) + 0.5
    rows = np.array([np.exp(-(((row - at_row - away) / wide) ** 2)) for away, wide in peaks])
    rows = height * (rows + noise * np.random.default_rng(seed).random(rows.shape))
    members = np.repeat(rows[:, :, None], 30, axis=2).astype(np.float32)
    line = LineString([(4.3, at_row), (25.1, at_row)])
    if upright:
        members, line = members.swapaxes(1, 2), LineString([xy[::-1] for xy in line.coords])
    (found,) = line_confidences([line], ArrayGrid(members))
    probability, half_width_px = by_loop(rows, at_row)
    assert found.probability == pytest.approx(probability, abs=1e-4)
    # Where a value is half of the highest but for rounding, the band is a step wider or not.
    assert found.half_width_px == pytest.approx(half_width_px, abs=1e-3 if noise == 0.3 else 0.26)


@pytest.mark.parametrize("angle", [0, 30, -30, 45, 120])
@pytest.mark.parametrize("askew", [-2, 4])
def test_a_bands_width_is_measured_across_it_whichever_way_it_runs_and_wherever_its_middle_is(angle, askew):
    along, across = (np.array([np.cos(a), np.sin(a)]) for a in np.radians([angle, angle + 90]))
    centres = np.indices((80, 80))[::-1].reshape(2, -1).T + 0.5
    away = ((centres - 40) @ across).reshape(80, 80)
    members = np.stack([np.exp(-((away / 3) ** 2)).astype(np.float32)] * 2)
    way = along * 28 + across * 28 * np.tan(np.radians(askew))
    (found,) = line_confidences([LineString([40 - way, 40 + way])], ArrayGrid(members))
    assert found.half_width_px == pytest.approx(3 * np.sqrt(np.log(2)), abs=0.12)


def test_a_line_is_looked_at_once_in_every_pixel_that_it_passes():
    probability = np.zeros((40, 60), np.float32)
    probability[:, 30] = 1
    (found,) = line_confidences([LineString([(0, 20), (60, 20)])], ArrayGrid(probability))
    assert found.probability == pytest.approx(1 / 60)


def test_a_lines_width_is_the_mean_along_it():
    row, col = np.indices((60, 80)) + 0.5
    probability = np.exp(-(((row - 30) / np.where(col < 40, 2.0, 6.0)) ** 2)).astype(np.float32)
    narrow, wide, both = (
        found.half_width_px
        for found in line_confidences(
            [LineString([(start, 30), (stop, 30)]) for start, stop in ((4, 38), (42, 76), (4, 76))],
            ArrayGrid(probability),
        )
    )
    assert wide > 2 * narrow > 0
    assert both == pytest.approx((narrow + wide) / 2, rel=0.05)
