"""The project that opens predicted scenes in QGIS."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pyproj

from glsweep.qgis import styles
from glsweep.qgis.project import PROJECT, Group, Kind, Layer, View, write_project
from glsweep.scenes.raster import RasterHeader

KNOWN, DRAWN, PROBABILITY, PHASE = range(4)
"""From the uppermost layers to the lowest, whatever scene they are of."""


def map_of(header: RasterHeader) -> pyproj.CRS:
    """Return a scene's CRS."""
    return pyproj.CRS.from_wkt(header.crs.to_wkt())


def views_of(headers: Sequence[RasterHeader]) -> list[View]:
    """Return what scenes cover of their maps: those with a place on Earth, or all where none has one."""
    placed = [header for header in headers if header.is_placed] or headers
    return [View(header.footprint.bounds, map_of(header)) for header in placed]


def scene_layers(
    header: RasterHeader, files: Collection[Path], tau: float, *, is_shown: bool = True
) -> tuple[Layer, ...]:
    """Return layers of what QGIS opens among the files that were written of a scene.

    Parameters
    ----------
    header : RasterHeader
        The scene.
    files : collection of Path
        Known and drawn lines in GeoPackages, the probability and the view of the phase are taken.
    tau : float
        Probability from which lines were drawn.
    is_shown : bool
        Whether layers are ticked at first.
    """
    layers: dict[str, tuple[str, Kind, styles.Style, int]] = {
        "reference.gpkg": ("Known lines", "lines", styles.known_lines(), KNOWN),
        "lines.gpkg": ("Lines by confidence", "lines", styles.drawn_lines(), DRAWN),
        "probability.tif": ("Probability", "raster", styles.probability(tau), PROBABILITY),
        "phase-view.vrt": ("Wrapped phase", "raster", styles.wrapped_phase(), PHASE),
    }
    crs, by_name = map_of(header), {file.name: file for file in files}
    return tuple(
        Layer(title, by_name[f"{header.name}-{end}"], kind, style, crs, depth, is_shown)
        for end, (title, kind, style, depth) in layers.items()
        if f"{header.name}-{end}" in by_name
    )


def write_scenes_project(
    folder: Path, scenes: Sequence[tuple[RasterHeader, Collection[Path]]], tau: float
) -> Path:
    """Write a project of scenes that were drawn into a folder, and return the file.

    Parameters
    ----------
    folder : Path
        Where it goes.
    scenes : sequence of tuple
        Each scene, and the files that were written of it.
    tau : float
        Probability from which lines were drawn.
    """
    path = folder / PROJECT
    headers = [header for header, _ in scenes]
    write_project(
        path,
        "Grounding lines",
        [Group(header.name, scene_layers(header, files, tau)) for header, files in scenes],
        crs=map_of(headers[0]),
        views=views_of(headers),
    )
    return path
