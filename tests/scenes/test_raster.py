import warnings

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning

from glsweep.errors import DataError
from glsweep.scenes.bands import find_reading
from glsweep.scenes.formats import open_source
from glsweep.scenes.raster import read_header, write_interferogram
from glsweep.scenes.source import Window

POLAR = CRS.from_epsg(3031)
NORTH_UP = Affine(100, 0, -1_000_000, 0, -100, 500_000)


def random_scene(shape=(30, 50)):
    generator = np.random.default_rng(0)
    array = generator.normal(size=shape) + 1j * generator.normal(size=shape)
    return array.astype(np.complex64)


def write_bands(path, bands, *, crs=POLAR, transform=NORTH_UP, nodata=None, descriptions=None):
    bands = np.asarray(bands)
    profile = {"height": bands.shape[1], "width": bands.shape[2], "count": len(bands), "dtype": bands.dtype}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", crs=crs, transform=transform, nodata=nodata, **profile
        ) as file:
            file.write(bands)
            if descriptions:
                file.descriptions = descriptions
    return path


def read_interferogram(path, window=None, *, bands="auto"):
    return read_header(path, bands).read(window)


def two_bands(array):
    return np.stack([array.real, array.imag])


def test_a_scene_comes_back_as_it_was_written(tmp_path):
    array = random_scene()
    array[3:7, 20:41] = 0
    path = tmp_path / "new" / "a.b.tif"
    write_interferogram(path, array, NORTH_UP, POLAR)
    header = read_header(path)
    np.testing.assert_array_equal(read_interferogram(path), array)
    assert (header.name, header.shape, header.posting_m) == ("a.b", (30, 50), 100)
    assert header.transform == NORTH_UP
    assert header.crs == POLAR
    assert header.footprint.bounds == (-1_000_000, 497_000, -995_000, 500_000)


def test_the_study_layout_is_two_float32_bands_with_nodata_0(tmp_path):
    write_interferogram(tmp_path / "a.tif", random_scene(), NORTH_UP, POLAR)
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.dtypes == ("float32", "float32")
        assert file.nodata == 0
        assert file.compression is None


def test_nan_is_written_as_no_data(tmp_path):
    array = random_scene()
    array[2, 3] = complex(np.nan, 1)
    write_interferogram(tmp_path / "a.tif", array, NORTH_UP, POLAR)
    array[2, 3] = 0
    np.testing.assert_array_equal(read_interferogram(tmp_path / "a.tif"), array)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_one_complex_band_reads_like_two_float_bands(tmp_path, dtype):
    array = random_scene()
    one = write_bands(tmp_path / "one.tif", array[None].astype(dtype))
    two = write_bands(tmp_path / "two.tif", two_bands(array))
    np.testing.assert_array_equal(read_interferogram(one), array)
    np.testing.assert_array_equal(read_interferogram(two), array)


@pytest.mark.parametrize("layout", ["two bands", "one complex band"])
@pytest.mark.parametrize(
    ("nodata", "value"),
    [(None, 0), (0, 0), (None, np.nan), (np.nan, np.nan), (-9999, -9999), (-9999, np.nan), (-1e38, -1e38)],
)
def test_no_data_is_0_whatever_the_file_calls_it(tmp_path, layout, nodata, value):
    array = random_scene()
    marked = array.copy()
    marked[4:9, 10:30] = complex(value, value)
    bands = two_bands(marked) if layout == "two bands" else marked[None]
    path = write_bands(tmp_path / "a.tif", bands, nodata=nodata)
    array[4:9, 10:30] = 0
    np.testing.assert_array_equal(read_interferogram(path), array)


@pytest.mark.parametrize("value", [np.nan, -9999])
@pytest.mark.parametrize("band", [0, 1])
def test_no_data_in_either_band_is_enough(tmp_path, band, value):
    array = random_scene()
    bands = two_bands(array)
    bands[band, 5, 6] = value
    array[5, 6] = 0
    path = write_bands(tmp_path / "a.tif", bands, nodata=-9999)
    np.testing.assert_array_equal(read_interferogram(path), array)


