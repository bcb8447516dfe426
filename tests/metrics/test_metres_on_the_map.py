"""Metres keep their centimetres, far from the map's origin and far apart, where half precision would not."""

import numpy as np
import pytest
from pyproj import CRS, Transformer
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


def test_a_reference_on_another_map_lies_where_it_is_on_earth():
    polar, other = CRS.from_epsg(3031), CRS.from_proj4("+proj=laea +lat_0=-90 +lon_0=30 +datum=WGS84")
    line = LineString([(FAR_X_M + 700 * n, FAR_Y_M + 300 * n) for n in range(9)])
    moved = LineString(
        np.column_stack(Transformer.from_crs(polar, other).transform(*np.array(line.coords).T))
    )
    found = line_distances([line], [moved], crs=polar, reference_crs=other)
    assert max(found.drawn_m.max(), found.reference_m.max()) < 0.1
    assert found.drawn_km == pytest.approx(found.reference_km, rel=1e-5)
