"""The column that says how far inland of a drawn line ice first bends."""

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import torch
from made_input import NORTH_UP, POLAR, seeing_member, write_bands

from glsweep.prediction.drawing import Drawing
from glsweep.prediction.scene import predict_scene
from glsweep.scenes.raster import RasterHeader, read_header
from glsweep.simulation.phase import Beam
from glsweep.simulation.radar import speckled_interferogram

SHAPE = (160, 220)
BEAM = Beam(thickness_m=500, young_pa=1e9, amplitude_m=0.16, incidence_rad=0.7, wavelength_m=0.0555)
DRAWING = Drawing(
    window_px=64,
    overlap=0.5,
    turned=False,
    tau=0.9,
    shortest_m=4000.0,
    bridge_m=500.0,
    formats=("gpkg", "geojson"),
    device=torch.device("cpu"),
)


@pytest.fixture
def header(tmp_path) -> RasterHeader:
    """A scene whose phase rises by several cycles seaward of a straight line."""
    distance_m = 100 * (np.indices(SHAPE)[1] + 0.5 - 90)
    generator = np.random.default_rng(0)
    values = speckled_interferogram(
        BEAM.phase_rad(distance_m), np.full(SHAPE, 0.95), looks=40, generator=generator
    )
    bands = np.stack([values.real, values.imag])
    return read_header(write_bands(tmp_path / "a.tif", bands, NORTH_UP, POLAR, names=("real", "imaginary")))


def hinges_m(header, folder, **card):
    """Return the column of the line that lies farthest inland, as each file has it."""
    predict_scene(header, [seeing_member(**card)], DRAWING, folder, lambda _share: None)
    tables = [gpd.read_file(folder / f"a-lines.{kind}", layer=0) for kind in ("gpkg", "geojson")]
    inland = tables[0].bounds["minx"].idxmin()
    return [table.loc[inland, "hinge_m"] for table in tables]


def test_a_line_at_half_a_cycle_says_how_far_inland_ice_first_bends(header, tmp_path):
    seaward_m = np.linspace(0, 4000, 4001)
    cycles = np.abs(BEAM.phase_rad(seaward_m)) / (2 * np.pi)
    wanted_m = float(np.interp(0.5, cycles, seaward_m))
    for found_m in hinges_m(header, tmp_path / "out"):
        assert found_m == pytest.approx(wanted_m, abs=120)


def test_a_member_that_draws_the_hinge_leaves_the_column_empty(header, tmp_path):
    assert pd.isna(hinges_m(header, tmp_path / "out", line="hinge")).all()
    assert pd.notna(hinges_m(header, tmp_path / "analyst", line="analyst")).all()
