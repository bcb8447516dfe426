"""Metres keep their centimetres, far from the map's origin and far apart, where half precision would not."""

import numpy as np
import pytest
from shapely import LineString

from glsweep.metrics.lines import line_distances

FAR_X_M, FAR_Y_M = -1_523_770.4, -871_443.3


@pytest.mark.parametrize("apart_m", [0.37, 186.42, 5_000.25, 123_456.78])
def test_a_distance_is_right_to_a_centimetre(apart_m):
    """In float16 metres beyond 65,504 are infinite, and two metres more than 4,096 are none."""
    line = LineString([(FAR_X_M, FAR_Y_M), (FAR_X_M + 20_000, FAR_Y_M)])
    other = LineString([(x, y + apart_m) for x, y in line.coords])
    found = line_distances([line], [other])
    assert found.drawn_m.dtype == found.drawn_length_m.dtype == np.float64
    np.testing.assert_allclose(found.drawn_m, apart_m, atol=0.01)
    assert found.mean_m() == pytest.approx(apart_m, abs=0.01)
    assert found.drawn_km == pytest.approx(20)
