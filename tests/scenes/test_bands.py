"""A raster is read as what it is, or refused: never as something else, however it was written."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS
from rasterio.enums import ColorInterp

from glsweep.config.bands import parse_bands, role_of
from glsweep.errors import DataError
from glsweep.scenes.band_values import sample_windows
from glsweep.scenes.raster import read_header
from glsweep.scenes.source import Window

POLAR = CRS.from_epsg(3031)
NORTH_UP = Affine(100, 0, -1_000_000, 0, -100, 500_000)
SHAPE = (72, 104)


def made_scene(seed=0, *, land=0.5, noise_rad=0.3, collar_px=12, shape=SHAPE):
    """Quiet land, then fringes that lose coherence, and a slanted collar: complex, 0 without data."""
    generator = np.random.default_rng(seed)
    row, col = np.indices(shape)
    seaward = np.clip(col - land * shape[1], 0, None)
    coherence = np.clip(0.9 - 0.012 * seaward + generator.normal(0, 0.03, shape), 0.05, 0.98)
    phase_rad = 0.004 * seaward**2 + 0.01 * row + generator.normal(0, noise_rad + 2 * (1 - coherence), shape)
    values = (coherence * np.exp(1j * phase_rad)).astype(np.complex64)
    if collar_px:
        values[col + 0.5 * row < collar_px + 10] = 0
    return values


def write(
    path, bands, *, names=None, units=None, scales=None, offsets=None, alpha=None, mask=None, **profile
):
    """Write bands (B, rows, cols) with all that a GeoTIFF can say of them."""
    bands = np.asarray(bands)
    size = {"count": len(bands), "height": bands.shape[1], "width": bands.shape[2], "dtype": bands.dtype}
    options = {"driver": "GTiff", "crs": POLAR, "transform": NORTH_UP, **size, **profile}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", **options) as file,
    ):
        if alpha is not None:
            file.colorinterp = [
                ColorInterp.alpha if n == alpha else ColorInterp.gray for n in range(len(bands))
            ]
        file.write(bands)
        file.descriptions = names or file.descriptions
        file.units = units or file.units
        file.scales = scales or file.scales
        file.offsets = offsets or file.offsets
        if mask is not None:
            file.write_mask(mask)
    return path


def angle(values):
    return np.where(values == 0, 0, np.angle(values)).astype(np.float32)


def assert_same_phase(found, true, *, tolerance_rad=1e-3):
    """The same pixels hold data, but for single ones, and their phases agree."""
    assert ((found != 0) != (true != 0)).mean() < 2e-3
    both = (found != 0) & (true != 0)
    assert np.abs(np.angle(found[both] * np.conj(true[both]))).max() < tolerance_rad


FILLS = st.sampled_from(
    [0, 0, 0, np.nan, -9999, -32768, 9999, 1e20, np.finfo(np.float32).min, 255, 100, -10, -1, 1, 0.5, 3]
)


class Raster:
    """What was measured, and how it is written."""

    def __init__(self, true, values, options):
        self.true, self.values, self.options = true, values, options

    def __repr__(self):
        told = {key: value for key, value in self.options.items() if key != "mask"}
        masked = " masked" if "mask" in self.options else ""
        spans = [(float(np.nanmin(band)), float(np.nanmax(band))) for band in self.values]
        return f"{self.values.dtype} {spans} {told}{masked}"


@st.composite
def phase_bands(draw, true):
    """A phase as processors write it: values, the name and the unit that go with it."""
    turn, unit, words = draw(
        st.sampled_from(
            [
                (2 * np.pi, "rad", ["phase", "wrapped_phase", "Phase_ifg_VV", "topo phase corrected"]),
                (360.0, "degrees", ["phase", "Phase"]),
                (1.0, "cycles", ["phase"]),
                (2.0, "", ["phase over pi"]),
                (255.0, "", ["phase"]),
            ]
        )
    )
    from_zero = draw(st.booleans())
    phase_rad = np.mod(angle(true), 2 * np.pi) if from_zero else angle(true)
    extra_turns = draw(st.sampled_from([0, 0, 0, 3]))
    values = np.where(true == 0, 0, phase_rad * turn / (2 * np.pi) + extra_turns * turn)
    return values.astype(np.float32), draw(st.sampled_from(["", *words])), draw(st.sampled_from(["", unit]))


@st.composite
def strength_bands(draw, true):
    """Coherence or amplitude as processors write it."""
    factor, words = draw(
        st.sampled_from(
            [(1.0, ["coherence", "coh_VV", "corr"]), (255.0, ["coherence"]), (40.0, ["amplitude", "mag"])]
        )
    )
    power = draw(st.sampled_from([1, 1, 2]))
    words = ["intensity"] if power == 2 else words
    values = ((np.abs(true) * factor) ** power).astype(np.float32)
    return values, draw(st.sampled_from(["", *words])), ""


@st.composite
def part_bands(draw, true):
    """Real and imaginary part, at any level."""
    level = draw(st.sampled_from([1.0, 0.02, 3.1, 5000.0]))
    names = draw(
        st.sampled_from(
            [("", ""), ("real", "imaginary"), ("i_ifg", "q_ifg"), ("in-phase", "quadrature"), ("Re", "")]
        )
    )
    return [
        ((part * level).astype(np.float32), name, "")
        for part, name in zip((true.real, true.imag), names, strict=True)
    ]


@st.composite
def rasters(draw):
    """An interferogram and one of the ways to write it, with or without the tags that explain it."""
    true = made_scene(
        draw(st.integers(0, 50)),
        land=draw(st.sampled_from([0.2, 0.5, 0.8])),
        noise_rad=draw(st.sampled_from([0.05, 0.3, 1.0])),
        collar_px=draw(st.sampled_from([0, 12, 40])),
    )
    kind = draw(st.sampled_from(["parts", "phase", "phase", "phase and strength", "phase and strength"]))
    if kind == "parts":
        bands = draw(part_bands(true))
    else:
        bands = [draw(phase_bands(true))]
        if kind == "phase and strength":
            bands.append(draw(strength_bands(true)))
    # Without a name, real comes before imaginary part by convention, and nothing can tell it otherwise.
    can_turn = kind != "parts" or any(name for _, name, _ in bands)
    if can_turn and draw(st.booleans()):
        bands = bands[::-1]
    values = np.stack([band for band, _, _ in bands])
    fills = [draw(FILLS), draw(FILLS)] if draw(st.booleans()) else [draw(FILLS)] * 2
    fill = fills[0]
    for band, of_band in zip(values, fills, strict=False):
        band[true == 0] = of_band
    tag = draw(st.sampled_from([None, fill, 0, -9999]))
    options = {
        "nodata": tag,
        "names": [name for _, name, _ in bands],
        "units": [unit for _, _, unit in bands],
    }
    how = draw(st.sampled_from(["", "", "mask", "alpha", "scaled"]))
    if how == "mask":
        options["mask"] = true != 0
    if how == "alpha":
        values = np.concatenate([values, np.where(true == 0, 0, 255)[None].astype(np.float32)])
        options |= {"names": [*options["names"], ""], "units": [*options["units"], ""], "alpha": len(bands)}
    if how == "scaled" and fills == [0, 0]:
        scales = np.abs(values).max(axis=(1, 2)) / 30_000
        values = np.rint(values / scales[:, None, None]).astype(np.int16)
        options |= {"scales": scales.tolist(), "nodata": 0 if tag is not None else None}
    return Raster(true, values, options)


def check_right_or_refused(path, true, bands="auto"):
    try:
        header = read_header(path, bands)
        found = header.read()
    except DataError as error:
        assert str(error).startswith(f"{path}: ")
        assert "\n" not in str(error)
        return str(error)
    assert_same_phase(found, true, tolerance_rad=5e-3)
    return None


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(raster=rasters())
def test_what_is_read_is_right_or_refused(raster):
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "a.tif", raster.values, **raster.options)
        check_right_or_refused(path, raster.true)


@pytest.mark.parametrize(
    ("names", "bands", "reading"),
    [
        (("in-phase", "quadrature"), "parts", "real, imaginary"),
        (("COSMO_i_ifg", "COSMO_q_ifg"), "parts", "real, imaginary"),
        (("phase_tropo_corrected", "coherence"), "phase", "phase, coherence"),
        (("phase", ""), "phase", "phase, coherence"),
        (("", "corr"), "phase", "phase, coherence"),
        (("Phase_ifg_VV_20Jan2018", "Intensity_ifg_VV_20Jan2018"), "phase", "phase, intensity"),
        (("wrapped phase", "amplitude"), "phase", "phase, magnitude"),
        (("", ""), "parts", "real, imaginary"),
        (("VV", "VH"), "parts", "real, imaginary"),
        (("", ""), "phase", "phase, coherence"),
    ],
)
def test_bands_are_known_by_whole_words_and_else_by_their_values(tmp_path, names, bands, reading):
    true = made_scene()
    values = (true.real, true.imag) if bands == "parts" else (angle(true), np.abs(true))
    path = write(tmp_path / "a.tif", np.stack(values).astype(np.float32), names=names)
    header = read_header(path)
    assert header.reading.title == reading
    assert_same_phase(header.read(), true)


@pytest.mark.parametrize(
    ("name", "unit", "role"),
    [
        ("in-phase", "", "real"),
        ("unwrappedPhase", "", "unwrapped_phase"),
        ("coherenceMagnitude", "", "coherence"),
        ("connectedComponents", "", "other"),
        ("lv_phi", "radians", "other"),
        ("phase", "m", "other"),
        ("phase", "mm/yr", "other"),
        ("phase", "degrees", "phase_degrees"),
        ("phase [deg]", "", "phase_degrees"),
        ("phase_std", "rad", "other"),
        ("Sigma0_VV", "", "intensity"),
        ("correction", "", None),
        ("COSMO", "", None),
        ("phased array", "", None),
    ],
)
def test_a_name_and_a_unit_say_what_a_band_is(name, unit, role):
    assert role_of(name, unit) == role


def smooth(low, high, shape=SHAPE):
    row, col = np.indices(shape)
    return (low + (high - low) * (row + col) / (sum(shape) - 2)).astype(np.float32)


@pytest.mark.parametrize(
    "values",
    [
        smooth(-3.1, 3.1),
        smooth(-0.07, -0.04),
        smooth(-2.9, -2.75),
        smooth(-3000, 100),
        angle(made_scene()) / (2 * np.pi),
        np.rad2deg(angle(made_scene())),
        made_scene().real,
        np.abs(made_scene()),
        np.random.default_rng(0).normal(0, 0.8, SHAPE).clip(-3.14, 3.14),
    ],
    ids=[
        "displacement",
        "metres",
        "look vector",
        "heights",
        "cycles",
        "degrees",
        "real",
        "coherence",
        "clipped",
    ],
)
def test_one_band_is_a_phase_only_where_it_wraps_at_pi(tmp_path, values):
    path = write(tmp_path / "a.tif", values[None].astype(np.float32))
    with pytest.raises(DataError, match="one float band, whose values lie between"):
        read_header(path)


@pytest.mark.parametrize(
    ("asked", "turn", "order"),
    [
        ("phase_cycles, coherence", 1.0, (0, 1)),
        ("coherence, phase_degrees", 360.0, (1, 0)),
        ("phase_pi=2, magnitude=1", 2.0, (1, 0)),
        ("phase=1", 2 * np.pi, (0, 1)),
    ],
)
def test_a_user_settles_what_is_ambiguous(tmp_path, asked, turn, order):
    true = made_scene()
    pair = (angle(true) * turn / (2 * np.pi), np.abs(true))
    path = write(tmp_path / "a.tif", np.stack([pair[n] for n in order]).astype(np.float32))
    assert_same_phase(read_header(path, asked).read(), true)


def test_a_band_is_found_by_its_number_or_its_name(tmp_path):
    true = made_scene()
    bands = [np.abs(true), np.ones(SHAPE), angle(true)]
    path = write(tmp_path / "a.tif", np.stack(bands).astype(np.float32), names=("first", "second", "third"))
    for asked in ("phase=3, coherence=1", "phase=third, coherence=first", "3, 1"):
        assert_same_phase(read_header(path, asked).read(), true)
    with pytest.raises(DataError, match="has 0 bands of the name 'fourth'; its bands are 1 first, 2 second"):
        read_header(path, "phase=fourth")
    with pytest.raises(DataError, match="has no band 4"):
        read_header(path, "phase=4")


def test_zeros_are_a_collar_though_another_value_is_tagged_and_single_zeros_are_measured(tmp_path):
    true = made_scene(noise_rad=0.05)
    stored = np.rint(angle(true) * 1e4).astype(np.int16)
    stored[5, 80] = 0
    path = write(tmp_path / "a.tif", stored[None], scales=[1e-4], nodata=-32768)
    found = read_header(path, "phase").read()
    assert found[5, 80] == 1
    np.testing.assert_array_equal((found == 0)[:, :60], (true == 0)[:, :60])
    window = read_header(path, "phase").read(Window(3, 70, 9, 30))
    np.testing.assert_array_equal(window, found[3:12, 70:100])


def test_a_fill_that_nothing_tags_is_named_and_the_remedy_works(tmp_path):
    true = made_scene()
    for fill in (-9999.0, 3.4e38, 100.0):
        bands = np.stack([np.where(true == 0, fill, part) for part in (true.real, true.imag)])
        path = write(tmp_path / "a.tif", bands.astype(np.float32))
        with pytest.raises(DataError, match="nothing says that it is no data") as caught:
            read_header(path)
        nodata = float(str(caught.value).split("--nodata=")[1].split(",")[0])
        assert_same_phase(read_header(path, nodata=nodata).read(), true)


def test_an_area_of_one_value_is_no_measurement_unless_a_user_says_so(tmp_path):
    true = made_scene(collar_px=0)
    true[20:50, 10:40] = 1
    path = write(tmp_path / "a.tif", np.stack([true.real, true.imag]), names=("real", "imaginary"))
    with pytest.raises(DataError, match=r"10% of its pixels lie in areas that hold one value.*--nodata=1,"):
        read_header(path)
    assert (read_header(path, nodata=1).read()[20:50, 10:40] == 0).all()
    assert (read_header(path, nodata="as_tagged").read() == true).all()


def test_values_are_looked_at_in_full_resolution_not_in_interpolated_overviews(tmp_path):
    row, col = np.indices((700, 600))
    true = np.exp(1j * (0.05 * row + 0.11 * col)).astype(np.complex64)
    path = write(tmp_path / "a.tif", angle(true)[None], tiled=True, blockxsize=128, blockysize=128)
    with rasterio.open(path, "r+") as file:
        file.build_overviews([2, 4, 8], rasterio.enums.Resampling.cubic)
    with rasterio.open(path, overview_level=0) as overview:
        assert np.abs(overview.read(1)).max() > np.pi + 0.01
    assert_same_phase(read_header(path).read(), true)


def test_an_alpha_band_holds_back_what_it_covers(tmp_path):
    true = made_scene()
    junk = np.random.default_rng(1).uniform(-3, 3, SHAPE)
    for kept in (1, 255):
        bands = [np.where(true == 0, junk, angle(true)), np.where(true == 0, 0, kept)]
        path = write(tmp_path / "a.tif", np.stack(bands).astype(np.float32), alpha=1)
        assert_same_phase(read_header(path).read(), true)


def test_a_coherence_that_resampling_pushed_beyond_its_range_is_clipped_and_counted(tmp_path):
    true = made_scene()
    coherence = np.abs(true)
    overshoot = np.random.default_rng(2).uniform(0.01, 0.05, (4, 10))
    coherence[30:33, 60:70] = 1 + overshoot[:3]
    coherence[40, 60:70] = -overshoot[3]
    path = write(tmp_path / "a.tif", np.stack([angle(true), coherence]), names=("phase", "coherence"))
    header = read_header(path)
    assert header.reading.clipped_share == pytest.approx(40 / coherence.size)
    found = header.read()
    assert np.abs(found).max() <= 1 + 1e-6
    assert (found[40, 60:70] != 0).all()


def test_a_mask_beside_the_phase_is_refused_with_the_reading_that_settles_it(tmp_path):
    true = made_scene()
    path = write(tmp_path / "a.tif", np.stack([angle(true), np.where(true == 0, 0, 255)]).astype(np.float32))
    with pytest.raises(DataError, match="as a mask or an alpha band does; name `phase=1, mask=2`"):
        read_header(path)
    assert_same_phase(read_header(path, "phase=1, mask=2").read(), true)


def large_scene_with(fill, places=(20, 25, 30)):
    """A raster of which a part is looked at when it is opened, with a fill in windows that are not."""
    row, col = np.indices((2048, 2048))
    generator = np.random.default_rng(0)
    phase_rad = 0.06 * col + 4 * np.sin(row / 60) + generator.normal(0, 0.3, row.shape)
    true = (generator.uniform(0.4, 0.9, row.shape) * np.exp(1j * phase_rad)).astype(np.complex64)
    bands = np.stack([true.real, true.imag])
    windows = list(sample_windows(row.shape))[8:]
    for place in places:
        hole = windows[place]
        part = np.s_[hole.row + 20 : hole.row + 236, hole.col + 20 : hole.col + 236]
        bands[(slice(None), *part)] = fill
        true[part] = 0
    return true, bands


@pytest.mark.parametrize("fill", [-9999, 1e20, 0.5])
def test_a_fill_beyond_what_was_looked_at_is_refused_when_it_is_read(tmp_path, fill):
    true, bands = large_scene_with(fill)
    path = write(tmp_path / "a.tif", bands)
    header = read_header(path)
    with pytest.raises(DataError, match=r"--nodata=") as caught:
        header.read()
    nodata = float(str(caught.value).split("--nodata=")[1].split(",")[0])
    found = read_header(path, nodata=nodata).read()
    np.testing.assert_array_equal(found == 0, true == 0)


def test_a_tagged_0_is_no_data_where_an_offset_gives_it_another_value(tmp_path):
    true = made_scene(collar_px=0)
    step = 2 * np.pi / 65534
    stored = np.clip(np.rint((angle(true) + np.pi) / step) + 1, 1, 65535).astype(np.uint16)
    specks = np.random.default_rng(0).random(SHAPE) < 0.01
    stored[specks] = 0
    path = write(tmp_path / "a.tif", stored[None], scales=[step], offsets=[-np.pi - step], nodata=0)
    np.testing.assert_array_equal(read_header(path).read() == 0, specks)


@pytest.mark.parametrize("factor", [180 / np.pi, 1 / np.pi, 0.5 / np.pi, 1])
def test_two_phases_are_no_real_and_imaginary_part(tmp_path, factor):
    pair = np.stack([angle(made_scene(0, land=0.2)), angle(made_scene(1, land=0.2))]) * factor
    with pytest.raises(DataError, match=r"phase|degrees|cycles"):
        read_header(write(tmp_path / "a.tif", pair.astype(np.float32)))


@pytest.mark.parametrize(
    ("factor", "asked", "remedy"),
    [
        (0.5 / np.pi, "phase", "phase_cycles=1"),
        (1 / np.pi, "phase", "phase_pi=1"),
        (180 / np.pi, "phase", "phase_degrees=1"),
        (1, "phase_degrees", "phase=1"),
        (180 / np.pi, "unwrapped_phase", "phase_degrees=1"),
    ],
)
def test_what_a_user_says_of_a_phase_must_look_like_it(tmp_path, factor, asked, remedy):
    true = made_scene(land=0.2)
    path = write(tmp_path / "a.tif", (angle(true) * factor)[None].astype(np.float32))
    with pytest.raises(DataError, match=f"`{remedy}`"):
        read_header(path, asked)
    assert_same_phase(read_header(path, remedy).read(), true)


def test_a_band_that_is_named_a_mask_is_used_or_said_to_be_of_no_matter(tmp_path):
    true = made_scene()
    noise_rad = np.random.default_rng(1).uniform(-3, 3, SHAPE)
    bands = [np.where(true == 0, noise_rad, angle(true)), true != 0]
    path = write(tmp_path / "a.tif", np.stack(bands).astype(np.float32), names=("phase", "valid_mask"))
    with pytest.raises(DataError, match="`phase=1, mask=2` if there is none, or `phase=1` if there is"):
        read_header(path)
    assert_same_phase(read_header(path, "phase=1, mask=2").read(), true)
    assert (read_header(path, "phase=1").read() != 0).all()


def test_a_constant_phase_beside_a_coherence_that_varies_is_found(tmp_path):
    true = made_scene(collar_px=0)
    phase_rad, coherence = angle(true), np.abs(true)
    phase_rad[20:50, 10:40] = -np.pi
    path = write(tmp_path / "a.tif", np.stack([phase_rad, coherence]), names=("phase", "coherence"))
    with pytest.raises(DataError, match=r"hold one value without exception.*--nodata=-3\.14159"):
        read_header(path)


def test_a_phase_that_was_masked_with_0_pixel_by_pixel_is_no_data_there_whatever_is_tagged(tmp_path):
    true = made_scene(collar_px=0)
    masked = np.random.default_rng(3).random(SHAPE) < 0.2
    for tag in (np.nan, -9999):
        path = write(tmp_path / "a.tif", np.where(masked, 0, angle(true))[None], nodata=tag)
        np.testing.assert_array_equal(read_header(path).read() == 0, masked)


def test_numbers_in_the_wrong_byte_order_are_no_interferogram(tmp_path):
    true = made_scene(collar_px=0)
    turned = np.stack([true.real, true.imag]).byteswap()
    for bands, asked in ((turned, "real, imaginary"), (true.byteswap()[None], "auto")):
        path = write(tmp_path / "a.tif", bands)
        with pytest.raises(DataError, match=r"byte order|no data"):
            read_header(path, asked)


def test_a_name_with_other_words_beside_phase_is_a_phase(tmp_path):
    true = made_scene()
    for name in (
        "Wrapped phase (-pi to pi)",
        "phase_im1_im2",
        "re-wrapped phase",
        "phase, track 3 Q1",
        "phase cycle 12",
    ):
        path = write(tmp_path / "a.tif", angle(true)[None], names=(name,))
        assert_same_phase(read_header(path).read(), true)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("phase=3, 1", "say it of all, or of none"),
        ("phase, phase", "names a role twice"),
        ("coherence", "is no interferogram"),
        ("phase, ", "has an empty term"),
        ("hue=1", "'hue' is no role; known are complex"),
    ],
)
def test_what_a_user_says_must_make_an_interferogram(asked, told):
    with pytest.raises(ValueError, match=told):
        parse_bands(asked)


def test_the_order_in_which_a_user_names_bands_does_not_matter(tmp_path):
    true = made_scene()
    coherence = np.where(true == 0, 0.5, np.abs(true))
    path = write(tmp_path / "a.tif", np.stack([coherence, angle(true)]).astype(np.float32))
    for asked in ("coherence, phase", "phase=2, coherence=1"):
        np.testing.assert_array_equal(read_header(path, asked).read() == 0, true == 0)


def test_a_band_of_zeros_beside_an_amplitude_is_refused_in_one_line(tmp_path):
    amplitude = 40 * np.abs(made_scene(collar_px=0))
    for bands in ((amplitude, np.zeros(SHAPE)), (np.zeros(SHAPE), amplitude)):
        path = write(tmp_path / "a.tif", np.stack(bands).astype(np.float32))
        with pytest.raises(DataError, match="neither real and imaginary part nor phase and coherence"):
            read_header(path)
