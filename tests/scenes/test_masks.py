"""Masks beside scenes: found by name, refused when they do not fit, and the line through them."""

import numpy as np
import pytest
import shapely
from affine import Affine
from geodesics import map_factor
from layouts import NORTH_UP, Place, interferogram, write_raster
from scipy.ndimage import binary_dilation

from glsweep.config.data_card import DataCard, Layout
from glsweep.errors import DataError
from glsweep.scenes.catalogue import open_catalogue
from glsweep.scenes.masks import lines_through, mask_path, read_mask


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


@pytest.mark.parametrize(
    ("mask", "told"),
    [
        (np.zeros((10, 9), np.uint8), "is 10 x 9 pixels, its scene 10 x 10"),
        (np.arange(100, dtype=np.uint8).reshape(10, 10), "holds the values 0, 1, 2, 3, 4; a mask has 0"),
        (1 + np.eye(10, dtype=np.uint8), "holds the values 1, 2"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(tmp_path, mask, told):
    write_raster(tmp_path / "m.tif", mask[None], Place())
    with pytest.raises(DataError, match=told):
        read_mask(tmp_path / "m.tif", (10, 10))


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
