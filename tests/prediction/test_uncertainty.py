"""Metres are learnt on validation scenes by `calibrate`, and held to account on test scenes by `evaluate`."""

import geopandas as gpd
import pytest
from affine import Affine
from made_artifacts import winner
from made_configs import SPACE
from made_input import POLAR, seeing_member_folder, write_scene
from shapely import LineString
from shapely.affinity import translate

from glsweep.config.data_card import DataCard
from glsweep.config.space import SearchSpace
from glsweep.config.trial import Stratum
from glsweep.evaluate.scenes import evaluate_scenes
from glsweep.metrics.reliability import FEWEST_SCENES
from glsweep.nets.member import load_card_of, load_member, save_member
from glsweep.patches.prepare import prepare_patches
from glsweep.prediction.split_scenes import true_pieces
from glsweep.retrain import calibrate
from glsweep.study import create_study
from glsweep.study.artifacts import Winners, write_artifact
from glsweep.study.configuration import StudyConfig
from glsweep.vectorize import DrawnLine

STRATUM = Stratum("unet", 32)
SHAPE = (64, 72)
POSTING_M = 100.0
MANY = {**SPACE, "patches": {**SPACE["patches"], "with_line": 60}}
OFF_M = {"train": 20.0, "validation": 150.0, "test": 60.0}
"""How far the true lines of each split lie from what can be seen in its scenes."""


def write_study(folder, counts):
    """Scenes of a level line each, and a member that draws what it sees."""
    root = folder / "scenes"
    root.mkdir()
    rows = []
    splits = [split for split, count in counts.items() for _ in range(count)]
    for number, split in enumerate(splits):
        transform = Affine(POSTING_M, 0, number * 20_000.0, 0, -POSTING_M, 0)
        seen = LineString([transform @ (-1, 30.5), transform @ (73, 30.5)])
        write_scene(root / f"s{number:02}.tif", [seen], shape=SHAPE, transform=transform)
        true = translate(seen, yoff=OFF_M[split])
        rows.append({"source_file": f"s{number:02}.shp", "dataset": split, "geometry": true})
    gpd.GeoDataFrame(rows, crs=POLAR.to_wkt()).to_file(root / "lines.gpkg")
    card = DataCard(
        name="off",
        root=root,
        layout={"rasters": "*.tif", "lines": "lines.gpkg", "scene_column": "source_file"},
        split={"rule": "column", "column": "dataset"},
    )
    config = StudyConfig(name="off", seed=0, card=card, space=SearchSpace.model_validate(MANY))
    study = create_study(folder / "study", config)
    prepare_patches(study, [32])
    seeing = seeing_member_folder(folder / "seeing", patch_size_px=32, channels=("real", "imag"))
    save_member(study.member(STRATUM), *load_member(seeing))
    write_artifact(study.winners_json, Winners(by_stratum={STRATUM.key: winner(STRATUM)}))
    return study


def test_metres_are_learnt_on_validation_and_held_to_account_on_test(tmp_path):
    study = write_study(tmp_path, {"train": 1, "validation": FEWEST_SCENES, "test": 3})
    calibrate(study)
    learnt = load_card_of(study.member(STRATUM)).uncertainty
    assert learnt is not None
    assert (learnt.scenes, learnt.tau) == (FEWEST_SCENES, load_card_of(study.member(STRATUM)).tau)
    assert learnt.km == pytest.approx(FEWEST_SCENES * 7.2, rel=0.05)
    (member,) = evaluate_scenes(study, [STRATUM]).members
    bands = member.data_sets[0].bands
    assert bands.scenes == 3
    assert bands.uncertainty.mean_m == pytest.approx(OFF_M["validation"], abs=20)
    assert bands.uncertainty.held == pytest.approx(1), "test lines are nearer"
    assert bands.band.mean_m == pytest.approx(bands.uncertainty.mean_m / learnt.factor)
    (path, *_) = sorted((study.maps / STRATUM.key).glob("*-lines.gpkg"))
    assert gpd.read_file(path, layer=0)["uncert_m"].to_numpy() == pytest.approx(OFF_M["validation"], abs=20)
    assert not [left for left in study.member(STRATUM).iterdir() if left.name.startswith(".")]


def test_a_piece_of_the_true_line_has_the_width_of_the_nearest_drawn_one_and_missed_ones_are_left_out():
    drawn = [
        DrawnLine(LineString([(0, y), (1000, y)]), 1000.0, 0.9, half_width_m)
        for y, half_width_m in ((0, 40.0), (400, 90.0))
    ]
    true = [LineString([(0, 100), (1000, 100)]), LineString([(0, 350), (500, 350)])]
    pieces = true_pieces(drawn, [*true, LineString([(0, 2000), (1000, 2000)])], None)
    found = {
        (float(width), round(float(away))): pieces.length_m[(pieces.half_width_m == width)].sum()
        for width, away in zip(pieces.half_width_m, pieces.distance_m, strict=True)
    }
    assert found == pytest.approx({(40.0, 100): 1000, (90.0, 50): 500})
    assert not len(true_pieces([], true, None).length_m)


def test_without_validation_scenes_enough_no_metres_are_stated(tmp_path):
    study = write_study(tmp_path, {"train": 1, "validation": 3, "test": 1})
    calibrate(study)
    assert load_card_of(study.member(STRATUM)).uncertainty is None
    (member,) = evaluate_scenes(study, [STRATUM]).members
    bands = member.data_sets[0].bands
    assert bands.uncertainty is None
    assert bands.unknown_because.startswith("3 validation scenes have lines near a true one")
    assert bands.band.mean_m > 20
    (path,) = (study.maps / STRATUM.key).glob("*-lines.gpkg")
    assert gpd.read_file(path, layer=0)["uncert_m"].isna().all()
