"""`--near`: of what is drawn only that is kept which lies near a line known before, on the ground."""

import hashlib
import json

import geopandas as gpd
import pandas as pd
import pyproj
import pytest
import shapely
from affine import Affine
from geodesics import geodesic_km
from made_input import scene_lines, seeing_member_folder, write_scene
from shapely import LineString, Point

import glsweep.api
from glsweep.errors import DataError
from glsweep.geodesy import reproject
from glsweep.prediction.near import Prior, read_prior
from glsweep.run import main

SHAPE = (150, 210)
POLAR = pyproj.CRS.from_epsg(3031)


def ground(number):
    return Affine(100, 0, -1_500_000 + number * 100_000, 0, -100, -500_000)


def write_lines(path, lines, crs=3031, **options):
    gpd.GeoDataFrame(geometry=lines, crs=3031).to_crs(crs).to_file(path, **options)
    return path


@pytest.fixture
def given(tmp_path, monkeypatch):
    """Two scenes with their lines, a network that sees them, and half of the first one's line as a prior."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    rows = []
    for number, name in enumerate("ab"):
        lines = scene_lines(SHAPE, ground(number))
        write_scene(tmp_path / "data" / f"{name}.tif", lines, SHAPE, ground(number))
        rows += [(f"{name}.shp", line) for line in lines]
    names, lines = zip(*rows, strict=True)
    gpd.GeoDataFrame({"source_file": names}, geometry=list(lines), crs=3031).to_file("data/lines.gpkg")
    seeing_member_folder(tmp_path / "member")
    longest = max(scene_lines(SHAPE, ground(0)), key=shapely.length)
    half = shapely.ops.substring(longest, 0, 0.5, normalized=True)
    write_lines(tmp_path / "prior.gpkg", [half], crs=4326)
    return tmp_path


def run(command, *options):
    return main([*command.split(), "--model", "member", "--out", "out", *options])


def test_lines_are_cut_where_the_distance_on_the_ground_is_reached():
    """On this map a metre is .98 of one on the ground."""
    line = LineString([(-1_500_000, -500_000), (-1_460_000, -500_000)])
    prior = Prior("p", "", (LineString([(-1_500_000, -499_000), (-1_480_000, -499_000)]),), POLAR, 3000.0)
    (kept,) = prior.cut([line], POLAR)
    assert kept.coords[0] == line.coords[0]
    end = kept.coords[-1]
    assert geodesic_km(LineString([end, (-1_480_000, -499_000)]), 3031) == pytest.approx(3.0, abs=0.02)


def test_whichever_map_the_prior_is_on_the_same_is_kept():
    line = LineString([(-1_500_000, -500_000), (-1_470_000, -520_000), (-1_440_000, -500_000)])
    known = [LineString([(-1_495_000, -501_000), (-1_445_000, -501_000)])]
    degrees = pyproj.CRS.from_epsg(4326)
    one, other = (
        Prior("p", "", tuple(lines), crs, 4000.0).cut([line], POLAR)
        for lines, crs in ((known, POLAR), (reproject(known, POLAR, degrees).tolist(), degrees))
    )
    assert len(one) == len(other) > 1
    for own, same in zip(one, other, strict=True):
        assert shapely.hausdorff_distance(own, same) < 25


def test_a_line_that_is_near_all_along_stays_as_it_is_and_a_loop_is_cut_once():
    loop = LineString(Point(-1_500_000, -500_000).buffer(5_000).exterior)
    there = (LineString([(-1_510_000, -500_000), (-1_490_000, -500_000)]),)
    assert Prior("p", "", there, POLAR, 9_000.0).cut([loop], POLAR) == [loop]
    east = (LineString([(-1_495_000, -501_000), (-1_495_000, -499_000)]),)
    (kept,) = Prior("p", "", east, POLAR, 2_000.0).cut([loop], POLAR)
    assert not kept.is_closed
    assert kept.distance(Point(-1_495_000, -500_000)) < 1
    assert Prior("p", "", east, POLAR, 2_000.0).cut([], POLAR) == []


def test_predict_keeps_what_is_near_and_says_what_there_was(given, capsys):
    assert run("predict --scene data/a.tif --shortest-m 500 --near prior.gpkg --within-m 1000") == 0
    printed = capsys.readouterr().out
    assert "km near" in printed
    kept = gpd.read_file("out/a-lines.gpkg", layer=0)
    note = json.loads((given / "out" / "a.json").read_text())
    near = note["near"]
    assert near["prior"] == "prior.gpkg"
    assert near["prior_sha256"] == hashlib.sha256((given / "prior.gpkg").read_bytes()).hexdigest()
    assert near["within_m"] == 1000
    assert kept["length_m"].sum() / 1000 == pytest.approx(note["length_km"], rel=1e-3)
    assert 0.2 * near["length_km_before"] < note["length_km"] < 0.8 * near["length_km_before"]
    assert f"{near['length_km_before']:.1f}" in printed
    known = gpd.read_file("prior.gpkg").to_crs(3031).geometry.union_all()
    assert max(Point(xy).distance(known) for xy in shapely.get_coordinates(kept.geometry)) < 1050
    assert kept["length_m"].min() >= 500
    assert kept["mean_prob"].between(0.5, 1).all()


def test_without_a_prior_nothing_is_said_of_one(given, capsys):
    assert run("predict --scene data/a.tif") == 0
    assert "km near" not in capsys.readouterr().out
    assert json.loads((given / "out" / "a.json").read_text())["near"] is None


def test_a_scene_far_from_the_prior_is_named_with_the_distance(given, capsys):
    assert run("predict --scene data --near prior.gpkg") == 0
    printed = capsys.readouterr().out
    assert "mind: b: is 90 km" in printed
    assert "from the nearest line of prior.gpkg: nothing is kept" in printed
    assert "mind: a" not in printed
    assert len(gpd.read_file("out/b-lines.gpkg", layer=0)) == 0


def test_score_says_both_and_the_reference_stays_whole(given, capsys):
    assert run("score --data data --shortest-m 500 --near prior.gpkg --within-m 1000") == 0
    printed = capsys.readouterr().out
    assert printed.index("all lines that were drawn") < printed.index("near the lines known before")
    table = pd.read_csv("out/scores.csv").set_index(["counted", "kind", "name"])
    every, near = (table.loc[(counted, "scene", "a")] for counted in ("all", "near"))
    assert near["reference_km"] == every["reference_km"]
    assert near["lines_km"] < 0.8 * every["lines_km"]
    assert near["completeness_200"] < 0.8 * every["completeness_200"]
    assert table.loc[("near", "scene", "b"), "scenes_missed"] == 1
    assert table.loc[("all", "all", "all"), "scenes_missed"] == 0
    scores = json.loads((given / "out" / "scores.json").read_text())
    assert scores["near"]["prior"] == "prior.gpkg"
    assert [row["counted"] for row in scores["rows"]] == ["all"] * 3 + ["near"] * 3
    assert run("score --data data --shortest-m 500") == 0
    alone = pd.read_csv("out/scores.csv").set_index(["counted", "kind", "name"])
    pd.testing.assert_frame_equal(alone, table.loc[["all"]])


def test_python_has_the_same_words(given):
    whole, near = (
        glsweep.api.predict("data/a.tif", model="member", **named)
        for named in ({}, {"near": "prior.gpkg", "within_m": 1000.0})
    )
    assert 0 < near.lines["length_m"].sum() < whole.lines["length_m"].sum()
    frame = glsweep.api.score("data", model="member", near="prior.gpkg")
    assert set(frame["counted"]) == {"all", "near"}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--near gone.gpkg", "gone.gpkg: there is no such file of lines"),
        ("--near empty.gpkg", "empty.gpkg: holds no line"),
        ("--within-m 500", "--within-m 500: says near what? add --near"),
        ("--near prior.gpkg --within-m -5", "--within-m -5: is not positive"),
        ("--near prior.gpkg --within-m nan", "--within-m nan: is not positive"),
        ("--near two.gpkg", "name one, such as two.gpkg|here"),
    ],
)
@pytest.mark.parametrize("command", ["predict --scene data/a.tif", "score --data data"])
def test_what_is_wrong_is_told_in_one_line(given, capsys, command, options, told):
    write_lines(given / "empty.gpkg", [LineString()])
    for layer in ("here", "there"):
        write_lines(given / "two.gpkg", [LineString([(0, 0), (9, 9)])], layer=layer)
    assert run(command, *options.split()) == 2
    printed = capsys.readouterr()
    assert told in " ".join((printed.out + printed.err).split())
    assert not (given / "out").exists()


def test_one_layer_of_a_file_can_be_named(given):
    for layer, x in (("here", 0), ("there", 90)):
        write_lines(given / "two.gpkg", [LineString([(x, 0), (x + 9, 9)])], layer=layer)
    prior = read_prior(given / "two.gpkg|there", None)
    assert shapely.get_coordinates(prior.lines)[0, 0] == 90
    assert prior.within_m == 2000


def test_lines_that_lie_nowhere_on_earth_are_no_prior(given):
    gpd.GeoDataFrame(geometry=[LineString([(0, 0), (0, 95)])], crs=4326).to_file("bad.gpkg")
    with pytest.raises(DataError, match="is no place on Earth"):
        read_prior(given / "bad.gpkg", 100.0)
