"""Views of a scene's phase: what GDAL computes in them is what networks see."""

import numpy as np
import pytest
import rasterio
from made_input import NORTH_UP, POLAR, scene_lines, write_bands, write_scene
from made_products import write_dimap

from glsweep.scenes.phase_view import write_phase_view
from glsweep.scenes.raster import read_header


def assert_seen(header, folder):
    values = header.read()
    with rasterio.open(write_phase_view(header, folder)[0]) as view:
        assert view.crs == header.crs
        assert view.transform == header.transform
        seen = view.read(1, masked=True)
    np.testing.assert_array_equal(np.ma.getmaskarray(seen) | np.isnan(seen.data), values == 0)
    np.testing.assert_allclose(seen.data[values != 0], np.angle(values[values != 0]), atol=1e-5)


@pytest.mark.parametrize("kind", ["real_imaginary", "complex", "wrapped_phase"])
def test_it_shows_the_phase_of_every_layout(tmp_path, kind):
    lines = scene_lines((150, 210), NORTH_UP)
    header = read_header(write_scene(tmp_path / "Küste & b.tif", lines, kind=kind))
    assert_seen(header, tmp_path)
    (tmp_path / "elsewhere" / "below").mkdir(parents=True)
    (tmp_path / "linked").symlink_to(tmp_path / "elsewhere" / "below")
    assert_seen(header, tmp_path / "linked")


def test_degrees_become_radians(tmp_path):
    phase = np.random.default_rng(0).uniform(-180, 180, (1, 64, 80)).astype(np.float32)
    phase[0, -10:] = np.nan
    path = write_bands(tmp_path / "a.tif", phase, NORTH_UP, POLAR, nodata=np.nan, names=("phase",))
    assert_seen(read_header(path, "phase_degrees=1"), tmp_path)


def test_there_is_none_of_formats_that_are_read_here_alone(tmp_path):
    phase = np.random.default_rng(0).uniform(-3, 3, (64, 80)).astype(np.float32)
    path = write_dimap(tmp_path / "a.dim", {"Phase_ifg_a": (phase, {})}, transform=NORTH_UP)
    assert write_phase_view(read_header(path, "phase=Phase_ifg_a"), tmp_path) == []
