"""Vector files as they come: what GDAL, GEOS or a text editor made of them."""

import sqlite3
import struct
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely import GeometryCollection, LineString, MultiLineString, Polygon

from glsweep.config.data_card import Region
from glsweep.errors import DataError
from glsweep.scenes.lines import read_groups, read_lines
from glsweep.scenes.polygons import read_region
from glsweep.scenes.vector_file import open_layer, read_geometries

LINE = LineString([(5_000, 0), (6_000, 500), (6_500, 2_500)])


def write(path, geometries=(LINE,), crs=3031, layer=None, **columns):
    columns = columns or {"name": [f"s{number}" for number in range(len(geometries))]}
    gpd.GeoDataFrame(columns, geometry=list(geometries), crs=crs).to_file(path, layer=layer)
    return path


def told_of(path, **options):
    with pytest.raises(DataError) as caught:
        read_groups(path, None, **options)
    told = str(caught.value)
    assert "\n" not in told
    assert told.startswith(str(path.parent))
    return told


def raw(kind, *points, flag=0):
    return struct.pack("<BII", 1, kind | flag, len(points)) + b"".join(
        struct.pack(f"<{len(p)}d", *p) for p in points
    )


def replaced_in_geopackage(path, row, wkb):
    """Write a geometry that no library would."""
    connection = sqlite3.connect(path)
    for (trigger,) in connection.execute("select name from sqlite_master where type='trigger'").fetchall():
        connection.execute(f'drop trigger "{trigger}"')
    head = struct.pack("<2sBBi", b"GP", 0, 1, 3031)
    connection.execute(f"update {path.stem} set geom=? where fid=?", (head + wkb, row + 1))
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "wkb",
    [
        raw(2, (1.0, 2.0)),
        raw(2),
        raw(2, (1.0, 2.0), (1.0, 2.0)),
        struct.pack("<BII", 1, 5, 1) + raw(2, (1.0, 2.0)),
        struct.pack("<BII", 1, 3, 1) + struct.pack("<I2d", 1, 1.0, 2.0),
        raw(1002, (1.0, 2.0, 3.0)),
    ],
    ids=["one point", "none", "twice the same", "part of several", "a polygon's", "with a height"],
)
def test_a_row_without_a_length_is_a_row_without_a_geometry(tmp_path, wkb):
    path = write(tmp_path / "l.gpkg", [LINE, LINE])
    replaced_in_geopackage(path, 1, wkb)
    file = read_lines(path, "name")
    assert file.rows_without_geometry == {"s1": 1}
    assert file.by_scene == {"s0": (LINE,), "s1": ()}
    assert read_groups(path, None).remarks == ("1 row has no geometry; left out",)


def test_a_part_of_one_point_takes_nothing_from_the_others(tmp_path):
    path = write(tmp_path / "l.gpkg")
    replaced_in_geopackage(path, 0, struct.pack("<BII", 1, 5, 2) + raw(2, (1.0, 2.0)) + shapely.to_wkb(LINE))
    assert read_lines(path, "name").by_scene["s0"] == (LINE,)


@pytest.mark.parametrize("flavor", ["iso", "extended"])
@pytest.mark.parametrize("byte_order", [0, 1])
@pytest.mark.parametrize("has_z", [False, True])
def test_what_geos_refuses_is_read_in_every_flavour(flavor, byte_order, has_z):
    """A collection beside a line of one point is refused as a whole."""
    several = [
        GeometryCollection([LINE, Polygon([(0, 0), (9, 0), (9, 9)], [[(5, 2), (6, 2), (6, 3)]])]),
        MultiLineString([LINE, LINE.reverse()]),
    ]
    if has_z:
        several = [shapely.force_3d(one, 7.0) for one in several]
    good = [shapely.to_wkb(one, flavor=flavor, byte_order=byte_order) for one in several]
    bad = struct.pack("<BII", 1, 7, 3) + raw(2, (1.0, 2.0)) + b"".join(good)
    (found,) = read_geometries([bad], "here")
    assert shapely.length(found) == pytest.approx(shapely.length(GeometryCollection(several)))


def test_an_open_ring_is_closed():
    open_ring = struct.pack("<BII", 1, 3, 1) + struct.pack("<I6d", 3, 0, 0, 9, 0, 9, 9)
    (found,) = read_geometries([open_ring], "here")
    assert found.equals(Polygon([(0, 0), (9, 0), (9, 9)]))


@given(st.binary(max_size=60))
def test_bytes_that_are_no_geometry_are_refused_by_their_row(noise):
    try:
        found = read_geometries([None, noise], "lines.gpkg")
    except DataError as error:
        assert str(error).startswith("lines.gpkg: row 1: its geometry cannot be understood")
    else:
        assert len(found) == 2


def test_curves_are_lines(tmp_path):
    path = write(tmp_path / "l.gpkg")
    replaced_in_geopackage(path, 0, raw(8, (0.0, 0.0), (1.0, 1.0), (2.0, 0.0)))
    (line,) = read_lines(path, "name").by_scene["s0"]
    assert line.length == pytest.approx(np.pi, rel=1e-3)


