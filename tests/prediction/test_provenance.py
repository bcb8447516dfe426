"""Every file that is made of a scene says what it is from, and all of them say the same."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import pystac
import pytest
import rasterio
import torch
from affine import Affine
from made_input import NORTH_UP, member_folder, scene_lines, seeing_member, seeing_member_folder, write_scene
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from rasterio.crs import CRS
from rio_cogeo.cogeo import cog_validate

from glsweep import __version__
from glsweep.prediction.blend import open_members
from glsweep.prediction.drawing import Drawing
from glsweep.prediction.scene import predict_scene
from glsweep.run import main
from glsweep.scenes.raster import give_own_ground, read_header

NAME = "S1A_20180620_20180626"
COLUMNS = ("scene", "dates", "sensor", "tau", "model", "model_hash", "version")


def predicted(header, out, members=None, formats=("gpkg",)):
    drawing = Drawing(
        window_px=64,
        overlap=0.5,
        turned=False,
        tau=0.5,
        shortest_m=500.0,
        bridge_m=0.0,
        formats=formats,
        device=torch.device("cpu"),
    )
    return predict_scene(header, members or [seeing_member()], drawing, out, lambda _share: None)


def scene(folder, name=NAME, transform=NORTH_UP, crs=None):
    lines = scene_lines((150, 210), transform)
    return write_scene(folder / f"{name}.tif", lines, transform=transform, crs=crs or CRS.from_epsg(3031))


def valid_item(path):
    """Read a STAC item that the core's own schemas accept, and whose files are all there."""
    said = json.loads(path.read_text())
    JsonSchemaSTACValidator().validate_core(said, pystac.STACObjectType.ITEM, said["stac_version"])
    item = pystac.Item.from_file(str(path))
    for asset in item.assets.values():
        assert asset.href.startswith("./"), "the folder may be moved"
        assert Path(asset.get_absolute_href()).is_file()
    return item


def test_lines_probability_and_item_say_the_same(tmp_path):
    folders = seeing_member_folder(tmp_path / "one"), member_folder(tmp_path / "two", seed=1)
    members = open_members([str(folder) for folder in folders], torch.device("cpu"))
    made = predicted(read_header(scene(tmp_path)), tmp_path / "out", [members[0]], ("gpkg", "geojson", "shp"))
    digits = hashlib.sha256((folders[0] / "model.safetensors").read_bytes()).hexdigest()[:12]
    wanted = (NAME, "20180620 20180626", "Sentinel-1", 0.5, str(folders[0]), digits, __version__)
    for file in made.files[1:4]:
        table = gpd.read_file(file, layer=0)
        assert len(table) == 2
        for column, value in zip(COLUMNS, wanted, strict=True):
            assert (table[column] == value).all(), column
    with rasterio.open(made.files[0]) as dataset:
        tags = dataset.tags()
        assert [tags[name.upper()] for name in COLUMNS] == [str(value) for value in wanted]
        assert tags["Conventions"].startswith("CF-")
        assert dataset.units == ("1",)
        assert dataset.tags(1)["units"] == "1"
        assert "probability" in dataset.tags(1)["long_name"]
    assert cog_validate(made.files[0], strict=True)[0]
    said = valid_item(made.files[-1]).properties
    kept = {column: said[f"glsweep:{column}"] for column in COLUMNS}
    assert kept == {**dict(zip(COLUMNS, wanted, strict=True)), "dates": ["2018-06-20", "2018-06-26"]}
    both = predicted(read_header(tmp_path / f"{NAME}.tif"), tmp_path / "both", members)
    hashes = valid_item(both.files[-1]).properties["glsweep:model_hash"].split(", ")
    assert hashes[0] == digits
    assert len(set(hashes)) == 2
    assert cog_validate(both.files[0], strict=True)[0]


