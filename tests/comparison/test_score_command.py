"""`score` as it is typed: it says of a data set what `predict` and then `compare` say of each scene."""

import json

import geopandas as gpd
import pandas as pd
import pytest
import rasterio
import yaml
from affine import Affine
from geodesics import geodesic_km
from made_input import member_folder, scene_lines, seeing_member_folder, write_scene
from qgis_program import needs_qgis, seen_by_qgis
from shapely import LineString, box
from shapely.affinity import translate

from glsweep.comparison.scene_groups import groups_of
from glsweep.errors import ConfigError
from glsweep.run import main
from glsweep.scenes.cards import load_card
from glsweep.scenes.catalogue import open_data
from glsweep.scenes.masks import line_mask

SHAPE = (150, 210)
SHARED = ["lines_km", "reference_km", "mean_m", "median_m", "mad_m"] + [
    f"{name}_{tolerance}" for tolerance in (100, 200, 500) for name in ("completeness", "false_km")
]


def ground(number):
    """Scenes lie side by side."""
    return Affine(100, 0, number * 100_000, 0, -100, 0)


def write_data(folder, names="abcd", first=0):
    """Scenes whose lines were drawn up to 300 m beside what is seen; in the last one nothing is seen."""
    folder.mkdir()
    rows = []
    for number, name in enumerate(names, start=first):
        lines = scene_lines(SHAPE, ground(number))
        seen = lines if name != names[-1] else []
        write_scene(folder / f"{name}.tif", seen, SHAPE, ground(number))
        place = "west" if number < first + 2 else "east"
        rows += [(f"{name}.shp", place, translate(line, 0, 100 * (number - first))) for line in lines]
    rows[1:2] = [("gone.shp", "east", rows[1][2]), (f"{names[1]}.shp", "west", None), rows[1]]
    columns = dict(zip(("source_file", "place", "geometry"), zip(*rows, strict=True), strict=True))
    gpd.GeoDataFrame(columns, crs=3031).to_file(folder / "lines.gpkg")
    return folder


