"""A project that opens scenes, probabilities and lines in QGIS: in their places, with their styles."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import pyproj

from glsweep.files import write_text
from glsweep.qgis import rendered
from glsweep.qgis.styles import Style

PROJECT = "lines.qgs"
Kind = Literal["lines", "raster"]
MARGIN = 0.03
"""Share of its size by which the first view is wider than what there is to see."""


@dataclass(frozen=True)
class Layer:
    """A file that the project opens.

    Attributes
    ----------
    title : str
        Its name among the layers.
    path : Path
        A GeoPackage with one layer of lines, named as the file; or a raster.
    kind : {"lines", "raster"}
    style : Style
    crs : pyproj CRS
        That of the file.
    depth : int
        Layers of a greater one lie below all others, whatever group they belong to.
    is_shown : bool
        Whether it is ticked at first.
    """

    title: str
    path: Path
    kind: Kind
    style: Style
    crs: pyproj.CRS
    depth: int
    is_shown: bool = True

    @property
    def provider(self) -> str:
        """What QGIS calls the library that reads it."""
        return "ogr" if self.kind == "lines" else "gdal"

    def source(self, folder: Path) -> str:
        """Return how a project in `folder` names the file: one begins with a dot that is found beside it."""
        beside = f"./{Path(os.path.relpath(self.path, folder)).as_posix()}"
        return f"{beside}|layername={self.path.stem}" if self.kind == "lines" else beside


@dataclass(frozen=True)
class Group:
    """Layers, and groups of them, under one title."""

    title: str
    parts: "tuple[Layer | Group, ...]"
    is_shown: bool = True


class View(NamedTuple):
    """A part of a map: west, south, east and north, in the unit of its CRS."""

    bounds: tuple[float, float, float, float]
    crs: pyproj.CRS


def write_project(
    path: Path, title: str, groups: Sequence[Group], *, crs: pyproj.CRS, views: Sequence[View]
) -> None:
    """Write a project, whole or not at all.

    Files are named relative to it: the folder may be moved with all that is in it.

    Parameters
    ----------
    path : Path
        The `.qgs`.
    title : str
        Of the window.
    groups : sequence of Group
        From top to bottom.
    crs : pyproj CRS
        Of the map.
    views : sequence of View
        What the map shows at first.
    """
    layers = list(_layers_in(groups))
    systems = {crs, *(layer.crs for layer in layers)}
    text = rendered(
        "project.qgs",
        title=title,
        crs=crs,
        systems={one: _ReferenceSystem.of(one) for one in systems},
        extent=_extent(views, crs),
        groups=groups,
        layers=sorted(layers, key=lambda layer: layer.depth),
        ids={layer: f"glsweep_layer_{number}" for number, layer in enumerate(layers)},
        sources={layer: layer.source(path.parent) for layer in layers},
    )
    write_text(path, text)


def _layers_in(parts: "Sequence[Layer | Group]") -> Iterator[Layer]:
    for part in parts:
        if isinstance(part, Group):
            yield from _layers_in(part.parts)
        else:
            yield part


class _ReferenceSystem(NamedTuple):
    """A CRS by its authority's code, empty where it has none, and by its definition."""

    authid: str
    wkt: str
    name: str

    @classmethod
    def of(cls, crs: pyproj.CRS) -> "_ReferenceSystem":
        authority = crs.to_authority()
        return cls(":".join(authority) if authority else "", crs.to_wkt("WKT2_2019"), crs.name)


def _extent(views: Sequence[View], crs: pyproj.CRS) -> tuple[float, float, float, float]:
    """Return west, south, east and north of all views on the map of `crs`, and a little more."""
    on_map = [
        pyproj.Transformer.from_crs(view.crs, crs, always_xy=True).transform_bounds(*view.bounds)
        for view in views
    ]
    wests, souths, easts, norths = zip(*on_map, strict=True)
    west, south, east, north = min(wests), min(souths), max(easts), max(norths)
    margin = MARGIN * max(east - west, north - south)
    return west - margin, south - margin, east + margin, north + margin
