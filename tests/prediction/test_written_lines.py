"""Lines in the formats and the columns of others."""

import json
from datetime import date

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyogrio
import pytest
from made_input import NORTH_UP, scene_lines, seeing_member_folder, write_scene
from shapely import LineString

from glsweep.prediction.schemes import in_scheme
from glsweep.run import main

NAME = "S1A_20180620_20180626-20180626_20180702"
DAYS = [date(2018, 6, 20), date(2018, 6, 26), date(2018, 7, 2)]
COLUMNS = {
    "ais_cci": ["UUID", "T1", "T2", "T3", "T4"],
    "measures": ["Year", "Sensor", "Glac_Name", "Date_1", "Date_2", "Date_3", "Date_4"],
}


def predicted(folder, *options, lines=None):
    lines = scene_lines((150, 210), NORTH_UP) if lines is None else lines
    path = write_scene(folder / f"{NAME}.tif", lines)
    seeing_member_folder(folder / "member")
    given = ["--model", folder / "member", "--scene", path, "--out", folder / "out"]
    assert main(["predict", *map(str, given), *options]) == 0
    return folder / "out"


def test_geoparquet_holds_the_lines_their_map_and_their_boxes(tmp_path):
    out = predicted(tmp_path, "--formats", "gpkg", "parquet")
    file = out / f"{NAME}-lines.parquet"
    kept, wanted = gpd.read_parquet(file), gpd.read_file(out / f"{NAME}-lines.gpkg", layer=0)
    assert kept.crs.to_epsg() == 3031
    assert kept.geometry.geom_equals(wanted.geometry).all()
    pd.testing.assert_frame_equal(
        pd.DataFrame(kept[wanted.columns].drop(columns="geometry")),
        pd.DataFrame(wanted.drop(columns="geometry")),
    )
    said = json.loads(pq.read_metadata(file).metadata[b"geo"])
    column = said["columns"]["geometry"]
    assert (said["version"], column["encoding"], column["crs"]["id"]["code"]) == ("1.1.0", "WKB", 3031)
    assert column["geometry_types"] == ["LineString"]
    assert column["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]
    asset = json.loads((out / f"{NAME}.stac.json").read_text())["assets"]["lines-parquet"]
    assert asset["type"] == "application/vnd.apache.parquet"


@pytest.mark.parametrize("scheme", COLUMNS)
@pytest.mark.parametrize("lines", [None, []], ids=["lines", "none"])
def test_every_format_has_the_columns_of_a_product_first_and_loses_none(tmp_path, scheme, lines):
    formats = ("gpkg", "geojson", "shp", "parquet")
    out = predicted(tmp_path, "--scheme", scheme, "--formats", *formats, lines=lines)
    stem = f"{NAME}-lines"
    for file in (f"{stem}.gpkg", f"{stem}-shp/{stem}.shp", f"{stem}.geojson"):
        if file.endswith(".geojson") and lines == []:
            continue  # a file without a feature has no columns
        info = pyogrio.read_info(out / file, layer=stem)
        names = list(info["fields"])
        assert names[: len(COLUMNS[scheme])] == COLUMNS[scheme]
        assert {"scene", "dates", "mean_prob", "uncert_m", "version"} <= set(names)
        assert len({name.lower() for name in names}) == len(names), "a GeoPackage does not tell capitals"
        assert all(len(name) <= 10 for name in names), "a shapefile cuts names"
        days = [kind for name, kind in zip(names, info["ogr_types"], strict=True) if name in DATED[scheme]]
        assert days[:3] == ["OFTDate"] * 3
    kept = gpd.read_parquet(out / f"{stem}.parquet")
    assert list(kept.columns)[: len(COLUMNS[scheme])] == COLUMNS[scheme]
    if lines is None:
        table = gpd.read_file(out / f"{stem}.gpkg", layer=0)
        seen = [pd.to_datetime(table[name]).dt.date.iloc[0] for name in DATED[scheme]]
        assert seen[:3] == DAYS
        assert pd.isna(seen[3]), "the day that both interferograms share is one acquisition"


DATED = {scheme: columns[-4:] for scheme, columns in COLUMNS.items()}


def test_what_is_not_known_is_empty():
    table = gpd.GeoDataFrame(
        {
            "scene": ["a", "b"],
            "dates": ["", "20180105 20180111 20180117 20180123 20180129"],
            "sensor": ["", "S1A"],
        },
        geometry=[LineString([(0, 0), (1, 1)])] * 2,
        crs=3031,
    )
    measures = in_scheme(table, "measures")
    assert measures["Year"].isna().tolist() == [True, False]
    assert measures["Date_4"].isna().tolist() == [True, False]
    assert "sensor" not in measures
    assert measures["dates"].tolist() == table["dates"].tolist(), "a fifth date is there still"
    assert in_scheme(table, "glsweep") is table
    assert np.array_equal(in_scheme(table, "ais_cci")["UUID"], ["a", "b"])
