"""How far apart networks draw a line, against lines whose distances are known."""

import numpy as np
import pytest
import shapely
from pyproj import CRS
from shapely import LineString

from glsweep.geodesy import lengths_m
from glsweep.metrics.spread import line_spreads_m

BASE = LineString([(0, 0), (20_000, 0)])


def shifted(dy_m: float, start_m: float = 0, end_m: float = 20_000) -> list[LineString]:
    return [LineString([(start_m, dy_m), (end_m, dy_m)])]


def test_the_spread_of_two_is_half_their_distance_on_whichever_sides_they_lie() -> None:
    for one_m, other_m in ((-120, 180), (60, 360), (360, 60)):
        (found,) = line_spreads_m([BASE], [shifted(one_m), shifted(other_m)])
        assert found == pytest.approx(150)


def test_it_is_the_standard_deviation_over_all_networks() -> None:
    places_m = [-200.0, -10.0, 40.0, 310.0]
    (found,) = line_spreads_m([BASE], [shifted(place_m) for place_m in places_m])
    assert found == pytest.approx(np.std(places_m))


def test_a_network_that_draws_nothing_near_is_left_out() -> None:
    pair = [shifted(-100), shifted(100)]
    for absent in ([], shifted(501), shifted(0, -9_000, -1_000)):
        assert line_spreads_m([BASE], [*pair, absent]) == pytest.approx(100)
    assert line_spreads_m([BASE], [*pair, shifted(499)]) > 200


def test_a_line_that_fewer_than_two_draw_has_no_spread() -> None:
    assert np.isnan(line_spreads_m([BASE], [shifted(10), [], shifted(900)])).all()
    halves = [shifted(10, 0, 9_900), shifted(20, 10_100, 20_000)]
    assert np.isnan(line_spreads_m([BASE], halves)).all(), "nowhere are there two"


def test_it_is_the_median_along_the_line_where_there_are_two() -> None:
    base_only = shifted(0, 0, 20_000)
    steps = LineString([(0, 40), (12_000, 40), (12_000, 400), (20_000, 400)])
    (found,) = line_spreads_m([BASE], [base_only, [steps]])
    assert found == pytest.approx(20), "12 of 20 km are 40 m apart"
    (found,) = line_spreads_m([BASE], [base_only, shifted(300, 0, 3_000)])
    assert found == pytest.approx(150), "17 km which one alone draws do not count"


def test_each_line_has_its_own_in_their_order() -> None:
    other = shapely.affinity.translate(BASE, 0, 5_000)
    first = [*shifted(100), *shifted(5_030)]
    second = [*shifted(5_070), *shifted(-100)]
    alone = shapely.affinity.translate(BASE, 0, 50_000)
    found = line_spreads_m([BASE, alone, other], [first, second])
    np.testing.assert_allclose(found, [100, np.nan, 20])
    assert line_spreads_m([], [first, second]).shape == (0,)


def test_metres_are_those_on_the_ground() -> None:
    crs = CRS.from_epsg(3031)
    base = LineString([(-1_500_000, -500_000), (-1_480_000, -500_000)])
    one, other = (shapely.affinity.translate(base, 0, dy) for dy in (-150, 150))
    across = lengths_m([LineString([one.centroid, other.centroid])], crs)[0]
    (found,) = line_spreads_m([base], [[one], [other]], crs=crs)
    assert found == pytest.approx(across / 2, rel=1e-3)
    assert abs(across - 300) > 1
