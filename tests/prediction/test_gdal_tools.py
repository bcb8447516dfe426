"""What `predict` writes, as GDAL's own tools see it: other programs open it with the same library."""

import shutil
import subprocess

import pytest
from affine import Affine
from made_input import NORTH_UP, scene_lines, seeing_member_folder, write_scene
from rasterio.crs import CRS

from glsweep.run import main

pytestmark = pytest.mark.skipif(
    shutil.which("ogrinfo") is None or shutil.which("gdalinfo") is None,
    reason="ogrinfo and gdalinfo are not there (package gdal-bin)",
)
PLACES = {
    "polar_20180101_20180107": (NORTH_UP, CRS.from_epsg(3031)),
    "utm": (Affine(100, 0, 400_000, 0, -100, 2_000_000), CRS.from_epsg(32720)),
    "turned": (
        Affine.translation(1e6, 2e5) @ Affine.rotation(30) @ Affine.scale(100, -100),
        CRS.from_epsg(3031),
    ),
    "bare": (NORTH_UP, CRS.from_epsg(3031)),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What is written of scenes on several grids, one of them without a line."""
    folder = tmp_path_factory.mktemp("gdal")
    (folder / "scenes").mkdir()
    for name, (transform, crs) in PLACES.items():
        lines = [] if name == "bare" else scene_lines((150, 210), transform)
        write_scene(folder / "scenes" / f"{name}.tif", lines, transform=transform, crs=crs)
    # A member's path is the longest text of a row.
    member = seeing_member_folder(folder / ("studies-of-a-long-name" * 4) / "members" / "unet-64")
    options = [
        "--scene",
        str(folder / "scenes"),
        "--model",
        str(member),
        str(member),
        "--out",
        str(folder / "out"),
    ]
    assert main(["predict", *options, "--formats", "gpkg", "geojson", "shp"]) == 0
    return folder / "out"


def said_by(*command):
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    assert "warning" not in (run.stdout + run.stderr).lower(), run.stderr
    assert "error" not in (run.stdout + run.stderr).lower(), run.stderr
    return run.stdout


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("file", ["{}-lines.gpkg", "{}-lines.geojson", "{0}-lines-shp/{0}-lines.shp"])
def test_ogrinfo_has_nothing_to_complain_of(written, name, file):
    said = said_by("ogrinfo", "-ro", "-al", written / file.format(name))
    count = 0 if name == "bare" else 2
    assert f"Feature Count: {count}" in said
    if count or not file.endswith("geojson"):  # which has no types where it has no features
        assert "Geometry: Line String" in said
        assert all(f"{column}: Real" in said for column in ("length_m", "mean_prob", "band_m", "tau"))
        # Nobody has measured this member: null all the way down, to which GeoJSON gives no type.
        assert file.endswith("geojson") or "uncert_m: Real" in said
        assert said.count("(null)") >= count
        assert all(
            f"{column}: String" in said
            for column in ("scene", "dates", "sensor", "model", "model_hash", "version")
        )
    if count:
        # A shapefile keeps 254 bytes of a text: the last ones, which tell most.
        assert said.count("unet-64\n") == count
        assert file.endswith("shp") or said.count("unet-64") == 2 * count, "no text is cut"


@pytest.mark.parametrize("name", PLACES)
def test_gdalinfo_reads_every_pixel(written, name):
    said = said_by("gdalinfo", "-stats", "-checksum", written / f"{name}-probability.tif")
    assert "LAYOUT=COG" in said
    assert "NoData Value=nan" in said
    assert "Description = probability" in said
