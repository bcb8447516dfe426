"""Points along a line, against shapely's."""

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString

from glsweep.vectorize.outlines import points_along

COORDINATES = st.tuples(st.integers(-50, 50), st.integers(-50, 50))


@given(
    st.lists(COORDINATES, min_size=2, max_size=12).filter(lambda points: len(set(points)) > 1),
    st.lists(st.floats(0, 1), min_size=1, max_size=9),
)
def test_points_lie_where_shapely_has_them(vertices: list[tuple[int, int]], shares: list[float]) -> None:
    line = LineString(vertices)
    at = np.array(shares) * line.length
    wanted = shapely.get_coordinates(shapely.line_interpolate_point(line, at))
    np.testing.assert_allclose(points_along(line, at), wanted, atol=1e-9)
