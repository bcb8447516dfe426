import shutil
import unicodedata

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from affine import Affine
from geodesics import geodesic_km, map_factor
from rasterio.crs import CRS
from shapely import LineString

from glsweep.config.data_card import DataCard, Layout
from glsweep.errors import DataError
from glsweep.scenes.cards import card_for_folder
from glsweep.scenes.catalogue import open_catalogue
from glsweep.scenes.raster import write_interferogram
from glsweep.study.artifacts import CatalogueFindings

POLAR = CRS.from_epsg(3031)
HALF_ACROSS = LineString([(-1_000, -1_000), (2_000, -1_000)])


def make_folder(root, scenes, rows, *, line_crs="EPSG:3031"):
    """Scenes of 20 x 40 pixels as {path: posting}, and rows as (source_file, geometry)."""
    for name, posting_m in scenes.items():
        array = np.exp(1j * np.random.default_rng(0).uniform(-np.pi, np.pi, (20, 40))).astype(np.complex64)
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
    assert CatalogueFindings.model_validate_json(found.model_dump_json()) == found
    assert (found.scenes, found.line_rows, found.posting_m) == (8, 76, 100)
    assert found.rows_without_geometry == 3
    assert sorted(name[-3:] for name in found.rows_without_geometry_by_scene) == ["002", "005", "007"]
    assert found.scenes_without_row == ("coco20180930_20181006-20181006_20181012_003",)
    assert found.scenes_without_line == found.scenes_without_row
    assert found.rows_without_scene == {}
    ground_km = [
        geodesic_km(line.intersection(entry.ground())) for entry in catalogue.entries for line in entry.lines
    ]
    assert sum(ground_km) == pytest.approx(1023, abs=1)
    assert sum(facts.line_km for facts in found.by_scene.values()) == pytest.approx(sum(ground_km))
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
    assert found.rows_without_scene == {"": 1, "z": 1}
    assert found.rows_without_geometry_by_scene == {"b": 1}
    line_km = pytest.approx(2 / map_factor(1_000, -1_000), abs=0.001)
    a = found.by_scene["a"]
    assert (a.rows, a.cols, a.posting_m, a.crs) == (20, 40, 100, "EPSG:3031")
    assert (a.lines, a.line_km) == (1, line_km)


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
    assert open_catalogue(root, card(root)).findings().scenes_with_lines_outside_only == ("b",)


def test_a_scene_without_data_is_refused_when_the_catalogue_is_opened(tmp_path):
    root = make_folder(tmp_path, {"a": 100}, [("a", HALF_ACROSS)])
    path = root / "DInSAR" / "a.tif"
    with rasterio.open(path, "r+") as file:
        file.write(np.zeros((file.count, *file.shape), np.float32))
    refused(root, "are without data")


def test_lines_in_another_crs_are_moved_to_the_raster(tmp_path):
    # Straight lines are bent in degrees, most of all beside the pole.
    line = LineString([(500, -1_000), (2_000, -1_500)]).segmentize(20)
    degrees = gpd.GeoSeries([line], crs=3031).to_crs(4326)[0]
    root = make_folder(tmp_path, {"a": 100}, [("a", degrees)], line_crs="EPSG:4326")
    assert open_catalogue(root, card(root)).entries[0].lines[0].hausdorff_distance(line) < 0.1


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


def test_lines_of_a_layer_are_named_in_the_card(tmp_path):
    root = make_folder(tmp_path, {"a": 100}, [("a", HALF_ACROSS)])
    table = gpd.GeoDataFrame({"source_file": ["b"]}, geometry=[HALF_ACROSS], crs=3031)
    table.to_file(root / "all_manual_segm_gl.gpkg", layer="old")
    refused(
        root,
        r"has all_manual_segm_gl, old; name one, .*gl\.gpkg\|all_manual_segm_gl in a data card",
    )
    layout = Layout(lines="all_manual_segm_gl.gpkg|all_manual_segm_gl")
    assert open_catalogue(root, card(root, layout=layout)).entries[0].lines == (HALF_ACROSS,)


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_name_is_one_however_its_letters_are_composed(tmp_path, forms):
    on_disk, in_column = (unicodedata.normalize(form, "Mühlig_1") for form in forms)
    root = make_folder(tmp_path, {on_disk: 100}, [(f"{in_column}.shp", HALF_ACROSS)])
    (entry,) = open_catalogue(root, card(root)).entries
    assert entry.lines == (HALF_ACROSS,)


