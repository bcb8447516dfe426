"""North, scale, place and coast of a map."""

import math
from datetime import date

import numpy as np
import pyproj
import pytest
import shapely
from affine import Affine
from matplotlib.figure import Figure

from glsweep.geodesy import lengths_m, lon_lat
from glsweep.pages.map_furniture import draw_locator, scale_bar
from glsweep.pages.map_place import (
    Locator,
    dates_words,
    directions,
    lands,
    locator,
    lon_lat_words,
    map_bounds,
    middle,
    north_deg,
    place_words,
    round_length_m,
)

ROSS_ICE_SHELF = (-300_000.0, -1_100_000.0, -250_000.0, -1_050_000.0)
MAPS = {
    "EPSG:3031": ROSS_ICE_SHELF,
    "EPSG:3413": (-200_000.0, -1_200_000.0, -150_000.0, -1_150_000.0),
    "EPSG:32633": (500_000.0, 8_700_000.0, 540_000.0, 8_740_000.0),
}
ELLIPSOID = pyproj.Geod(ellps="WGS84")


@pytest.mark.parametrize("code", MAPS)
def test_a_place_one_kilometre_north_lies_where_the_arrow_points(code):
    crs, bounds_m = pyproj.CRS(code), MAPS[code]
    x, y = middle(bounds_m)
    ((longitude, latitude),) = lon_lat(np.array([[x, y]]), crs)
    north = ELLIPSOID.fwd(longitude, latitude, 0.0, 1000.0)[:2]
    x_north, y_north = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform(*north)
    along_deg = math.degrees(math.atan2(x_north - x, y_north - y))
    assert north_deg(x, y, crs) == pytest.approx(along_deg, abs=0.01)


def test_at_the_north_pole_the_arrow_still_has_a_direction():
    assert math.isfinite(north_deg(0.0, 0.0, pyproj.CRS("EPSG:3413")))
    assert math.isfinite(north_deg(0.0, 0.0, pyproj.CRS("EPSG:3031")))


@pytest.mark.parametrize("code", MAPS)
def test_the_scale_bar_is_as_long_on_the_ground_as_it_says(code):
    crs, bounds_m = pyproj.CRS(code), MAPS[code]
    x, y = middle(bounds_m)
    ground_m, map_m = scale_bar(bounds_m, crs)
    bar = shapely.LineString([(x - map_m / 2, y), (x + map_m / 2, y)])
    assert lengths_m([bar], crs)[0] == pytest.approx(ground_m, rel=1e-4)
    assert ground_m in {1e4, 5e3}


@pytest.mark.parametrize(("most_m", "length_m"), [(999, 500), (1000, 1000), (4999, 2000), (60_000, 50_000)])
def test_a_scale_bar_has_a_round_length(most_m, length_m):
    assert round_length_m(most_m) == length_m


def test_bounds_hold_a_raster_that_is_turned():
    turned = Affine.translation(1000, 2000) @ Affine.rotation(90) @ Affine.scale(10, -10)
    assert map_bounds(turned, (3, 5)) == pytest.approx((1000, 2000, 1030, 2050))


@pytest.mark.parametrize(
    ("code", "bounds_m", "words"),
    [
        ("EPSG:3031", ROSS_ICE_SHELF, "79.8° S, 165.7° W, Antarctica"),
        ("EPSG:3413", MAPS["EPSG:3413"], "79.1° N, 53.5° W, Greenland"),
        ("EPSG:32633", MAPS["EPSG:32633"], "78.6° N, 15.9° E, Svalbard"),
        ("EPSG:32719", (600_000, 4_800_000, 640_000, 4_830_000), "46.8° S, 67.4° W"),
    ],
)
def test_a_place_is_told_in_words_with_the_name_of_its_land(code, bounds_m, words):
    assert place_words(bounds_m, pyproj.CRS(code)) == words