@pytest.mark.parametrize(
    "suffix", [".gpkg", ".GPKG", ".shp", ".SHP", ".geojson", ".GeoJSON", ".json", ".JSON", ".fgb", ".FGB"]
)
def test_every_suffix_is_read_whatever_its_case(tmp_path, suffix):
    lower = write(tmp_path / f"l{suffix.lower()}")
    for path in list(tmp_path.glob("l.*")):
        path.rename(path.with_suffix(path.suffix.upper() if suffix.isupper() else path.suffix))
    path = next(p for p in tmp_path.iterdir() if p.suffix.lower() == lower.suffix)
    path = path.rename(tmp_path / f"l{suffix}")
    (lines,) = read_lines(path, "name").by_scene.values()
    assert lines[0].equals_exact(LINE, 1e-3)


@pytest.mark.parametrize("srs_id", [-1, 0])
def test_a_crs_of_no_place_is_none(tmp_path, srs_id):
    path = write(tmp_path / "l.gpkg", [Polygon([(0, 0), (9, 0), (9, 9)])])
    connection = sqlite3.connect(path)
    for table in ("gpkg_geometry_columns", "gpkg_contents"):
        connection.execute(f"update {table} set srs_id={srs_id}")
    connection.commit()
    connection.close()
    assert "has no CRS; " in told_of(path)
    assert "ogr2ogr -a_srs EPSG:3031 mended.gpkg l.gpkg" in told_of(path)
    with pytest.raises(DataError, match="has no CRS"):
        read_region(Region(split="test", polygons=path), open_layer(write(tmp_path / "good.gpkg")).crs)


@pytest.mark.parametrize("wkt", ['LOCAL_CS["site grid",UNIT["metre",1]]', "", "no CRS at all"])
def test_a_local_or_broken_prj_is_no_crs(tmp_path, wkt):
    path = write(tmp_path / "l.shp")
    path.with_suffix(".prj").write_text(wkt)
    assert "has no CRS" in told_of(path)


def latin(path, **columns):
    gpd.GeoDataFrame(columns, geometry=[LINE], crs=3031).to_file(path, encoding="ISO-8859-1")
    path.with_suffix(".cpg").write_text("UTF-8")
    return path


def test_a_wrong_encoding_matters_only_where_it_is_read(tmp_path):
    path = latin(tmp_path / "l.shp", name=["a"], drawn_by=["Zoë"])
    assert list(read_lines(path, "name").by_scene) == ["a"]
    assert list(read_groups(path, None).by_scene) == [""]
    with pytest.raises(DataError, match=r"row 0: the text in its column drawn_by .*ISO-8859-1, into l\.cpg"):
        read_groups(path, "drawn_by")
    path.with_suffix(".cpg").write_text("ISO-8859-1")
    assert list(read_groups(path, "drawn_by").by_scene) == ["Zoë"]


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-8"])
def test_without_a_cpg_the_text_decides(tmp_path, encoding):
    path = tmp_path / "l.shp"
    gpd.GeoDataFrame({"name": ["Zoë"]}, geometry=[LINE], crs=3031).to_file(path, encoding=encoding)
    path.with_suffix(".cpg").unlink()
    assert list(read_lines(path, "name").by_scene) == ["Zoë"]


def test_a_geopackage_with_text_that_is_not_utf_8_is_told(tmp_path):
    path = write(tmp_path / "l.gpkg", name=["a"], note=["b"])
    connection = sqlite3.connect(path)
    for (trigger,) in connection.execute("select name from sqlite_master where type='trigger'").fetchall():
        connection.execute(f'drop trigger "{trigger}"')
    connection.execute("update l set note=cast(x'5a6feb' as text)")
    connection.commit()
    connection.close()
    assert list(read_lines(path, "name").by_scene) == ["a"]
    with pytest.raises(DataError, match="is not in the encoding that the file names"):
        read_groups(path, "note")


def test_a_layer_is_named_where_there_are_several(tmp_path):
    path = write(tmp_path / "l.gpkg", layer="west")
    other = shapely.affinity.translate(LINE, 0, 100)
    write(path, [other], layer="east")
    write(path, [shapely.Point(1, 2)], layer="stations")
    pyogrio.write_dataframe(pd.DataFrame({"style": ["x"]}), path, layer="styles")
    assert (
        "needs one layer of lines, has west, east; name one, such as --layer west, or l.gpkg|west"
        in told_of(path)
    )
    assert "has no layer 'north'; its layers are west, east, stations" in told_of(path, layer="north")
    for source, layer in ((path, "east"), (f"{path}|east", None), (f"{path}|layername=east", None)):
        assert read_groups(type(path)(source), None, layer=layer).by_scene == {"": (other,)}


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb"])
def test_a_pointer_and_a_cut_file_are_told(tmp_path, suffix):
    path = write(tmp_path / f"l{suffix}", [shapely.affinity.translate(LINE, 0, n) for n in range(200)])
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 9 // 10])
    assert any(word in told_of(path) for word in ("is cut: it has", "Unterminated", "Fatal error parsing"))
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
    assert "is a git-lfs pointer" in told_of(path)
    assert "git lfs pull" in told_of(path)


