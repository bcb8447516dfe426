"""The overview of all scenes' lines as files: pictures and a GeoPackage."""

import io
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely
from matplotlib.figure import Figure
from shapely.geometry.base import BaseGeometry

from glsweep.files import replacing
from glsweep.geodesy import reproject
from glsweep.prediction.overview import Overview
from glsweep.prediction.products import GPKG_VERSION
from glsweep.prediction.quick_look import DOTS_PER_INCH
from glsweep.scenes.vector_file import open_layer


def as_bytes(figure: Figure, kind: str) -> bytes:
    """Return a figure as a file of a kind, such as svg; the same each time."""
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "glsweep", "svg.fonttype": "none"}):
        figure.savefig(
            buffer,
            format=kind,
            dpi=DOTS_PER_INCH,
            bbox_inches="tight",
            pad_inches=0.04,
            metadata={"Date": None} if kind == "svg" else None,
        )
    return buffer.getvalue()


def write_overview(overview: Overview, figure: Figure, folder: Path) -> list[Path]:
    """Write `overview.png`, `overview.svg` and `overview.gpkg`, each whole or not at all."""
    written = []
    for kind in ("png", "svg"):
        target = folder / f"overview.{kind}"
        with replacing(target) as temporary:
            temporary.write_bytes(as_bytes(figure, kind))
        written.append(target)
    target = folder / "overview.gpkg"
    with replacing(target) as temporary:
        for layer, table, kind in (
            ("lines", lines_table(overview), "LineString"),
            ("zone", zone_table(overview), "Polygon"),
        ):
            table.to_file(temporary, driver="GPKG", layer=layer, geometry_type=kind, VERSION=GPKG_VERSION)
    return [*written, target]


def lines_table(overview: Overview) -> gpd.GeoDataFrame:
    """Return all lines on the common map with their columns and `date`, the middle day as YYYY-MM-DD."""
    tables = [
        gpd.GeoDataFrame(
            scene.made.table.drop(columns="geometry").assign(date=f"{scene.day}" if scene.day else ""),
            geometry=list(scene.lines),
            crs=overview.crs,
        )
        for scene in overview.scenes
        if scene.lines
    ]
    table: gpd.GeoDataFrame = pd.concat(tables, ignore_index=True)
    return table


def zone_table(overview: Overview) -> gpd.GeoDataFrame:
    """Return the parts of the zone, the ground between the outermost lines, with `area_km2`."""
    areas: npt.NDArray[np.float64] = np.array(overview.area_km2, np.float64).round(4)
    return gpd.GeoDataFrame({"area_km2": areas}, geometry=overview.ground, crs=overview.crs)


class Coast(NamedTuple):
    """Lines and polygons of a user's coast, on their own map."""

    shapes: list[BaseGeometry]
    crs: pyproj.CRS

    def on(self, crs: pyproj.CRS) -> list[BaseGeometry]:
        """Return them on another map; what that map does not reach is left out."""
        moved = [
            one
            for kind in ("LineString", "Polygon")
            for one in reproject([part for part in self.shapes if part.geom_type == kind], self.crs, crs)
        ]
        return [one for one in moved if np.isfinite(shapely.get_coordinates(one)).all()]


def read_coast(path: Path) -> Coast:
    """Read the lines or polygons of a coast.

    Raises
    ------
    DataError
        When the file cannot be read, or says no CRS.
    """
    layer = open_layer(path, holds="a coast", option="")
    shapes = np.array([one for one in layer.read()[1] if one is not None], dtype=object)
    return Coast(shapely.get_parts(shapely.get_parts(shapes)).tolist(), layer.crs)
