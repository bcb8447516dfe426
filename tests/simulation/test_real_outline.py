"""Outlines that are cut from real lines."""

import numpy as np
import pytest
import shapely
from shapely import STRtree

from glsweep.config.data_card import Simulation
from glsweep.errors import ConfigError
from glsweep.randomness import generator_for
from glsweep.scenes.cards import load_card
from glsweep.simulation import simulate_data, simulate_scene
from glsweep.simulation.outlines import cut_outline

SHAPE = (160, 200)


@pytest.fixture
def coast(getz):
    return getz.parent / "antarctic_grounding_line_2008.gpkg"


@pytest.mark.parametrize("seed", range(8))
def test_the_sign_changes_at_the_line_and_nowhere_else(coast, seed):
    outline = cut_outline(coast, "EPSG:3031", SHAPE, 100.0, np.random.default_rng(seed))
    assert outline.seaward_px.shape == SHAPE
    floating = outline.seaward_px > 0
    assert 0.1 < floating.mean() < 0.9
    for axis in (0, 1):
        changed = np.diff(floating.astype(int), axis=axis) != 0
        pairs = np.abs(outline.seaward_px)
        first = pairs[:-1] if axis == 0 else pairs[:, :-1]
        assert first[changed].max() <= 1.5, "two neighbours of different kinds have a line between them"
    row, col = np.indices(SHAPE) + 0.5
    _, nearest = STRtree(outline.lines).query_nearest(
        shapely.points(col.ravel(), row.ravel()), return_distance=True, all_matches=False
    )
    np.testing.assert_allclose(np.abs(outline.seaward_px).ravel(), nearest, atol=0.06)


def test_scenes_differ_and_one_seed_gives_one_scene(coast):
    first, again, other = (
        cut_outline(coast, "EPSG:3031", SHAPE, 100.0, generator_for(0, name)) for name in ("a", "a", "b")
    )
    np.testing.assert_array_equal(first.seaward_px, again.seaward_px)
    assert (first.seaward_px != other.seaward_px).any()


def test_a_card_names_the_lines_from_its_own_folder(coast, tmp_path):
    (tmp_path / "lines.gpkg").symlink_to(coast)
    card = tmp_path / "card.yaml"
    card.write_text("name: real\nsimulation: {scenes: 2, rows: 128, cols: 160, lines: lines.gpkg}\n")
    simulation = load_card(card).simulation
    simulate_data(simulation, tmp_path / "scenes", seed=0)
    assert len(list((tmp_path / "scenes" / "DInSAR").iterdir())) == 2


def test_lines_that_are_not_there_are_named(tmp_path):
    settings = Simulation(rows=64, cols=64, lines=tmp_path / "gone.gpkg")
    with pytest.raises(ConfigError, match=r"simulation\.lines: .*gone\.gpkg: there is no such file of lines"):
        simulate_scene(settings, seed=0, name="a", origin_xy_m=(0, 0))
