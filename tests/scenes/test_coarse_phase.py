"""A scene's phase in few pixels: each of them where it is, however the scene is read."""

import numpy as np
import pytest
from made_input import NORTH_UP, scene_lines, write_scene

from glsweep.scenes import phase, scene
from glsweep.scenes.raster import read_header

SHAPE = (150, 210)


@pytest.mark.parametrize("most_px", [scene.STRIP_PX, 7 * 210, 1])
@pytest.mark.parametrize("longest_px", [300, 100, 33])
def test_every_pixel_is_the_one_at_its_place_and_as_many_as_fit(tmp_path, monkeypatch, most_px, longest_px):
    path = write_scene(tmp_path / "a.tif", scene_lines(SHAPE, NORTH_UP), SHAPE)
    header = read_header(path)
    monkeypatch.setattr(phase, "row_strips", lambda rows, cols: scene.row_strips(rows, cols, most_px=most_px))
    found, transform = phase.coarse_phase_rad(header, longest_px)
    assert max(found.shape) <= longest_px
    values = header.read()
    for row, col in ((0, 0), (3, 5), (found.shape[0] - 1, found.shape[1] - 1)):
        x, y = transform @ (col, row)
        at_col, at_row = (round(number) for number in ~NORTH_UP @ (x, y))
        wanted = values[at_row, at_col]
        assert (
            np.isnan(found[row, col]) if wanted == 0 else found[row, col] == pytest.approx(np.angle(wanted))
        )
