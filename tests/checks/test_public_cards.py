"""The cards of published data read files with the structure that they ask for."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from made_input import POLAR, write_bands
from shapely import LineString

import glsweep
from glsweep.scenes.masks import line_mask

CARDS = Path(__file__).resolve().parents[2] / "datasets"
SPACE = Path(__file__).parents[1] / "smoke" / "space.yaml"
SIDE = 160


def place(number):
    """Scenes lie apart, so that they share no ground."""
    return Affine(100, 0, number * 40_000, 0, -100, 0)


def fringes_rad(number):
    """A slanted wave with a little noise."""
    row, col = np.indices((SIDE, SIDE))
    noise_rad = np.random.default_rng(number).normal(0, 0.2, row.shape)
    return (row + 2 * col) / 9 + noise_rad


def drawn(number):
    return LineString([place(number) @ (30, 5), place(number) @ (120, SIDE - 5)])


def write_phase(root, name, number):
    phase_rad = np.angle(np.exp(1j * fringes_rad(number))).astype(np.float32)
    return write_bands(
        root / f"{name}.tif", phase_rad[None], place(number), POLAR, nodata=np.nan, names=["wrapped_phase"]
    )


def write_lines(path, lines):
    gpd.GeoDataFrame(geometry=lines, crs=3031).to_file(path)


def a_shapefile_each(root):
    """An interferogram, its wrapped phase, and a shapefile of the same name."""
    for number in range(4):
        write_phase(root, f"scene{number}", number)
        write_lines(root / f"scene{number}.shp", [drawn(number)])


def one_file_of_lines(root):
    """Eight interferograms, and one shapefile without names of scenes."""
    for number in range(8):
        write_phase(root, f"scene{number}", number)
    write_lines(root / "lines.shp", [drawn(number) for number in range(8)])


def tiles_with_masks(root):
    """One complex band, and a mask of 0 and 255 of the same name."""
    for number in range(4):
        dates = f"2018010{number}_20180112-20180112_20180118"
        values = np.exp(1j * fringes_rad(number)).astype(np.complex64)
        mask = line_mask([drawn(number)], (SIDE, SIDE), place(number), "all_touched")
        tile = f"{dates}_x{number}"
        write_bands(root / f"coco{tile}.tif", values[None], place(number), POLAR)
        write_bands(root / f"delineation{tile}.tif", np.uint8(255 * (mask > 0))[None], place(number), POLAR)


@pytest.mark.parametrize(
    ("card", "make", "scenes"),
    [
        ("ross2025", a_shapefile_each, 4),
        ("bas_terrasar_x", a_shapefile_each, 4),
        ("ais_cci_eight", one_file_of_lines, 8),
        ("mohajerani2021", tiles_with_masks, 4),
    ],
)
def test_check_reads_files_as_a_public_card_asks_for_them(tmp_path, card, make, scenes):
    make(tmp_path)
    findings = glsweep.check(CARDS / f"{card}.yaml", space=SPACE, root=tmp_path)
    assert findings.is_usable, findings.faults
    assert len(findings.scenes) == scenes
    assert all(scene.line_km > 10 for scene in findings.scenes)
