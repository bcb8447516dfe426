"""Lines worth a second look: what was deleted and invented on purpose is found, and can be put right."""

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from made_artifacts import data_summary
from made_configs import SPACE
from made_input import NORTH_UP, POLAR, seeing_member_folder, write_scene
from pyproj import CRS
from shapely import LineString
from shapely.affinity import translate

from glsweep.config.data_card import SPLITS
from glsweep.config.space import SearchSpace
from glsweep.config.trial import Stratum
from glsweep.evaluate.review import MOST_SHOWN, look_again, members_to_ask
from glsweep.evaluate.scenes import evaluate_scenes
from glsweep.evaluate.second_look import AGREE_M, FAR_M, MemberView, doubts_of
from glsweep.geodesy import lengths_m
from glsweep.metrics.lines import line_distances
from glsweep.pages import render
from glsweep.prediction.split_scenes import SHORTEST_M, SplitScene
from glsweep.report.page import HERE
from glsweep.report.second_look import second_look_section
from glsweep.scenes.cards import card_for_folder
from glsweep.scenes.catalogue import open_catalogue
from glsweep.scenes.masks import line_mask
from glsweep.scenes.raster import read_header
from glsweep.scenes.scene import SceneEntry
from glsweep.study import create_study
from glsweep.study.artifacts import read_artifact, write_artifact
from glsweep.study.configuration import StudyConfig
from glsweep.study.evaluation_artifacts import StudyLines
from glsweep.study.second_look import SecondLook

SHAPE = (150, 210)
MAP = CRS.from_epsg(3031)


def on_map(*points_px):
    return LineString([NORTH_UP @ point for point in points_px])


KEPT = on_map((5, 20), (100, 30), (200, 20))
DELETED = on_map((10, 70), (60, 75), (110, 70))
INVENTED = on_map((20, 110), (90, 112))


def scene_of(folder, labels, *, drawn=(KEPT, DELETED), noise=False):
    """A scene whose phase is pi where the lines run that there are, or noise alone."""
    path = write_scene(folder / "scene.tif", list(drawn), SHAPE)
    if noise:
        with rasterio.open(path, "r+") as raster:
            phase = np.random.default_rng(0).uniform(-np.pi, np.pi, SHAPE)
            raster.write(np.stack([np.cos(phase), np.sin(phase)]).astype(np.float32))
    entry = SceneEntry(read_header(path), tuple(labels), 0, has_row=True)
    return SplitScene(entry, entry.header, entry.ground(), list(labels))


def view(folder, lines, *, sure=0.95, unsure=0.05):
    """What a member makes of the scene: a probability that is high on its own lines."""
    path = folder / f"{len(list(folder.iterdir()))}-probability.tif"
    on_line = line_mask(list(lines), SHAPE, NORTH_UP, "all_touched") > 0
    values = np.where(on_line, sure, unsure).astype(np.float32)
    profile = {"driver": "GTiff", "height": SHAPE[0], "width": SHAPE[1], "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", **profile, crs=POLAR, transform=NORTH_UP) as raster:
        raster.write(values, 1)
    return MemberView(path, list(lines))


def beside(lines, metres):
    return [translate(line, 0, metres) for line in lines]


def views_of(folder, lines=(KEPT, DELETED)):
    return [view(folder, beside(lines, metres), sure=sure) for metres, sure in ((30, 0.9), (-90, 0.8))]


def test_a_deleted_and_an_invented_label_are_found_and_nothing_else(tmp_path):
    scene = scene_of(tmp_path, [KEPT, INVENTED])
    first, second = doubts_of(scene, views_of(tmp_path))
    assert [first.kind, second.kind] == ["unlabelled", "missed"], "10 km at .85 before 7 km at .95"
    assert shapely.hausdorff_distance(first.line, beside([DELETED], 30)[0]) < 1
    assert first.confidence == pytest.approx(0.85, abs=1e-3)
    assert shapely.hausdorff_distance(second.line, INVENTED) < 1
    assert second.confidence == pytest.approx(0.95, abs=1e-3)
    np.testing.assert_allclose(
        [first.length_m, second.length_m], lengths_m([DELETED, INVENTED], MAP), rtol=1e-3
    )
    assert len(second.line.coords) == len(INVENTED.coords), "an analyst moves its own vertices"


def test_right_labels_leave_nothing_to_look_at(tmp_path):
    scene = scene_of(tmp_path, [KEPT, DELETED])
    assert doubts_of(scene, views_of(tmp_path)) == []


def test_every_member_must_say_so(tmp_path):
    scene = scene_of(tmp_path, [KEPT, INVENTED])
    both, sees_more = views_of(tmp_path), view(tmp_path, [KEPT, INVENTED])
    kinds = [doubt.kind for doubt in doubts_of(scene, [*both, sees_more])]
    assert kinds == [], "one that draws the invented label does not draw the deleted one"
    (alone,) = (doubts_of(scene, [sees_more, both[0]]),)
    assert alone == []
    assert [doubt.kind for doubt in doubts_of(scene, both[:1])] == ["unlabelled", "missed"], "one alone"


