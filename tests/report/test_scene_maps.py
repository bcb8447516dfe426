"""The report's maps of whole scenes: what `maps/` holds, in map coordinates, and what fits a page."""

import base64
import json
from dataclasses import replace
from datetime import date

import geopandas as gpd
import numpy as np
import pytest
import shapely
from synthetic_lines import CRS, GRID, POSTING_M, SHAPE, add_lines

from glsweep.config.trial import Stratum
from glsweep.errors import StudyError
from glsweep.report import scene_map
from glsweep.report.figures import house_style
from glsweep.report.figures.scene_maps import draw_line_maps
from glsweep.report.map_files import Pieces, beyond, read_map
from glsweep.report.results import read_results
from glsweep.report.scene_map import about_a_line, scene_maps

STRATA = (Stratum("unet", 128), Stratum("unetpp", 128))
CORNER_M = np.array([GRID.c, GRID.f - SHAPE[0] * POSTING_M])


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    from synthetic_study import write_study

    study = write_study(tmp_path_factory.mktemp("maps") / "study", strata=STRATA, repeats=1)
    return read_results(add_lines(study, STRATA))


@pytest.fixture
def files(results):
    return read_map(results.maps / "unet-128", results.lines.members[0].scenes[0])


def test_lines_lie_where_the_geopackage_has_them(results, files):
    table = gpd.read_file(results.maps / "unet-128" / "sim-scene0-lines.gpkg")
    (drawn,) = files.drawn
    assert shapely.LineString(drawn.xy_m).hausdorff_distance(table.geometry[0]) < 1e-6
    assert files.crs == CRS
    assert files.bounds_m == (*CORNER_M, GRID.c + SHAPE[1] * POSTING_M, GRID.f)
    assert files.dates == (date(2020, 1, 13), date(2020, 1, 1))


def test_errors_are_those_that_were_measured(results, files):
    (drawn,), (true,) = files.drawn, files.true
    # Parallel lines, 60 m apart upwards, which rise by a fifth.
    assert drawn.error_m == pytest.approx(60 / np.hypot(1, 0.2), abs=0.1)
    along_m = true.xy_m[:, 0] - GRID.c
    found = true.distance_m[along_m < 14_900]
    assert found == pytest.approx(60 / np.hypot(1, 0.2), abs=0.1)
    (missed,) = beyond(files.true, 200.0)
    assert missed[:, 0].min() - GRID.c == pytest.approx(15_000 + 200 / np.hypot(1, 0.2), abs=20)


def test_lines_that_are_apart_stay_apart_and_single_pieces_are_no_line():
    near = Pieces(np.column_stack([np.arange(0.0, 100, 10), np.zeros(10)]), np.repeat([0.0, 300.0], 5))
    assert [len(part) for part in beyond([near, near], 200.0)] == [5, 5]
    assert beyond([Pieces(near.xy_m[:1], near.distance_m[-1:])], 200.0) == []


def test_the_page_has_every_scene_with_every_member_the_best_first(results):
    maps = json.loads(json.dumps(scene_maps(results)))
    assert [scene["name"] for scene in maps["scenes"]] == [f"sim/scene{n}" for n in range(4)]
    assert [member["key"] for member in maps["members"]] == ["unet-128", "unetpp-128"]
    assert maps["first"] == 1, "each next scene is drawn 30 m farther off; that in the middle is shown first"
    for scene in maps["scenes"]:
        assert set(scene["probability"]) == set(scene["facts"]) == {"unet-128", "unetpp-128"}
        layers = [(line["layer"], line["member"]) for line in scene["lines"]]
        assert layers.count(("true", None)) == 1
        for member in ("unet-128", "unetpp-128"):
            assert layers.count(("drawn", member)) == layers.count(("missed", member)) == 1
    first = maps["scenes"][0]
    assert first["dates"] == "1 Jan 2020, 13 Jan 2020"
    (true,) = (line for line in first["lines"] if line["layer"] == "true")
    ends_m = np.cumsum([true["x_m"], true["y_m"]], axis=1)[:, [0, -1]].T + CORNER_M
    # The synthetic lines count from the upper left corner, downwards.
    assert ends_m == pytest.approx(
        np.array([[0, -5000], [20_000, -9000]]) + np.array([GRID.c, GRID.f]), abs=15
    )


def test_pictures_of_the_phase_are_as_small_as_the_page_needs(results, monkeypatch):
    def phase_bytes():
        return sum(len(base64.b64decode(one["phase"].split(",")[1])) for one in scene_maps(results)["scenes"])

    monkeypatch.setattr(scene_map, "LEAST_PHASE_PX", 8)
    whole = phase_bytes()
    monkeypatch.setattr(scene_map, "MOST_PHASE_BYTES", whole // 2)
    assert whole / 5 < phase_bytes() <= whole // 2


def test_the_figure_in_print_is_a_page_at_most_and_says_which_scenes_it_shows(results):
    with house_style():
        few = draw_line_maps(results)
        assert few.caption.startswith("All test scenes")
        member = results.lines.members[0]
        many = [scene.model_copy(update={"mean_m": float(n)}) for n, scene in enumerate(member.scenes * 5)]
        lines = results.lines.model_copy(
            update={"members": (member.model_copy(update={"scenes": tuple(many)}),)}
        )
        drawn = draw_line_maps(replace(results, lines=lines))
    width_in, height_in = drawn.figure.get_size_inches()
    assert height_in < 1.3 * width_in
    assert drawn.caption.startswith("8 of 20 test scenes")
    titles = [axes.get_title(loc="left") for axes in drawn.figure.axes]
    means_m = [float(title.split(", ")[-1].split()[0]) for title in titles if "invented" in title]
    assert means_m == sorted(means_m)
    assert (means_m[0], means_m[-1]) == (0, 19)


def test_a_line_tells_what_is_known_of_it_and_nothing_else():
    known = {"length_m": 15_000.0, "mean_prob": 0.9, "band_m": 120.0, "uncert_m": np.nan, "hinge_m": -80.0}
    assert about_a_line(known) == (
        "15.0 km; mean probability 0.90; half its band 120 m; ice first bends 80 m seaward of it"
    )


def test_a_map_of_which_a_file_is_missing_is_named_with_the_remedy(make_study):
    study = add_lines(make_study("missing", strata=STRATA[:1], repeats=1), STRATA[:1], scenes=1)
    (study.maps / "unet-128" / "sim-scene0-probability.tif").unlink()
    with pytest.raises(StudyError, match=r"probability\.tif: is missing; `glsweep evaluate` writes it"):
        scene_maps(read_results(study))
