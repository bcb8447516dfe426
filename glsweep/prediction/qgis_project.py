"""The project that opens predicted scenes in QGIS."""

from collections.abc import Collection, Sequence
from pathlib import Path

import pyproj

from glsweep.prediction.scene import PredictedScene
from glsweep.qgis import styles
from glsweep.qgis.project import PROJECT, Group, Kind, Layer, View, write_project
from glsweep.scenes.raster import RasterHeader

KNOWN, DRAWN, PROBABILITY, PHASE = range(4)
"""From the uppermost layers to the lowest."""


def map_of(header: RasterHeader) -> pyproj.CRS:
    """Return a scene's CRS."""
    return pyproj.CRS.from_wkt(header.crs.to_wkt())


def view_of(header: RasterHeader) -> View:
    """Return the part of its map that a scene covers."""
    return View(header.footprint.bounds, map_of(header))


def known_layer(header: RasterHeader, file: Path) -> Layer:
    """Return the layer of a scene's known lines."""
    return Layer("Known lines", file, "lines", styles.known_lines(), map_of(header), KNOWN)


def drawn_layers(
    header: RasterHeader, files: Collection[Path], tau: float, *, is_shown: bool = True
) -> tuple[Layer, ...]:
    """Return the lines of a scene and its probability, as far as they are among the files of `predict`."""
    crs = map_of(header)
    layers: dict[str, tuple[str, Kind, styles.Style, int]] = {
        f"{header.name}-lines.gpkg": ("Lines by confidence", "lines", styles.drawn_lines(), DRAWN),
        f"{header.name}-probability.tif": ("Probability", "raster", styles.probability(tau), PROBABILITY),
    }
    by_name = {file.name: file for file in files}
    return tuple(
        Layer(title, by_name[name], kind, style, crs, depth, is_shown)
        for name, (title, kind, style, depth) in layers.items()
        if name in by_name
    )


def phase_layers(header: RasterHeader, files: Collection[Path]) -> tuple[Layer, ...]:
    """Return the scene's phase, if a view of it is among the files of `predict`."""
    name, crs = f"{header.name}-phase-view.vrt", map_of(header)
    return tuple(
        Layer("Wrapped phase", file, "raster", styles.wrapped_phase(), crs, PHASE)
        for file in files
        if file.name == name
    )


def write_scenes_project(folder: Path, scenes: Sequence[PredictedScene], tau: float) -> Path:
    """Write a project of all scenes that were predicted into a folder, and return the file."""
    groups = [
        Group(one.scene, drawn_layers(one.header, one.files, tau) + phase_layers(one.header, one.files))
        for one in scenes
    ]
    headers = [one.header for one in scenes]
    path = folder / PROJECT
    write_project(
        path,
        "Grounding lines",
        groups,
        crs=map_of(headers[0]),
        views=[view_of(header) for header in headers],
    )
    return path
