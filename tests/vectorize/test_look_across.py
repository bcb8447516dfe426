"""What is read off across a line lies where the line lies, to a fraction of a pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString

from glsweep.vectorize.grid import TILE_PX, ArrayGrid
from glsweep.vectorize.profiles import look_across


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
    (found,) = look_across([line], ArrayGrid(slope((40, 60), per_row, per_col)))
    col, row = line.interpolate(0.5, normalized=True).coords[0]
    assert found.probability == pytest.approx(0.5 + per_row * (row - 20) + per_col * (col - 30), abs=1e-5)


@pytest.mark.parametrize("level", [False, True])
def test_where_tiles_meet_nothing_is_read_beside_its_place(level):
    shape = (30, TILE_PX + 60) if level else (TILE_PX + 60, 30)
    probability = slope(shape, *((0.0, 4e-4) if level else (4e-4, 0.0)))
    ends = [(TILE_PX - 40.3, 14.2), (TILE_PX + 40.3, 15.1)]
    line = LineString(ends if level else [end[::-1] for end in ends])
    (found,) = look_across([line], ArrayGrid(probability))
    wanted = 0.5 + 4e-4 * (TILE_PX - (TILE_PX + 60) / 2)
    assert found.probability == pytest.approx(wanted, abs=1e-5)


def test_each_line_is_told_its_own_probability_and_members_are_averaged():
    members = np.stack([slope((40, 60), 0.01, 0), slope((40, 60), 0.0, 0.007)])
    lines = [LineString([(5, row), (50, row)]) for row in (8.25, 20.5, 31.0)]
    found = look_across(lines, ArrayGrid(members))
    for line, known in zip(lines, found, strict=True):
        row = line.coords[0][1]
        wanted = 0.5 + (0.01 * (row - 20) + 0.007 * (27.5 - 30)) / 2
        assert known.probability == pytest.approx(wanted, abs=1e-5)


def test_no_lines_are_told_nothing():
    assert look_across([], ArrayGrid(slope((40, 60), 0, 0))) == []
