"""The overview of all scenes' lines as files: pictures and a GeoPackage."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import geopandas as gpd
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyproj
import shapely
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.figure import Figure
from shapely.geometry.base import BaseGeometry

from glsweep.files import replacing
from glsweep.geodesy import reproject
from glsweep.prediction.overview import Overview
from glsweep.prediction.products import GPKG_VERSION
from glsweep.prediction.quick_look import DOTS_PER_INCH
from glsweep.qgis import styles
from glsweep.scenes.vector_file import open_layer

LINE = "#0072b2"


def colour_map() -> Colormap:
    """Return the colours from the oldest line to the newest: perceptual, and dark enough for paper."""
    return ListedColormap(mpl.colormaps["viridis"](np.linspace(0.0, 0.86, 256)))


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """Return a colour for each date, evenly spaced in their order."""
    if len(labels) == 1:
        return {labels[0]: LINE}
    places = np.linspace(0, 1, max(len(labels), 1))
    return {label: mpl.colors.to_hex(colour_map()(at)) for label, at in zip(labels, places, strict=True)}


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
        looks = {"lines": styles.dated_lines(colours_of(overview.labels)), "zone": styles.zone_envelope()}
        styles.style_layers(temporary, looks)
    return [*written, target]


def lines_table(overview: Overview) -> gpd.GeoDataFrame:
    """Return all lines on the common map with their columns, and when they were.

    `date` is the middle day as YYYY-MM-DD, empty where it is not known; `period` what the legend says.
    """
    tables = [
        gpd.GeoDataFrame(
            scene.made.table.drop(columns="geometry").assign(
                date=f"{scene.day}" if scene.day else "", period=scene.label
            ),
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
