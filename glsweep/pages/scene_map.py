"""The map of whole scenes that a page shows: what it holds, and how it is written into the page.

`scene_map.html` has the macro that places it and `scene_map.js` draws it with Plotly.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
from shapely import LineString

from glsweep.pages.map_pictures import PROBABILITY_COLOUR, phase_colours
from glsweep.pages.map_place import (
    Bounds,
    dates_words,
    directions,
    ground_per_map,
    land_path,
    locator,
    middle,
    north_deg,
    place_words,
)

Points = npt.NDArray[np.float64]
Metres = npt.NDArray[np.float64]

ERROR_STEPS_M = (50.0, 100.0, 200.0, 500.0)
ERROR_COLOURS = ("#ffffb2", "#fecc5c", "#fd8d3c", "#f5412a", "#d4002a")
"""ColorBrewer's YlOrRd, the last two brighter: in order with any kind of colour vision, none of the phase."""
PHASE_STOPS = 13
"""Of the key's gradient."""
NOT_JUDGED_M = -1000.0
"""Stands for no distance while a line is thinned, so that where it begins and ends is kept."""


@dataclass(frozen=True)
class Layer:
    """A kind of lines on a map.

    Attributes
    ----------
    key, label : str
        What lines call it, and the page.
    colour, halo : str
        Of the line and of its rims.
    shown : bool
        Whether it is seen before the reader has chosen.
    """

    key: str
    label: str
    colour: str
    halo: str
    shown: bool = True


TRUE = Layer("true", "true line", "#000000", "#ffffff")
DRAWN = Layer("drawn", "drawn line", "#5ee7ff", "#222222")
MISSED = Layer("missed", "missed", "#ff2fd6", "#222222")
OLD = Layer("old", "line known before", "#ffe34d", "#222222")


@dataclass(frozen=True, eq=False)
class MapLine:
    """A line on a map.

    Attributes
    ----------
    layer : str
        A layer's key.
    xy_m : float64 array (N, 2)
        Its vertices on the scene's map.
    error_m : float64 array (N,) or None
        Distance of each to the true line; NaN where it is not judged.
    member : str or None
        Who drew it; None for lines that are the same for all.
    text : str
        What is known of it: said where the pointer is on it.
    """

    layer: str
    xy_m: Points
    error_m: Metres | None = None
    member: str | None = None
    text: str = ""

    @classmethod
    def of(cls, layer: str, line: LineString, *, member: str | None = None, text: str = "") -> "MapLine":
        """Return a line whose distance to the truth is not known."""
        return cls(layer, np.asarray(line.coords, np.float64)[:, :2], None, member, text)

    def thinned(self, tolerance_m: float) -> "MapLine":
        """Return it without vertices that matter less than a tolerance, to its place and to its error."""
        if self.error_m is None:
            return replace(self, xy_m=self.xy_m[thinned(self.xy_m, tolerance_m)])
        judged_m = np.where(np.isfinite(self.error_m), self.error_m, NOT_JUDGED_M)
        kept = thinned(np.column_stack([self.xy_m, judged_m]), tolerance_m)
        return replace(self, xy_m=self.xy_m[kept], error_m=self.error_m[kept])

    def as_json(self, origin_m: tuple[float, float]) -> dict[str, Any]:
        """Return it in whole metres: the first vertex from `origin_m`, then steps."""
        error_m = None
        if self.error_m is not None:
            error_m = [round(value) if math.isfinite(value) else None for value in self.error_m.tolist()]
        x_m, y_m = (self.xy_m - np.array(origin_m)).round().astype(int).T
        return {
            "layer": self.layer,
            "member": self.member,
            "x_m": _steps(x_m),
            "y_m": _steps(y_m),
            "error_m": error_m,
            "text": self.text,
        }


