"""How far drawn lines lie from old ones, on the ground, and on which side: fringes tell where the sea is."""

import numpy as np
import pyproj
import pytest
from affine import Affine
from geodesics import map_factor
from made_drawn_scenes import drawn_scene
from made_input import NORTH_UP, POLAR, write_bands
from shapely import LineString

from glsweep.prediction.near import Prior
from glsweep.prediction.old_lines import FromOld, from_old, lines_within
from glsweep.scenes.bending import sea_sides_of
from glsweep.scenes.raster import read_header
from glsweep.simulation.phase import Beam
from glsweep.simulation.radar import speckled_interferogram

SHAPE = (160, 220)
LINE_COL = 95
BEAM = Beam(thickness_m=500, young_pa=1e9, amplitude_m=0.16, incidence_rad=0.7, wavelength_m=0.0555)
SOUTH_UP = Affine(100, 0, NORTH_UP.c, 0, 100, NORTH_UP.f - 16_000)


def fringes(folder, transform):
    """A scene whose sea is in the east, whether its first row is in the north or in the south."""
    distance_m = 100 * (np.indices(SHAPE)[1] + 0.5 - LINE_COL)
    generator = np.random.default_rng(0)
    values = speckled_interferogram(
        BEAM.phase_rad(distance_m), np.full(SHAPE, 0.95), looks=40, generator=generator
    )
    bands = np.stack([values.real, values.imag])
    names = ("real", "imaginary")
    return read_header(write_bands(folder / "20180105.tif", bands, transform, POLAR, names=names))


def meridian(col):
    """A straight line from south to north."""
    x_m = NORTH_UP.c + 100 * col
    return LineString([(x_m, NORTH_UP.f - 15_000), (x_m, NORTH_UP.f - 1_000)])


@pytest.mark.parametrize("transform", [NORTH_UP, SOUTH_UP])
def test_fringes_tell_on_which_side_of_a_line_the_sea_is(tmp_path, transform):
    line = meridian(LINE_COL)
    header = fringes(tmp_path, transform)
    assert sea_sides_of(header, [line, line.reverse()]).tolist() == [-1, 1]


def test_a_line_to_the_sea_of_the_old_one_is_as_far_seaward_as_they_are_apart(tmp_path):
    header = fringes(tmp_path, NORTH_UP)
    factor = map_factor(NORTH_UP.c + 9_500, NORTH_UP.f - 8_000)
    for moved_px in (4, -4):
        drawn = drawn_scene("20180105", [meridian(LINE_COL)], header=header)
        old = Prior("old", "", (meridian(LINE_COL - moved_px),), pyproj.CRS.from_epsg(3031), 5_000)
        found = from_old(drawn, old)
        assert np.median(found.seaward_m) == pytest.approx(100 * moved_px / factor, abs=2)
        assert found.quantile_m(0.5) == pytest.approx(400 / factor, abs=2)
        assert found.sides_known == 1


def test_where_nothing_tells_the_sides_apart_no_side_is_said(tmp_path):
    phase_rad = np.random.default_rng(0).uniform(-np.pi, np.pi, SHAPE)
    noise = np.stack([np.cos(phase_rad), np.sin(phase_rad)]).astype(np.float32)
    path = write_bands(tmp_path / "20180105.tif", noise, NORTH_UP, POLAR, names=("real", "imaginary"))
    drawn = drawn_scene("20180105", [meridian(LINE_COL)], header=read_header(path))
    old = Prior("old", "", (meridian(LINE_COL - 4),), pyproj.CRS.from_epsg(3031), 5_000)
    found = from_old(drawn, old)
    assert len(found.seaward_m) == 0 and found.transects > 0 and found.near_km > 10


def test_quantiles_count_length_and_leave_out_what_has_no_old_line():
    one = FromOld(np.array([10.0, 100.0]), np.array([3.0, 1.0]), np.zeros(0), 0)
    other = FromOld(np.array([np.inf]), np.array([6.0]), np.zeros(0), 0)
    pooled = FromOld.pooled([one, other])
    assert (pooled.quantile_m(0.5), pooled.quantile_m(0.95)) == (10, 100)
    assert (pooled.near_km, pooled.far_km) == pytest.approx((0.004, 0.006))


def test_what_of_the_old_lines_lies_on_a_map_is_drawn_there_wherever_it_runs():
    beyond = LineString([(-1e6, -1e6), (1e6, -1e6)])
    line = meridian(LINE_COL)
    left, bottom, right, top = line.buffer(3_000).bounds
    old = Prior("old", "", (line, beyond), pyproj.CRS.from_epsg(3031), 100)
    (seen,) = lines_within(old, (left, bottom, right, top - 5_000), old.crs)
    assert seen.length == pytest.approx(line.length - 2_000, abs=1)