@pytest.mark.parametrize("nodata", [None, 0])
def test_a_phase_of_90_degrees_is_data_although_its_real_part_is_0(tmp_path, nodata):
    array = np.array([[1j, -1j, 1, -1]], dtype=np.complex64)
    path = write_bands(tmp_path / "a.tif", two_bands(array), nodata=nodata)
    np.testing.assert_array_equal(read_interferogram(path, bands="real, imaginary"), array)


@pytest.mark.parametrize("window", [Window(0, 0, 30, 50), Window(3, 20, 11, 29), Window(29, 0, 1, 50)])
def test_a_window_is_the_same_part_of_a_scene_that_is_not_square(tmp_path, window):
    write_interferogram(tmp_path / "a.tif", random_scene(), NORTH_UP, POLAR)
    whole = read_interferogram(tmp_path / "a.tif")
    row, col, rows, cols = window
    part = read_interferogram(tmp_path / "a.tif", window)
    np.testing.assert_array_equal(part, whole[row : row + rows, col : col + cols])
    assert part.shape == (rows, cols)


def test_windows_tile_the_whole_scene(tmp_path):
    array = random_scene((40, 90))
    write_interferogram(tmp_path / "a.tif", array, NORTH_UP, POLAR)
    tiles = [
        [read_interferogram(tmp_path / "a.tif", Window(r, c, 20, 30)) for c in (0, 30, 60)] for r in (0, 20)
    ]
    np.testing.assert_array_equal(np.block(tiles), array)


@pytest.mark.parametrize("window", [Window(20, 40, 20, 5), Window(0, 0, 50, 30), Window(-1, 0, 5, 5)])
def test_a_window_that_leaves_the_raster_is_refused(tmp_path, window):
    write_interferogram(tmp_path / "a.tif", random_scene(), NORTH_UP, POLAR)
    with pytest.raises(DataError, match="leaves the raster of 30 x 50 pixels"):
        read_interferogram(tmp_path / "a.tif", window)


def test_an_empty_window_is_no_error_but_an_empty_raster_is(tmp_path):
    array = random_scene()
    array[:4, :4] = 0
    path = write_bands(tmp_path / "a.tif", two_bands(array))
    assert not read_interferogram(path, Window(0, 0, 4, 4)).any()
    empty = write_bands(tmp_path / "empty.tif", np.zeros((2, 8, 9), np.float32))
    with pytest.raises(DataError, match="all 72 pixels are without data"):
        read_header(empty)


ROTATED = Affine.translation(1e6, 2e5) @ Affine.rotation(30) @ Affine.scale(100, -100)