def test_where_members_draw_apart_nothing_is_unlabelled(tmp_path):
    scene = scene_of(tmp_path, [KEPT])
    near, far = ([KEPT, *beside([DELETED], metres)] for metres in (0, AGREE_M + 60))
    assert doubts_of(scene, [view(tmp_path, near), view(tmp_path, far)]) == []


def test_a_label_in_noise_is_no_doubt(tmp_path):
    (doubt,) = doubts_of(scene_of(tmp_path, [INVENTED], noise=True), [view(tmp_path, [])])
    assert (doubt.kind, doubt.confidence) == ("missed", 0)
    assert np.isinf(doubt.distance_m), "the member drew no line at all"


def test_a_gap_in_which_members_part_is_bridged_and_a_labelled_one_is_not(tmp_path):
    part = on_map((10, 70), (30, 70)), on_map((33, 70), (60, 70))
    whole = on_map((10, 70), (60, 70))
    views = [view(tmp_path, [KEPT, whole]), view(tmp_path, [KEPT, *part])]
    (doubt,) = doubts_of(scene_of(tmp_path, [KEPT]), views)
    assert doubt.kind == "unlabelled"
    assert doubt.length_m == pytest.approx(float(lengths_m([whole], MAP)[0]), rel=1e-3)
    crossing = on_map((35, 60), (35, 80))
    found = doubts_of(scene_of(tmp_path, [KEPT, crossing]), [view(tmp_path, [KEPT, whole])])
    assert [doubt.kind for doubt in found].count("unlabelled") == 2


def test_stretches_are_those_that_dense_points_say(tmp_path):
    """A slow twin: points 5 m apart along random labels, each measured against every drawn line."""
    generator = np.random.default_rng(4)
    px = np.array(SHAPE[::-1])
    labels, ours, theirs = (
        [
            LineString([NORTH_UP @ tuple(p) for p in generator.uniform(0.1, 0.85, (4, 2)) * px])
            for _ in range(2)
        ]
        for _ in range(3)
    )
    scene = scene_of(tmp_path, labels, drawn=())
    found = doubts_of(scene, [view(tmp_path, ours), view(tmp_path, theirs)])
    expected = []
    for label in labels:
        points = shapely.line_interpolate_point(label, np.arange(0, label.length, 5.0))
        away_m = np.min([shapely.distance(points, line) for line in (*ours, *theirs)], axis=0)
        runs = np.split(np.arange(len(points)), np.flatnonzero(np.diff(away_m > FAR_M)) + 1)
        expected += [5.0 * len(run) for run in runs if away_m[run[0]] > FAR_M and 5.0 * len(run) > SHORTEST_M]
    lengths = [shapely.length(doubt.line) for doubt in found if doubt.kind == "missed"]
    assert len(lengths) > 1
    np.testing.assert_allclose(sorted(lengths), sorted(expected), atol=50)


# --- The whole way: study, file, verdicts, next study

STRATA = (Stratum("unet", 64), Stratum("unet", 128))


def folder_of_scenes(folder, shown, labels):
    """Three scenes side by side, whose phase shows some lines and whose file labels others."""
    (folder / "DInSAR").mkdir(parents=True)
    rows = []
    for number, name in enumerate(("a_20180105_20180111", "b", "c")):
        moved = NORTH_UP @ NORTH_UP.translation(400 * number, 0)
        lines = [translate(line, 40_000 * number, 0) for line in shown]
        write_scene(folder / "DInSAR" / f"{name}.tif", lines, SHAPE, moved)
        rows += [(f"{name}.shp", translate(line, 40_000 * number, 0)) for line in labels]
    names, lines = zip(*rows, strict=True)
    table = gpd.GeoDataFrame({"source_file": names}, geometry=list(lines), crs=3031)
    table.to_file(folder / "all_manual_segm_gl.gpkg", driver="GPKG")
    return folder


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory):
    """A study of labels of which one was deleted and one invented; and its lines worth a second look."""
    folder = tmp_path_factory.mktemp("reviewed")
    data = card_for_folder(folder_of_scenes(folder / "scenes", [KEPT, DELETED], [KEPT, INVENTED]))
    config = StudyConfig(name="made", seed=0, card=data, space=SearchSpace.model_validate(SPACE))
    study = create_study(folder / "study", config)
    write_artifact(study.data_json, data_summary(32))
    for stratum in STRATA:
        seeing_member_folder(study.member(stratum), patch_size_px=stratum.patch_size_px)
    evaluate_scenes(study, STRATA)
    looked = look_again(study, SPLITS)
    return study, looked, gpd.read_file(study.review_gpkg, layer=0), second_look_section(study)


