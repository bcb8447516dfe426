"""Whole test scenes in metres: on test ground alone, against the truth, and the same as `compare` says."""

import json

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from affine import Affine
from hypothesis import example, given, settings
from hypothesis import strategies as st
from made_artifacts import data_summary
from made_configs import SPACE
from made_input import card as model_card
from shapely import LineString, box

from glsweep.config.data_card import DataCard, Simulation, Split
from glsweep.config.space import SearchSpace
from glsweep.config.trial import Stratum
from glsweep.evaluate.scenes import evaluate_scenes, intervals, line_scores
from glsweep.metrics.lines import LineDistances, line_distances
from glsweep.nets import build_network
from glsweep.nets.member import save_member
from glsweep.report.map_files import read_map
from glsweep.scenes.lines import lines_on_data
from glsweep.simulation import simulate_data
from glsweep.study import create_study
from glsweep.study.artifacts import read_artifact, write_artifact
from glsweep.study.configuration import StudyConfig
from glsweep.study.evaluation_artifacts import LineIntervals, LineMetrics, StudyLines

STRATUM = Stratum("unet", 32)


def write_study(folder, **split):
    root = folder / "scenes"
    simulation = Simulation(scenes=6, rows=160, cols=192, noise=0.3, tides="resolved")
    simulate_data(simulation, root, seed=3)
    card = DataCard(name="made", root=root, split=Split.model_validate(split or {"rule": "scene"}))
    config = StudyConfig(name="made", seed=0, card=card, space=SearchSpace.model_validate(SPACE))
    study = create_study(folder / "study", config)
    network = build_network("unet", in_channels=2, base_width=4, seed=0)
    save_member(study.member(STRATUM), network, model_card(patch_size_px=32))
    write_artifact(study.data_json, data_summary(32))
    return study


def test_what_is_written_is_what_compare_would_say(tmp_path):
    study = write_study(tmp_path)
    found = evaluate_scenes(study, [STRATUM])
    assert found == read_artifact(study.lines_json, StudyLines)
    (member,) = found.members
    assert 1 <= len(member.scenes) < 6, "test scenes alone"
    truth = gpd.read_file(study.scenes / "all_manual_segm_gl.gpkg")
    measured = []
    for scene in member.scenes:
        name = scene.scene
        lines = gpd.read_file(study.maps / STRATUM.key / f"{name}-lines.gpkg", layer=0)
        reference = truth[truth["source_file"] == f"{name}.shp"].geometry
        measured.append(line_distances(list(lines.geometry), list(reference), crs=lines.crs))
        assert scene.reference_km == pytest.approx(measured[-1].reference_km, rel=0.03)
        assert scene.lines_km == pytest.approx(measured[-1].drawn_km, rel=1e-3)
        assert scene.completeness_200 == pytest.approx(measured[-1].completeness(200), abs=0.03)
        assert (study.maps / STRATUM.key / f"{name}-probability.tif").is_file()
        note = (study.maps / STRATUM.key / f"{name}.json").read_text()
        assert str(tmp_path) not in note, "a study that was moved would name its old place"
        drawn_scene = study.maps / STRATUM.key / json.loads(note)["scene"]
        assert drawn_scene.resolve() in (tmp_path / "scenes").resolve().rglob(f"{name}*")
        with np.load(study.maps / STRATUM.key / scene.errors, allow_pickle=False) as arrays:
            assert arrays["phase_rad"].shape == (160, 192)
            assert arrays["size_km"].tolist() == [16, 19.2]
            assert (arrays["reference_km"] >= -0.2).all()
            assert (arrays["reference_km"] <= (19.4, 16.2)).all()
            assert len(arrays["drawn_km"]) == len(arrays["drawn_m"])
        on_map = read_map(study.maps / STRATUM.key, scene)
        assert on_map.crs == lines.crs
        off_m = shapely.distance(
            shapely.points(np.concatenate([one.xy_m for one in on_map.true])), shapely.union_all(reference)
        )
        assert off_m.max() < 1, "pieces lie on the true line, whose map is that of the GeoPackage"
        errors_m = np.concatenate([one.error_m for one in on_map.drawn])
        away_m = shapely.distance(
            shapely.points(np.concatenate([one.xy_m for one in on_map.drawn])), shapely.union_all(reference)
        )
        assert np.abs(errors_m - away_m)[away_m < 2000].max() < 60, "errors are distances to the true line"
    (group,) = member.data_sets
    pooled = LineDistances.pooled(measured)
    assert group.pooled.lines_km == pytest.approx(pooled.drawn_km, rel=1e-3)
    at_own = next(point for point in group.curve if point.tau == 0.5)
    assert LineMetrics(**at_own.model_dump(exclude={"tau"})) == group.pooled
    table = pd.read_csv(study.lines_csv)
    assert list(table["scene"]) == [scene.scene for scene in member.scenes]


