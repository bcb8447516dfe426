"""Files of drawn lines that GIS programs open."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyproj
from shapely import LineString

from glsweep.files import replacing
from glsweep.geodesy import lengths_m
from glsweep.nets.member import LineUncertainty
from glsweep.prediction import Format
from glsweep.prediction.provenance import Provenance, scene_columns
from glsweep.qgis.styles import Style, style_layers
from glsweep.scenes.names import acquisition_of
from glsweep.scenes.raster import RasterHeader
from glsweep.vectorize import DrawnLine

DRIVERS: dict[Format, str] = {"gpkg": "GPKG", "geojson": "GeoJSON", "shp": "ESRI Shapefile"}
GPKG_VERSION = "1.2"
"""GDAL 3.6, which Debian 12 and QGIS 3.22 have, warns of newer ones."""
GEOPARQUET_VERSION = "1.1.0"
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
    "spread_m": float,
    "hinge_m": float,
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
    *,
    spreads_m: Sequence[float],
    hinges_m: Sequence[float],
) -> gpd.GeoDataFrame:
    """Return one row a line, in the scene's CRS.

    Returns
    -------
    GeoDataFrame
        The columns of `COLUMNS`: length_m, mean_prob, band_m and uncert_m of each line, the
        provenance of all; and the geometry. uncert_m is NaN, and null in every file, where it
        was not learnt; spread_m, how far apart networks draw the line, where fewer than two draw it;
        hinge_m, how far inland of the line ice first bends, where fringes do not tell.
    """
    factor = uncertainty.factor if uncertainty else np.nan
    rows = [
        {
            **provenance.columns(),
            "length_m": round(one.length_m, 1),
            "mean_prob": round(one.probability, 4),
            "band_m": round(one.half_width_m, 1),
            "uncert_m": round(factor * one.half_width_m, 1),
            "spread_m": round(spread_m, 1),
            "hinge_m": round(hinge_m, 1),
        }
        for one, spread_m, hinge_m in zip(lines, spreads_m, hinges_m, strict=True)
    ]
    geometry = gpd.GeoSeries([one.line for one in lines], crs=crs)
    # A file without a row has columns of the same types as any other.
    return gpd.GeoDataFrame(rows, columns=list(COLUMNS), geometry=geometry, crs=crs).astype(COLUMNS)


def known_table(
    lines: Sequence[LineString], header: RasterHeader, map_crs: pyproj.CRS | None
) -> gpd.GeoDataFrame:
    """Return the known lines of a scene, one row a line, in the scene's CRS.

    Parameters
    ----------
    lines : sequence of LineString
        In the scene's map.
    header : RasterHeader
        The scene.
    map_crs : CRS or None
        The map by which lengths are measured; None where the scene has no place on Earth.
    """
    columns = {
        **scene_columns(header.name, acquisition_of(header)),
        "length_m": lengths_m(lines, map_crs).round(1),
    }
    crs = pyproj.CRS.from_wkt(header.crs.to_wkt())
    return gpd.GeoDataFrame(columns, geometry=list(lines), crs=crs)


def write_lines(
    table: gpd.GeoDataFrame, folder: Path, name: str, formats: Sequence[Format], style: Style
) -> list[Path]:
    """Write the lines in each format, whole or not at all, and return the files.

    A scene without a line gives a file without a row. GeoJSON is in degrees (RFC 7946); a shapefile
    is a folder of its own, since it is several files; a GeoPackage holds the style in which QGIS shows it.
    """
    written = []
    for kind in formats:
        target = folder / f"{name}.{kind}" if kind != "shp" else folder / f"{name}-shp"
        with replacing(target) as temporary:
            if kind == "parquet":
                table.to_parquet(temporary, schema_version=GEOPARQUET_VERSION, write_covering_bbox=True)
            else:
                _write_with_gdal(table, temporary, name, kind)
            if kind == "gpkg":
                style_layers(temporary, {name: style})
        written.append(target)
    return written


def _write_with_gdal(table: gpd.GeoDataFrame, target: Path, name: str, kind: Format) -> None:
    if kind == "shp":
        target.mkdir()
    _as_kept(table, kind).to_file(
        target / f"{name}.shp" if kind == "shp" else target,
        driver=DRIVERS[kind],
        geometry_type="LineString",
        use_arrow=True,  # else days become moments
        **OPTIONS[kind],
    )


def _as_kept(table: gpd.GeoDataFrame, kind: Format) -> gpd.GeoDataFrame:
    """Return the table as a format can hold it."""
    if kind == "geojson":
        return table.to_crs(4326)
    if kind == "shp":
        # A path tells most at its end; the note beside the lines has it whole.
        texts = {name: table[name].map(_ending) for name in table.select_dtypes(["object", "string"])}
        return table.assign(**texts)
    return table


def _ending(text: str) -> str:
    return text.encode()[-SHAPEFILE_TEXT:].decode(errors="ignore")
