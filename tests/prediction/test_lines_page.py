"""The page of lines answers five questions on its first screen, and has a remedy for what is not known."""

import re
from html import unescape
from pathlib import Path

import geopandas as gpd
import pytest
from browser import CHROMIUM, opened_browser, scrolls_sideways, serious_faults
from made_drawn_scenes import drawn_scene
from made_input import NORTH_UP, card, scene_lines, seeing_member, seeing_member_folder, write_scene
from shapely.affinity import translate

from glsweep.nets.member import LineUncertainty
from glsweep.prediction import answers
from glsweep.prediction.blend import EMBEDDED, Member
from glsweep.prediction.citation import producers
from glsweep.run import main

SHAPE = (150, 210)
DATED = ("S1A_20180105_20180111", "S1A_20190105_20190111")
QUESTIONS = ("where", "when", "sure", "far", "cite")
KNOWN = LineUncertainty(factor=2.0, share=0.68, near_m=500.0, tau=0.5, km=100.0, scenes=60)


def predict(folder: Path, names, *options, **member) -> Path:
    """Predict scenes of one place, the line of each 300 m north of the one before; return the page."""
    lines = scene_lines(SHAPE, NORTH_UP)
    for number, name in enumerate(names):
        moved = [translate(line, 0, 300 * number) for line in lines]
        folder.mkdir(exist_ok=True)
        write_scene(folder / f"{name}.tif", moved, SHAPE, NORTH_UP)
    gpd.GeoDataFrame(geometry=lines, crs=3031).to_crs(4326).to_file(folder / "old.gpkg")
    seeing_member_folder(folder / "member", **member)
    scenes = [folder / f"{name}.tif" for name in names]
    said = ["predict", "--model", folder / "member", "--scene", *scenes, "--out", folder / "out", *options]
    assert main([str(word) for word in said]) == 0
    return folder / "out" / "lines.html"


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> Path:
    """The page of two scenes of which all is known: dates, an old line, uncertainty, tests on real scenes."""
    folder = tmp_path_factory.mktemp("known") / "scenes"
    tested = {"coast": {"scenes.completeness_200": 0.8, "scenes.lines_km": 50.0, "scenes.false_km_200": 4.0}}
    options = ("--compare-with", folder / "old.gpkg")
    return predict(folder, DATED, *options, uncertainty=KNOWN, tested=tested, trained_on="My coast")


@pytest.fixture(scope="module")
def unknown(tmp_path_factory) -> Path:
    """The page of a scene of which nothing is known."""
    why = "3 validation scenes have lines near a true one, and 50 are needed"
    return predict(tmp_path_factory.mktemp("unknown") / "scenes", ["a"], uncertainty_unknown=why)


def said_of(page: Path) -> dict[str, str]:
    """Return what each answer says, in plain words."""
    html = page.read_text(encoding="utf-8")
    sections = re.findall(r'<section class="answer" id="(\w+)">(.*?)</section>', html, re.DOTALL)
    return {key: " ".join(unescape(re.sub("<[^>]+>", " ", text)).split()) for key, text in sections}


def test_all_five_questions_are_answered(known):
    said = said_of(known)
    assert tuple(said) == QUESTIONS
    assert re.search(r"79\.\d\d° S, 63\.\d\d° W, Antarctica", said["where"]) and "EPSG:3031" in said["where"]
    assert "5 Jan 2018 to 11 Jan 2019" in said["when"] and "Sentinel-1" in said["when"]
    assert "for 68 % of the true line" in said["sure"] and "mean probability" in said["sure"]
    assert "posting 100 m as in training" in said["sure"] and "wavelength as in training" in said["sure"]
    assert (
        "80 % of the known line found within 200 m" in said["cite"]
        and "With its test figures" in said["cite"]
    )


def test_the_distance_from_the_old_line_is_measured_and_no_advance_is_claimed(known):
    said = said_of(known)["far"]
    median_m, most_m = map(int, re.search(r"Median (\d+) m, 95 % within (\d+) m", said).groups())
    assert 0 <= median_m < most_m <= 350
    assert "no advance or retreat" in said and "old.gpkg" in said
    assert "Zone between 2 dates" in said and re.search(r"[\d.]+ km²", said)


