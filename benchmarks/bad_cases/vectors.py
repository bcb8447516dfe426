"""Kind 5: files of lines, and the columns by which lines belong to scenes, dates and regions."""

import shutil
import sqlite3
import struct
from pathlib import Path
from typing import Any
from unicodedata import normalize

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from shapely import (
    GeometryCollection,
    LineString,
    MultiLineString,
    MultiPoint,
    Point,
    Polygon,
    box,
    force_3d,
)

from bad_cases.case import (
    SCENES,
    Cases,
    card,
    either,
    line,
    lines,
    lines_of_all,
    place,
    refused,
    right,
    says,
)
from glsweep.scenes.cards import load_card
from glsweep.scenes.catalogue import open_catalogue

ALL = lines_of_all()
KM = line().length / 1000
ROWS = range(SCENES)


def cut(path: Path, share: float) -> None:
    """Keep the first part of a file."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def named(root: Path, form: str, **options: Any) -> None:
    """Write the lines anew; `{}` in the form stands for a scene's name."""
    lines(root, ALL, names=[form.format(f"s{n}") for n in ROWS], **options)


def renamed_scenes(root: Path, names: list[str], cells: Any) -> None:
    """Give scenes other names, and the lines those of cells."""
    for number, name in enumerate(names):
        (root / "DInSAR" / f"s{number}.tif").rename(root / "DInSAR" / f"{name}.tif")
    (root / "lines.gpkg").unlink()
    table = gpd.GeoDataFrame({"source_file": cells}, geometry=ALL, crs=3031)
    table.to_file(root / "lines.gpkg")


def has_km(folder: Path, _told: str) -> str:
    """Compare the kilometres of line of the whole data set."""
    card_ = load_card(folder / "data")
    found = sum(entry.line_km for entry in open_catalogue(folder / "data", card_).entries)
    return "" if abs(found - SCENES * KM) < 0.03 * SCENES * KM else f"{found:.1f} km, not {SCENES * KM:.1f}"


def in_database(root: Path, *statements: tuple[str, tuple[Any, ...]]) -> None:
    """Change a GeoPackage as no tool would."""
    connection = sqlite3.connect(root / "lines.gpkg")
    triggers = connection.execute("select name from sqlite_master where type = 'trigger'").fetchall()
    for (trigger,) in triggers:
        connection.execute(f'drop trigger "{trigger}"')
    for statement, values in statements:
        connection.execute(statement, values)
    connection.commit()
    connection.close()


def one_point(root: Path) -> None:
    """Add a row whose line has one point."""
    lines(root, [*ALL, line(0)])
    point = struct.pack("<BIIdd", 1, 2, 1, -1.4e6, -1e6)
    header = b"GP\x00\x01" + struct.pack("<i", 3031)
    in_database(root, ("update lines set geom = ? where fid = 5", (header + point,)))


def undefined(root: Path, number: int) -> None:
    """Give the lines the CRS of a GeoPackage that says nothing."""
    in_database(
        root,
        ("update gpkg_geometry_columns set srs_id = ?", (number,)),
        ("update gpkg_contents set srs_id = ?", (number,)),
    )


def shapefile(root: Path, *, encoding: str, said: str) -> None:
    """Write the lines as a shapefile with a letter that has an accent, and what it says of it."""
    lines(
        root,
        ALL,
        name="lines.shp",
        columns={"analyst": ["J\N{LATIN SMALL LETTER O WITH DIAERESIS}rg"] * 4},
        encoding=encoding,
    )
    (root / "lines.cpg").write_text(said)


def without(root: Path, suffix: str) -> None:
    """Write the lines as a shapefile of which a part is missing."""
    lines(root, ALL, name="lines.shp")
    (root / "lines.shp").with_suffix(suffix).unlink()


