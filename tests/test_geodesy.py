"""Metres on the ground, against geodesics by pyproj's own hand."""

import numpy as np
import pyproj
import pytest
import shapely
from geodesics import GEOD, map_factor
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS
from shapely import LineString, Polygon

from glsweep.geodesy import arc_m, area_m2, earth_centred, fine_vertices, lengths_m, reproject

DEGREES = CRS.from_epsg(4326)
MAPS = ["EPSG:3031", "EPSG:3857", "EPSG:4087", "EPSG:6932", "ESRI:54009", "EPSG:32720", "EPSG:4326"]


def on_map(crs, *places):
    """Places (longitude, latitude) on a map."""
    to_map = pyproj.Transformer.from_crs(4326, crs, always_xy=True)
    return np.column_stack(to_map.transform(*np.transpose(places)))


@given(
    longitude=st.floats(-180, 180),
    latitude=st.floats(-89, 89),
    azimuth=st.floats(0, 360),
    apart_m=st.floats(1, 300_000),
)
@settings(max_examples=60, deadline=None)
def test_straight_through_the_earth_and_back_to_its_surface_is_the_geodesic(
    longitude, latitude, azimuth, apart_m
):
    other = GEOD.fwd(longitude, latitude, azimuth, apart_m)[:2]
    one, two = earth_centred(np.array([(longitude, latitude), other]), DEGREES)
    found_m = arc_m(np.linalg.norm(two - one), DEGREES)
    assert found_m == pytest.approx(apart_m, rel=2e-6, abs=1e-6)


@pytest.mark.parametrize("crs", MAPS)
def test_a_line_is_as_long_as_on_the_ground_whatever_its_map(crs):
    """Dense enough that it is the same line on each of them."""
    places = np.column_stack([np.linspace(-62, -60, 2001), -72 + 0.2 * np.sin(np.linspace(0, 9, 2001))])
    line = LineString(on_map(crs, *places))
    (found_m,) = lengths_m([line], CRS.from_user_input(crs))
    assert found_m == pytest.approx(GEOD.line_length(*places.T), rel=1e-7)


def test_several_lines_keep_their_order_and_a_flat_map_its_metres():
    lines = [LineString([(0, 0), (3_000, 4_000)]), LineString([(0, 0), (0, 7), (7, 7)])]
    np.testing.assert_allclose(lengths_m(lines, None), [5_000, 14])
    assert lengths_m([], None).shape == lengths_m([], DEGREES).shape == (0,)


def parallel_m(latitude, degrees):
    """Length along a parallel of latitude."""
    sine = np.sin(np.radians(latitude))
    radius_m = GEOD.a * np.cos(np.radians(latitude)) / np.sqrt(1 - GEOD.es * sine**2)
    return radius_m * np.radians(degrees)


@pytest.mark.parametrize(
    "longitudes", [(-120, -80), (170, 210), (170, -150), (-170, 150), (350, 30), (160, 180, -160)]
)
@pytest.mark.parametrize("latitude", [-75.0, -89.9, 66.0])
def test_a_line_in_degrees_follows_the_parallel_and_crosses_the_antimeridian(longitudes, latitude):
    line = LineString([(longitude, latitude) for longitude in longitudes])
    (found_m,) = lengths_m([line], DEGREES)
    assert found_m == pytest.approx(parallel_m(latitude, 40), rel=2e-5)
    crs = CRS.from_epsg(3031 if latitude < 0 else 3413)
    (there,) = reproject([line], DEGREES, crs)
    assert lengths_m([there], crs)[0] == pytest.approx(found_m, rel=1e-6)
    radius_m = np.hypot(*shapely.get_coordinates(there).T)
    np.testing.assert_allclose(radius_m, radius_m[0])
    middle_m = shapely.get_coordinates(there.segmentize(100) if there.length > 1e5 else there)
    assert np.hypot(*middle_m.T).min() == pytest.approx(radius_m[0], abs=0.5), "no corner is cut"


def test_a_line_in_grads_is_that_in_degrees():
    paris = CRS.from_epsg(4807)
    line = LineString([(2.0, 50.0), (4.0, 50.0)])
    assert lengths_m([line], paris)[0] == pytest.approx(parallel_m(45, 1.8), rel=1e-4)


