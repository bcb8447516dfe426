"""`zone` as it is typed."""

import geopandas as gpd
import numpy as np
import pytest
from shapely import LineString

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
    assert "median 400 m" in printed
    table = gpd.read_file(out)
    assert table.crs.to_epsg() == 3031
    assert len(table) == 100
    np.testing.assert_allclose(table["width_m"], 400)
    np.testing.assert_allclose(table.length, 400)


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


def test_one_date_is_no_zone(lines, capsys):
    gpd.read_file(lines).iloc[:1].to_file(lines)
    assert main(["zone", str(lines)]) == 2
    assert "a zone needs two" in capsys.readouterr().err
