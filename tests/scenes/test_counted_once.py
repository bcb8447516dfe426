"""A line counts once: repeated rows, and polygons that somebody cut."""

import geopandas as gpd
import numpy as np
import pyproj
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import LineString, MultiLineString, MultiPolygon, Polygon, box
from shapely.affinity import rotate, translate

from glsweep.scenes.lines import read_groups, read_lines, without_repeats
from glsweep.scenes.polygons import outlines_of

POLAR, DEGREES = pyproj.CRS(3031), pyproj.CRS(4326)
BAY = np.column_stack([np.linspace(0, 30_000, 61) - 1.3e6, 800 * np.sin(np.linspace(0, 20, 61)) - 9e5])
LINE = LineString(BAY)
RING = LineString([(5, 5), (90, 5), (70, 80), (20, 60), (5, 5)])


def write(path, geometries, names, crs=3031):
    gpd.GeoDataFrame({"scene": names}, geometry=list(geometries), crs=crs).to_file(path)
    return path


def total_km(file):
    return sum(line.length for lines in file.by_scene.values() for line in lines) / 1000


@pytest.mark.parametrize(
    "again",
    [
        LINE,
        LINE.reverse(),
        LineString(BAY + 4e-7),
        LineString(BAY[10:30]),
        MultiLineString([LINE, LINE]),
        MultiLineString([LineString(BAY[30:][::-1]), LineString(BAY[:31])]),
    ],
    ids=["twice", "reversed", "rounded", "a part", "in one row", "in two parts"],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_line_that_is_there_again_counts_once(tmp_path, again, is_first):
    rows = [LINE, again] if is_first else [again, LINE]
    file = read_lines(write(tmp_path / "l.gpkg", rows, ["a", "a.shp"]), "scene")
    assert sum(line.length for line in file.by_scene["a"]) == pytest.approx(LINE.length)
    assert file.rows_by_scene == {"a": 2}
    assert file.rows_without_geometry == {}
    (remark,) = file.remarks
    assert "in it twice and count" in remark


def test_the_same_line_of_two_scenes_belongs_to_both_and_counts_once_for_all_together(tmp_path):
    path = write(tmp_path / "l.gpkg", [LINE, LINE], ["a", "b"])
    file = read_lines(path, "scene")
    assert file.by_scene == {"a": (LINE,), "b": (LINE,)}
    assert file.remarks == ()
    together = read_groups(path, None)
    assert together.by_scene == {"": (LINE,)}
    assert together.remarks == ("1 line is in it twice and counts once",)


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans(), st.integers(0, 3)), max_size=12))
def test_what_is_drawn_is_neither_lost_nor_doubled(drawn):
    """Lines far from each other and a ring, in any order and direction, the ring begun anywhere."""
    lines, ring = [], shapely.get_coordinates(RING)[:-1]
    for number, is_reversed, start in drawn:
        begun = np.roll(ring, start, axis=0)
        line = LineString([*begun, begun[0]]) if number == 4 else translate(LINE, 0, 5_000 * number)
        lines.append(line.reverse() if is_reversed else line)
    expected = {number: (RING if number == 4 else LINE).length for number, _, _ in drawn}
    kept = without_repeats(lines)
    assert sum(line.length for line in kept) == pytest.approx(sum(expected.values()))
    assert len(kept) == len(expected)


def test_lines_that_cross_touch_or_run_close_are_all_kept():
    near = [LINE, translate(LINE, 0, 1e-3), LineString(BAY[[0, 60]]), LineString([BAY[5], BAY[5] + 1000])]
    assert without_repeats(near) == near


def wavy(west_m, east_m, y_m=0.0):
    """Ground with a wavy northern shore, cut on its other sides."""
    x = np.linspace(west_m, east_m, 41)
    shore = np.column_stack([x, y_m + 300 * np.sin(x / 700)])
    return Polygon([(west_m, y_m - 5_000), *shore, (east_m, y_m - 5_000)])


def shore_m(*tiles):
    return sum(LineString(shapely.get_coordinates(tile)[1:42]).length for tile in tiles)


def drawn_m(polygons, crs=POLAR):
    return sum(line.length for lines in outlines_of(polygons, crs).lines for line in lines)


TILES = [wavy(10_000 + 5_000 * n, 15_000 + 5_000 * n) for n in range(4)]
INLAND = [box(10_000 + 5_000 * n, -10_000, 15_000 + 5_000 * n, -5_000) for n in range(4)]


