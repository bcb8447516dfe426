"""Two interferograms on one ground: what the difference holds, on whatever grids the two come."""

from types import SimpleNamespace

import numpy as np
import pyproj
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from made_input import write_bands
from rasterio.crs import CRS

from glsweep.errors import DataError
from glsweep.scenes.double_difference import Magnitude, double_difference, open_difference
from glsweep.scenes.raster import read_header, write_interferogram
from glsweep.scenes.resample import TargetGrid, interpolate, multilook, resampled
from glsweep.scenes.source import Window
from glsweep.simulation.phase import Beam

POLAR, UTM = CRS.from_epsg(3031), CRS.from_epsg(32720)
GRID = TargetGrid((120, 160), Affine(100, 0, -1_000_000, 0, -100, 500_000), POLAR)
TIDES_M = (0.31, 0.22, 0.22, 0.29)
LINE_X_M = -996_000.0
COHERENCE = {"A": 0.8, "B": 0.6}


def on_other_map(size_m):
    """A grid of the UTM zone that covers that ground."""
    to_utm = pyproj.Transformer.from_crs(3031, 32720, always_xy=True)
    x, y = to_utm.transform(*(GRID.transform @ (80, 60)))
    side = round(24_000 / size_m)
    return TargetGrid((side, side), Affine(size_m, 0, round(x) - 12_000, 0, -size_m, round(y) + 12_000), UTM)


OTHER_GRIDS = {
    "half a pixel off": TargetGrid((120, 160), GRID.transform @ Affine.translation(0.5, 0.5), POLAR),
    "whole pixels off": TargetGrid((120, 160), GRID.transform @ Affine.translation(-7, 12), POLAR),
    "south up": TargetGrid(
        (120, 160), GRID.transform @ Affine.translation(0, 120) @ Affine.scale(1, -1), POLAR
    ),
    "turned": TargetGrid(
        (220, 220), GRID.transform @ Affine.translation(70, -60) @ Affine.rotation(30), POLAR
    ),
    "of half the posting": TargetGrid((240, 320), GRID.transform @ Affine.scale(0.5), POLAR),
    "of a third, not aligned": TargetGrid(
        (360, 480), GRID.transform @ Affine.translation(0.2, 0.4) @ Affine.scale(1 / 3), POLAR
    ),
    "of an odd posting": TargetGrid((330, 440), GRID.transform @ Affine.scale(0.37), POLAR),
    "of twice the posting": TargetGrid((60, 80), GRID.transform @ Affine.scale(2), POLAR),
    "of twice the posting, not aligned": TargetGrid(
        (60, 80), GRID.transform @ Affine.translation(0.3, 0.3) @ Affine.scale(2), POLAR
    ),
    "coarser by no whole factor": TargetGrid((80, 107), GRID.transform @ Affine.scale(1.5), POLAR),
    "on another map": on_other_map(100),
    "on another map, finer": on_other_map(50),
    "on another map, coarser": on_other_map(200),
}


def flexure_rad(grid, tide_m):
    """The beam's phase at each pixel of any grid."""
    rows, cols = grid.shape
    row, col = np.indices((rows, cols)) + 0.5
    x, y = grid.transform @ (col, row)
    if grid.crs != POLAR:
        back = pyproj.Transformer.from_crs(pyproj.CRS.from_wkt(grid.crs.to_wkt()), 3031, always_xy=True)
        x, y = back.transform(x, y)
    slanted = x - LINE_X_M + 0.3 * (y - 494_000)
    return Beam(400.0, 1e9, tide_m, 0.7, 0.0555).phase_rad(slanted)


def write_phase(path, phase_rad, grid, strength=None):
    """Write real and imaginary part, or a wrapped phase alone."""
    if strength is not None:
        write_interferogram(path, (strength * np.exp(1j * phase_rad)).astype(np.complex64), *grid[1:])
        return without_noise(path)
    wrapped = np.angle(np.exp(1j * phase_rad)).astype(np.float32)
    return without_noise(write_bands(path, wrapped[None], *grid[1:], nodata=np.nan), "phase")


def write_constant(path, value, grid):
    write_interferogram(path, np.full(grid.shape, value, np.complex64), *grid[1:])
    return without_noise(path)


def without_noise(path, bands="real, imaginary"):
    """Open a scene in which areas are of one phase."""
    return read_header(path, bands, nodata="as_tagged")


def taken(first, second, path):
    difference = open_difference(first, second)
    difference.write(path, {})
    return SimpleNamespace(grid=difference.grid, values=without_noise(path).read(), how=difference)


