"""Drawn lines as files that GIS programs open."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import geopandas as gpd
import pyproj

from glsweep.files import replacing
from glsweep.vectorize.drawn import DrawnLine

Format = Literal["gpkg", "geojson", "shp"]

DATE = re.compile(r"(?<!\d)(?:19|20)\d{6}(?!\d)")
DRIVERS: dict[Format, str] = {"gpkg": "GPKG", "geojson": "GeoJSON", "shp": "ESRI Shapefile"}
COLUMNS = ("scene", "dates", "length_m", "mean_prob", "uncert_m", "tau", "model")
"""No name is longer than the ten letters that a shapefile keeps."""


def as_table(
    lines: Sequence[DrawnLine], crs: pyproj.CRS, *, scene: str, tau: float, model: str
) -> gpd.GeoDataFrame:
    """Return one row a line.

    Returns
    -------
    GeoDataFrame
        Columns scene, dates (all in the scene's name, YYYYMMDD), length_m, mean_prob, uncert_m,
        tau, model and the geometry; in the scene's CRS.
    """
    dates = " ".join(DATE.findall(scene))
    rows = []
    for one in lines:
        figures = (round(one.length_m, 1), round(one.probability, 4), round(one.uncertainty_m, 1))
        rows.append((scene, dates, *figures, tau, model))
    geometry = gpd.GeoSeries([one.line for one in lines], crs=crs)
    return gpd.GeoDataFrame(rows, columns=list(COLUMNS), geometry=geometry, crs=crs)


def write_lines(table: gpd.GeoDataFrame, folder: Path, name: str, formats: Sequence[Format]) -> list[Path]:
    """Write the lines in each format, whole or not at all, and return the files.

    A scene without a line gives a file without a row. GeoJSON is in degrees (RFC 7946); a shapefile
    is a folder of its own, since it is several files.
    """
    written = []
    for kind in formats:
        target = folder / f"{name}.{kind}" if kind != "shp" else folder / f"{name}-shp"
        with replacing(target) as beside:
            if kind == "shp":
                beside.mkdir()
            moved = table.to_crs(4326) if kind == "geojson" else table
            moved.to_file(
                beside / f"{name}.shp" if kind == "shp" else beside,
                driver=DRIVERS[kind],
                geometry_type="LineString",
                **({"RFC7946": "YES"} if kind == "geojson" else {}),
            )
        written.append(target)
    return written