@pytest.mark.parametrize(
    "polygons", [TILES, TILES + INLAND, [MultiPolygon(TILES)]], ids=["row", "grid", "one row"]
)
def test_of_a_mask_that_was_traced_tile_by_tile_the_shore_is_left(tmp_path, polygons):
    path = write(tmp_path / "tiles.gpkg", polygons, ["a"] * len(polygons))
    file = read_lines(path, "scene")
    assert total_km(file) == pytest.approx(shore_m(*TILES) / 1000, rel=1e-6)
    assert file.rows_without_geometry == {}
    assert "polygons have edges that are no line" in file.remarks[0]


@pytest.mark.parametrize("turn_deg", [0, 33])
def test_what_neighbours_share_in_part_counts_for_neither(turn_deg):
    west, east = box(5e5, 5e5, 5.1e5, 5.2e5), box(5.1e5, 5.15e5, 5.3e5, 5.4e5)
    turned = [rotate(one, turn_deg, origin=(4e5, 4e5)) for one in (west, east)]
    assert drawn_m(turned) == pytest.approx(west.length + east.length - 2 * 5_000)


def test_an_island_that_fills_a_hole_has_no_line_around_it():
    hole = box(6_000, 6_000, 7_000, 7_000)
    around = Polygon(box(5_000, 5_000, 9_000, 9_000).exterior, [hole.exterior])
    assert drawn_m([around]) == pytest.approx(20_000)
    assert drawn_m([around, hole]) == pytest.approx(16_000)


def test_polygons_that_lie_over_each_other_are_no_neighbours():
    """Such as of two dates: they may have a side in common, on which both are ground."""
    first, second = wavy(50_000, 60_000), box(50_000, -4_000, 55_000, -1_000)
    far = [translate(Polygon(RING.coords), x_m, 0) for x_m in (40_000, 70_000)]
    assert outlines_of([first, second, *far], POLAR).cut == 0
    lines = [line for own in outlines_of([first, first], POLAR).lines for line in own]
    assert without_repeats(lines) == lines[: len(lines) // 2]


def test_the_antimeridian_is_no_line_in_degrees_and_on_the_map():
    east = Polygon([(170, -80), (180, -80), (180, -75), (175, -74), (170, -75)])
    west = Polygon([(-180, -80), (-170, -81), (-172, -76), (-180, -75)])
    assert drawn_m([east], DEGREES) == pytest.approx(east.length - 5)
    assert drawn_m([east, west], DEGREES) == pytest.approx(east.length + west.length - 10)
    for polygon in (east, west):
        (on_map,) = gpd.GeoSeries([polygon], crs=4326).to_crs(3031)
        points = shapely.get_coordinates(on_map)
        at_seam = np.abs(points[:, 0]) < 1
        seam_m = np.hypot(*np.diff(points, axis=0).T)[at_seam[:-1] & at_seam[1:]].sum()
        assert seam_m > 400_000
        assert drawn_m([on_map]) == pytest.approx(on_map.length - seam_m)


def test_where_longitudes_run_to_360_greenwich_is_no_line_either():
    east = Polygon([(359, -70), (360, -70.2), (360, -71), (359, -70.8)])
    west = Polygon([(0, -70.2), (1, -70.3), (1, -70.9), (0, -71)])
    assert drawn_m([east, west], DEGREES) == pytest.approx(east.length + west.length - 1.6)
    assert drawn_m([west], DEGREES) == pytest.approx(west.length)
    shore = LineString([(longitude, -75 + np.sin(longitude / 10)) for longitude in range(361)])
    around = Polygon([*shore.coords, (360, -90), (0, -90)])
    assert drawn_m([around], DEGREES) == pytest.approx(shore.length)


def test_a_line_along_the_antimeridian_is_one_if_it_was_drawn_as_a_line(tmp_path):
    line = LineString([(180, -80), (180, -75)])
    file = read_lines(write(tmp_path / "l.gpkg", [line], ["a"], crs=4326), "scene")
    assert file.by_scene["a"] == (line,)


def test_outlines_that_nobody_cut_stay_as_they_are():
    lakes = [Polygon(RING.coords), translate(Polygon(RING.coords), 500, 300), box(900, 6, 950, 45)]
    found = outlines_of(lakes, POLAR)
    assert found.cut == 0
    assert [own[0].equals(lake.exterior) for own, lake in zip(found.lines, lakes, strict=True)] == [True] * 3


def test_boxes_keep_what_lies_on_the_frame_of_the_file():
    assert drawn_m([box(5, 5, 10, 10), box(10, 5, 20, 10)]) == pytest.approx(40)
    assert drawn_m([box(5, 5, 10, 10), box(50, 5, 60, 10)]) == pytest.approx(50)
