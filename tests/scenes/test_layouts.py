"""The contract of every layout: written, read whole and by windows, and its line on the right pixels."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from layouts import (
    LAYOUTS,
    NORTH_UP,
    PLACELESS,
    SOUTH_UP,
    TURNED,
    Place,
    expected_mask,
    interferogram,
    line_pixels,
    write_line,
    write_raster,
)
from rasterio.crs import CRS
from shapely import LineString

from glsweep.config.data_card import DataCard, Layout
from glsweep.errors import DataError
from glsweep.scenes.catalogue import open_catalogue
from glsweep.scenes.source import Window

EVERY = pytest.mark.parametrize("layout", LAYOUTS)
ODD_CRSS = [
    "EPSG:3413",
    "EPSG:32718",
    "+proj=laea +lat_0=-75 +lon_0=-110 +datum=WGS84 +units=m",
    "+proj=stere +lat_0=-90 +lat_ts=-70 +lon_0=170 +a=6378273 +b=6356889.449 +units=m",
]


def entry_of(layout, root, *, place=None, shape=(48, 80)):
    made = LAYOUTS[layout](root, interferogram(shape), place or Place())
    (entry,) = open_catalogue(root, made.card).entries
    return entry, made


@EVERY
@pytest.mark.parametrize("shape", [(48, 80), (80, 48)])
def test_a_scene_comes_back_with_its_line_on_its_pixels(tmp_path, layout, shape):
    entry, made = entry_of(layout, tmp_path, shape=shape)
    scene = entry.read()
    np.testing.assert_allclose(scene.interferogram, made.interferogram, atol=1e-5)
    np.testing.assert_array_equal(scene.interferogram == 0, made.interferogram == 0)
    np.testing.assert_array_equal(entry.valid(), made.interferogram != 0)
    assert (entry.shape, entry.posting_m) == (shape, pytest.approx(100))
    drawn = entry.line_mask("bresenham")
    np.testing.assert_array_equal(drawn, made.mask)
    assert entry.line_km == pytest.approx(entry.posting_m * made.mask.sum() / 1000, rel=0.25)
    assert entry.header.is_placed == (layout not in PLACELESS)


@EVERY
def test_any_window_is_that_part_of_the_whole(tmp_path_factory, layout):
    entry, _ = entry_of(layout, tmp_path_factory.mktemp("windows"))
    rows, cols = entry.shape
    whole = entry.read_pixels()

    @settings(max_examples=25, deadline=None)
    @given(data=st.data())
    def check(data):
        row, col = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, cols - 1))
        height = data.draw(st.integers(1, rows - row))
        width = data.draw(st.integers(1, cols - col))
        part = entry.read_pixels(Window(row, col, height, width))
        np.testing.assert_array_equal(part, whole[row : row + height, col : col + width])

    check()


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name not in PLACELESS])
@pytest.mark.parametrize("transform", [NORTH_UP, SOUTH_UP, TURNED], ids=["north up", "south up", "turned"])
def test_the_line_stays_on_its_pixels_however_the_raster_lies(tmp_path, layout, transform):
    entry, made = entry_of(layout, tmp_path, place=Place(transform))
    np.testing.assert_array_equal(entry.line_mask("bresenham"), made.mask)
    assert shapely.intersects(entry.ground(), shapely.union_all(list(entry.lines)))


@pytest.mark.parametrize("crs", ODD_CRSS)
def test_lines_in_the_polar_crs_are_moved_to_a_raster_in_any_other(tmp_path, crs):
    import geopandas as gpd

    place = Place(Affine(100, 0, 400_000, 0, -100, 900_000), CRS.from_user_input(crs))
    values = interferogram()
    write_raster(tmp_path / "DInSAR" / "a.tif", np.stack([values.real, values.imag]), place)
    centres = [place.transform @ (col + 0.5, row + 0.5) for row, col in line_pixels(values.shape)]
    line = gpd.GeoSeries([LineString(centres)], crs=place.crs.to_wkt()).to_crs("EPSG:4326")
    gpd.GeoDataFrame({"source_file": ["a"]}, geometry=line).to_file(tmp_path / "lines.geojson")
    card = DataCard(name="made", root=tmp_path, layout=Layout(lines="lines.geojson"))
    (entry,) = open_catalogue(tmp_path, card).entries
    np.testing.assert_array_equal(entry.line_mask("bresenham"), expected_mask(values.shape))


@settings(max_examples=30, deadline=None)
@given(
    # As far from the pole as a metre of the map is a metre on the ground.
    x_m=st.floats(-2.2e6, 2.2e6),
    y_m=st.floats(-2.2e6, 2.2e6),
    posting_m=st.sampled_from([10.0, 40.0, 100.0, 333.3]),
    degrees=st.floats(-180, 180),
    upside_down=st.booleans(),
)
def test_a_line_is_never_half_a_pixel_off(x_m, y_m, posting_m, degrees, upside_down):
    scale = Affine.scale(posting_m, posting_m if upside_down else -posting_m)
    place = Place(Affine.translation(x_m, y_m) @ Affine.rotation(degrees) @ scale)
    with tempfile.TemporaryDirectory() as folder:
        entry, made = entry_of("real and imaginary", Path(folder), place=place, shape=(20, 30))
        np.testing.assert_array_equal(entry.line_mask("bresenham"), made.mask)


def test_a_raster_whose_tag_says_point_lies_where_its_corner_says(tmp_path):
    """GDAL moves such a raster by half a pixel when it is read; written and read it must stay."""
    values = interferogram()
    bands = np.stack([values.real, values.imag])
    for name, options in {"area": {}, "point": {"AREA_OR_POINT": "Point"}}.items():
        path = tmp_path / name / "DInSAR" / "a.tif"
        write_raster(path, bands, Place())
        if options:
            import rasterio

            with rasterio.open(path, "r+") as file:
                file.update_tags(**options)
        write_line(tmp_path / name / "lines.gpkg", "a", Place(), values.shape)
        card = DataCard(name="made", root=tmp_path / name, layout=Layout(lines="lines.gpkg"))
        (entry,) = open_catalogue(tmp_path / name, card).entries
        np.testing.assert_array_equal(entry.line_mask("bresenham"), expected_mask(values.shape))


def test_lines_without_a_scene_column_belong_to_every_scene_that_they_touch(tmp_path):
    values = interferogram()
    bands = np.stack([values.real, values.imag])
    write_raster(tmp_path / "here.tif", bands, Place())
    write_raster(tmp_path / "there.tif", bands, Place(Affine.translation(1e6, 0) @ NORTH_UP))
    write_line(tmp_path / "lines.gpkg", "unknown", Place(), values.shape, dataset="Validation")
    layout = Layout(rasters="*.tif", lines="lines.gpkg", scene_column=None)
    split = {"rule": "column", "column": "dataset"}
    card = DataCard(name="made", root=tmp_path, layout=layout, split=split)
    here, there = open_catalogue(tmp_path, card).entries
    assert (here.has_row, len(here.lines), here.split) == (True, 1, "val")
    assert (there.has_row, there.lines, there.split) == (False, (), None)


@pytest.mark.parametrize(
    ("words", "told"),
    [(("train", "test"), "name the splits test, train"), (("holdout",), "has the split 'holdout'")],
)
def test_a_scene_belongs_to_one_known_split(tmp_path, words, told):
    import geopandas as gpd

    values = interferogram()
    write_raster(tmp_path / "a.tif", np.stack([values.real, values.imag]), Place())
    lines = [LineString([(-999_000, 499_000), (-998_000, 498_000)])] * len(words)
    table = gpd.GeoDataFrame(
        {"source_file": ["a"] * len(words), "dataset": words}, geometry=lines, crs="EPSG:3031"
    )
    table.to_file(tmp_path / "lines.gpkg")
    layout = Layout(rasters="*.tif", lines="lines.gpkg")
    card = DataCard(name="made", root=tmp_path, layout=layout, split={"rule": "column", "column": "dataset"})
    with pytest.raises(DataError, match=told):
        open_catalogue(tmp_path, card)


def test_tiles_of_one_interferogram_form_a_group_and_share_no_ground(tmp_path):
    for number in (1, 2):
        LAYOUTS["tile without a place"](tmp_path, interferogram(seed=number), Place())
        if number == 1:
            for kind in ("coco", "delineation"):
                (tmp_path / f"{kind}1_2-3_4_x1.tif").rename(tmp_path / f"{kind}1_2-3_4_x9.tif")
    made = LAYOUTS["tile without a place"](tmp_path, interferogram(), Place())
    one, other = open_catalogue(tmp_path, made.card).entries
    assert one.group == other.group == "made/1_2-3_4"
    assert not shapely.intersects(one.ground(), other.ground())


def test_patches_that_disagree_where_they_overlap_are_refused(tmp_path):
    made = LAYOUTS["npz patches"](tmp_path, interferogram(), Place())
    image = np.random.default_rng(0).normal(0, 0.4, (2, 16, 16)).astype(np.float32)
    np.savez(tmp_path / "scene_b_x50_y20_s16.npz", image=image, mask=np.zeros((1, 16, 16), np.uint8))
    (entry,) = open_catalogue(tmp_path, made.card).entries
    with pytest.raises(DataError, match=r"scene_b_x50_y20_s16\.npz: differs from another patch|_s16\.npz: d"):
        entry.read()


def test_a_patch_that_would_have_to_be_unpickled_is_refused(tmp_path):
    made = LAYOUTS["npz patches"](tmp_path, interferogram(), Place())
    path = tmp_path / "scene_b_x0_y0_s16.npz"
    np.savez(path, image=np.array([{"a": 1}], dtype=object), mask=np.zeros((1, 16, 16), np.uint8))
    with pytest.raises(DataError, match=r"x0_y0_s16\.npz: cannot be read as a patch"):
        open_catalogue(tmp_path, made.card)
