"""The map of all dates: in their order, with the ground between them, whatever map a scene is on."""

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from geodesics import geodesic_km, map_factor
from made_drawn_scenes import drawn_scene
from made_input import NORTH_UP
from rasterio.crs import CRS
from shapely import LineString, box

from glsweep.geodesy import reproject
from glsweep.metrics.zone import SPACING_M
from glsweep.prediction.overview import overview_of
from glsweep.prediction.overview_files import Coast, colours_of, write_overview
from glsweep.prediction.overview_picture import coast_below, draw_overview

LEFT_M, TOP_M = NORTH_UP.c, NORTH_UP.f


def across(y_m, *, from_m=1_000, to_m=19_000):
    """A straight line through the scene, so far below its upper edge."""
    return LineString([(LEFT_M + from_m, TOP_M - y_m), (LEFT_M + to_m, TOP_M - y_m)])


def elsewhere(name, y_m):
    """A scene 100 km farther east, with a line."""
    line = shapely.transform(across(y_m), lambda xy: np.add(xy, [100_000, 0]))
    return drawn_scene(name, [line], transform=NORTH_UP.translation(100_000, 0) @ NORTH_UP)


def test_the_zone_of_two_parallel_lines_is_their_length_times_their_distance():
    scenes = [
        drawn_scene("20180105_20180111", [across(5_000)]),
        drawn_scene("20190105_20190111", [across(5_800)]),
    ]
    overview = overview_of(scenes)
    factor = map_factor(LEFT_M + 10_000, TOP_M - 5_400)
    wanted_km2 = geodesic_km(across(5_400)) * 0.8 / factor
    assert sum(overview.area_km2) == pytest.approx(wanted_km2, rel=2 * SPACING_M / 18_000)
    assert np.median(overview.width_m) == pytest.approx(800 / factor, rel=0.002)


def test_what_lies_between_the_outermost_of_three_dates_counts_once():
    dates = ("20180105", "20180205", "20180305")
    scenes = [drawn_scene(day, [across(y_m)]) for day, y_m in zip(dates, (5_000, 5_800, 5_300), strict=True)]
    assert sum(overview_of(scenes).area_km2) == pytest.approx(sum(overview_of(scenes[:2]).area_km2), rel=0.01)


def test_between_scenes_that_do_not_overlap_there_is_no_zone():
    here = drawn_scene("20180105", [across(5_000)])
    assert overview_of([here, elsewhere("20190105", 5_300)]).ground == []
    assert overview_of([here]).ground == []


def test_places_far_from_each_other_have_zones_of_their_own():
    scenes = [drawn_scene(f"2018{month}05_a", [across(5_000 + 100 * month)]) for month in (10, 12)]
    scenes += [elsewhere(f"2018{month}06_b", 5_000 + 100 * month) for month in (10, 12)]
    one, other = overview_of(scenes).ground
    assert one.area == pytest.approx(other.area, rel=0.05)
    assert one.distance(other) > 70_000


def test_frames_of_one_date_have_no_zone_between_them():
    scenes = [drawn_scene(f"20180105_{frame}", [across(y_m)]) for frame, y_m in (("a", 5_000), ("b", 5_500))]
    assert overview_of(scenes).ground == []


def test_scenes_are_in_the_order_of_their_dates_and_those_without_come_last():
    names = ("x", "b_20190105", "a_20200105", "c_20180105")
    overview = overview_of([drawn_scene(name, [across(5_000)]) for name in names])
    assert [scene.made.scene for scene in overview.scenes] == ["c_20180105", "b_20190105", "a_20200105", "x"]
    assert overview.labels == ["2018-01-05", "2019-01-05", "2020-01-05", "x"]
    brightness = [
        sum(int(colour[at : at + 2], 16) for at in (1, 3, 5))
        for colour in colours_of(overview.labels).values()
    ]
    assert brightness == sorted(brightness)


def test_a_scene_on_another_map_lies_where_it_is():
    utm = pyproj.CRS.from_epsg(32714)
    (moved,) = reproject([across(5_000)], pyproj.CRS.from_epsg(3031), utm)
    left, bottom, right, top = moved.bounds
    transform = NORTH_UP.translation(left - 1_000, top + 1_000) @ NORTH_UP.scale(100, -100)
    shape = (int((top - bottom) / 100) + 20, int((right - left) / 100) + 20)
    other = drawn_scene("20190105", [moved], transform=transform, crs=CRS.from_epsg(32714), shape=shape)
    overview = overview_of([drawn_scene("20180105", [across(5_000, from_m=500)]), other])
    assert overview.crs.to_epsg() == 3031
    assert shapely.hausdorff_distance(overview.scenes[1].lines[0], across(5_000)) < 1
    assert sum(overview.area_km2) < 0.01


def test_a_scene_without_a_place_is_named():
    lost = drawn_scene("lost", [across(5_000)], is_placed=False)
    assert overview_of([drawn_scene("20180105", [across(5_000)]), lost]).unplaced == ("lost",)
    assert overview_of([lost]) is None


def test_the_files_hold_every_line_with_its_date_and_the_zone(tmp_path):
    scenes = [drawn_scene("20180105_20180115", [across(5_000)]), drawn_scene("undated", [across(5_800)])]
    overview = overview_of(scenes)
    figure = draw_overview(overview, [box(*across(5_000).buffer(9_000).bounds)])
    assert [path.name for path in write_overview(overview, figure, tmp_path)] == [
        "overview.png",
        "overview.svg",
        "overview.gpkg",
    ]
    lines = gpd.read_file(tmp_path / "overview.gpkg", layer="lines").set_index("scene")
    assert lines["date"].to_dict() == {"20180105_20180115": "2018-01-10", "undated": ""}
    looks = gpd.read_file(tmp_path / "overview.gpkg", layer="layer_styles").set_index("f_table_name")
    assert all(label in looks.loc["lines", "styleQML"] for label in overview.labels)
    zone = gpd.read_file(tmp_path / "overview.gpkg", layer="zone")
    assert zone["area_km2"].tolist() == pytest.approx(overview.area_km2, abs=1e-4)
    drawn = (tmp_path / "overview.svg").read_text()
    assert all(
        text in drawn for text in ("EPSG:3031", "2018-01-05 to 2018-01-15", "undated", "zone between them")
    )


def test_the_coast_is_the_users_or_on_wide_maps_the_one_in_the_package():
    near = overview_of([drawn_scene("20180105", [across(5_000)])])
    assert coast_below(near, None) == []
    own = Coast([box(LEFT_M, TOP_M - 9_000, LEFT_M + 9_000, TOP_M)], pyproj.CRS.from_epsg(3031))
    assert len(coast_below(near, own)) == 1
    assert coast_below(near, Coast([box(0, 0, 1, 1)], pyproj.CRS.from_epsg(3031))) == []
    long = LineString([(LEFT_M, TOP_M), (LEFT_M + 600_000, TOP_M)])
    assert coast_below(overview_of([drawn_scene("20180105", [long])]), None)


def test_of_many_dates_a_bar_says_some():
    scenes = [drawn_scene(f"2018{month:02}05", [across(5_000 + 20 * month)]) for month in range(1, 13)]
    figure = draw_overview(overview_of(scenes), [box(*across(5_000).bounds)])
    assert len(figure.axes) > 1
    texts = [text.get_text() for axes in figure.axes for text in axes.get_yticklabels()]
    assert {"2018-01-05", "2018-12-05"} <= set(texts)