@dataclass(frozen=True, eq=False)
class SceneMap:
    """A scene with all that is drawn on it.

    Attributes
    ----------
    name : str
    bounds_m : tuple of float
        Least x, least y, greatest x, greatest y on its map.
    crs : CRS or None
        Its map; None where it is of no place on Earth.
    dates : tuple of date
        Of the interferogram, as far as they are known.
    phase : bytes
        WebP that fills the bounds, the map's y upwards.
    probability : dict
        From a member's key to a WebP of the same bounds.
    lines : tuple of MapLine
    remark : str
        What else a reader must know, such as that the scene is simulated.
    facts : dict
        From a member's key to what its lines are worth here, in words.
    """

    name: str
    bounds_m: Bounds
    crs: pyproj.CRS | None
    dates: tuple[date, ...]
    phase: bytes
    probability: Mapping[str, bytes] = field(default_factory=dict)
    lines: tuple[MapLine, ...] = ()
    remark: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)

    def as_json(self, tolerance_m: float) -> dict[str, Any]:
        """Return it as the page's script reads it, lines thinned to a tolerance."""
        at = middle(self.bounds_m)
        small = locator(self.bounds_m, self.crs)
        return {
            "name": self.name,
            "place": place_words(self.bounds_m, self.crs),
            # What is simulated has no date that were worth a word.
            "dates": dates_words(self.dates) if self.dates or not self.remark else "",
            "remark": self.remark,
            "facts": dict(self.facts),
            "crs": crs_words(self.crs),
            "bounds_m": [round(value, 1) for value in self.bounds_m],
            "north_deg": None if self.crs is None else north_deg(*at, self.crs),
            "ground_per_map": ground_per_map(*at, self.crs),
            "directions": directions(self.bounds_m, self.crs),
            "locator": None if small is None else {"crs": small.crs, "at_km": [v / 1000 for v in small.at_m]},
            "phase": data_uri(self.phase),
            "probability": {member: data_uri(picture) for member, picture in self.probability.items()},
            "lines": [line.thinned(tolerance_m).as_json(self.bounds_m[:2]) for line in self.lines],
        }


def maps_json(
    scenes: Sequence[SceneMap],
    *,
    members: Mapping[str, str],
    layers: Sequence[Layer] = (TRUE, DRAWN, MISSED),
    tolerance_m: float,
    first: int = 0,
) -> dict[str, Any]:
    """Return the maps of scenes as a page's script reads them.

    Parameters
    ----------
    scenes : sequence of SceneMap
        In the order in which the page offers them.
    members : mapping
        From a member's key to its title, the one that is shown first in front; may be empty.
    layers : sequence of Layer
        Kinds of lines, the uppermost last.
    tolerance_m : float
        By how much a line may depart from its vertices: half a pixel is not seen.
    first : int
        The number of the scene that is shown before the reader has chosen.
    """
    written = [scene.as_json(tolerance_m) for scene in scenes]
    crs_of_lands = dict.fromkeys(one["locator"]["crs"] for one in written if one["locator"])
    number_of = {crs: number for number, crs in enumerate(crs_of_lands)}
    for one in written:
        if one["locator"]:
            one["locator"] = {"land": number_of[one["locator"]["crs"]], "at_km": one["locator"]["at_km"]}
    return {
        "scenes": written,
        "first": first,
        "members": [{"key": key, "title": title} for key, title in members.items()],
        "layers": [
            {"key": one.key, "label": one.label, "colour": one.colour, "halo": one.halo, "shown": one.shown}
            for one in layers
        ],
        "errors": {"steps_m": ERROR_STEPS_M, "colours": ERROR_COLOURS},
        "phase_colours": phase_colours(PHASE_STOPS),
        "probability_colour": PROBABILITY_COLOUR,
        "lands": [dict(zip(("path", "bounds_km"), land_path(crs), strict=True)) for crs in crs_of_lands],
    }


def data_uri(picture: bytes) -> str:
    """Return a WebP as the source of an image."""
    return "data:image/webp;base64," + base64.b64encode(picture).decode("ascii")


def crs_words(crs: pyproj.CRS | None) -> str:
    """Return a map's name for a reader, with its code where it has one."""
    if crs is None:
        return "no map"
    code = crs.to_authority()
    return f"{crs.name} ({':'.join(code)})" if code else crs.name


def thinned(points: Points, tolerance: float) -> npt.NDArray[np.int64]:
    """Return which vertices of a line are kept (Douglas & Peucker 1973), in any number of dimensions.

    Parameters
    ----------
    points : float64 array (N, D)
        A line's vertices. With its error as a third coordinate, the error too is kept to the tolerance.
    tolerance : float
        The farthest that a vertex may lie from the line without it.

    Returns
    -------
    int array (K,)
        Ascending; the first and the last vertex are always among them.
    """
    kept = np.zeros(len(points), np.bool_)
    kept[[0, -1]] = True
    pieces = [(0, len(points) - 1)]
    while pieces:
        first, last = pieces.pop()
        if last - first < 2:
            continue
        away = _distance_to_piece(points[first + 1 : last], points[first], points[last])
        farthest = int(away.argmax())
        if away[farthest] > tolerance:
            at = first + 1 + farthest
            kept[at] = True
            pieces += [(first, at), (at, last)]
    return np.flatnonzero(kept)


def _distance_to_piece(points: Points, start: Points, end: Points) -> Metres:
    along, from_start = end - start, points - start
    squared = max(float(along @ along), np.finfo(np.float64).tiny)
    share = np.clip(from_start @ along / squared, 0, 1)
    return np.asarray(np.linalg.norm(from_start - share[:, None] * along, axis=1))


def _steps(values: npt.NDArray[np.int64]) -> list[int]:
    return [int(values[0]), *np.diff(values).tolist()]