def test_names_in_another_case_are_refused_with_the_remedy_and_told_where_others_fit(tmp_path):
    rows = [("Pine_1.shp", HALF_ACROSS), ("PINE_2.shp", HALF_ACROSS)]
    root = make_folder(tmp_path, {"pine_1": 100, "pine_2": 100}, rows)
    refused(root, r"holds 'Pine_1', a scene is named 'pine_1'\); they differ in upper and lower case alone")
    root = make_folder(tmp_path / "some", {"Pine_1": 100, "pine_2": 100}, rows)
    (remark,) = open_catalogue(root, card(root)).findings().remarks
    assert remark.startswith(
        "all_manual_segm_gl.gpkg: 'PINE_2' names no scene, though there is 'pine_2': they differ"
    )


def test_an_empty_scene_column_is_told(tmp_path):
    root = make_folder(tmp_path, {"a": 100}, [(None, HALF_ACROSS), (" ", HALF_ACROSS)])
    refused(root, "its column source_file is empty")


def make_files(tmp_path, names):
    """Scenes a and b, and a file of lines for each name, in a CRS of its own."""
    root = make_folder(tmp_path, {"a": 100, "b": 100}, [("a", HALF_ACROSS)])
    (root / "all_manual_segm_gl.gpkg").unlink()
    for number, name in enumerate(names):
        table = gpd.GeoDataFrame({"split": ["train"] * 2}, geometry=[HALF_ACROSS, None], crs=3031)
        table.to_crs((3031, 3976)[number % 2]).to_file(root / name)
    return root


def test_a_scene_may_have_a_file_of_its_own(tmp_path):
    root = make_files(tmp_path, ["a_gl.shp", "b_gl.shp", "c_gl.shp"])
    split = {"rule": "column", "column": "split"}
    catalogue = open_catalogue(root, card(root, layout=Layout(lines="*_gl.shp"), split=split))
    assert [entry.split for entry in catalogue.entries] == ["train", "train"]
    for entry in catalogue.entries:
        assert entry.lines[0].hausdorff_distance(HALF_ACROSS) < 1e-3
        assert entry.rows_without_geometry == 1
    assert (catalogue.line_rows, catalogue.rows_without_scene) == (4, {"c": 1})
    refused(
        root,
        r"\*\.shp: no file belongs to a scene \(there is 'a_gl', a scene is named 'a'",
        layout=Layout(lines="*.shp"),
    )
    refused(root, "write one `\\*`, in the file's name", layout=Layout(lines="*/*.shp"))
    refused(root, r"no file belongs to a scene \(there is none", layout=Layout(lines="*.fgb"))


def test_a_folder_needs_no_card_where_each_scene_has_a_file_of_its_own(tmp_path):
    root = make_files(tmp_path, ["a.shp", "b.shp"])
    assert card_for_folder(root).layout.lines == "*.shp"
    assert all(entry.lines for entry in open_catalogue(root, card_for_folder(root)).entries)
    gpd.GeoDataFrame(geometry=[HALF_ACROSS], crs=3031).to_file(root / "coast.shp")
    with pytest.raises(DataError, match=r"found a\.shp, b\.shp, coast\.shp; .*a pattern such as"):
        card_for_folder(root)


def test_files_of_scenes_are_found_whatever_the_case_of_their_suffix(tmp_path):
    root = make_files(tmp_path, ["a.geojson", "b.geojson"])
    (root / "b.geojson").rename(root / "b.GEOJSON")
    (root / "._a.geojson").write_bytes(b"\0\5\x16\7")
    for layout in (card_for_folder(root).layout, Layout(lines="*.geojson"), Layout(lines="*.GEOJSON")):
        catalogue = open_catalogue(root, card(root, layout=layout))
        assert all(entry.lines for entry in catalogue.entries)
        assert catalogue.rows_without_scene == {}
    shutil.copy(root / "b.GEOJSON", root / "b.geojson")
    refused(
        root, r"is a second file of lines of scene b, beside b\.GEOJSON", layout=Layout(lines="*.geojson")
    )


@pytest.mark.parametrize("name", ["lines.GPKG", "lines.SHP", "lines.json", "lines.FGB"])
def test_a_folders_lines_are_found_whatever_their_suffix(tmp_path, name):
    root = make_files(tmp_path, [])
    (root / name).write_text("lines")
    assert card_for_folder(root).layout.lines == name
    (root / f"._{name}").write_bytes(b"\0\5\x16\7")
    (root / "notes.json").write_text("{}")
    if not name.endswith(".json"):
        assert card_for_folder(root).layout.lines == name


def test_repeated_rows_are_told_and_count_once(tmp_path):
    root = make_folder(tmp_path, {"a": 100}, [("a", HALF_ACROSS), ("a.tif", HALF_ACROSS.reverse())])
    found = open_catalogue(root, card(root)).findings()
    assert found.by_scene["a"].line_km == pytest.approx(2, rel=0.03)
    assert found.remarks == ("all_manual_segm_gl.gpkg: 1 line is in it twice and counts once",)
