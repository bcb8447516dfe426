import geopandas as gpd
import pandas as pd
import pytest
import shapely
from rasterio.crs import CRS
from shapely import LineString, MultiLineString, MultiPolygon, Point, Polygon

from glsweep.errors import DataError
from glsweep.scenes.lines import lines_to_judge, read_lines
from glsweep.scenes.names import scene_name

POLAR = CRS.from_epsg(3031)
LINE = LineString([(0, 0), (1000, 500), (1500, 2500)])
SQUARE = Polygon([(0, 0), (9, 0), (9, 9), (0, 9)], holes=[[(2, 2), (4, 2), (4, 4), (2, 4)]])


def write_lines(path, names, geometries, *, column="source_file", crs="EPSG:3031"):
    gpd.GeoDataFrame({column: names}, geometry=geometries, crs=crs).to_file(path)
    return path


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson"])
def test_every_format_gives_the_same_lines(tmp_path, suffix):
    names = ["a.shp", "b.shp", "a.shp"]
    path = write_lines(tmp_path / f"lines{suffix}", names, [LINE, LINE.reverse(), None], column="scene")
    file = read_lines(path, "scene")
    (line,) = file.lines_of("a", POLAR)
    assert line.equals_exact(LINE, 0.1)
    assert file.rows_by_scene == {"a": 2, "b": 1}
    assert file.rows_without_geometry == {"a": 1}


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("a.shp", "a"),
        ("a.tif", "a"),
        ("a", "a"),
        (" DInSAR/a.TIF ", "a"),
        ("C:\\lines\\a.shp", "a"),
        ("S1.2018-01", "S1.2018-01"),
        ("S1.2018-01.shp", "S1.2018-01"),
        (7, "7"),
        (None, ""),
        (float("nan"), ""),
    ],
)
def test_a_scene_is_named_by_its_stem(value, name):
    assert scene_name(value) == name


def test_null_empty_and_pointlike_lines_are_counted(tmp_path):
    pointlike = LineString([(5, 5), (5, 5)])
    path = write_lines(tmp_path / "l.gpkg", ["a", "a", "a", "b"], [None, LineString(), pointlike, LINE])
    file = read_lines(path, "source_file")
    assert file.rows_without_geometry == {"a": 3}
    assert file.by_scene["a"] == ()
    assert len(file.by_scene["b"]) == 1


def test_a_row_of_several_lines_is_taken_apart(tmp_path):
    several = MultiLineString([LINE, shapely.affinity.translate(LINE, 100)])
    file = read_lines(write_lines(tmp_path / "l.gpkg", ["a"], [several]), "source_file")
    assert list(file.by_scene["a"]) == list(several.geoms)
    assert file.rows_by_scene["a"] == 1


@pytest.mark.parametrize("geometry", [SQUARE, MultiPolygon([SQUARE])])
def test_a_polygon_counts_as_its_outlines(tmp_path, geometry):
    file = read_lines(write_lines(tmp_path / "l.gpkg", ["a"], [geometry]), "source_file")
    assert sorted(line.length for line in file.by_scene["a"]) == [8, 36]
    assert all(line.geom_type == "LineString" for line in file.by_scene["a"])


def test_heights_are_dropped(tmp_path):
    high = LineString([(0, 0, 5), (10, 0, 6)])
    file = read_lines(write_lines(tmp_path / "l.gpkg", ["a"], [high]), "source_file")
    assert not file.by_scene["a"][0].has_z


def test_lines_are_reprojected_to_the_rasters_crs(tmp_path):
    there = LineString([(-1_400_000, -900_000), (-1_390_000, -905_000)]).segmentize(1000)
    degrees = gpd.GeoSeries([there], crs="EPSG:3031").to_crs("EPSG:4326")
    path = write_lines(tmp_path / "l.geojson", ["a"], list(degrees), crs="EPSG:4326")
    (line,) = read_lines(path, "source_file").lines_of("a", POLAR)
    assert line.hausdorff_distance(there) < 1.0


def test_lines_in_the_rasters_crs_are_not_touched(tmp_path):
    path = write_lines(tmp_path / "l.gpkg", ["a"], [LINE])
    assert read_lines(path, "source_file").lines_of("a", POLAR)[0].equals_exact(LINE, 0)


def test_a_line_without_a_place_in_the_rasters_crs_is_refused(tmp_path):
    path = write_lines(tmp_path / "l.gpkg", ["a"], [LineString([(0, -80), (0, 95)])], crs="EPSG:4326")
    with pytest.raises(DataError, match="a line of scene a has no place in the scene's CRS EPSG:3031"):
        read_lines(path, "source_file").lines_of("a", POLAR)


def test_a_missing_column_is_answered_with_the_columns_there_are(tmp_path):
    path = write_lines(tmp_path / "l.gpkg", ["a"], [LINE], column="dataset")
    with pytest.raises(DataError, match=r"no column 'source_file'.*its columns are dataset"):
        read_lines(path, "source_file")


def test_points_are_refused_with_their_row(tmp_path):
    path = write_lines(tmp_path / "l.gpkg", ["a", "a"], [LINE, Point(1, 2)])
    with pytest.raises(DataError, match=r"l\.gpkg: row 1 is a Point"):
        read_lines(path, "source_file")


def test_lines_without_a_crs_are_refused(tmp_path):
    path = write_lines(tmp_path / "l.shp", ["a"], [LINE], column="scene")
    path.with_suffix(".prj").unlink()
    with pytest.raises(DataError, match="has no CRS"):
        read_lines(path, "scene")


def test_a_shapefiles_column_is_found_although_its_name_is_cut_to_ten_letters(tmp_path):
    path = write_lines(tmp_path / "l.shp", ["a"], [LINE], column="source_fil")
    assert read_lines(path, "source_file").rows_by_scene == {"a": 1}


def test_a_missing_and_a_broken_file_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such file of lines"):
        read_lines(tmp_path / "l.gpkg", "source_file")
    (tmp_path / "l.gpkg").write_bytes(b"no lines")
    with pytest.raises(DataError, match="cannot be read as lines") as caught:
        read_lines(tmp_path / "l.gpkg", "source_file")
    assert "\n" not in str(caught.value)


def test_a_style_table_beside_the_lines_does_no_harm_but_a_second_layer_does(tmp_path):
    path = write_lines(tmp_path / "l.gpkg", ["a"], [LINE])
    table = gpd.GeoDataFrame(pd.DataFrame({"style": ["x"]}))
    import pyogrio

    pyogrio.write_dataframe(pd.DataFrame(table), path, layer="layer_styles")
    assert read_lines(path, "source_file").rows_by_scene == {"a": 1}
    gpd.GeoDataFrame(geometry=[LINE], crs="EPSG:3031").to_file(path, layer="more")
    with pytest.raises(DataError, match="needs one layer of lines, has l, more"):
        read_lines(path, "source_file")


def test_what_was_drawn_where_nobody_can_tell_is_not_judged():
    drawn = LineString([(0, 0), (30_000, 0)])
    reference = [LineString([(0, 100), (10_000, 100)])]
    unsure = [LineString([(10_000, 100), (20_000, 100)])]
    judged = lines_to_judge([drawn], reference, unsure, 500.0)
    spans = sorted((part.bounds[0], part.bounds[2]) for part in judged)
    beyond_m = (500**2 - 100**2) ** 0.5
    assert spans == [
        (0, pytest.approx(10_000 + beyond_m, abs=2)),
        (pytest.approx(20_000 + beyond_m, abs=2), 30_000),
    ]
    assert lines_to_judge([drawn], reference, [], 500.0) == [drawn]