def test_only_test_ground_counts_where_scenes_are_split(tmp_path):
    study = write_study(tmp_path, rule="block", buffer_px=0)
    found = evaluate_scenes(study, [STRATUM])
    truth = gpd.read_file(study.scenes / "all_manual_segm_gl.gpkg")
    total_km = truth.length.sum() / 1000
    tested_km = sum(scene.reference_km for scene in found.members[0].scenes)
    assert 0 < tested_km < 0.6 * total_km


def test_patches_shared_out_at_random_leave_no_test_ground(tmp_path):
    study = write_study(tmp_path, rule="patch")
    assert evaluate_scenes(study, [STRATUM]) is None
    assert not study.lines_json.exists()


LINE = LineString([(0, 0), (10_000, 0)])


def test_without_any_drawn_line_a_scene_costs_its_diagonal_and_says_so():
    missed = line_distances([], [LINE], farthest_m=20_000)
    figures = line_scores(missed)
    assert (figures.mean_m, figures.completeness_500, figures.false_km_200) == (None, 0, 0)
    right = line_distances([LINE], [LINE])
    pooled = line_scores(LineDistances.pooled([missed, right]))
    assert pooled.mean_m == pytest.approx(5_000)
    assert pooled.completeness_100 == pytest.approx(0.5)


def test_an_interval_is_over_scenes_and_holds_what_was_measured():
    scenes = [
        line_distances([shapely.affinity.translate(LINE, 0, d)], [LINE]) for d in (50, 80, 120, 180, 300)
    ]
    found = intervals(scenes, seed=0)
    low, high = found.mean_m
    assert 50 < low < 146 < high < 300
    low, high = found.completeness_100
    assert 0 <= low < 0.4 < high <= 1
    assert found == intervals(scenes, seed=0)
    assert intervals(scenes[:2], seed=0) == LineIntervals()


def test_an_interval_is_that_of_drawing_scenes_one_by_one():
    generator = np.random.default_rng(5)
    scenes = [
        line_distances([shapely.affinity.translate(LINE, 0, float(d))], [LINE])
        for d in generator.uniform(20, 400, 8)
    ]
    drawn = [
        LineDistances.pooled([scenes[n] for n in generator.integers(8, size=8)]).mean_m() for _ in range(400)
    ]
    np.testing.assert_allclose(intervals(scenes, seed=1).mean_m, np.percentile(drawn, [2.5, 97.5]), rtol=0.1)


ON_MAP = Affine(100, 0, 5_000, 0, -100, 9_000)
TURNED = Affine.translation(-1_234_567.8, 345_678.9) @ Affine.rotation(33) @ Affine.scale(70, -70)


@given(
    start=st.tuples(st.integers(-20, 60), st.integers(-20, 50)),
    end=st.tuples(st.integers(-20, 60), st.integers(-20, 50)),
    edge=st.integers(5, 40),
    transform=st.sampled_from([ON_MAP, TURNED]),
)
@example(start=(0, 0), end=(35, 0), edge=35, transform=ON_MAP)
@example(start=(35, 30), end=(0, 30), edge=35, transform=ON_MAP)
@example(start=(0, 25), end=(0, 5), edge=35, transform=ON_MAP)
@example(start=(40, 5), end=(40, 25), edge=40, transform=ON_MAP)
@example(start=(0, 0), end=(35, 0), edge=35, transform=TURNED)
@example(start=(35, 30), end=(0, 30), edge=35, transform=TURNED)
@example(start=(0, 25), end=(0, 5), edge=35, transform=TURNED)
@example(start=(40, 5), end=(40, 25), edge=40, transform=TURNED)
@settings(max_examples=60, deadline=None)
def test_lines_are_kept_where_there_is_data_and_on_the_edge_of_the_scene(start, end, edge, transform):
    if start == end:
        return
    valid = np.zeros((30, 40), bool)
    valid[:, :edge] = True
    line = LineString([transform @ start, transform @ end])
    kept = lines_on_data([line], valid, transform)
    in_pixels = LineString([start, end])
    posting_m = line.length / in_pixels.length
    kept_px = sum(part.length for part in kept) / posting_m
    ground, near = box(0, 0, edge, 30), box(0, 0, min(edge + 1, 40), 30)
    assert shapely.intersection(in_pixels, ground).length <= kept_px + 1.1
    assert kept_px <= shapely.intersection(in_pixels, near).length + 1.1
    assert all(part.distance(line) < 1e-6 for part in kept)


@pytest.mark.parametrize("transform", [ON_MAP, TURNED])
def test_a_line_beside_the_scene_is_cut_away_however_near(transform):
    valid = np.ones((30, 40), bool)
    ring = box(-0.01, -0.01, 40.01, 30.01).exterior
    outside = shapely.transform(ring, lambda xy: np.column_stack(transform @ (xy[:, 0], xy[:, 1])))
    assert lines_on_data([LineString(outside)], valid, transform) == []
