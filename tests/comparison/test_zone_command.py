"""`zone` as it is typed."""

import geopandas as gpd
import numpy as np
import pytest
import shapely
from geodesics import map_factor
from qgis_program import needs_qgis, seen_by_qgis
from shapely import LineString, box

from glsweep.metrics.zone import envelope, measure_zone
from glsweep.run import main


@pytest.fixture
def lines(tmp_path):
    rows = [("20180101 20180107", 0), ("20190101 20190107", 260), ("20200101 20200107", -140)]
    geometry = [LineString([(-1e6, y_m), (-9.8e5, y_m)]) for _, y_m in rows]
    table = gpd.GeoDataFrame({"dates": [dates for dates, _ in rows]}, geometry=geometry, crs=3031)
    table.to_file(tmp_path / "lines.gpkg")
    return tmp_path / "lines.gpkg"


def test_the_width_is_printed_and_its_sections_are_written(lines, capsys):
    out = lines.with_name("zone.gpkg")
    assert main(["zone", str(lines), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "3 dates" in printed
    factor = map_factor(-990_000, 60)
    assert f"median {400 / factor:.0f} m" in printed
    table = gpd.read_file(out, layer="sections")
    assert table.crs.to_epsg() == 3031
    assert len(table) == round(20_000 / factor / 200)
    np.testing.assert_allclose(table["width_m"], 400 / factor, rtol=0.001)
    np.testing.assert_allclose(table.length, 400)
    (ground,) = gpd.read_file(out, layer="envelope").itertuples()
    # From the first transect to the last one, a spacing less than the lines are long.
    long_m = len(table) * 200 * factor - 200 * factor
    assert ground.geometry.intersection(box(-1e6, -140, -9.8e5, 260)).area == pytest.approx(
        ground.geometry.area
    )
    assert ground.geometry.area == pytest.approx(long_m * 400, rel=0.001)
    assert ground.area_km2 == pytest.approx(long_m * 400 / factor**2 / 1e6, rel=0.001)


def circle(radius_m, start_deg=0, end_deg=360):
    angle = np.radians(np.linspace(start_deg, end_deg, 400))
    return LineString(np.column_stack([radius_m * np.cos(angle), radius_m * np.sin(angle)]))


def test_the_envelope_is_the_ground_between_the_outermost_lines():
    """Three arcs around one centre; beyond where one of them alone is known there is a gap."""
    zone = measure_zone(
        {"a": [circle(20_000)], "b": [circle(20_300, 10, 170)], "c": [circle(19_500, 190, 350)]},
        spacing_m=200,
    )
    parts = envelope(zone, spacing_m=200)
    found = [part.area for part in parts]
    expected = [np.radians(160) * abs(20_000**2 - r**2) / 2 for r in (19_500, 20_300)]
    np.testing.assert_allclose(found, expected, rtol=0.02)
    assert all(part.is_valid for part in parts)


def test_the_envelope_holds_every_line_and_bends_with_them():
    x = np.arange(0, 20_000, 100.0)
    lines = {str(n): [LineString(np.column_stack([x, 600 * np.sin(x / 900) + 250 * n]))] for n in range(3)}
    ground = shapely.union_all(envelope(measure_zone(lines, spacing_m=100), spacing_m=100))
    assert ground.is_valid
    middle = shapely.box(500, -5_000, 19_000, 5_000)
    for (line,) in lines.values():
        assert ground.buffer(20).contains(line.intersection(middle))
    assert ground.area == pytest.approx(500 * 20_000, rel=0.05)


def test_lines_that_are_far_from_each_other_are_not_joined():
    far = [LineString([(x, y), (x + 4_000, y)]) for x, y in ((0, 0), (30_000, 0))]
    zone = measure_zone({"a": far, "b": [shapely.affinity.translate(line, 0, 300) for line in far]})
    assert [part.area for part in envelope(zone, spacing_m=200)] == pytest.approx([3_800 * 300] * 2)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--by", "when"], "has no column 'when'"),
        (["--spacing-m", "0"], "--spacing-m 0: is not positive"),
        (["--out", "zone.shp"], "is no GeoPackage"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(lines, capsys, options, told):
    assert main(["zone", str(lines), *options]) == 2
    error = capsys.readouterr().err.strip()
    assert told in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize("source", ["lines.gpkg", "lines.gpkg|lines", "./lines.gpkg"])
def test_the_lines_themselves_are_never_replaced(lines, capsys, monkeypatch, source):
    monkeypatch.chdir(lines.parent)
    before = lines.read_bytes()
    for command in (["zone", source, "--out"], ["compare", "gone.gpkg", source, "--table"]):
        assert main([*command, str(lines)]) == 2
        assert f"{command[-1]} {lines}: is the file of lines itself; name another" in capsys.readouterr().err
    assert lines.read_bytes() == before


def test_one_date_is_no_zone(lines, capsys):
    gpd.read_file(lines).iloc[:1].to_file(lines)
    assert main(["zone", str(lines)]) == 2
    assert "a zone needs two" in capsys.readouterr().err


def test_dates_are_told_apart_however_they_are_written(lines, capsys):
    table = gpd.read_file(lines)
    forms = ["01Jan2018_07JAN2018", "2019-01-01 2019-01-07", "2020_01_01 07012020"]
    again = table.assign(dates=forms, geometry=table.translate(0, 5))
    gpd.pd.concat([table, again]).to_file(lines, layer="dates")
    assert main(["zone", str(lines)]) == 2
    assert "has lines, dates; name one, such as --layer lines" in capsys.readouterr().err
    assert main(["zone", str(lines), "--layer", "dates"]) == 0
    assert "3 dates, transects every 200 m" in capsys.readouterr().out


def test_acquisitions_of_one_day_are_one_date(lines, capsys):
    times = ["2018-01-05T08:11:43.123+00:00", "20180105_081208", "2018/01/11"]
    gpd.read_file(lines).assign(dates=times).to_file(lines)
    assert main(["zone", str(lines)]) == 0
    assert "2 dates, transects" in capsys.readouterr().out


def test_rows_without_a_date_are_no_date(lines, capsys):
    table = gpd.read_file(lines)
    table.assign(dates=[table["dates"][0], "", None]).to_file(lines)
    assert main(["zone", str(lines)]) == 2
    captured = capsys.readouterr()
    assert "2 rows have no value in dates; left out" in captured.out
    assert "names 1 date(s) with lines (2018-01-01 2018-01-07), a zone needs two" in captured.err


@needs_qgis
def test_qgis_shows_sections_by_their_width_and_the_ground_between(lines, tmp_path):
    out = tmp_path / "zone.gpkg"
    assert main(["zone", str(lines), "--out", str(out)]) == 0
    files = [("ogr", f"{out}|layername={layer}") for layer in ("sections", "envelope")]
    sections, ground = seen_by_qgis(tmp_path, files=files)["files"]
    assert (sections["renderer"], ground["renderer"]) == ("graduatedSymbol", "singleSymbol")
    widths_m = gpd.read_file(out, layer="sections")["width_m"]
    ends = [one[:2] for one in sections["classes"]]
    assert (ends[0][0], ends[-1][1]) == (widths_m.min(), widths_m.max())
    assert all("m wide" in label for _, _, label, _ in sections["classes"])