def test_what_has_no_place_or_date_says_so():
    assert place_words((0, 0, 1000, 1000), None) == "place unknown"
    assert dates_words([]) == "dates unknown"
    assert directions((0, 0, 1000, 1000), None) is None


def test_days_are_told_once_and_in_order():
    days = [date(2020, 1, 13), date(2020, 1, 1), date(2020, 1, 13)]
    assert dates_words(days) == "1 Jan 2020, 13 Jan 2020"
    assert lon_lat_words(-0.04, -79.25) == "79.2° S, 0.0° W"


@pytest.mark.parametrize("code", ["EPSG:3031", "EPSG:3413"])
def test_between_nodes_longitude_and_latitude_are_those_of_the_projection(code):
    crs = pyproj.CRS(code)
    # The pole and the antimeridian are within, where longitudes jump.
    left, bottom, right, top = bounds_m = (-60_000.0, -80_000.0, 90_000.0, 70_000.0)
    nodes = np.array(directions(bounds_m, crs))
    between = (nodes[:-1, :-1] + nodes[1:, :-1] + nodes[:-1, 1:] + nodes[1:, 1:]) / 4
    x, y = (np.linspace(*ends, 9) for ends in ((left, right), (bottom, top)))
    at = np.stack(np.meshgrid((x[:-1] + x[1:]) / 2, (y[:-1] + y[1:]) / 2), axis=-1).reshape(-1, 2)
    xyz = between.reshape(-1, 3)
    xyz /= np.linalg.norm(xyz, axis=1, keepdims=True)
    found = np.degrees([np.arctan2(xyz[:, 1], xyz[:, 0]), np.arcsin(xyz[:, 2])])
    true = lon_lat(at, crs).T
    off_m = ELLIPSOID.inv(*found, *true)[2]
    assert np.max(off_m) < 20


def test_the_small_map_has_the_scene_on_land_and_its_own_map_where_that_is_polar():
    greenland = locator(MAPS["EPSG:3413"], pyproj.CRS("EPSG:3413"))
    assert pyproj.CRS(greenland.crs) == pyproj.CRS("EPSG:3413")
    assert any(land.contains(shapely.Point(greenland.at_m)) for land in lands(greenland.crs))
    svalbard = locator(MAPS["EPSG:32633"], pyproj.CRS("EPSG:32633"))
    assert pyproj.CRS(svalbard.crs) == pyproj.CRS("EPSG:3413")
    ((longitude, latitude),) = lon_lat(np.array([svalbard.at_m]), pyproj.CRS(svalbard.crs))
    assert (longitude, latitude) == pytest.approx((15.9, 78.55), abs=0.1)
    assert locator((600_000, 4_800_000, 640_000, 4_830_000), pyproj.CRS("EPSG:32719")) is None
    assert locator(ROSS_ICE_SHELF, None) is None


def test_places_near_each_other_have_one_mark_with_the_letters_of_all():
    crs = pyproj.CRS("EPSG:3031").to_wkt()
    near = {letter: Locator(crs, (1e6 + 1e4 * n, 0.0)) for n, letter in enumerate("abc")}
    axes = Figure().subplots()
    draw_locator(axes, {**near, "d": Locator(crs, (-1e6, 0.0)), "f": Locator(crs, (-1e6, 1e5))})
    assert [words.get_text() for words in axes.texts] == ["a\N{EN DASH}c", "df"]
    assert [line.get_xdata()[0] for line in axes.lines] == [1000, -1000]


def test_antarctica_is_one_land_without_the_cut_along_the_antimeridian():
    mainland = max(lands(pyproj.CRS("EPSG:3031").to_wkt()), key=lambda land: land.area)
    assert mainland.contains(shapely.Point(0, 0))
    assert mainland.area == pytest.approx(12.3e12, rel=0.05)
    inland = shapely.LineString([(0, -500_000), (0, -1000)])
    assert shapely.length(mainland.exterior.intersection(inland.buffer(20_000))) == 0
