"""Products of processors through `predict`: the same lines as from a GeoTIFF of the same values."""

import geopandas as gpd
import h5py
import numpy as np
import pytest
import rasterio
from made_input import NORTH_UP, POLAR, scene_lines, seeing_member_folder
from made_products import add_gunw_grid, interferogram_bands, write_cf, write_dimap, write_grd, write_gunw

from glsweep.run import main
from glsweep.scenes.masks import line_mask
from glsweep.scenes.raster import read_header

SHAPE = (160, 224)


def scene():
    """Phases that fill the circle, pi on the lines; the collar holds no data."""
    generator = np.random.default_rng(0)
    on_line = line_mask(scene_lines(SHAPE, NORTH_UP), SHAPE, NORTH_UP, "all_touched") > 0
    phase_rad = np.where(on_line, np.pi, generator.normal(0, 0.9, SHAPE))
    values = (generator.uniform(0.3, 0.9, SHAPE) * np.exp(1j * phase_rad)).astype(np.complex64)
    values[-20:, -30:] = 0
    return values


VALUES = scene()
PHASE = np.where(VALUES == 0, np.nan, np.angle(VALUES)).astype(np.float32)


def gunw(folder):
    return write_gunw(folder / "a.h5", VALUES, transform=NORTH_UP)


def netcdf(folder):
    layers = {"coherence": (np.abs(VALUES), {}), "phase": (PHASE, {"units": "radian"})}
    return write_cf(folder / "a.nc", layers, transform=NORTH_UP)


def snap(folder):
    return write_dimap(folder / "a.dim", interferogram_bands(VALUES), transform=NORTH_UP)


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seeing_member_folder(tmp_path / "member", channels=("cos", "sin"))
    return tmp_path


def predicted(scene, *options):
    code = main(["predict", "--model", "member", "--scene", str(scene), "--out", "out", *options])
    return code, gpd.read_file("out/a-lines.gpkg", layer=0) if code == 0 else None


@pytest.mark.parametrize("write", [gunw, netcdf, snap], ids=["NISAR", "NetCDF", "SNAP"])
def test_a_product_gives_the_lines_of_a_geotiff_with_its_values(in_folder, write):
    (in_folder / "plain").mkdir()
    profile = {"driver": "GTiff", "width": SHAPE[1], "height": SHAPE[0], "count": 2, "dtype": "float32"}
    with rasterio.open("plain/a.tif", "w", **profile, crs=POLAR, transform=NORTH_UP, nodata=0) as file:
        file.write(np.stack([VALUES.real, VALUES.imag]))
    _, wanted = predicted("plain/a.tif")
    _, found = predicted(write(in_folder))
    assert len(wanted) > 0
    assert found.crs.to_epsg() == 3031
    assert found.geometry.geom_equals_exact(wanted.geometry, 50).all()


def test_a_variable_that_is_asked_for_decides_the_grid(in_folder):
    path = gunw(in_folder)
    with h5py.File(path, "r+") as file:
        group = "/science/LSAR/GUNW/grids/frequencyA/wrappedInterferogram/VV"
        add_gunw_grid(file, group, {"wrappedInterferogram": VALUES * 0.5}, NORTH_UP)
    for bands, factor in (("auto", 1.0), ("complex=VV/wrappedInterferogram", 0.5)):
        header = read_header(path, bands)
        np.testing.assert_allclose(header.read(), VALUES * factor, atol=1e-6)
    coarse = read_header(path, "unwrapped_phase=unwrappedPhase, coherence=coherenceMagnitude")
    assert (coarse.shape, coarse.posting_m) == ((40, 56), 400)


def test_one_variable_by_its_name_in_gdal_is_read_again_as_itself(in_folder):
    netcdf(in_folder)
    header = read_header(type(in_folder)("NETCDF:a.nc:phase"))
    assert header.name == "a"
    wanted = np.where(VALUES == 0, 0, np.exp(1j * np.angle(VALUES)))
    np.testing.assert_allclose(header.read(), wanted, atol=1e-5)


def test_a_grid_of_gmt_is_refused_only_for_its_lack_of_a_crs(in_folder, capsys):
    write_grd(in_folder / "a.grd", PHASE, transform=NORTH_UP)
    code, _ = predicted("a.grd")
    assert code == 2
    assert "a.grd: has no CRS" in capsys.readouterr().err