@pytest.mark.parametrize("longest_m", [20.0, 333.0])
@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:4326", "EPSG:3031"])
def test_no_piece_is_longer_than_is_asked_for(crs, longest_m):
    xy = on_map(crs, (-60, -74), (-59.5, -74.3), (-59.5, -74.301))
    target = CRS.from_user_input(crs)
    vertices = fine_vertices([LineString(xy), LineString(xy[:2])], target, longest_m)
    pieces_m = np.linalg.norm(np.diff(earth_centred(vertices.xy, target), axis=0), axis=1)[
        vertices.joined[:-1]
    ]
    assert pieces_m.max() <= 1.01 * longest_m
    assert set(map(tuple, xy)) <= set(map(tuple, vertices.xy)), "what was clicked stays"
    assert vertices.joined.sum() == len(vertices.xy) - 2


@pytest.mark.parametrize("crs", ["EPSG:3031", "EPSG:3857", "EPSG:4326"])
def test_an_area_is_that_on_the_ground(crs):
    corners = [(-60, -74), (-59.9, -74), (-59.9, -74.03), (-60, -74.03)]
    hole = [(-59.98, -74.01), (-59.95, -74.01), (-59.95, -74.02)]
    polygon = Polygon(on_map(crs, *corners), [on_map(crs, *hole)])
    expected_m2 = [abs(GEOD.polygon_area_perimeter(*np.transpose(ring))[0]) for ring in (corners, hole)]
    assert area_m2(polygon, CRS.from_user_input(crs)) == pytest.approx(expected_m2[0] - expected_m2[1])
    assert area_m2(Polygon([(0, 0), (4, 0), (0, 3)]), None) == 6


def test_a_ring_around_the_pole_holds_the_pole():
    angle = np.linspace(0, 2 * np.pi, 721)
    ring = 1000 * np.column_stack([np.cos(angle), np.sin(angle)])
    radius_m = 1000 / map_factor(0.1, 0.1)
    assert area_m2(Polygon(ring), CRS.from_epsg(3031)) == pytest.approx(np.pi * radius_m**2, rel=1e-4)


@pytest.mark.parametrize(
    ("crs", "point"),
    [
        ("EPSG:4326", (0, 95)),
        ("EPSG:4326", (-1_500_000, -500_000)),
        ('LOCAL_CS["made up",UNIT["metre",1]]', (0, 0)),
        ("IAU_2015:30120", (0, 0)),
    ],
)
def test_what_is_no_place_on_earth_is_not_finite(crs, point):
    assert not np.isfinite(earth_centred(np.array([point], float), CRS.from_user_input(crs))).any()
    line = LineString([point, (point[0] + 1, point[1])])
    assert not np.isfinite(shapely.get_coordinates(reproject([line], CRS(crs), CRS.from_epsg(3031)))).any()


@pytest.mark.parametrize(
    "crs",
    [
        "+proj=longlat +ellps=bessel +towgs84=598.1,73.7,418.2,0.202,0.045,-2.455,6.7 +type=crs",
        "+proj=utm +zone=12 +south +ellps=intl +towgs84=-87,-98,-121,0,0,0,0 +type=crs",
    ],
)
def test_a_point_on_another_ellipsoid_lies_on_the_ground(crs):
    place = (-110, -75)
    there = earth_centred(on_map(crs, place), CRS(crs))
    np.testing.assert_allclose(there, earth_centred(np.array([place], float), DEGREES), rtol=0, atol=0.2)


def test_polygons_are_moved_along_their_parallels_and_meridians():
    """A region given by its corners in degrees, with a hole, and one of two parts."""
    shell, hole = [(-120, -72), (-80, -72), (-80, -78), (-120, -78)], [(-101, -74), (-99, -74), (-99, -75)]
    polygon, other = Polygon(shell, [hole]), shapely.box(170, -80, 200, -79)
    crs = CRS.from_epsg(3031)
    (there,) = reproject([polygon], DEGREES, crs)
    both = reproject([shapely.MultiPolygon([polygon, other]), shapely.MultiPolygon([other])], DEGREES, crs)
    assert there.is_valid and shapely.is_valid(both).all()
    assert len(there.interiors) == 1
    dense_m2 = [abs(area_m2(shapely.segmentize(one, 0.01), DEGREES)) for one in (polygon, other)]
    assert area_m2(there, crs) == pytest.approx(dense_m2[0], rel=1e-6)
    assert [sum(area_m2(part, crs) for part in shape.geoms) for shape in both] == pytest.approx(
        [sum(dense_m2), dense_m2[1]], rel=1e-6
    )
