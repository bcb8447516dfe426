"""What `predict` writes, as QGIS opens and draws it."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from made_input import NORTH_UP, scene_lines, seeing_member_folder, write_scene
from matplotlib import colormaps
from PIL import Image
from qgis_program import needs_qgis, seen_by_qgis
from rasterio.crs import CRS
from shapely import LineString

from glsweep.prediction.qgis_project import views_of
from glsweep.qgis.styles import (
    CLEAR_BELOW,
    CONFIDENCE,
    DOUBTS,
    doubtful_lines,
    known_lines,
    style_layers,
)
from glsweep.run import main
from glsweep.scenes.raster import read_header
from glsweep.scenes.raster_files import rasters_of_folder

NAMES = ('Küste & "Getz" 5% <a>\'s', "b")
WITHOUT_A_CODE = CRS.from_proj4("+proj=stere +lat_0=-90 +lat_ts=-75 +lon_0=10 +datum=WGS84 +units=m")
LINES, PROBABILITY, PHASE = "Lines by confidence", "Probability", "Wrapped phase"
SIZE = (900, 450)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder of two scenes that lie side by side, predicted and then moved."""
    folder = tmp_path_factory.mktemp("qgis")
    (folder / "first" / "scenes").mkdir(parents=True)
    east = NORTH_UP @ NORTH_UP.translation(300, 0)
    for name, transform in zip(NAMES, (NORTH_UP, east), strict=True):
        write_scene(
            folder / "first" / "scenes" / f"{name}.tif",
            scene_lines((150, 210), transform),
            transform=transform,
        )
    seeing_member_folder(folder / "member")
    options = [
        "--model",
        folder / "member",
        "--scene",
        folder / "first" / "scenes",
        "--out",
        folder / "first" / "out",
    ]
    assert main(["predict", *map(str, options), "--bridge-m", "0"]) == 0
    (folder / "first").rename(folder / "moved")
    return folder / "moved" / "out"


