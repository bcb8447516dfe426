"""The picture of a predicted scene."""

from datetime import date

import matplotlib as mpl
import numpy as np
import pyproj
import pytest
from affine import Affine
from PIL import Image
from shapely import LineString

from glsweep.pages.map_pictures import north_up
from glsweep.pages.map_place import map_bounds
from glsweep.prediction.quick_look import draw_quick_look

NORTH_UP = Affine.translation(-1_444_000, -700_000) @ Affine.scale(100, -100)
TURNED = Affine.translation(-1_444_000, -700_000) @ Affine.rotation(30) @ Affine.scale(100, -100)


def _drawn(path, transform, crs, dates=()):
    phase_rad = np.linspace(-3, 3, 60 * 100, dtype=np.float32).reshape(60, 100)
    probability = np.zeros((120, 200), np.float32)
    line = LineString([transform @ (10, 60), transform @ (190, 60)])
    draw_quick_look(
        path,
        phase_rad,
        probability,
        [line],
        transform,
        shape=(120, 200),
        crs=crs,
        dates=dates,
        title="scene: 18.0 km of line",
    )
    return np.asarray(Image.open(path).convert("RGB"))


def test_it_has_the_width_of_two_columns_and_leaves_the_settings_of_matplotlib_alone(tmp_path):
    before = dict(mpl.rcParams)
    pixels = _drawn(tmp_path / "scene.png", NORTH_UP, pyproj.CRS("EPSG:3031"), (date(2020, 1, 1),))
    assert pixels.shape[1] == int(18.3 / 2.54 * 200)
    assert dict(mpl.rcParams) == before


def test_a_scene_of_no_place_has_neither_north_nor_coast(tmp_path):
    placed = _drawn(tmp_path / "placed.png", NORTH_UP, pyproj.CRS("EPSG:3031"))
    unplaced = _drawn(tmp_path / "unplaced.png", NORTH_UP, None)
    mark = (213, 94, 0)  # the place on the small map
    assert (placed == mark).all(axis=-1).any()
    assert not (unplaced == mark).all(axis=-1).any()


@pytest.mark.parametrize("transform", [NORTH_UP, TURNED])
def test_a_turned_scene_lies_turned_on_its_map(tmp_path, transform):
    pixels = _drawn(tmp_path / "scene.png", transform, pyproj.CRS("EPSG:3031"))
    bounds_m = map_bounds(transform, (120, 200))
    seen = np.isfinite(north_up(np.zeros((120, 200)), transform, bounds_m, 500)).mean()
    no_data = (pixels == (232, 235, 237)).all(axis=-1).sum() / pixels[..., 0].size
    assert (no_data > 0.1) == (seen < 0.99)
