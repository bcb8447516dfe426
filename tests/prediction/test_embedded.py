"""The network in the package, on scenes that it has never seen."""

import numpy as np
import pytest
from affine import Affine
from made_input import POLAR, write_bands

from glsweep.config.data_card import Simulation
from glsweep.metrics.lines import line_distances
from glsweep.nets.member import load_card_of
from glsweep.prediction.blend import EMBEDDED
from glsweep.run import main
from glsweep.scenes.lines import lines_to_judge, read_lines
from glsweep.simulation import simulate_scene

UNSEEN_SEED = 1_000_003
PLACE = Affine(100, 0, -1_500_000, 0, -100, -700_000)


def write_phase(path, values):
    """Write the wrapped phase alone, as a processor without magnitude would."""
    phase_rad = np.where(values != 0, np.angle(values), np.nan).astype(np.float32)
    return write_bands(path, phase_rad[None], PLACE, POLAR, nodata=np.nan)


def drawn(scene, folder):
    assert main(["predict", "--scene", str(scene), "--out", str(folder)]) == 0
    found = read_lines(folder / f"{scene.stem}-lines.gpkg", None)
    return [line for lines in found.by_scene.values() for line in lines]


def test_its_card_says_what_it_needs_and_how_good_it_is():
    card = load_card_of(EMBEDDED)
    assert set(card.channels) == {"cos", "sin"}, "no magnitude: processors differ in what it means"
    assert card.posting_m == 100
    assert (EMBEDDED / "model.safetensors").stat().st_size < 5e6
    assert "imulated" in card.trained_on
    assert {"sim_wide", "sim_strong", "sim_real"} <= set(card.tested)
    assert card.line == "analyst"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "found", "right"),
    [
        ({"noise": 0.6, "tides": "resolved"}, 0.85, 0.95),
        ({"noise": 1.0, "tides": "gauges"}, 0.7, 0.7),
    ],
    ids=["clear", "as noisy as real"],
)
def test_lines_are_found_and_few_invented(tmp_path, kind, found, right):
    settings = Simulation(rows=512, cols=512, **kind)
    found_m = reference_m = right_m = drawn_m = 0.0
    for number in range(4):
        scene = simulate_scene(settings, seed=UNSEEN_SEED, name=f"u{number}", origin_xy_m=(PLACE.c, PLACE.f))
        lines = drawn(write_phase(tmp_path / f"u{number}.tif", scene.interferogram), tmp_path / "out")
        judged = lines_to_judge(lines, scene.lines, scene.unsure, 500.0)
        distances = line_distances(judged, scene.lines)
        reference_m += distances.reference_length_m.sum()
        found_m += distances.reference_length_m[distances.reference_m <= 500].sum()
        drawn_m += distances.drawn_length_m.sum()
        right_m += distances.drawn_length_m[distances.drawn_m <= 500].sum()
    assert found_m / reference_m > found
    assert right_m / drawn_m > right


def test_no_line_is_drawn_in_noise(tmp_path):
    generator = np.random.default_rng(UNSEEN_SEED)
    noise = np.exp(2j * np.pi * generator.random((400, 500)))
    assert drawn(write_phase(tmp_path / "noise.tif", noise), tmp_path / "out") == []


def test_no_line_is_drawn_on_still_ice(tmp_path):
    row, col = np.indices((400, 500))
    still = np.exp(1j * (0.02 * row + 0.01 * col))
    assert drawn(write_phase(tmp_path / "still.tif", still), tmp_path / "out") == []
