"""`compare` on any two files of lines, in metres, whatever their maps."""

import geopandas as gpd
import pandas as pd
import pytest
from geodesics import map_factor
from shapely import LineString

from glsweep.comparison import distance_table, read_pairs
from glsweep.errors import DataError
from glsweep.run import main


def level(y_m, start_m=0, end_m=10_000):
    return LineString([(start_m - 1_300_000, y_m - 1_000_000), (end_m - 1_300_000, y_m - 1_000_000)])


def write(path, rows, crs=3031, column="scene"):
    names, lines = zip(*rows, strict=True)
    table = gpd.GeoDataFrame({column: list(names)}, geometry=list(lines), crs=3031)
    table.to_crs(crs).to_file(path)
    return path


@pytest.fixture
def files(tmp_path):
    drawn = write(tmp_path / "drawn.gpkg", [("a", level(150)), ("b", level(20_000)), ("c", level(60_000))])
    truth = [
        ("a.shp", level(0)),
        ("b.shp", level(20_000)),
        ("b.shp", level(30_000)),
        ("d.shp", level(90_000)),
    ]
    return drawn, write(tmp_path / "truth.gpkg", truth, column="source_file")


def test_scene_by_scene_and_pooled(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    drawn, truth = map(str, files)
    assert (
        main(["compare", drawn, truth, "--by", "scene", "--reference-by", "source_file", "--table", "t.csv"])
        == 0
    )
    table = pd.read_csv("t.csv", index_col="name")
    ground = pytest.approx(1 / map_factor(-1_295_000, -980_000), rel=0.003)
    assert list(table.index) == ["a", "b", "c", "d", "all"]
    assert table.loc["a", "mean_m"] / 150 == ground
    assert (table.loc["a", "completeness_100"], table.loc["a", "completeness_200"]) == (0, 1)
    assert table.loc["b", "mean_m"] / 2_500 == ground
    assert table.loc["b", "missed_km_500"] / 10 == ground
    assert table.loc["c", "false_km_500"] / 10 == ground, "invented where nothing was drawn"
    assert table.loc["d", "missed_km_500"] / 10 == ground, "a scene that is missed is not left out"
    assert table.loc[["c", "d"], "mean_m"].isna().all()
    assert table.loc["all", "completeness_500"] == pytest.approx(0.5, abs=0.001)
    assert table.loc["all", "false_km_500"] / 10 == ground
    assert table.loc["all", "lines_km"] / 30 == ground
    assert table.loc["all", "reference_km"] / 40 == ground


def test_all_together_a_line_may_be_near_that_of_another_scene(files):
    (pair,) = read_pairs(*files, by=None, reference_by=None)
    table = distance_table([pair], [200.0])
    assert list(table["name"]) == ["all"]
    assert table["completeness_200"][0] == pytest.approx(0.5, abs=0.001)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--by", "place"], "has no column 'place'"),
        (["--by", "scene", "--reference-by", "other"], "has no column 'other'"),
        (["--by", "only"], "have no value in common (such as 'x' and 'y')"),
    ],
)
def test_columns_that_do_not_fit_are_told(tmp_path, capsys, options, told):
    for name, value in (("drawn", "x"), ("truth", "y")):
        table = gpd.GeoDataFrame({"scene": ["a"], "only": [value]}, geometry=[level(0)], crs=3031)
        table.to_file(tmp_path / f"{name}.gpkg")
    assert main(["compare", str(tmp_path / "drawn.gpkg"), str(tmp_path / "truth.gpkg"), *options]) == 2
    error = capsys.readouterr().err.strip()
    assert told in error
    assert len(error.splitlines()) == 1


def test_a_reference_without_a_line_is_refused(tmp_path, capsys):
    write(tmp_path / "drawn.gpkg", [("a", level(0))])
    write(tmp_path / "truth.gpkg", [("a", None)])
    assert main(["compare", str(tmp_path / "drawn.gpkg"), str(tmp_path / "truth.gpkg")]) == 2
    assert "holds no line" in capsys.readouterr().err


def test_values_stay_whole_and_what_is_left_out_is_told(tmp_path, capsys):
    rows = [("05/01/2018", level(100)), ("11/01/2018", level(20_100)), (None, level(50_000))]
    drawn = write(tmp_path / "dra[w]n.gpkg", [*rows, rows[0]])
    truth = write(tmp_path / "truth.gpkg", [("05/01/2018", level(0)), ("11/01/2018", level(20_000))])
    table = tmp_path / "t.csv"
    assert main(["compare", str(drawn), str(truth), "--by", "scene", "--table", str(table)]) == 0
    assert list(pd.read_csv(table)["name"]) == ["05/01/2018", "11/01/2018", "all"]
    printed = capsys.readouterr().out
    assert "dra[w]n.gpkg: 1 row has no value in scene; left out" in printed
    assert "dra[w]n.gpkg: 1 line is in it twice and counts once" in printed


def test_numbers_are_paired_whatever_their_type(tmp_path):
    drawn, truth = tmp_path / "drawn.gpkg", tmp_path / "truth.shp"
    lines = [level(0), level(10_000), level(20_000)]
    numbers = pd.array([11, 12, None], dtype="Int64")
    gpd.GeoDataFrame({"region": numbers}, geometry=lines, crs=3031).to_file(drawn)
    gpd.GeoDataFrame({"region": ["11", "12.0", "13"]}, geometry=lines, crs=3031).to_file(truth)
    pairs = read_pairs(drawn, truth, by="region", reference_by=None)
    assert [(pair.name, len(pair.lines), len(pair.reference)) for pair in pairs] == [
        ("11", 1, 1),
        ("12", 1, 1),
        ("13", 0, 1),
    ]


def test_values_that_are_only_spelt_otherwise_are_named(tmp_path):
    drawn = write(tmp_path / "drawn.gpkg", [("getz", level(0)), ("dotson", level(9_000))])
    truth = write(tmp_path / "truth.gpkg", [("Getz", level(0))])
    with pytest.raises(
        DataError, match=r"\(such as 'getz' and 'Getz'\); they differ in upper and lower case"
    ):
        read_pairs(drawn, truth, by="scene", reference_by=None)
    told = []
    truth = write(tmp_path / "both.gpkg", [("Getz", level(0)), ("dotson", level(9_000))])
    read_pairs(drawn, truth, by="scene", reference_by=None, on_remark=told.append)
    assert "'getz' is paired with nothing, though there is 'Getz'" in told[0]


def test_the_layers_of_both_files_can_be_named(tmp_path, capsys):
    path = tmp_path / "both.gpkg"
    for layer, y_m in (("drawn", 150), ("truth", 0)):
        gpd.GeoDataFrame(geometry=[level(y_m)], crs=3031).to_file(path, layer=layer)
    assert main(["compare", str(path), str(path)]) == 2
    assert "has drawn, truth; name one, such as --layer drawn" in capsys.readouterr().err
    assert main(["compare", str(path), str(path), "--layer", "drawn"]) == 2
    assert "name one, such as --reference-layer drawn" in capsys.readouterr().err
    table = tmp_path / "t.csv"
    options = ["--layer", "drawn", "--reference-layer", "truth", "--table", str(table)]
    assert main(["compare", str(path), str(path), *options]) == 0
    assert pd.read_csv(table)["mean_m"][0] == pytest.approx(150, rel=0.02)
