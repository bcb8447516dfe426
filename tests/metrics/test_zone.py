"""The width of a grounding zone, against shapes whose width is known."""

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS
from shapely import LineString, Point

from glsweep.metrics.lines import line_distances
from glsweep.metrics.zone import measure_zone

BASE = LineString([(0, 0), (20_000, 0)])


def shifted(dy_m, start_m=0, end_m=19_000):
    return LineString([(start_m, dy_m), (end_m, dy_m)])


def test_parallel_lines_are_as_wide_as_the_outermost_two():
    zone = measure_zone({"1": [BASE], "2": [shifted(300)], "3": [shifted(-150)]}, spacing_m=200)
    assert (zone.base, zone.dates) == ("1", ("1", "2", "3"))
    inner = zone.origin_xy_m[:, 0] < 19_000
    np.testing.assert_allclose(zone.width_m()[inner], 450)
    assert set(zone.dates_at[inner]) == {3}
    assert np.isnan(zone.width_m()[~inner]).all(), "one date has no width"
    lengths = shapely.length(zone.sections())
    np.testing.assert_allclose(lengths[inner], 450)
    np.testing.assert_allclose(lengths[~inner], 0)


def test_what_lies_out_of_reach_is_another_line():
    zone = measure_zone({"1": [BASE], "2": [shifted(6_000)]}, reach_m=5_000)
    assert np.isnan(zone.width_m()).all()
    assert (measure_zone({"1": [BASE], "2": [shifted(4_000)]}).width_m()[:50] == 4_000).all()


def test_across_a_bay_lies_another_stretch_of_the_line():
    """Where the other date's line ends early on one shore, transects cross it on the other shore."""
    bay = LineString([(0, 0), (10_000, 0), (10_000, -3_000), (0, -3_000)])
    short = LineString([(5_000, 100), (10_100, 100), (10_100, -3_100), (0, -3_100)])
    zone = measure_zone({"bay": [bay], "short": [short]})
    assert zone.base == "bay"
    assert np.nanmax(zone.width_m()) < 400
    here = (zone.origin_xy_m[:, 1] == 0) & (zone.origin_xy_m[:, 0] < 4_900)
    assert here.any() and np.isnan(zone.width_m()[here]).all()


def test_of_two_crossings_the_nearer_one_counts():
    near, far = shifted(400, 0, 9_000), shifted(-2_500, 0, 9_000)
    for others in ([near, far], [far, near]):
        zone = measure_zone({"1": [BASE], "2": others})
        assert zone.base == "1"
        both = zone.origin_xy_m[:, 0] < 9_000
        np.testing.assert_allclose(zone.width_m()[both], 400)
        np.testing.assert_allclose(zone.offset_m[both, 1], 400)


@given(radius=st.floats(3_000, 20_000), wider=st.floats(50, 800))
@settings(max_examples=30, deadline=None)
def test_rings_around_each_other_are_as_wide_as_their_radii_differ(radius, wider):
    inner, outer = (LineString(Point(0, 0).buffer(r, 200).exterior) for r in (radius, radius + wider))
    zone = measure_zone({"a": [inner], "b": [outer]}, spacing_m=150, reach_m=2_000)
    assert zone.base == "b"
    np.testing.assert_allclose(zone.width_m(), wider, rtol=0.02, atol=1)


def test_the_zone_does_not_depend_on_the_order_of_dates():
    lines = {"2019": [BASE], "2018": [shifted(250)], "2020": [shifted(-90, 3_000, 9_000)]}
    zones = [
        measure_zone({date: lines[date] for date in order}) for order in (sorted(lines), sorted(lines)[::-1])
    ]
    np.testing.assert_array_equal(zones[0].width_m(), zones[1].width_m())
    assert np.nanmax(zones[0].width_m()) == pytest.approx(340)


@pytest.mark.parametrize("way", [(1, 0), (0, 1), (0.6, -0.8)])
def test_widths_and_the_reach_are_those_on_the_ground_and_sections_those_on_the_map(way):
    """At 83 degrees south a metre of the polar map is some 2 % more on the ground."""
    crs, start, along = CRS.from_epsg(3031), np.array([-600_000.0, 500_000.0]), np.array(way)
    across = np.array([-along[1], along[0]])
    first, second = (
        LineString([start + side * across, start + 9_000 * along + side * across]) for side in (0, 4_000)
    )
    by_date = {"1": [LineString([*first.coords, start + 9_900 * along])], "2": [second]}
    zone = measure_zone(by_date, crs=crs, spacing_m=300)
    (apart_m,) = {round(float(np.median(line_distances([second], [first], crs=crs).drawn_m)), 1)}
    inner = zone.origin_xy_m @ along < (start + 8_900 * along) @ along
    assert abs(apart_m / 4_000 - 1) > 0.003
    assert inner.sum() > 20
    np.testing.assert_allclose(zone.width_m()[inner], apart_m, rtol=1e-3)
    np.testing.assert_allclose(shapely.length(zone.sections())[inner], 4_000, rtol=1e-6)
    np.testing.assert_allclose(np.abs(zone.normal @ along), 0, atol=1e-9)
    on_the_ground_m = line_distances(by_date["1"], by_date["1"], crs=crs).drawn_km * 1000
    assert len(zone.origin_xy_m) == round(on_the_ground_m / 300)
    for reach_m, crosses in ((apart_m - 5, 0), (apart_m + 5, inner.sum())):
        reached = measure_zone(by_date, crs=crs, spacing_m=300, reach_m=reach_m)
        assert np.isfinite(reached.width_m())[inner].sum() == crosses