@pytest.fixture
def given(tmp_path, monkeypatch):
    """A data set of four scenes and a network that sees, in a folder in which the command runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    write_data(tmp_path / "data")
    seeing_member_folder(tmp_path / "member")
    return tmp_path


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """The same, scored once; not to be written to."""
    folder = tmp_path_factory.mktemp("scored")
    write_data(folder / "data")
    seeing_member_folder(folder / "member")
    names = [
        f"--{name}={folder / path}" for name, path in (("model", "member"), ("data", "data"), ("out", "out"))
    ]
    assert main(["score", *names, "--shortest-m", "500"]) == 0
    return folder


def score(*options, data="data", model="member"):
    return main(["score", "--model", model, "--data", *data.split(), "--out", "out", *options])


def typed(line):
    return main(line.split())


def figures(folder):
    return pd.read_csv(folder / "out" / "scores.csv").set_index(["kind", "name"])


def test_it_says_what_predict_and_then_compare_say(scored, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    member, data, out = (scored / name for name in ("member", "data", "out"))
    assert typed(f"predict --model {member} --scene {data} --out drawn --shortest-m 500") == 0
    table = figures(scored)
    for name in "abcd":
        drawn, own = tmp_path / "drawn" / f"{name}-lines.gpkg", out / f"{name}-lines.gpkg"
        assert gpd.read_file(drawn, layer=0).geometry.equals(gpd.read_file(own, layer=0).geometry)
        for file in (f"{name}-probability.tif", f"{name}.png", f"{name}.json"):
            assert (tmp_path / "drawn" / file).read_bytes() == (out / file).read_bytes()
        assert typed(f"compare {drawn} {out / f'{name}-reference.gpkg'} --table t.csv") == 0
        compared = pd.read_csv("t.csv").iloc[0]
        assert table.loc[("scene", name), SHARED].tolist() == pytest.approx(
            compared[SHARED].tolist(), nan_ok=True
        )
    joined = pd.concat([gpd.read_file(f"drawn/{name}-lines.gpkg", layer=0) for name in "abcd"])
    joined.to_file("joined.gpkg")
    columns = "--by scene --reference-by source_file"
    assert typed(f"compare joined.gpkg {data / 'lines.gpkg'} {columns} --table t.csv") == 0
    compared = pd.read_csv("t.csv", index_col="name")
    pooled = table.loc[("all", "all")]
    assert pooled["mean_m"] == pytest.approx(compared.loc["all", "mean_m"], rel=0.02)
    assert pooled["lines_km"] == pytest.approx(compared.loc["all", "lines_km"], rel=1e-3)


@needs_qgis
def test_one_project_opens_what_was_drawn_beside_what_is_known(scored, tmp_path):
    answer = seen_by_qgis(tmp_path, project=scored / "out" / "lines.qgs", pictures=[])
    assert all(layer["is_valid"] for layer in answer["layers"])
    layers = ["Known lines", "Lines by confidence", "Probability", "Wrapped phase"]
    assert [parts for _, _, parts in answer["tree"]] == [layers] * len(answer["tree"])
    assert {name for name, _, _ in answer["tree"]} >= set("abcd")


def test_distances_are_those_by_which_lines_were_moved(scored):
    """The island is a ring that moves; only where it runs along its way does it stay near."""
    table = figures(scored)
    means = [table.loc[("scene", name), "mean_m"] for name in "abc"]
    assert means[0] < 40
    assert means[0] < means[1] < means[2]
    assert 50 < means[2] < 200


def test_what_is_missed_counts(scored):
    table = figures(scored)
    missed, pooled = table.loc[("scene", "d")], table.loc[("all", "all")]
    assert (missed["scenes_missed"], missed["lines_km"], missed["completeness_500"]) == (1, 0, 0)
    lengths_km = table.loc["scene", "reference_km"]
    assert pooled["completeness_500"] == pytest.approx(1 - lengths_km["d"] / lengths_km.sum(), abs=0.01)
    assert (pooled["scenes"], pooled["scenes_missed"]) == (4, 1)
    assert pooled["completeness_500_low"] < pooled["completeness_500"] < pooled["completeness_500_high"]
    assert pooled["mean_m_low"] < pooled["mean_m"] < pooled["mean_m_high"]
    rows = json.loads((scored / "out" / "scores.json").read_text())["rows"]
    assert [row["name"] for row in rows] == [*"abcd", "all"]
    assert rows[3]["mean_m"] is None


def test_one_line_too_many_in_the_truth_is_not_free(given, scored):
    before = figures(scored).loc[("scene", "a")]
    rows = gpd.read_file("data/lines.gpkg")
    unseen = LineString([ground(0) @ (20, 130), ground(0) @ (120, 130)])
    extra = gpd.GeoDataFrame({"source_file": ["a.shp"]}, geometry=[unseen], crs=3031)
    pd.concat([rows, extra]).to_file("data/lines.gpkg")
    score("--shortest-m", "500")
    after = figures(given).loc[("scene", "a")]
    assert after["reference_km"] == pytest.approx(before["reference_km"] + geodesic_km(unseen), abs=0.1)
    assert after["completeness_500"] < before["completeness_500"]
    assert after["mean_m"] > before["mean_m"]


def test_scenes_are_pooled_by_a_column_of_the_lines(given, capsys):
    assert score("--by", "place", "--shortest-m", "500") == 0
    table = figures(given)
    assert table.loc["scene", "group"].tolist() == ["west", "west", "east", "east"]
    west, east = table.loc[("group", "west")], table.loc[("group", "east")]
    assert (west["scenes"], east["scenes"]) == (2, 2)
    assert west["reference_km"] == pytest.approx(table.loc["scene", "reference_km"][["a", "b"]].sum())
    assert west["completeness_500"] > 0.9 > east["completeness_500"]
    assert pd.isna(west["mean_m_low"]), "two scenes have no interval"
    printed = capsys.readouterr().out
    assert "all: 4 scenes, nothing drawn in 1; 95 % intervals over scenes: mean" in printed


def write_card(folder, **changes):
    layout = {"rasters": "*.tif", "lines": "lines.gpkg"}
    card = {"name": "made", "root": "data", "layout": layout, **changes}
    (folder / "card.yaml").write_text(yaml.safe_dump(card))
    return folder / "card.yaml"


def test_the_regions_of_a_card_part_its_scenes(given):
    places = {
        "name": ["left", "right"],
        "geometry": [box(-1e5, -1e5, 1.3e5, 1e5), box(1.3e5, -1e5, 2.9e5, 1e5)],
    }
    gpd.GeoDataFrame(places, crs=3031).to_file("places.gpkg")
    regions = [
        {"split": "test", "polygons": "places.gpkg", "names": ["left"]},
        {"split": "val", "polygons": "places.gpkg", "names": ["right"]},
        {"split": "test", "scenes": ["c*"]},
    ]
    write_card(given, split={"rule": "region", "regions": regions})
    assert score(data="card.yaml") == 0
    assert figures(given).loc["scene", "group"].tolist() == ["left", "left", "c*", "elsewhere"]


def test_data_sets_are_scored_side_by_side(given):
    write_data(given / "more", "ax", first=4)
    assert score(data="data more") == 0
    table = figures(given)
    assert table.loc["scene"].index.tolist() == ["data/a", "data/b", "data/c", "data/d", "more/a", "more/x"]
    assert table.loc["group"].index.tolist() == ["data", "more"]
    for file in ("data/a-lines.gpkg", "more/a-lines.gpkg", "more/x-reference.gpkg"):
        assert (given / "out" / file).is_file()


def test_a_scene_that_does_not_fit_is_left_out_and_told(given, capsys):
    coarse = Affine(150, 0, 9e5, 0, -150, 0)
    lines = scene_lines((64, 64), coarse)
    write_scene(given / "data" / "e.tif", lines, (64, 64), coarse)
    rows = gpd.read_file("data/lines.gpkg")
    extra = gpd.GeoDataFrame({"source_file": ["e.shp"]}, geometry=lines[:1], crs=3031)
    pd.concat([rows, extra]).to_file("data/lines.gpkg")
    assert score() == 2
    assert "posting is 150 m, and member was trained at 100 m" in capsys.readouterr().out
    assert figures(given).loc["scene"].index.tolist() == [*"abcd"]


def test_what_a_reader_must_know_is_said(given, capsys):
    write_scene(given / "data" / "bare.tif", [], SHAPE, ground(8))
    own = load_card(given / "data").content_hash()
    seeing_member_folder(given / "knows", data_card_hash=own, wavelength_m=0.0312)
    assert score(model="knows") == 0
    printed = capsys.readouterr().out
    assert "mind: knows was trained on data itself" in printed
    assert "trained for a wavelength of 0.0312 m, in data it is 0.0555 m" in printed
    assert "without a line, and not scored: bare: no row in the file of lines" in printed


def test_a_stranger_to_the_data_is_not_said_to_know_it(given, capsys):
    assert score() == 0
    assert "mind:" not in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_scenes_without_a_place_are_scored_and_said_to_have_none(given, capsys):
    """Tiles with masks: a length in metres follows from the card's posting alone."""
    (given / "tiles").mkdir()
    nowhere = Affine.identity()
    lines = scene_lines(SHAPE, nowhere)
    for number in (1, 2):
        write_scene(given / "tiles" / f"coco{number}.tif", lines, SHAPE, nowhere, crs=None)
        mask = line_mask(lines, SHAPE, nowhere, "bresenham")
        with rasterio.open(
            given / "tiles" / f"mask{number}.tif",
            "w",
            driver="GTiff",
            width=SHAPE[1],
            height=SHAPE[0],
            count=1,
            dtype="uint8",
        ) as file:
            file.write(mask, 1)
    layout = {"rasters": "coco*.tif", "lines": None, "masks": "mask*.tif"}
    write_card(given, root="tiles", layout=layout, posting_m=100.0)
    assert score("--shortest-m", "500", data="card.yaml") == 0
    assert "mind: 2 scenes without a place" in capsys.readouterr().out
    pooled = figures(given).loc[("all", "all")]
    assert pooled["completeness_200"] > 0.95
    assert pooled["mean_m"] < 60


