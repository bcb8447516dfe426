import json
import shutil

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from shapely import LineString

from glsweep.config.card_files import card_for_folder
from glsweep.config.data_card import DataCard, Layout
from glsweep.errors import DataError
from glsweep.scenes.catalogue import open_catalogue
from glsweep.scenes.raster import write_interferogram

POLAR = CRS.from_epsg(3031)
HALF_ACROSS = LineString([(-1_000, -1_000), (2_000, -1_000)])


def make_folder(root, scenes, rows, *, line_crs="EPSG:3031"):
    """Scenes of 20 x 40 pixels as {path: posting}, and rows as (source_file, geometry)."""
    for name, posting_m in scenes.items():
        array = np.ones((20, 40), np.complex64)
        transform = Affine(posting_m, 0, 0, 0, -posting_m, 0)
        write_interferogram(root / "DInSAR" / f"{name}.tif", array, transform, POLAR)
    names, geometries = zip(*rows, strict=True)
    table = gpd.GeoDataFrame({"source_file": list(names)}, geometry=list(geometries), crs=line_crs)
    table.to_file(root / "all_manual_segm_gl.gpkg")
    return root


def card(root, **changes):
    return DataCard(name="test", root=root, **changes)


def test_the_getz_scenes_tell_of_null_rows_and_of_the_scene_without_a_row(getz):
    catalogue = open_catalogue(getz, card_for_folder(getz))
    found = catalogue.findings()
    assert json.loads(json.dumps(found)) == found
    assert (found["scenes"], found["line_rows"], found["posting_m"]) == (8, 76, 100)
    assert found["rows_without_geometry"] == 3
    assert sorted(name[-3:] for name in found["rows_without_geometry_by_scene"]) == ["002", "005", "007"]
    assert found["scenes_without_row"] == ["coco20180930_20181006-20181006_20181012_003"]
    assert found["scenes_without_line"] == found["scenes_without_row"]
    assert found["rows_without_scene"] == {}
    assert sum(facts["line_km"] for facts in found["by_scene"].values()) == pytest.approx(1014.6, abs=1)
    assert catalogue.entries[0].read().shape == (768, 768)


def test_scenes_are_joined_to_their_own_lines(tmp_path):
    drawn = [(name, HALF_ACROSS) for name in ("b.shp", "a.tif", "z.shp")]
    rows = [*drawn, ("b.shp", None), (None, None)]
    root = make_folder(tmp_path, {"b": 100, "a": 100, "c": 100}, rows)
    catalogue = open_catalogue(root, card(root))
    assert [(e.name, len(e.lines), e.has_row) for e in catalogue.entries] == [
        ("a", 1, True),
        ("b", 1, True),
        ("c", 0, False),
    ]
    found = catalogue.findings()
    assert found["rows_without_scene"] == {"": 1, "z": 1}
    assert found["rows_without_geometry_by_scene"] == {"b": 1}
    assert found["by_scene"]["a"] == {
        "rows": 20,
        "cols": 40,
        "posting_m": 100,
        "crs": "EPSG:3031",
        "lines": 1,
        "line_km": 2.0,
    }


def test_a_scene_is_read_with_its_lines_and_place(tmp_path):
    root = make_folder(tmp_path, {"a": 100}, [("a", HALF_ACROSS)])
    (entry,) = open_catalogue(root, card(root)).entries
    scene = entry.read()
    assert scene.shape == entry.shape == (20, 40)
    assert scene.posting_m == entry.posting_m == 100
    assert scene.ground(0, 0, *scene.shape).equals(entry.ground())
    assert scene.lines == entry.lines == (HALF_ACROSS,)


def test_a_scene_whose_lines_all_lie_outside_is_told_of_but_not_fatal(tmp_path):
    outside = LineString([(90_000, 0), (90_000, 10)])
    root = make_folder(tmp_path, {"a": 100, "b": 100}, [("a", HALF_ACROSS), ("b", outside)])
    assert open_catalogue(root, card(root)).findings()["scenes_with_lines_outside_only"] == ["b"]


def test_pixels_are_not_read_when_the_catalogue_is_opened(tmp_path):
    root = make_folder(tmp_path, {"a": 100}, [("a", HALF_ACROSS)])
    path = root / "DInSAR" / "a.tif"
    with rasterio.open(path, "r+") as file:
        file.write(np.zeros((file.count, *file.shape), np.float32))
    (entry,) = open_catalogue(root, card(root)).entries
    with pytest.raises(DataError, match="are without data"):
        entry.read()


def test_lines_in_another_crs_are_moved_to_the_raster(tmp_path):
    line = LineString([(500, -1_000), (2_000, -1_500)])
    degrees = gpd.GeoSeries([line], crs=3031).to_crs(4326)[0]
    root = make_folder(tmp_path, {"a": 100}, [("a", degrees)], line_crs="EPSG:4326")
    assert open_catalogue(root, card(root)).entries[0].lines[0].equals_exact(line, 0.01)


def refused(root, told, **changes):
    with pytest.raises(DataError, match=told) as caught:
        open_catalogue(root, card(root, **changes))
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(root))


def test_a_folder_without_rasters_is_refused(tmp_path):
    refused(tmp_path, r"no raster matches DInSAR/\*\.tif")


def test_two_scenes_of_one_name_are_refused(tmp_path):
    root = make_folder(tmp_path, {"a": 100}, [("a", HALF_ACROSS)])
    (root / "DInSAR" / "more").mkdir()
    shutil.copy(root / "DInSAR" / "a.tif", root / "DInSAR" / "more" / "a.tif")
    layout = Layout(rasters="DInSAR/**/*.tif")
    refused(root, r"more/a\.tif: has the name of .*DInSAR/a\.tif \(a\); rename all but one", layout=layout)


def test_lines_that_touch_no_scene_are_refused(tmp_path):
    outside = LineString([(90_000, 0), (90_000, 10)])
    root = make_folder(tmp_path, {"a": 100, "b": 100}, [("a", outside), ("b", outside)])
    refused(root, "none of its lines touches the scene")


def test_names_that_match_no_scene_are_refused_with_an_example_of_both(tmp_path):
    root = make_folder(tmp_path, {"a": 100}, [("other.shp", HALF_ACROSS)])
    refused(root, "no row belongs to a scene .*holds 'other', a scene is named 'a'")


def test_rows_without_any_geometry_are_refused(tmp_path):
    root = make_folder(tmp_path, {"a": 100}, [("a", None), ("b", HALF_ACROSS)])
    refused(root, "no row of a scene has a geometry")


def test_scenes_of_different_postings_are_refused(tmp_path):
    root = make_folder(tmp_path, {"a": 100, "b": 50}, [("a", HALF_ACROSS)])
    refused(root, r"b\.tif: its posting is 50 m, a\.tif has 100 m")


def test_a_posting_other_than_the_cards_is_refused(tmp_path):
    root = make_folder(tmp_path, {"a": 100.5}, [("a", HALF_ACROSS)])
    open_catalogue(root, card(root, posting_m=100))
    refused(root, r"its posting is 100\.5 m, the data card says 90 m", posting_m=90)


def test_a_missing_file_of_lines_is_refused(tmp_path):
    root = make_folder(tmp_path, {"a": 100}, [("a", HALF_ACROSS)])
    refused(root, r"lines\.shp: there is no such file", layout=Layout(lines="lines.shp"))