def test_what_is_not_known_comes_with_the_remedy(unknown):
    said = said_of(unknown)
    assert "Unknown: no date in a" in said["when"] and "20180105_20180111_20180117.tif" in said["when"]
    assert "Metres unknown" in said["sure"] and "3 validation scenes have lines" in said["sure"]
    assert "No old line was named" in said["far"] and "--compare-with FILE" in said["far"]
    assert "Not yet: never compared with an analyst's lines on real scenes" in said["cite"]


def test_comparing_cuts_nothing_and_being_near_says_that_it_cuts(tmp_path):
    folder = tmp_path / "scenes"
    page = predict(folder, DATED[:1], "--near", folder / "old.gpkg", "--within-m", "900")
    assert "Only lines within 900 m were kept (--near)" in said_of(page)["far"]


def test_the_text_to_cite_names_weights_and_validation(known, unknown):
    for page in (known, unknown):
        html = page.read_text(encoding="utf-8")
        (text,) = re.findall(r"<blockquote>(.*?)</blockquote>", html, re.DOTALL)
        assert re.search(r"weights [0-9a-f]{12}", text) and "@software{glsweep" in html
    assert "Not validated" in text


def test_one_scene_needs_no_overview_and_two_have_one(known, unknown):
    assert not list(unknown.parent.glob("overview.*"))
    assert {path.suffix for path in known.parent.glob("overview.*")} == {".png", ".svg", ".gpkg"}
    for address in re.findall(r'<td class="files">(.*?)</td>', known.read_text(encoding="utf-8")):
        assert all((known.parent / name).exists() for name in re.findall(r'href="([^"]+)"', address))


def test_what_cards_and_names_say_is_text_and_no_markup(tmp_path):
    page = predict(tmp_path / "scenes", ["a&b"], trained_on="<script>alert(1)</script>")
    html = page.read_text(encoding="utf-8")
    assert "<script>alert(1)" not in html and "&lt;script&gt;alert(1)" in html
    assert "in a&amp;b</h1>" in html


@pytest.mark.parametrize("names", [["empty"], ["empty", "placed"]])
def test_a_page_is_written_where_nothing_was_drawn(tmp_path, names):
    write_scene(tmp_path / "empty.tif", [], SHAPE, NORTH_UP)
    write_scene(tmp_path / "placed.tif", scene_lines(SHAPE, NORTH_UP), SHAPE, NORTH_UP)
    member, out = seeing_member_folder(tmp_path / "member"), tmp_path / "out"
    scenes = [tmp_path / f"{name}.tif" for name in names]
    assert main([str(word) for word in ("predict", "--model", member, "--scene", *scenes, "--out", out)]) == 0
    said = said_of(out / "lines.html")
    assert ("Nothing was drawn" in said["sure"]) == (names == ["empty"])
    assert "79." in said["where"]


def test_scenes_that_lie_nowhere_are_to_be_georeferenced():
    lost = drawn_scene("lost", [], is_placed=False)
    assert "Georeference" in answers.where([lost]).mind
    assert "1 of 2 scenes" in answers.where([lost, drawn_scene("placed", [])]).mind


def test_the_network_in_the_package_owns_that_it_has_seen_simulated_scenes_alone():
    (one,) = producers([Member(str(EMBEDDED), seeing_member().network, card(tested={}), "0123")])
    assert one.is_simulated_alone and not one.validated_on
    assert answers.may_cite([one], 0.5).short.startswith("not yet")


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")
def test_the_answers_are_on_the_first_screen_and_the_page_suits_every_reader(known, unknown):
    with opened_browser(width_px=1400, height_px=900) as page:
        for file in (unknown, known):
            page.goto(file.as_uri())
            bottoms = page.evaluate(
                "[...document.querySelectorAll('.answer')].map(one => one.getBoundingClientRect().bottom)"
            )
            assert len(bottoms) == len(QUESTIONS) and max(bottoms) <= 900
            assert page.locator(".first img").bounding_box()["y"] < 300
        assert serious_faults(page) == []
    with opened_browser(width_px=390, height_px=800, colours="dark") as page:
        page.goto(known.as_uri())
        assert not scrolls_sideways(page)
        assert serious_faults(page) == []