@pytest.mark.parametrize(
    ("options", "changes", "told"),
    [
        (["--tau", "1.5"], {}, "--tau 1.5"),
        (["--by", "glacier"], {}, "lines.gpkg has no such column; its columns are source_file, place"),
        (
            ["--root", "data"],
            {"data": "data card.yaml"},
            "--root data: says where the scenes of one card are",
        ),
        ([], {"data": "gone.yaml"}, "gone.yaml: cannot be read"),
        ([], {"data": "member"}, "holds no raster (.tif"),
        ([], {"data": "simulated.yaml"}, "its scenes are simulated within a study"),
        ([], {"model": "gone"}, "gone: holds no complete member"),
        ([], {"model": "uncalibrated"}, "uncalibrated: has no threshold yet"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(given, capsys, options, changes, told):
    member_folder(given / "uncalibrated", tau=None)
    write_card(given)
    (given / "simulated.yaml").write_text("{name: sim, simulation: {scenes: 3}}")
    assert score(*options, **changes) == 2
    errors = capsys.readouterr().err.strip()
    assert told in errors
    assert len(errors.splitlines()) == 1
    assert not (given / "out").exists()


def test_scenes_with_a_file_each_are_pooled_by_its_column(tmp_path):
    folder = write_data(tmp_path / "data", "ab")
    table = gpd.read_file(folder / "lines.gpkg")
    (folder / "lines.gpkg").unlink()
    for name in "ab":
        table[table["source_file"] == f"{name}.shp"].to_file(folder / f"{name}.geojson")
    card = load_card(folder)
    entries = open_data(card, {card.name: folder}).entries
    assert groups_of(card, entries, "place") == ["west", "west"]
    with pytest.raises(
        ConfigError, match=r"a\.geojson has no such column; its columns are source_file, place"
    ):
        groups_of(card, entries, "town")
