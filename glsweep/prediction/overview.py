"""Lines of all scenes on one map, in the order of their dates, and the zone between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely import LineString, Polygon

from glsweep.geodesy import area_m2, metric_crs, reproject
from glsweep.metrics.zone import REACH_M, SPACING_M, Zone, envelope, measure_zone
from glsweep.prediction.scene import PredictedScene
from glsweep.scenes.names import Acquisition


@dataclass(frozen=True)
class MappedScene:
    """A scene's lines on the common map.

    Attributes
    ----------
    made : PredictedScene
        What it is from.
    lines : tuple of LineString
        In the order of `made.lines`.
    footprint : Polygon
        Its raster's outline.
    """

    made: PredictedScene
    lines: tuple[LineString, ...]
    footprint: Polygon

    @property
    def day(self) -> date | None:
        """The middle of its dates; None where they are not known."""
        return middle_day(self.made.acquisition)

    @property
    def label(self) -> str:
        """Its dates, or else its name: scenes of one label are of one time."""
        return span_in_words(self.made.acquisition) or self.made.scene


@dataclass(frozen=True)
class Overview:
    """Scenes that have a place, on one map, those with dates first and in their order.

    Attributes
    ----------
    crs : CRS
        The map, true to scale where the lines are.
    scenes : tuple of MappedScene
    zones : tuple of Zone
        One for each group of scenes that overlap and are of two labels or more.
    unplaced : tuple of str
        Names of scenes with lines that lie nowhere on Earth, or not on this map.
    """

    crs: pyproj.CRS
    scenes: tuple[MappedScene, ...]
    zones: tuple[Zone, ...]
    unplaced: tuple[str, ...]

    @property
    def labels(self) -> list[str]:
        """Of the scenes with lines, each once, in their order."""
        return list(dict.fromkeys(scene.label for scene in self.scenes if scene.lines))

    @property
    def is_dated(self) -> bool:
        """Whether any scene's dates are known."""
        return any(scene.day for scene in self.scenes)

    @cached_property
    def ground(self) -> list[Polygon]:
        """The zones' ground, between the outermost lines."""
        return [part for zone in self.zones for part in envelope(zone, spacing_m=SPACING_M)]

    @property
    def area_km2(self) -> list[float]:
        """The area of each part of `ground`."""
        return [area_m2(part, self.crs) / 1e6 for part in self.ground]

    @cached_property
    def width_m(self) -> npt.NDArray[np.float64]:
        """The zones' widths at all transects that cross lines of two labels or more, (N,)."""
        widths = np.concatenate([np.zeros(0), *(zone.width_m() for zone in self.zones)])
        return np.asarray(widths[np.isfinite(widths)])


def overview_of(scenes: Sequence[PredictedScene]) -> Overview | None:
    """Bring the lines of all scenes to one map, and measure the zone where scenes overlap.

    Returns
    -------
    Overview or None
        None where no scene with lines has a place.
    """
    placed = [scene for scene in scenes if scene.header.is_placed]
    with_lines = [scene for scene in placed if scene.lines]
    if not with_lines:
        return None
    first = max(with_lines, key=lambda scene: scene.length_km)
    crs = metric_crs([one.line for one in first.lines], _crs_of(first))
    mapped = [_mapped(scene, crs) for scene in placed]
    known = sorted((scene for scene in mapped if scene is not None), key=_order)
    found = {scene.made.scene for scene in known}
    unplaced = tuple(scene.scene for scene in scenes if scene.lines and scene.scene not in found)
    return Overview(crs, tuple(known), tuple(_zones(known, crs)), unplaced)


def middle_day(acquisition: Acquisition) -> date | None:
    """Return the day in the middle of a scene's first and last one; None where none is known."""
    if not acquisition.dates:
        return None
    first, last = min(acquisition.dates), max(acquisition.dates)
    return first + (last - first) / 2


def span_in_words(acquisition: Acquisition) -> str:
    """Return a scene's first and last day; empty where none is known."""
    if not acquisition.dates:
        return ""
    first, last = min(acquisition.dates), max(acquisition.dates)
    return f"{first}" if first == last else f"{first} to {last}"


def _crs_of(scene: PredictedScene) -> pyproj.CRS:
    return pyproj.CRS.from_wkt(scene.header.crs.to_wkt())


def _mapped(scene: PredictedScene, crs: pyproj.CRS) -> MappedScene | None:
    """Return a scene on another map; None where that map does not reach it."""
    own = _crs_of(scene)
    lines = reproject([one.line for one in scene.lines], own, crs)
    (footprint,) = reproject([scene.header.footprint], own, crs)
    if not np.isfinite(shapely.get_coordinates([*lines, footprint])).all():
        return None
    return MappedScene(scene, tuple(lines.tolist()), footprint)


def _order(scene: MappedScene) -> tuple[bool, date, str]:
    return scene.day is None, scene.day or date.max, scene.made.scene


def _zones(scenes: Sequence[MappedScene], crs: pyproj.CRS) -> list[Zone]:
    """Measure the zone of each group of scenes that overlap: elsewhere nothing lies between lines."""
    with_lines = [scene for scene in scenes if scene.lines]
    footprints = [scene.footprint for scene in with_lines]
    pairs = shapely.STRtree(footprints).query(footprints, predicate="intersects")
    side = len(footprints)
    _, group = connected_components(coo_array((np.ones(pairs.shape[1]), pairs), shape=(side, side)))
    zones = []
    for number in np.unique(group):
        by_label: dict[str, list[LineString]] = {}
        for scene, own in zip(with_lines, group, strict=True):
            if own == number:
                by_label.setdefault(scene.label, []).extend(scene.lines)
        if len(by_label) > 1:
            zones.append(measure_zone(by_label, crs=crs, spacing_m=SPACING_M, reach_m=REACH_M))
    return zones