@pytest.mark.parametrize("kind", ["with coherence", "phase alone"])
@pytest.mark.parametrize("grid", OTHER_GRIDS.values(), ids=OTHER_GRIDS.keys())
def test_the_difference_of_two_tides_is_the_tide_of_the_difference(tmp_path, grid, kind):
    one, two, three, four = TIDES_M
    strengths = COHERENCE if kind == "with coherence" else {"A": None, "B": None}
    first = write_phase(tmp_path / "a.tif", flexure_rad(GRID, one - two), GRID, strengths["A"])
    second = write_phase(tmp_path / "b.tif", flexure_rad(grid, three - four), grid, strengths["B"])
    found = taken(first, second, tmp_path / "d.tif")
    wanted = flexure_rad(found.grid, one - two - three + four)
    has_data = found.values != 0
    assert has_data.sum() * abs(found.grid.transform.determinant) > 1e8, "the ground that both cover"
    off_rad = np.abs(np.angle(found.values * np.exp(-1j * wanted)))[has_data]
    # At a border half of what is averaged may be unknown, and the rest lies half a pixel off.
    assert np.percentile(off_rad, 97) < 0.1
    assert off_rad.max() < 0.6
    strength = np.abs(found.values[has_data])
    assert np.median(strength) == pytest.approx(0.6 if kind == "with coherence" else 1, abs=0.02)
    assert strength.max() < (0.6 if kind == "with coherence" else 1) + 1e-5


@pytest.mark.parametrize("name", ["of twice the posting", "on another map, coarser"])
def test_the_coarser_posting_is_the_common_one(tmp_path, name):
    first = write_constant(tmp_path / "a.tif", 1, GRID)
    second = write_constant(tmp_path / "b.tif", 1, OTHER_GRIDS[name])
    grid = open_difference(first, second).grid
    assert grid.transform.a == 200
    assert grid.crs == POLAR
    assert open_difference(second, first).grid.transform.a == 200


def test_one_grid_is_not_resampled(tmp_path):
    generator = np.random.default_rng(1)
    a, b = (
        (generator.uniform(0.1, 0.9, GRID.shape) * np.exp(1j * generator.uniform(-9, 9, GRID.shape))).astype(
            np.complex64
        )
        for _ in range(2)
    )
    a[:30, :20] = b[50:, 100:] = 0
    shifted = TargetGrid(GRID.shape, GRID.transform @ Affine.translation(9, -5), POLAR)
    for grid, mine, other in (
        (GRID, a, b),
        (shifted, a[: 120 - 5, 9:], b[5:, : 160 - 9]),
    ):
        write_interferogram(tmp_path / "a.tif", a, *GRID[1:])
        write_interferogram(tmp_path / "b.tif", b, *grid[1:])
        found = taken(
            without_noise(tmp_path / "a.tif"), without_noise(tmp_path / "b.tif"), tmp_path / "d.tif"
        )
        exact = mine.astype(complex) * other.conj()
        size = np.where(exact == 0, 1, np.abs(exact))
        lower = np.minimum(np.abs(mine), np.abs(other)).astype(float)
        np.testing.assert_array_equal(found.values, (exact * (lower / size)).astype(np.complex64))
        assert found.grid.transform == GRID.transform @ Affine.translation(0 if grid is GRID else 9, 0)


def test_phases_are_never_averaged_as_numbers(tmp_path):
    """Between 3.1 and -3.1 the mean is pi, not 0."""
    stripes = np.where(np.arange(160) % 2, 3.1, -3.1) * np.ones((120, 1))
    shifted = TargetGrid(GRID.shape, GRID.transform @ Affine.translation(0.5, 0), POLAR)
    first = write_phase(tmp_path / "a.tif", np.full(GRID.shape, -1e-3), GRID)
    second = write_phase(tmp_path / "b.tif", stripes, shifted)
    values = taken(first, second, tmp_path / "d.tif").values[:, 1:-1]
    np.testing.assert_allclose(np.abs(np.angle(values)), np.pi, atol=2e-3)
    np.testing.assert_allclose(np.abs(values), 1, atol=1e-6)


@given(
    holes=st.lists(st.tuples(st.integers(0, 8), st.integers(0, 10)), max_size=40),
    row=st.floats(-2, 10),
    col=st.floats(-2, 12),
)
def test_what_holds_no_data_does_not_bleed(holes, row, col):
    """Of one value alone nothing else is made, and only where half of the weight is known."""
    values = np.full((9, 11), 0.7 * np.exp(2j), np.complex64)
    for hole in holes:
        values[hole] = 0
    (found,) = interpolate(values, np.array([[row]]), np.array([[col]]))[0]
    weight = sum(
        max(0, 1 - abs(row - i)) * max(0, 1 - abs(col - j))
        for i in range(9)
        for j in range(11)
        if values[i, j] != 0
    )
    if abs(weight - 0.5) > 1e-6:
        assert (found != 0) == (weight > 0.5)
    assert found == 0 or abs(found - values.flat[np.flatnonzero(values)[0]]) < 1e-6


