"""Which ice is grounded, from polygons and from the simulation to the patches."""

from dataclasses import replace

import geopandas as gpd
import numpy as np
import shapely
from made_scenes import numbered_folder, study_of
from shapely import Polygon

from glsweep.config.data_card import GROUNDED_ICE, SPLITS, DataCard, Layout, Simulation
from glsweep.patches.prepare import prepare_patches, survey
from glsweep.patches.store import SceneLabels, open_patches
from glsweep.scenes.catalogue import open_catalogue
from glsweep.simulation import simulate_data, simulate_scene

SIZE_PX = 32


def test_zones_are_the_pixels_whose_centres_lie_within_the_polygons(tmp_path):
    folder = numbered_folder(tmp_path / "scenes")
    ground = Polygon([(2_000, 500), (70_000, -2_000), (64_000, -9_000), (1_000, -6_130)])
    table = gpd.GeoDataFrame(geometry=[ground], crs="EPSG:3031").to_crs("EPSG:32761")
    table.to_file(folder / GROUNDED_ICE, driver="GPKG")
    study = study_of(folder, tmp_path / "study")
    layout = study.config.card.layout.model_copy(update={"grounded": GROUNDED_ICE})
    card = study.config.card.model_copy(update={"layout": layout})
    study = replace(study, config=study.config.model_copy(update={"card": card}))
    prepare_patches(study, [SIZE_PX])
    store, entries = open_patches(study, SIZE_PX), survey(study, [SIZE_PX]).entries
    transforms = {entry.name: entry.header.transform for entry in entries}
    for split in SPLITS:
        patches = store.arrays(split)
        for number, window in enumerate(store.index(split).itertuples()):
            row, col = np.indices((SIZE_PX, SIZE_PX)) + 0.5
            x, y = transforms[window.scene] @ (col + window.col, row + window.row)
            floats = ~shapely.contains_xy(ground, x, y) & patches.image[number].any(axis=0)
            # What went through another map lies elsewhere by a rounding, which may turn a pixel or two.
            assert (patches.zone[number] != floats).sum() <= 2


def test_a_simulation_writes_the_ice_landward_of_its_line(tmp_path):
    settings = Simulation(scenes=2, rows=96, cols=96, noise=0.5, tides="resolved")
    simulate_data(settings, tmp_path / "made", seed=3)
    card = DataCard(name="made", root=tmp_path / "made", layout=Layout(grounded=GROUNDED_ICE))
    for entry in open_catalogue(tmp_path / "made", card).entries:
        zone = SceneLabels(entry, card).rows(0, 96).zone
        grounded = simulate_scene(settings, seed=3, name=entry.name, origin_xy_m=(0, 0)).grounded
        np.testing.assert_array_equal(zone == 0, grounded)
        ends = [shapely.get_coordinates(line) for line in entry.lines]
        col, row = ~entry.header.transform @ np.concatenate(ends).T
        beside = [
            np.unique(grounded[max(0, r - 3) : r + 4, max(0, c - 3) : c + 4])
            for r, c in zip(row.astype(int), col.astype(int), strict=True)
        ]
        assert np.mean([len(kinds) == 2 for kinds in beside]) > 0.95, "lines part the zones"


def test_a_card_without_zones_is_written_as_before():
    assert "grounded" not in Layout().model_dump()
    assert Layout(grounded="ice.gpkg").model_dump()["grounded"] == "ice.gpkg"