def layered(root: Path, *, with_styles: bool) -> None:
    """Add a second layer: of lines, or without geometry."""
    if with_styles:
        pyogrio.write_dataframe(pd.DataFrame({"style": ["red"]}), root / "lines.gpkg", layer="layer_styles")
    else:
        other = gpd.GeoDataFrame({"source_file": ["s1"]}, geometry=[line(2)], crs=3031)
        other.to_file(root / "lines.gpkg", layer="older")


def pair(root: Path, values: Any, reference_values: Any) -> None:
    """Write two files of the same three lines, with a column to join them by."""
    for name, column in (("a", values), ("b", reference_values)):
        gpd.GeoDataFrame({"region": column}, geometry=ALL[:3], crs=3031).to_file(root / f"{name}.gpkg")


def by_region(pairs: int, *, km: float = 3 * KM) -> Any:
    """Return a truth about a comparison by region: how many regions, and how much line in all."""

    def look(folder: Path, _told: str) -> str:
        table = pd.read_csv(folder / "table.csv", dtype={"name": str})
        regions = table[table["name"] != "all"]
        if len(regions) != pairs or regions["name"].isin(["", "nan", "None"]).any():
            return f"the regions are {list(regions['name'])}"
        found = regions["lines_km"].sum()
        return "" if abs(found - km) < 0.03 * km else f"{found:.1f} km, not {km:.1f}"

    return look


def outlines_once(folder: Path, _told: str) -> str:
    """Make sure that an edge of two squares counts once, or not at all since it is no line of either."""
    found = pd.read_csv(folder / "table.csv").iloc[-1]
    return "" if 58 < found["lines_km"] < 72 and found["mean_m"] < 1 else f"{found['lines_km']:.0f} km"


def dated(root: Path, *dates: str) -> None:
    """Write one file of lines of several dates, 300 m apart."""
    apart = [shapely.transform(line(), lambda xy, n=n: np.add(xy, (300 * n, 0))) for n in range(len(dates))]
    gpd.GeoDataFrame({"dates": dates}, geometry=apart, crs=3031).to_file(root / "dated.gpkg")


COMPARE = "compare data/a.gpkg data/b.gpkg --table table.csv"
BY = f"{COMPARE} --by region"
ZONE = "zone data/dated.gpkg"
SQUARES = [Polygon([place(n) @ c for c in ((30, 20), (120, 30), (60, 130))]) for n in ROWS]
DEGREES = gpd.GeoSeries(ALL, crs=3031).to_crs(4326)