@pytest.mark.parametrize(
    ("suffix", "driver", "layer"),
    [
        (".geojsonl", "GeoJSONSeq", None),
        (".geojsons", "GeoJSONSeq", None),
        (".gml", "GML", None),
        (".kml", "KML", None),
        (".gpx", "GPX", "routes"),
    ],
)
def test_a_text_that_is_cut_anywhere_in_its_last_row_is_told(tmp_path, suffix, driver, layer):
    lines = [shapely.affinity.translate(LineString([(-110, -75), (-109, -75)]), 0, n / 10) for n in range(3)]
    path = tmp_path / f"l{suffix}"
    gpd.GeoDataFrame({"name": list("abc")}, geometry=lines, crs=4326).to_file(path, driver=driver)
    assert sum(read_groups(path, None, layer=layer).rows_by_scene.values()) == 3
    whole = path.read_bytes().rstrip()
    for length in range(len(whole) - 1, len(whole) - 120, -7):
        path.write_bytes(whole[:length])
        assert "obtain it again" in told_of(path, layer=layer)


def test_a_file_of_no_rows_is_told_to_hold_no_line(tmp_path):
    path = write(tmp_path / "l.gpkg", [], name=[])
    assert read_groups(path, None).remarks == ("holds no line",)


@pytest.mark.parametrize("part", [".dbf", ".shx"])
def test_every_part_of_a_shapefile_must_be_whole(tmp_path, part):
    path = write(tmp_path / "l.shp", [shapely.affinity.translate(LINE, 0, n) for n in range(50)])
    beside = path.with_suffix(part)
    beside.write_bytes(beside.read_bytes()[:200])
    assert f"l{part}: is cut: it has 200 bytes" in told_of(path)
    path.with_suffix(".shx").unlink()
    assert "its .shx is not there" in told_of(path)


def test_a_folder_and_a_file_that_is_not_there_are_told(tmp_path):
    assert "is a folder; name the file of lines in it" in told_of(tmp_path / ".")
    assert "there is no such file of lines" in told_of(tmp_path / "gone.gpkg")


def test_numbers_and_truths_beside_an_empty_cell_are_what_they_were(tmp_path):
    lines = [shapely.affinity.translate(LINE, 0, 100 * n) for n in range(3)]
    columns = {
        "region": pd.array([7, 8, None], dtype="Int64"),
        "sure": pd.array([True, None, False], dtype="boolean"),
    }
    path = write(tmp_path / "l.gpkg", lines, **columns)
    assert list(read_groups(path, "region").by_scene) == ["7", "8"]
    assert read_groups(path, "region").remarks == ("1 row has no value in region; left out",)
    assert list(read_groups(path, "sure").by_scene) == ["True", "False"]
    nothing = write(tmp_path / "n.gpkg", lines, region=[None, " ", ""])
    with pytest.raises(DataError, match="its column region is empty in every row"):
        read_groups(nothing, "region")


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb"])
def test_large_integers_beside_an_empty_cell_stay_apart(tmp_path, suffix):
    lines = [shapely.affinity.translate(LINE, 0, 100 * n) for n in range(3)]
    numbers = [2**53 + 1, 2**53, None]
    path = write(tmp_path / f"l{suffix}", lines, source=pd.array(numbers, dtype="Int64"))
    assert set(read_lines(path, "source").by_scene) == {"9007199254740993", "9007199254740992", ""}


def test_numbers_that_the_file_itself_has_rounded_are_refused(tmp_path):
    path = write(tmp_path / "l.gpkg", source=[2.0**53 + 2])
    with pytest.raises(
        DataError, match=r"row 0: the number in its column source .* write the column as text"
    ):
        read_groups(path, "source")


def test_what_qgis_names_is_opened_unless_it_is_filtered(tmp_path):
    path = write(tmp_path / "l.gpkg", region=["Getz"])
    for source in (f"{path}|layername=l|geometrytype=LineString", f"{path}|geometrytype=LineString"):
        assert read_groups(Path(source), "region").rows_by_scene == {"Getz": 1}
    for before in ("|layername=l", ""):
        told = told_of(Path(f"{path}{before}|subset=\"region\" = 'Ge' || 'tz'"))
        assert "has a filter (subset=), which is not applied; export the filtered layer" in told


def test_a_day_is_one_value_in_every_format(tmp_path):
    day = pd.to_datetime(["2019-12-17"])
    found = set()
    for suffix in (".gpkg", ".geojson", ".fgb"):
        found |= set(read_groups(write(tmp_path / f"l{suffix}", when=day), "when").by_scene)
    assert found == {"2019-12-17"}


def test_a_bad_row_is_named_by_its_place_in_the_file(tmp_path):
    path = write(tmp_path / "l.gpkg", [LINE, LINE, shapely.Point(1, 2)], region=[None, "a", "b"])
    with pytest.raises(DataError, match="row 2 is a Point"):
        read_groups(path, "region")