@pytest.mark.parametrize("grid", OTHER_GRIDS.values(), ids=OTHER_GRIDS.keys())
def test_a_hole_leaves_its_surroundings_as_they_are(tmp_path, grid):
    rows, cols = grid.shape
    values = np.full(grid.shape, 0.6 * np.exp(-1j), np.complex64)
    values[rows // 3 : rows // 2, cols // 3 : cols // 2] = 0
    write_interferogram(tmp_path / "b.tif", values, *grid[1:])
    first = write_constant(tmp_path / "a.tif", 0.9 * np.exp(1j), GRID)
    found = taken(first, without_noise(tmp_path / "b.tif"), tmp_path / "d.tif").values
    assert (found == 0).any()
    np.testing.assert_allclose(found[found != 0], 0.6 * np.exp(2j), atol=1e-5)


singles = st.floats(-100, 100, width=32)
strengths = st.sampled_from(["coherence", "amplitude", "none"])


@given(
    pairs=st.lists(st.tuples(singles, singles, singles, singles), min_size=1, max_size=20),
    kinds=st.tuples(strengths, strengths),
)
def test_the_other_way_round_is_the_conjugate_and_itself_has_no_phase(pairs, kinds):
    a, b = (np.array([[one[i] + 1j * one[i + 1] for one in pairs]], np.complex64) for i in (0, 2))
    magnitudes = tuple(Magnitude(kind, 1.0) for kind in kinds)
    forth, back = double_difference(a, b, magnitudes), double_difference(b, a, magnitudes[::-1])
    np.testing.assert_array_equal(forth, back.conj())
    itself = double_difference(a, a, (magnitudes[0],) * 2)
    assert (itself.imag == 0).all()
    assert (itself.real >= 0).all()
    np.testing.assert_array_equal(itself != 0, a != 0)


@pytest.mark.parametrize(
    ("first", "second", "wanted"),
    [
        (0.9, 0.4, 0.4),
        (0.9, 1.02, 0.9),  # a coherence that was resampled
        (1.0, 0.4, 0.4),  # a phase alone beside a coherence
        (1.0, 1.0, 1.0),
        (30.0, 0.4, 0.4),  # an amplitude does not say how sure a phase is
        (0.02, 7.0, 0.02),
        (30.0, 7.0, 7.0),
        (30.0, 1.0, 30.0),
    ],
)
def test_the_magnitude_is_the_lower_coherence(tmp_path, first, second, wanted):
    a = write_constant(tmp_path / "a.tif", first * 1j, GRID)
    b = write_constant(tmp_path / "b.tif", second, GRID)
    for one, two, sign in ((a, b, 1), (b, a, -1)):
        found = taken(one, two, tmp_path / "d.tif").values
        np.testing.assert_allclose(found, sign * wanted * 1j, rtol=1e-6)


@pytest.mark.parametrize("grid", OTHER_GRIDS.values(), ids=OTHER_GRIDS.keys())
def test_tile_by_tile_it_is_the_same(tmp_path, grid):
    second = write_phase(tmp_path / "b.tif", flexure_rad(grid, 0.2), grid, 0.6)
    difference = open_difference(write_constant(tmp_path / "a.tif", 1, GRID), second)
    rows, cols = difference.grid.shape
    whole = difference.second.read(Window(0, 0, rows, cols))
    for row in range(0, rows, 50):
        for col in range(0, cols, 64):
            part = Window(row, col, min(50, rows - row), min(64, cols - col))
            found = difference.second.read(part)
            wanted = whole[row : row + part.rows, col : col + part.cols]
            np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_aligned_pixels_are_averaged_and_nothing_else(tmp_path):
    fine = TargetGrid((243, 325), GRID.transform @ Affine.translation(-0.5, -1) @ Affine.scale(0.5), POLAR)
    generator = np.random.default_rng(0)
    values = np.exp(1j * generator.uniform(-1, 1, fine.shape)).astype(np.complex64)
    write_interferogram(tmp_path / "b.tif", values, *fine[1:])
    found = resampled(without_noise(tmp_path / "b.tif"), GRID)
    assert (found.looks, found.corner) == (2, (2, 1))
    np.testing.assert_array_equal(found.read(Window(0, 0, 120, 160)), multilook(values[2:242, 1:321], 2))


@pytest.mark.parametrize(
    "grid",
    [
        TargetGrid((20, 20), GRID.transform @ Affine.translation(500, 0), POLAR),
        TargetGrid((20, 20), Affine(100, 0, 400_000, 0, -100, 2_000_000), UTM),
        TargetGrid((20, 20), Affine(100, 0, 0, 0, -100, 0), CRS.from_epsg(3413)),
    ],
)
def test_two_places_have_no_difference(tmp_path, grid):
    first, second = (
        write_constant(tmp_path / f"{name}.tif", 1, one) for name, one in (("a", GRID), ("b", grid))
    )
    with pytest.raises(DataError, match=r"a\.tif: shares (no )?ground with .*b\.tif.* of one place"):
        taken(first, second, tmp_path / "d.tif")
    assert not (tmp_path / "d.tif").exists()


def test_data_that_never_meets_is_told_and_nothing_is_written(tmp_path):
    values = np.ones(GRID.shape, np.complex64)
    for name, kept in (("a", np.s_[:50]), ("b", np.s_[50:])):
        half = np.zeros_like(values)
        half[kept] = 1
        write_interferogram(tmp_path / f"{name}.tif", half, *GRID[1:])
    with pytest.raises(DataError, match="no pixel that holds data in both"):
        taken(without_noise(tmp_path / "a.tif"), without_noise(tmp_path / "b.tif"), tmp_path / "d.tif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "b.tif"]
