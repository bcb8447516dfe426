"""From a raster to files: lines land where they are, and every file is one that others open."""

import json

import geopandas as gpd
import numpy as np
import pyogrio
import pytest
import rasterio
import torch
from affine import Affine
from geodesics import geodesic_km
from made_input import NORTH_UP, POLAR, scene_lines, seeing_member, write_scene
from PIL import Image
from rasterio.crs import CRS
from rio_cogeo.cogeo import cog_validate

from glsweep.errors import DataError
from glsweep.metrics.lines import line_distances
from glsweep.nets.member import LineUncertainty
from glsweep.prediction.blend import fit_to
from glsweep.prediction.drawing import Drawing
from glsweep.prediction.scene import predict_scene
from glsweep.prediction.split_scenes import uncertainty_of
from glsweep.scenes.raster import read_header
from glsweep.scenes.resample import multilook

TURNED = Affine.translation(1e6, 2e5) @ Affine.rotation(30) @ Affine.scale(100, -100)


def drawing(**changes):
    values = {
        "window_px": 64,
        "overlap": 0.5,
        "turned": False,
        "tau": 0.5,
        "shortest_m": 500.0,
        "bridge_m": 0.0,
        "formats": ("gpkg",),
        "device": torch.device("cpu"),
    }
    return Drawing(**{**values, **changes})


def predicted(path, folder, members=None, **changes):
    return predict_scene(
        read_header(path), members or [seeing_member()], drawing(**changes), folder, lambda _share: None
    )


@pytest.mark.parametrize(
    ("transform", "crs", "kind"),
    [
        (NORTH_UP, POLAR, "real_imaginary"),
        (NORTH_UP, POLAR, "complex"),
        (NORTH_UP, POLAR, "wrapped_phase"),
        (Affine(100, 0, -1_000_000, 0, 100, 500_000), POLAR, "complex"),
        (Affine(100, 0, 400_000, 0, -100, 2_000_000), CRS.from_epsg(32720), "real_imaginary"),
        (TURNED, POLAR, "real_imaginary"),
    ],
)
def test_a_line_lands_within_half_a_pixel_in_every_layout(tmp_path, transform, crs, kind):
    lines = scene_lines((150, 210), transform)
    path = write_scene(tmp_path / "a_20180101_20180107.tif", lines, transform=transform, crs=crs, kind=kind)
    predicted(path, tmp_path / "out")
    table = gpd.read_file(tmp_path / "out" / f"{path.stem}-lines.gpkg", layer=0)
    assert table.crs == crs.to_wkt()
    found = line_distances(list(table.geometry), lines, step_m=10)
    assert found.mean_m() < 50
    assert found.completeness(150) == 1
    assert found.false_km(150) == 0
    assert set(table["dates"]) == {"20180101 20180107"}
    ground_m = [1000 * geodesic_km(line, crs.to_wkt()) for line in table.geometry]
    assert table["length_m"].to_numpy() == pytest.approx(ground_m, abs=0.1)
    assert (table["tau"] == 0.5).all()
    assert table["band_m"].between(30, 200).all()


def test_the_probability_is_a_valid_cloud_optimised_geotiff(tmp_path):
    path = write_scene(tmp_path / "a.tif", scene_lines((700, 1100), NORTH_UP), shape=(700, 1100))
    predicted(path, tmp_path / "out")
    target = tmp_path / "out" / "a-probability.tif"
    is_valid, errors, warnings = cog_validate(target, strict=True)
    assert is_valid, (errors, warnings)
    with rasterio.open(target) as dataset, rasterio.open(path) as scene:
        assert (dataset.crs, dataset.transform, dataset.shape) == (scene.crs, scene.transform, scene.shape)
        assert dataset.descriptions == ("probability",)
        probability, (real, _) = dataset.read(1), scene.read()
    np.testing.assert_array_equal(np.isnan(probability), real == 0)
    np.testing.assert_allclose(probability[real != 0], 1 / (1 + np.exp(8 * real[real != 0])), atol=1e-5)


def test_several_members_give_their_mean_and_spread(tmp_path):
    path = write_scene(tmp_path / "a.tif", scene_lines((150, 210), NORTH_UP))
    member = seeing_member()
    doubting = seeing_member()
    doubting.network.forward = lambda image: [torch.zeros_like(image[:, :1])]
    predicted(path, tmp_path / "out", [member, doubting])
    target = tmp_path / "out" / "a-probability.tif"
    assert cog_validate(target, strict=True)[0]
    with rasterio.open(target) as dataset:
        assert dataset.descriptions == ("probability", "spread")
        probability, spread = dataset.read()
    seen = ~np.isnan(probability)
    both = np.abs(probability[seen] - 0.5)
    np.testing.assert_allclose(spread[seen], both, atol=1e-5)
    assert both.max() > 0.2