def test_an_item_tells_place_time_and_files(tmp_path):
    made = predicted(read_header(scene(tmp_path)), tmp_path / "out", formats=("gpkg", "shp"))
    item = valid_item(made.files[-1])
    assert item.id == NAME
    assert item.datetime is None
    start, end = (
        pystac.utils.str_to_datetime(item.properties[f"{edge}_datetime"]) for edge in ("start", "end")
    )
    assert start == datetime(2018, 6, 20, tzinfo=UTC)
    assert end.date() == datetime(2018, 6, 26, tzinfo=UTC).date()
    said = item.properties
    assert (said["constellation"], said["instruments"], said["gsd"]) == ("sentinel-1", ["c-sar"], 100)
    assert (said["proj:code"], said["proj:shape"]) == ("EPSG:3031", [150, 210])
    assert said["proj:transform"] == list(NORTH_UP)[:6]
    assert item.stac_extensions == ["https://stac-extensions.github.io/projection/v2.0.0/schema.json"]
    assert {name: asset.roles for name, asset in item.assets.items()} == {
        "probability": ["data"],
        "style": ["metadata"],
        "phase": ["visual"],
        "complex": ["visual"],
        "lines": ["data"],
        "lines-shp": ["data"],
        "picture": ["overview"],
        "note": ["metadata"],
    }
    assert item.assets["probability"].media_type == pystac.MediaType.COG
    assert item.assets["lines"].media_type == pystac.MediaType.GEOPACKAGE
    assert [band["name"] for band in item.assets["probability"].to_dict()["bands"]] == ["probability"]


@pytest.mark.parametrize(
    ("transform", "epsg"),
    [
        (Affine(100, 0, -10_000, 0, -100, 8_000), 3031),
        (Affine(100, 0, -10_000, 0, -100, -1_000_000), 3031),
        (Affine(100, 0, 400_000, 0, -100, 2_000_000), 32720),
    ],
    ids=["pole", "antimeridian", "zone"],
)
def test_items_of_every_place_are_valid(tmp_path, transform, epsg):
    path = scene(tmp_path, transform=transform, crs=CRS.from_epsg(epsg))
    item = valid_item(predicted(read_header(path), tmp_path / "out").files[-1])
    assert item.geometry["type"] in ("Polygon", "MultiPolygon")


def test_a_crs_without_a_code_is_written_out(tmp_path):
    own = CRS.from_proj4("+proj=laea +lat_0=-80 +lon_0=-63 +datum=WGS84 +units=m")
    path = scene(tmp_path, transform=Affine(100, 0, 0, 0, -100, 0), crs=own)
    said = valid_item(predicted(read_header(path), tmp_path / "out").files[-1]).properties
    assert said["proj:code"] is None
    assert CRS.from_wkt(said["proj:wkt2"]) == own


def test_without_dates_the_time_is_that_of_processing_and_the_item_says_so(tmp_path):
    before = datetime.now(UTC).replace(microsecond=0)
    made = predicted(read_header(scene(tmp_path, "my scene #1")), tmp_path / "out")
    item = valid_item_of_odd_name(made.files[-1])
    assert before <= item.datetime <= datetime.now(UTC)
    assert item.properties["glsweep:datetime_of"] == "processing"
    assert item.properties["glsweep:dates"] == []
    assert item.properties["glsweep:sensor"] == ""
    assert "constellation" not in item.properties
    with rasterio.open(made.files[0]) as dataset:
        assert not {"DATES", "SENSOR"} & set(dataset.tags())


def valid_item_of_odd_name(path):
    said = json.loads(path.read_text())
    JsonSchemaSTACValidator().validate_core(said, pystac.STACObjectType.ITEM, said["stac_version"])
    assert said["assets"]["picture"]["href"] == "./my%20scene%20%231.png"
    return pystac.Item.from_dict(said)


def test_a_scene_without_a_place_has_an_item_without_geometry(tmp_path):
    path = write_scene(tmp_path / "tile.tif", [], crs=None)
    (header,) = give_own_ground([read_header(path, posting_m=100.0)])
    item = valid_item(predicted(header, tmp_path / "out").files[-1])
    assert item.geometry is None
    assert item.bbox is None
    assert not item.stac_extensions


def test_what_difference_writes_as_tags_is_known_whatever_the_file_is_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (NAME, "S1B_20180626_20180702"):
        scene(tmp_path, name)
    pair = [f"{NAME}.tif", "S1B_20180626_20180702.tif"]
    assert main(["difference", *pair, "--out", "mine.tif"]) == 0
    # The two are one scene, so that nothing but noise-free phase 0 is left of them.
    header = read_header(Path("mine.tif"), "real, imaginary", nodata="as_tagged")
    made = predicted(header, tmp_path / "out")
    item = valid_item(made.files[-1])
    assert item.properties["glsweep:dates"] == ["2018-06-20", "2018-06-26", "2018-06-26", "2018-07-02"]
    assert item.properties["glsweep:sensor"] == "Sentinel-1"
