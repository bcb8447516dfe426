"""Masks beside scenes: found by name, refused when they do not fit, and the line through them."""

import numpy as np
import pytest
import shapely
from affine import Affine
from geodesics import map_factor
from layouts import NORTH_UP, SOUTH_UP, Place, interferogram, write_raster
from rasterio.crs import CRS
from scipy.ndimage import binary_dilation

from glsweep.config.data_card import DataCard, Layout
from glsweep.errors import DataError
from glsweep.scenes.catalogue import open_catalogue
from glsweep.scenes.masks import lines_through, mask_path, read_mask
from glsweep.scenes.raster import RasterHeader

POLAR_PLACE = Place()


@pytest.mark.parametrize("name", ["delineation20_x1.tif", "delineationcoco20_x1.tif"])
def test_the_star_stands_for_the_rasters_or_for_the_whole_stem(tmp_path, name):
    raster = tmp_path / "coco20_x1.tif"
    assert mask_path(tmp_path, raster, "coco*.tif", "delineation*.tif") is None
    (tmp_path / name).touch()
    assert mask_path(tmp_path, raster, "coco*.tif", "delineation*.tif") == tmp_path / name


def test_a_scene_without_a_mask_has_no_row(tmp_path):
    values = interferogram()
    for name in ("cocoA.tif", "cocoB.tif"):
        write_raster(tmp_path / name, values[None], Place())
    mask = np.zeros((1, *values.shape), np.uint8)
    mask[0, 20] = 255
    write_raster(tmp_path / "delineationA.tif", mask, Place())
    layout = Layout(rasters="coco*.tif", lines=None, masks="delineation*.tif")
    one, other = open_catalogue(tmp_path, DataCard(name="made", root=tmp_path, layout=layout)).entries
    ground_km = 7.9 / map_factor(-996_000, 498_000)
    assert (one.has_row, one.line_km) == (True, pytest.approx(ground_km, rel=1e-4))
    assert (other.has_row, other.lines) == (False, ())


def scene(tmp_path, place=POLAR_PLACE, name="scene.tif", shape=(10, 10)):
    return RasterHeader(tmp_path / name, shape, place.transform, place.crs)


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (np.zeros((10, 9), np.uint8), "is 10 x 9 pixels, its scene 10 x 10"),
        (np.arange(100, dtype=np.uint8).reshape(10, 10), "holds the values 0, 1, 2, 3, 4; a mask has 0"),
        (1 + np.eye(10, dtype=np.uint8), "holds the values 1, 2"),
        (-np.eye(10, dtype=np.int16), "holds the values -1, 0"),
        (np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10), "holds the values 0, 0.010"),
        (
            1 - np.eye(10, dtype=np.uint8),
            "holds 1 in 90% of its pixels, which is no line: it may be inverted",
        ),
        (np.full((10, 10), 255, np.uint8), "holds 255 in 100%"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(tmp_path, mask, told):
    write_raster(tmp_path / "m.tif", mask[None], Place())
    with pytest.raises(DataError, match=rf"m\.tif: [^\n]*{told}"):
        read_mask(tmp_path / "m.tif", scene(tmp_path))


@pytest.mark.parametrize(
    "place",
    [
        Place(NORTH_UP @ Affine.translation(500, 0)),
        Place(NORTH_UP @ Affine.translation(0, 0.5)),
        Place(NORTH_UP @ Affine.scale(1.02)),
        Place(SOUTH_UP),
        Place(crs=CRS.from_epsg(3413)),
        Place(crs=CRS.from_epsg(4326)),
    ],
)
def test_a_mask_that_lies_elsewhere_than_its_scene_is_refused(tmp_path, place):
    write_raster(tmp_path / "m.tif", np.eye(10, dtype=np.uint8)[None], place)
    with pytest.raises(
        DataError, match=r"m\.tif: lies elsewhere than its scene scene\.tif .*; cut both alike"
    ):
        read_mask(tmp_path / "m.tif", scene(tmp_path))


SPELT_OTHERWISE = "+proj=stere +lat_0=-90 +lat_ts=-71 +lon_0=0 +datum=WGS84 +units=m"


@pytest.mark.parametrize("place", [None, Place(), Place(crs=CRS.from_string(SPELT_OTHERWISE))])
def test_a_mask_without_a_place_or_with_its_scene_s_own_fits(tmp_path, place):
    mask = np.eye(10, dtype=np.uint8)
    write_raster(tmp_path / "m.tif", mask[None], place)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.tif", scene(tmp_path)), mask)


@pytest.mark.parametrize("line_value", [1, 7])
@pytest.mark.parametrize(
    ("elsewhere", "collar", "dtype", "tag"),
    [
        (0, np.nan, np.float32, None),
        (np.nan, np.nan, np.float32, None),
        (0, 255, np.uint8, 255),
        (255, 255, np.uint8, 255),
        (0, -9999, np.float32, -9999),
        (0, -1, np.int16, -1),
    ],
)
def test_what_a_mask_tags_as_no_data_is_no_line(tmp_path, line_value, elsewhere, collar, dtype, tag):
    line = np.eye(10, dtype=bool)
    line[7:] = False
    mask = np.where(line, line_value, elsewhere).astype(dtype)
    mask[7:] = collar
    write_raster(tmp_path / "m.tif", mask[None], Place(), nodata=tag)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.tif", scene(tmp_path)), line)


def test_a_mask_of_several_bands_is_read_where_they_agree_and_refused_where_a_colour_is_the_line(tmp_path):
    line, seen = np.eye(10, dtype=np.uint8) * 255, np.full((10, 10), 255, np.uint8)
    seen[5:] = 0
    write_raster(
        tmp_path / "m.tif", np.stack([line, line, line, seen]), Place(), photometric="RGB", alpha="YES"
    )
    np.testing.assert_array_equal(
        read_mask(tmp_path / "m.tif", scene(tmp_path)), np.where(seen > 0, line > 0, 0)
    )
    write_raster(tmp_path / "m.tif", np.stack([0 * line, line, 0 * line]), Place(), photometric="RGB")
    with pytest.raises(DataError, match=r"m\.tif: its 3 bands differ; a mask has one"):
        read_mask(tmp_path / "m.tif", scene(tmp_path))


def test_the_line_through_a_wide_mask_has_the_length_of_the_line():
    mask = np.zeros((60, 90), np.uint8)
    mask[30, 5:85] = 1
    mask[5:31, 40] = 1
    for wide in (mask, binary_dilation(mask, np.ones((3, 3)))):
        lines = lines_through(np.asarray(wide, np.uint8), NORTH_UP)
        assert sum(line.length for line in lines) == pytest.approx(100 * (79 + 25), rel=0.05)
        assert all(shapely.box(-1_000_000, 494_000, -991_000, 500_000).contains(line) for line in lines)


def test_a_line_through_pixel_centres_stays_on_them():
    mask = np.eye(20, dtype=np.uint8)
    (line,) = lines_through(mask, Affine.identity())
    ends = shapely.get_coordinates(line)
    assert line.length == pytest.approx(19 * np.sqrt(2))
    np.testing.assert_allclose(np.sort(ends[:, 0]), np.arange(20) + 0.5)
    np.testing.assert_allclose(ends[:, 0], ends[:, 1])


def test_an_empty_mask_has_no_line():
    assert lines_through(np.zeros((5, 5), np.uint8), NORTH_UP) == ()