def test_every_format_is_one_that_others_open(tmp_path):
    lines = scene_lines((150, 210), NORTH_UP)
    path = write_scene(tmp_path / "a.tif", lines)
    result = predicted(path, tmp_path / "out", formats=("gpkg", "geojson", "shp"))
    tables = [
        gpd.read_file(tmp_path / "out" / name, layer=0)
        for name in ("a-lines.gpkg", "a-lines.geojson", "a-lines-shp/a-lines.shp")
    ]
    assert {len(table) for table in tables} == {len(result.lines)}
    assert [table.crs.to_epsg() for table in tables] == [3031, 4326, 3031]
    for table in tables:
        assert list(table.columns) == [*tables[0].columns]
        again = table.to_crs(3031)
        assert line_distances(list(again.geometry), lines).mean_m() < 50
    info = pyogrio.read_info(tmp_path / "out" / "a-lines.gpkg", layer="a-lines")
    assert info["geometry_type"] == "LineString"
    assert json.loads((tmp_path / "out" / "a-lines.geojson").read_text())["type"] == "FeatureCollection"
    with Image.open(tmp_path / "out" / "a.png") as picture:
        assert min(picture.size) > 400
    assert all(file.exists() for file in result.files)
    assert not [file for file in (tmp_path / "out").iterdir() if file.name.startswith(".")], (
        "nothing half-made"
    )


UNCERTAINTY = LineUncertainty(factor=1.5, share=0.68, near_m=500, tau=0.5, km=900, scenes=20)


@pytest.mark.parametrize("uncertainty", [None, UNCERTAINTY])
def test_uncertainty_is_null_in_every_format_where_nobody_has_learnt_it(tmp_path, uncertainty):
    path = write_scene(tmp_path / "a.tif", scene_lines((150, 210), NORTH_UP))
    predicted(path, tmp_path / "out", formats=("gpkg", "geojson", "shp"), uncertainty=uncertainty)
    for name in ("a-lines.gpkg", "a-lines.geojson", "a-lines-shp/a-lines.shp"):
        table = gpd.read_file(tmp_path / "out" / name, layer=0)
        if uncertainty is None:
            assert table["uncert_m"].isna().all()
        else:
            np.testing.assert_allclose(table["uncert_m"], 1.5 * table["band_m"], atol=0.15)
    note = json.loads((tmp_path / "out" / "a.json").read_text())
    assert note["uncertainty"] == (uncertainty and uncertainty.model_dump(mode="json"))


def test_uncertainty_is_of_lines_drawn_as_on_validation_alone():
    member, other = seeing_member(tau=0.5, uncertainty=UNCERTAINTY), seeing_member(tau=0.5)
    assert uncertainty_of([member], tau=0.5, turned=False) == UNCERTAINTY
    assert uncertainty_of([member], tau=0.6, turned=False) is None
    assert uncertainty_of([member], tau=0.5, turned=True) is None
    assert uncertainty_of([member], tau=0.5, turned=False, filters=("raw", "boxcar3")) is None
    assert uncertainty_of([member, member], tau=0.5, turned=False) is None
    assert uncertainty_of([other], tau=0.5, turned=False) is None


def test_a_scene_without_a_line_gives_a_file_without_a_row(tmp_path):
    path = write_scene(tmp_path / "a.tif", [])
    result = predicted(path, tmp_path / "out", formats=("gpkg", "geojson", "shp"))
    assert result.lines == []
    assert len(gpd.read_file(tmp_path / "out" / "a-lines.gpkg", layer=0)) == 0


def test_a_finer_scene_is_multilooked_to_the_models_posting(tmp_path):
    fine = Affine(50, 0, -1_000_000, 0, -50, 500_000)
    lines = scene_lines((301, 421), fine)
    path = write_scene(tmp_path / "a.tif", lines, shape=(301, 421), transform=fine, strength=5)
    header = read_header(path)
    scene = fit_to(header, [seeing_member()])
    assert (scene.looks, scene.shape) == (2, (150, 210))
    predicted(path, tmp_path / "out")
    with rasterio.open(tmp_path / "out" / "a-probability.tif") as dataset:
        assert dataset.transform == Affine(100, 0, -1_000_000, 0, -100, 500_000)
    table = gpd.read_file(tmp_path / "out" / "a-lines.gpkg", layer=0)
    assert line_distances(list(table.geometry), lines).mean_m() < 60


@pytest.mark.parametrize("posting_m", [30.0, 150.0, 200.0])
def test_a_posting_that_does_not_fit_is_refused(tmp_path, posting_m):
    transform = Affine(posting_m, 0, 0, 0, -posting_m, 0)
    path = write_scene(tmp_path / "a.tif", [], transform=transform)
    with pytest.raises(DataError, match=rf"posting is {posting_m:g} m.*trained at 100 m"):
        predicted(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_phases_are_averaged_around_the_circle():
    values = np.zeros((4, 6), np.complex64)
    values[:2, :2] = np.exp(1j * np.array([[3.0, -3.0], [3.1, -3.1]]))
    values[:2, 2:4] = [[1, 0], [0, 1]]
    values[2:, 4:] = [[1, 0], [0, 0]]
    found = multilook(values, 2)
    assert abs(np.angle(found[0, 0])) == pytest.approx(np.pi, abs=1e-5)
    assert found[0, 1] == 1, "only what holds data counts"
    assert found[1, 2] == 0, "three of four pixels are missing"
    assert found[1, 0] == 0


def test_a_scene_that_breaks_off_leaves_nothing(tmp_path):
    path = write_scene(tmp_path / "a.tif", scene_lines((600, 210), NORTH_UP), shape=(600, 210))
    path.write_bytes(path.read_bytes()[:400_000])
    with pytest.raises(DataError, match="cut short"):
        predicted(path, tmp_path / "out")
    assert not any((tmp_path / "out").glob("*"))