def test_a_rotated_square_grid_is_accepted(tmp_path):
    path = write_bands(tmp_path / "a.tif", two_bands(random_scene()), transform=ROTATED)
    assert read_header(path).posting_m == pytest.approx(100)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"crs": None}, "has no CRS"),
        ({"transform": None}, "has no geotransform"),
        ({"crs": None, "transform": None}, "has no CRS"),
        ({"crs": CRS.from_epsg(4326)}, "EPSG:4326 is not projected"),
        ({"crs": CRS.from_epsg(2263)}, "counts in US survey foot"),
        ({"transform": Affine(100, 0, 0, 0, -102, 0)}, "100 x 102 m, not square"),
        ({"transform": Affine(100, 20, 0, 0, -100, 0)}, "sheared, not square"),
        ({"descriptions": ("phase", "imaginary")}, "its phase, band 1"),
        ({"transform": Affine(0.1, 0, 0, 0, -0.1, 0)}, "posting is 0.1 m, which no interferogram has"),
        ({"transform": Affine(9e3, 0, 0, 0, -9e3, 0)}, "posting is 9000 m, which no interferogram has"),
    ],
)
def test_a_grid_that_cannot_be_used_is_refused_in_one_line(tmp_path, changes, told):
    path = write_bands(tmp_path / "bad.tif", two_bands(random_scene()), **changes)
    with pytest.raises(DataError, match=told) as caught:
        read_header(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_pixels_that_are_square_within_a_hundredth_are_accepted(tmp_path):
    transform = Affine(100, 0, 0, 0, -100.5, 0)
    path = write_bands(tmp_path / "a.tif", two_bands(random_scene()), transform=transform)
    assert read_header(path).posting_m == 100


@pytest.mark.parametrize(
    ("bands", "told"),
    [
        (np.ones((1, 8, 8), np.float32), "coherence or amplitude, not a phase"),
        (np.full((1, 8, 8), np.nan, np.float32), "without data"),
        (
            np.linspace(-9, 20, 64, dtype=np.float32).reshape(1, 8, 8),
            "unwrapped phase, perhaps; name `unwrapped_",
        ),
        (np.ones((1, 8, 8), np.uint8), "holds integers .uint8"),
        (np.ones((2, 8, 8), np.int16), "holds integers .int16"),
        (np.ones((2, 8, 8), np.complex64), "band 1 and band 2 can each be the complex"),
        (np.ones((3, 8, 8), np.float32), "has 3 bands"),
    ],
)
def test_other_bands_than_an_interferograms_are_refused(tmp_path, bands, told):
    path = write_bands(tmp_path / "bad.tif", bands)
    with pytest.raises(DataError, match=told):
        read_header(path)


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.9])
def test_a_file_that_was_cut_short_is_refused(tmp_path, kept):
    path = tmp_path / "cut.tif"
    write_interferogram(path, random_scene((200, 300)), NORTH_UP, POLAR)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DataError, match=r"cut\.tif: .*obtain it again") as caught:
        read_header(path)
        read_interferogram(path)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"none\.tif: there is no such file"):
        read_header(tmp_path / "none.tif")


def test_a_raster_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "a.tif"
    write_interferogram(path, random_scene(), NORTH_UP, POLAR)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="not enough values"):
        write_interferogram(path, random_scene()[0], NORTH_UP, POLAR)
    with pytest.raises(rasterio.errors.CRSError):
        write_interferogram(path, random_scene(), NORTH_UP, "EPSG:0")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("*_ifg.tif", "between -1.124 and 18.57: an unwrapped phase"),
        ("*_unw.tif", "an unwrapped phase"),
        ("*_cc.tif", "coherence or amplitude, not a phase"),
    ],
)
def test_products_of_a_processor_are_refused_for_what_they_are(getz, name, told):
    for path in (getz.parent / "sentinel1_geotiff").glob(name):
        with pytest.raises(DataError, match=told):
            read_header(path)


def test_an_unwrapped_product_is_taken_when_the_card_says_so_unless_its_crs_is_geographic(getz):
    path = next((getz.parent / "sentinel1_geotiff").glob("*_unw.tif"))
    with pytest.raises(DataError, match="EPSG:4326 is not projected"):
        read_header(path, "unwrapped_phase")
    with open_source(path) as source:
        interferogram = find_reading(source, "unwrapped_phase").read(source, Window(0, 0, *source.shape))
    with rasterio.open(path) as file:
        phase_rad = file.read(1)
    np.testing.assert_array_equal(interferogram == 0, phase_rad == 0)
    turned = interferogram[phase_rad != 0] * np.exp(-1j * phase_rad[phase_rad != 0])
    np.testing.assert_allclose(turned, 1, atol=1e-4)


def test_a_mask_within_the_file_marks_pixels_without_data(tmp_path):
    array = random_scene()
    path = write_bands(tmp_path / "a.tif", two_bands(array))
    kept = np.ones(array.shape, bool)
    kept[4:9, 10:30] = False
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as file:
        file.write_mask(kept)
    np.testing.assert_array_equal(read_interferogram(path), np.where(kept, array, 0))
    part = read_interferogram(path, Window(2, 8, 10, 9))
    np.testing.assert_array_equal(part, np.where(kept, array, 0)[2:12, 8:17])
