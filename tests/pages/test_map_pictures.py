"""Rasters as small pictures for a page."""

import io
import math

import numpy as np
import pytest
from affine import Affine
from PIL import Image

from glsweep.pages.map_pictures import (
    PROBABILITY_COLOUR,
    highest,
    north_up,
    phase_picture,
    probability_picture,
)
from glsweep.pages.map_place import map_bounds

GRIDS = {
    "north up": Affine.translation(1000, 2000) @ Affine.scale(10, -10),
    "south up": Affine.translation(1000, 2000) @ Affine.scale(10, 10),
    "turned": Affine.translation(1000, 2000) @ Affine.rotation(30) @ Affine.scale(10, -10),
}


def _opened(picture: bytes):
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGBA")).astype(int)


@pytest.mark.parametrize("name", GRIDS)
def test_each_pixel_shows_what_lies_at_its_middle_on_the_map(name):
    grid = GRIDS[name]
    row, col = np.indices((20, 30))
    x, y = grid @ (col + 0.5, row + 0.5)
    bounds_m = map_bounds(grid, (20, 30))
    left, bottom, right, top = bounds_m
    across = north_up(x.astype(float), grid, bounds_m, 1000)
    up = north_up(y.astype(float), grid, bounds_m, 1000)
    rows, cols = across.shape
    middles_x = left + (np.arange(cols) + 0.5) * (right - left) / cols
    middles_y = top - (np.arange(rows) + 0.5) * (top - bottom) / rows
    seen = np.isfinite(across)
    off = np.hypot(across - middles_x, up - middles_y[:, None])
    assert np.nanmax(off) <= math.hypot(5, 5) + 1e-6
    assert seen.mean() > (0.99 if name != "turned" else 0.4)


def test_a_picture_has_no_more_pixels_than_asked_for_nor_than_the_raster():
    values = np.zeros((20, 30))
    grid = GRIDS["north up"]
    assert north_up(values, grid, map_bounds(grid, (20, 30)), 1000).shape == (20, 30)
    assert north_up(values, grid, map_bounds(grid, (20, 30)), 15).shape == (10, 15)


def test_a_thin_line_stays_when_pixels_are_joined():
    values = np.zeros((7, 9), np.float32)
    values[3, 4] = 0.8
    values[:3, :3] = np.nan
    coarse, side = highest(values, 3)
    assert side == 3
    assert coarse.shape == (3, 3)
    assert coarse[1, 1] == pytest.approx(0.8)
    assert np.isnan(coarse[0, 0])


def test_phase_is_cyclic_and_transparent_without_data():
    phase_rad = np.full((64, 64), -math.pi)
    phase_rad[:, 32:] = math.pi
    phase_rad[:32] = np.nan
    pixels = _opened(phase_picture(phase_rad))
    assert (pixels[:31, :, 3] == 0).all()
    assert (pixels[33:, :, 3] == 255).all()
    assert np.abs(pixels[40:60, 4:28, :3].mean((0, 1)) - pixels[40:60, 36:60, :3].mean((0, 1))).max() < 8


def test_probability_is_as_opaque_as_it_is_high():
    probability = np.array([[0.0, 0.5, 1.0, np.nan]], np.float32)
    pixels = _opened(probability_picture(probability))
    assert pixels[0, [0, 3], 3].tolist() == [0, 0]
    assert abs(pixels[0, 1, 3] - 128) < 255 / 14
    assert pixels[0, 2].tolist() == [*bytes.fromhex(PROBABILITY_COLOUR[1:]), 255]