CASES: Cases = {
    "no file": refused(lambda r: (r / "lines.gpkg").unlink(), "file of lines"),
    "two files": refused(lambda r: shutil.copy(r / "lines.gpkg", r / "other.gpkg"), "other.gpkg"),
    "an empty file": refused(lambda r: (r / "lines.gpkg").write_bytes(b""), "lines.gpkg"),
    "text": refused(lambda r: (r / "lines.gpkg").write_text("no lines"), "lines.gpkg"),
    "a cut file": refused(lambda r: cut(r / "lines.gpkg", 0.3), "lines.gpkg"),
    "no rows": refused(lambda r: lines(r, []), "lines.gpkg"),
    "no CRS": refused(lambda r: lines(r, ALL, crs=None), "lines.gpkg", "CRS"),
    "a CRS that is undefined": refused(lambda r: undefined(r, -1), "lines.gpkg", "CRS"),
    "a geographic CRS that is undefined": either(lambda r: undefined(r, 0), "lines.gpkg"),
    "an engineering CRS": refused(
        lambda r: lines(
            r,
            ALL,
            crs='ENGCRS["site",EDATUM["site"],CS[Cartesian,2],AXIS["x",east],'
            'AXIS["y",north],LENGTHUNIT["metre",1]]',
        ),
        "lines.gpkg",
        "CRS",
    ),
    "a missing column": refused(lambda r: lines(r, ALL, column="scene"), "lines.gpkg", "source_file"),
    "null geometries": refused(lambda r: lines(r, [None] * 4), "lines.gpkg"),
    "some null geometries": right(lambda r: lines(r, [*ALL, None]), truth=has_km),
    "empty geometries": refused(lambda r: lines(r, [LineString()] * 4), "lines.gpkg"),
    "lines of no length": refused(
        lambda r: lines(r, [LineString([place(n) @ (50, 50)] * 2) for n in ROWS]), "lines.gpkg"
    ),
    "a line of one point": either(one_point, "lines.gpkg", truth=has_km),
    "points": refused(lambda r: lines(r, [Point(place(n) @ (50, 50)) for n in ROWS]), "lines.gpkg", "Point"),
    "many points": refused(
        lambda r: lines(r, [MultiPoint([place(n) @ (50, 50), place(n) @ (60, 60)]) for n in ROWS]), "Point"
    ),
    "a point in a collection": either(
        lambda r: lines(
            r, [GeometryCollection([one, Point(place(n) @ (5, 5))]) for n, one in enumerate(ALL)]
        ),
        "lines.gpkg",
        truth=has_km,
    ),
    "a vertex that is not a number": refused(
        lambda r: lines(r, [LineString([(0, 0), (np.nan, np.nan)]), *ALL[1:]]), "lines.gpkg"
    ),
    "heights": right(lambda r: lines(r, [force_3d(one, 7.0) for one in ALL])),
    "several lines in a row": right(lambda r: lines(r, [MultiLineString([one]) for one in ALL])),
    "mixed kinds": right(
        lambda r: lines(r, [line(0), MultiLineString([line(1)]), SQUARES[2], force_3d(line(3))]),
        truth=lambda folder, told: "",
    ),
    "a self-crossing polygon": right(
        lambda r: lines(
            r,
            [Polygon([place(n) @ c for c in ((30, 20), (120, 130), (120, 20), (30, 130))]) for n in ROWS],
        ),
        truth=lambda folder, told: "",
    ),
    "rows that are there twice": right(
        lambda r: lines(r, [*ALL, *ALL], names=[f"s{n % 4}" for n in range(8)]), truth=has_km
    ),
    "rows that are there again, reversed": right(
        lambda r: lines(r, [*ALL, *(one.reverse() for one in ALL)], names=[f"s{n % 4}" for n in range(8)]),
        truth=has_km,
    ),
    "a line beside itself in one row": right(
        lambda r: lines(r, [MultiLineString([one, one]) for one in ALL]), truth=has_km
    ),
    "two neighbours that share an edge": right(
        lambda r: (
            gpd.GeoSeries(
                [box(-1.4e6, -1e6, -1.39e6, -0.99e6), box(-1.39e6, -1e6, -1.38e6, -0.99e6)], crs=3031
            ).to_file(r / "a.gpkg"),
            shutil.copy(r / "a.gpkg", r / "b.gpkg"),
        ),
        command=COMPARE,
        truth=outlines_once,
    ),
    "another encoding than it says": right(lambda r: shapefile(r, encoding="ISO-8859-1", said="UTF-8")),
    "an encoding that is none": either(
        lambda r: shapefile(r, encoding="ISO-8859-1", said="nonsense"), "lines.shp"
    ),
    "a shapefile without .dbf": refused(lambda r: without(r, ".dbf"), "lines.shp"),
    "a shapefile without .prj": refused(lambda r: without(r, ".prj"), "lines.shp", "CRS"),
    "a shapefile without .shx": either(lambda r: without(r, ".shx"), "lines.shp"),
    "a second layer of lines": refused(lambda r: layered(r, with_styles=False), "lines.gpkg", "older"),
    "a second layer of styles": right(lambda r: layered(r, with_styles=True)),
    "a layer named in the card": right(
        lambda r: (layered(r, with_styles=False), card(r, 'lines: "lines.gpkg|lines"'))
    ),
    "a layer that is not there": refused(
        lambda r: (layered(r, with_styles=False), card(r, 'lines: "lines.gpkg|newest"')), "newest"
    ),
    "lines for each scene": right(
        lambda r: (
            (r / "lines.gpkg").unlink(),
            [gpd.GeoSeries([one], crs=3031).to_file(r / f"s{n}.shp") for n, one in enumerate(ALL)],
        )
    ),
    "capitals in the suffix": right(lambda r: (r / "lines.gpkg").rename(r / "lines.GPKG")),
    "GeoJSON in degrees": right(
        lambda r: (
            (r / "lines.gpkg").unlink(),
            gpd.GeoDataFrame({"source_file": [f"s{n}" for n in ROWS]}, geometry=DEGREES).to_file(
                r / "lines.geojson"
            ),
        )
    ),
    "other scenes' names": refused(lambda r: named(r, "elsewhere{}"), "lines.gpkg"),
    "names in capitals": refused(
        lambda r: lines(r, ALL, names=[f"S{n}.SHP" for n in ROWS]), "lines.gpkg", "S0", "s0"
    ),
    "names with an ending": refused(lambda r: named(r, "{}_gl.shp"), "lines.gpkg", "_gl"),
    "names with a Windows path": right(lambda r: named(r, "C:\\data\\{}.tif")),
    "names of virtual rasters": right(lambda r: named(r, "{}.vrt")),
    "names with spaces around": right(lambda r: named(r, "  {}.shp ")),
    "names in integers": right(
        lambda r: renamed_scenes(r, [f"2018010{n}" for n in ROWS], [20180100 + n for n in ROWS]), truth=has_km
    ),
    "names in integers, one null": either(
        lambda r: renamed_scenes(
            r, [f"2018010{n}" for n in ROWS], pd.array([None, 20180101, 20180102, 20180103], "Int64")
        ),
        "lines.gpkg",
        truth=lambda folder, told: "",
    ),
    "names in other Unicode forms": right(
        lambda r: renamed_scenes(
            r,
            [normalize("NFC", f"M\u00fchlig_{n}") for n in ROWS],
            [normalize("NFD", f"M\u00fchlig_{n}.shp") for n in ROWS],
        ),
        truth=has_km,
    ),
    "empty names": refused(lambda r: lines(r, ALL, names=["", " ", None, ""]), "lines.gpkg"),
    "regions in numbers and in whole ones": right(
        lambda r: pair(r, pd.array([1, 2, 3], "Int64"), [1.0, 2.0, 3.0]), command=BY, truth=by_region(3)
    ),
    "regions of which one is null": right(
        lambda r: pair(r, pd.array([1, 2, None], "Int64"), [1, 2, 3]),
        command=BY,
        truth=by_region(3, km=2 * KM),
    ),
    "regions with a slash": right(
        lambda r: pair(r, *2 * [["05/01/2018", "06/01/2018", "05/02/2018"]]), command=BY, truth=by_region(3)
    ),
    "regions with a dot": right(
        lambda r: pair(r, *2 * [["v1.0", "v1.1", "v2.0"]]), command=BY, truth=by_region(3)
    ),
    "regions in other Unicode forms": right(
        lambda r: pair(
            r, *([normalize(form, f"M\u00fchlig {n}") for n in range(3)] for form in ("NFC", "NFD"))
        ),
        command=BY,
        truth=by_region(3),
    ),
    "regions that differ in capitals": refused(
        lambda r: pair(r, ["Getz"] * 3, ["getz"] * 3), "getz", "Getz", command=BY
    ),
    "regions that are empty": refused(lambda r: pair(r, ["", "", ""], ["a", "b", "c"]), "region", command=BY),
    "dates as the study writes them": right(
        lambda r: dated(r, "20180120", "20180201"), command=ZONE, truth=says("2 dates")
    ),
    "dates with hyphens and in words": right(
        lambda r: dated(r, "2018-01-20", "20Jan2018", "20180201"), command=ZONE, truth=says("2 dates")
    ),
    "dates all the same": refused(lambda r: dated(r, "2018-01-20", "20180120"), "dated.gpkg", command=ZONE),
    "dates with a thirteenth month": either(
        lambda r: dated(r, "20181320", "20180230"), "dated.gpkg", command=ZONE, truth=says("2 dates")
    ),
}