@pytest.fixture(scope="module")
def opened(written, tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    pictures = [
        {"file": folder / f"{name}.png", "size": SIZE, "layers": layers}
        for name, layers in {"all": [LINES, PROBABILITY, PHASE], "probability": [PROBABILITY]}.items()
    ]
    files = [("ogr", written / "b-lines.gpkg"), ("gdal", written / "b-probability.tif")]
    answer = seen_by_qgis(folder, project=written / "lines.qgs", pictures=pictures, files=files)
    return folder, answer


def colour_at(picture, extent, x, y):
    """The picture's colours at places of the map, (N, 3)."""
    with Image.open(picture) as image:
        pixels = np.asarray(image.convert("RGB"), dtype=int)
    west, south, east, north = extent
    col = ((x - west) / (east - west) * pixels.shape[1]).astype(int)
    row = ((north - y) / (north - south) * pixels.shape[0]).astype(int)
    return pixels[row, col]


@needs_qgis
def test_a_project_opens_every_scene_with_its_lines_and_probability(opened):
    _, answer = opened
    assert answer["is_read"]
    assert answer["crs"] == "EPSG:3031"
    layers = [LINES, PROBABILITY, PHASE]
    assert answer["tree"] == [[name, True, layers] for name in NAMES]
    assert [layer["title"] for layer in answer["layers"]] == [
        LINES,
        LINES,
        PROBABILITY,
        PROBABILITY,
        PHASE,
        PHASE,
    ]
    assert all(layer["is_valid"] and layer["crs"] == "EPSG:3031" for layer in answer["layers"])
    assert all("/moved/out/" in layer["source"] for layer in answer["layers"])
    assert answer["layers"][0]["features"] > 0


@needs_qgis
def test_files_by_themselves_look_as_in_the_project(opened):
    _, answer = opened
    by_title = {layer["title"]: layer for layer in answer["layers"]}
    for alone, title in zip(answer["files"], (LINES, PROBABILITY), strict=True):
        assert (alone["renderer"], alone["classes"]) == (
            by_title[title]["renderer"],
            by_title[title]["classes"],
        )
    lines, raster = answer["files"]
    assert lines["classes"] == [[one.low, one.high, one.label, one.color] for one in CONFIDENCE]
    (at_tau,) = (label for value, label, _ in raster["classes"] if "tau" in label)
    assert at_tau.startswith("0.5 ")


@needs_qgis
def test_lines_and_probability_are_in_the_picture_where_they_are(opened, written):
    folder, answer = opened
    drawn, probability = answer["pictures"]
    assert drawn["errors"] == probability["errors"] == []
    for name in NAMES:
        with rasterio.open(written / f"{name}-probability.tif") as dataset:
            values = dataset.read(1)
            rows, cols = np.nonzero(values > 0.98)
            x, y = dataset.transform @ (cols + 0.5, rows + 0.5)
            wanted = np.array(colormaps["cividis"](values[rows, cols].astype(float))) * 255
        shown = colour_at(folder / "probability.png", probability["extent"], x, y)
        assert np.mean(np.abs(shown - wanted[:, :3]).max(axis=1) < 12) > 0.9
        for line in gpd.read_file(written / f"{name}-lines.gpkg", layer=0).itertuples():
            (color,) = {one.color for one in CONFIDENCE if one.low <= line.mean_prob < one.high}
            places = line.geometry.interpolate(np.linspace(0.05, 0.95, 40), normalized=True)
            shown = colour_at(folder / "all.png", drawn["extent"], *shapely.get_coordinates(places).T)
            assert np.mean(np.abs(shown - list(bytes.fromhex(color[1:]))).max(axis=1) < 12) > 0.9
        clear = np.argwhere((values < CLEAR_BELOW / 2) & (np.arange(values.shape[1]) % 7 == 0))[::50]
        x, y = dataset.transform @ (clear.T[::-1] + 0.5)
        shown = colour_at(folder / "probability.png", probability["extent"], x, y)
        assert np.mean((shown == 255).all(axis=1)) > 0.95


@needs_qgis
def test_a_scene_on_a_map_without_a_code_is_not_taken_for_another(tmp_path):
    lines = scene_lines((150, 210), NORTH_UP)
    write_scene(tmp_path / "a.tif", lines, crs=WITHOUT_A_CODE)
    seeing_member_folder(tmp_path / "member")
    options = ["--model", tmp_path / "member", "--scene", tmp_path / "a.tif", "--out", tmp_path / "out"]
    assert main(["predict", *map(str, options), "--formats", "geojson"]) == 0
    answer = seen_by_qgis(tmp_path, project=tmp_path / "out" / "lines.qgs", pictures=[])
    assert answer["tree"] == [["a", True, [PROBABILITY, PHASE]]], "there is no GeoPackage of lines"
    assert all(layer["is_valid"] and layer["is_placed"] for layer in answer["layers"])
    assert not any(layer["crs"].startswith("EPSG") for layer in answer["layers"])


def test_a_scene_without_a_place_does_not_move_the_first_view(tmp_path):
    placed = read_header(write_scene(tmp_path / "a.tif", scene_lines((150, 210), NORTH_UP)))
    bare = replace(placed, transform=placed.transform.translation(0, 5e7) @ NORTH_UP, is_placed=False)
    assert views_of([bare, placed]) == views_of([placed])
    assert len(views_of([bare])) == 1


@needs_qgis
def test_lines_of_several_layers_and_kinds_have_styles_of_their_own(tmp_path):
    path = tmp_path / "review.gpkg"
    for layer in ("review EPSG 3031", 'it\'s "another"'):
        line = LineString([(-1e6, 0), (-9.9e5, 0)])
        table = gpd.GeoDataFrame({"kind": ["missed"]}, geometry=[line], crs=3031)
        table.to_file(path, layer=layer, VERSION="1.2")
    style_layers(path, {"review EPSG 3031": doubtful_lines(), 'it\'s "another"': known_lines()})
    files = [("ogr", f"{path}|layername={layer}") for layer in ("review EPSG 3031", 'it\'s "another"')]
    first, second = seen_by_qgis(tmp_path, files=files)["files"]
    assert first["classes"] == [[one.value, one.label, one.color] for one in DOUBTS]
    assert second["renderer"] == "singleSymbol"


def test_what_predict_writes_is_no_scene(written):
    assert rasters_of_folder(written).taken == ()
