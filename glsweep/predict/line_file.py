"""Drawn lines as files that GIS programs open."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyproj

from glsweep.files import replacing
from glsweep.nets.member import LineUncertainty
from glsweep.predict.options import Format
from glsweep.predict.provenance import Provenance
from glsweep.vectorize.drawn import DrawnLine

DRIVERS: dict[Format, str] = {"gpkg": "GPKG", "geojson": "GeoJSON", "shp": "ESRI Shapefile"}
GPKG_VERSION = "1.2"
"""Newer ones are met with a warning by GDAL 3.6, which Debian 12 and QGIS 3.22 have."""
OPTIONS: dict[Format, dict[str, str]] = {
    "gpkg": {"VERSION": GPKG_VERSION},
    "geojson": {"RFC7946": "YES"},
    "shp": {},
}
COLUMNS = {
    "scene": str,
    "dates": str,
    "sensor": str,
    "length_m": float,
    "mean_prob": float,
    "band_m": float,
    "uncert_m": float,
    "tau": float,
    "model": str,
    "model_hash": str,
    "version": str,
}
"""No name is longer than the ten letters that a shapefile keeps."""
SHAPEFILE_TEXT = 254
"""Bytes that a shapefile keeps of a text."""


def as_table(
    lines: Sequence[DrawnLine],
    crs: pyproj.CRS,
    provenance: Provenance,
    uncertainty: LineUncertainty | None,
) -> gpd.GeoDataFrame:
    """Return one row a line, in the scene's CRS.

    Returns
    -------
    GeoDataFrame
        The columns of `COLUMNS`: of each line length_m, mean_prob, band_m and uncert_m, of all of
        them what they are from; and the geometry. uncert_m is NaN, and null in every file, where it
        was not learnt.
    """
    factor = uncertainty.factor if uncertainty else np.nan
    rows = [
        {
            **provenance.columns(),
            "length_m": round(one.length_m, 1),
            "mean_prob": round(one.probability, 4),
            "band_m": round(one.half_width_m, 1),
            "uncert_m": round(factor * one.half_width_m, 1),
        }
        for one in lines
    ]
    geometry = gpd.GeoSeries([one.line for one in lines], crs=crs)
    # A file without a row has columns of the same types as any other.
    return gpd.GeoDataFrame(rows, columns=list(COLUMNS), geometry=geometry, crs=crs).astype(COLUMNS)


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
            _as_kept(table, kind).to_file(
                beside / f"{name}.shp" if kind == "shp" else beside,
                driver=DRIVERS[kind],
                geometry_type="LineString",
                **OPTIONS[kind],
            )
        written.append(target)
    return written


def _as_kept(table: gpd.GeoDataFrame, kind: Format) -> gpd.GeoDataFrame:
    """Return the table as a format can hold it."""
    if kind == "geojson":
        return table.to_crs(4326)
    if kind == "shp":
        # A path tells most at its end; the note beside the lines has it whole.
        texts = {
            name: table[name].map(_ending) for name, of in COLUMNS.items() if of is str and name in table
        }
        return table.assign(**texts)
    return table


def _ending(text: str) -> str:
    return text.encode()[-SHAPEFILE_TEXT:].decode(errors="ignore")