def test_both_are_found_in_every_scene_of_every_split(reviewed):
    _, looked, table, _ = reviewed
    assert looked.members == tuple(stratum.key for stratum in STRATA)
    assert [doubt.rank for doubt in looked.doubts] == [1, 2, 3, 4, 5, 6]
    assert [doubt.kind for doubt in looked.doubts] == ["unlabelled"] * 3 + ["missed"] * 3
    assert {doubt.split for doubt in looked.doubts} == set(SPLITS)
    assert {doubt.dates for doubt in looked.doubts} == {"20180105 20180111", ""}
    assert (table.crs.to_epsg(), list(table["rank"])) == (3031, [1, 2, 3, 4, 5, 6])
    assert set(table["verdict"]) == set(table["comment"]) == {""}
    middles = table.geometry.interpolate(0.5, normalized=True).to_crs(4326)
    np.testing.assert_allclose(table[["lon", "lat"]], np.column_stack([middles.x, middles.y]), atol=1e-5)
    np.testing.assert_allclose(table["length_m"], lengths_m(list(table.geometry), MAP), rtol=1e-3)


def test_the_test_scenes_are_read_as_evaluate_left_them(reviewed):
    study, looked, _, _ = reviewed
    again = look_again(study)
    assert again == read_artifact(study.second_look_json, SecondLook)
    tested = [doubt for doubt in looked.doubts if doubt.split == "test"]
    same = {"rank", "thumbnail"}
    assert [d.model_dump(exclude=same) for d in again.doubts] == [d.model_dump(exclude=same) for d in tested]


def test_verdicts_make_the_next_studys_labels_the_truth_again(reviewed, tmp_path):
    root = folder_of_scenes(tmp_path / "scenes", [KEPT, DELETED], [KEPT, INVENTED])
    table = reviewed[2].copy()
    table["verdict"] = table["kind"].map({"missed": "no line", "unlabelled": "line"})
    table.to_file(root / "review.gpkg", driver="GPKG")
    catalogue = open_catalogue(root, card_for_folder(root))
    for number, entry in enumerate(catalogue.entries):
        truth = [translate(line, 40_000 * number, 0) for line in (KEPT, DELETED)]
        apart = line_distances(list(entry.lines), truth, crs=MAP)
        assert max(apart.drawn_m.max(), apart.reference_m.max()) < 150, "as well as the member drew it"
        kept = [line for line in entry.lines if shapely.equals(line, truth[0])]
        assert len(kept) == 1, "what nobody judged stays as it was"
    (remark,) = [text for text in catalogue.remarks if "review.gpkg" in text]
    assert remark.startswith("review.gpkg: 6 verdicts applied: ")


def test_what_an_analyst_wrote_is_never_overwritten(reviewed):
    study = reviewed[0]
    look_again(study)
    table = gpd.read_file(study.review_gpkg, layer=0)
    table.loc[0, "comment"] = "the tongue has moved"
    table.to_file(study.review_gpkg, driver="GPKG", layer="review")
    assert look_again(study).kept_as == "review-1.gpkg"
    assert gpd.read_file(study.directory / "review-1.gpkg", layer=0)["comment"][0] == "the tongue has moved"
    assert look_again(study).kept_as == "", "the new one is as it was written"
    table = gpd.read_file(study.review_gpkg, layer=0)
    table.geometry = table.geometry.translate(0, 50)
    table.to_file(study.review_gpkg, driver="GPKG", layer="review")
    assert look_again(study).kept_as == "review-2.gpkg", "lines were moved, though no verdict is there yet"
    for number in (1, 2):
        (study.directory / f"review-{number}.gpkg").unlink()


def test_the_page_shows_rank_place_and_picture_of_each(reviewed):
    study, _, _, section = reviewed
    shown = render(HERE / "second_look.html", {"second_look": section})
    assert shown.count('src="data:image/webp;base64,') == len(section.rows) == 6 <= MOST_SHOWN
    assert "3 labelled stretches missed, 3 stretches without a label, in 3 scenes" in " ".join(shown.split())
    assert all(f"x {row.doubt.x:,.0f} m" in shown and row.place in shown for row in section.rows)
    assert "trained on the labels" in shown
    assert len(shown) < 300_000
    look_again(study)
    assert "trained on the labels" not in render(
        HERE / "second_look.html", {"second_look": second_look_section(study)}
    )


def test_a_member_that_failed_to_learn_is_not_asked(reviewed):
    good, other = read_artifact(reviewed[0].lines_json, StudyLines).members
    data_set = good.data_sets[0]
    nothing = {"completeness_200": 0.01, "correctness_200": None}
    pooled = data_set.pooled.model_copy(update=nothing)
    poor = good.model_copy(update={"data_sets": (data_set.model_copy(update={"pooled": pooled}),)})
    assert members_to_ask([poor, other, good]) == [other, good]
    assert members_to_ask([poor, poor]) == [poor, poor], "among equals all are asked"
    assert members_to_ask([]) == []


def test_a_study_in_which_no_member_drew_scenes_has_no_section(tmp_path):
    data = card_for_folder(folder_of_scenes(tmp_path / "scenes", [KEPT], [KEPT]))
    config = StudyConfig(name="made", seed=0, card=data, space=SearchSpace.model_validate(SPACE))
    study = create_study(tmp_path / "study", config)
    assert look_again(study) is None
    assert second_look_section(study) is None
    assert not study.review_gpkg.exists()
