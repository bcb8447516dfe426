"""What a printed map needs besides its picture: coordinates, north, scale, coast, lines with their errors."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.font_manager import FontProperties
from matplotlib.image import AxesImage
from matplotlib.offsetbox import AnchoredOffsetbox, DrawingArea
from matplotlib.patches import Polygon
from matplotlib.patheffects import AbstractPathEffect, Stroke, withStroke
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, MaxNLocator

from glsweep.pages.map_place import (
    Bounds,
    Locator,
    ground_per_map,
    lands,
    length_words,
    middle,
    north_deg,
    round_length_m,
)
from glsweep.pages.scene_map import DRAWN, ERROR_COLOURS, ERROR_STEPS_M, MISSED, TRUE, Layer, MapLine

Points = npt.NDArray[np.float64]
Metres = npt.NDArray[np.float64]

INK, SOFT_INK, PAPER, LAND = "#1b2228", "#5a6670", "#ffffff", "#d5dade"
NO_DATA = "#e8ebed"
LINE_PT, HALO_PT = 1.1, 0.9
"""The line, and what its rims add to either side."""
BAR_SHARE = 0.28
"""Of the map's width, at most."""
INSET = {"x": 0.045, "y": 0.05}
PLATE: dict[str, Any] = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.82}
HERE = "#d55e00"
NEAR_M = 600_000.0
"""Nearer places have one mark on the small map together."""


def draw_ground(axes: Axes, picture: npt.NDArray[np.floating], bounds_m: Bounds, **colours: Any) -> AxesImage:
    """Show a picture whose rows run along the map's x axis, with kilometres of the map along the axes."""
    left, bottom, right, top = (value / 1000 for value in bounds_m)
    shown = axes.imshow(picture, extent=(left, right, bottom, top), interpolation="none", **colours)
    axes.set_facecolor(NO_DATA)
    axes.grid(visible=False)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(_kilometres))
    axes.spines[:].set(visible=True, color=SOFT_INK, linewidth=0.6)
    return shown


def _kilometres(value: float, _position: int | None) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def draw_line(axes: Axes, line: MapLine, layers: Sequence[Layer] = (TRUE, DRAWN, MISSED)) -> None:
    """Draw a line in the colours of its distance to the true one where that is known, else in its layer's."""
    layer = next(layer for layer in layers if layer.key == line.layer)
    xy_km = line.xy_m / 1000
    width_pt: dict[str, Any] = {"linewidths": LINE_PT + 2 * HALO_PT, "capstyle": "round"}
    axes.add_collection(LineCollection([xy_km], colors=layer.halo, **width_pt))
    width_pt["linewidths"] = LINE_PT
    if line.error_m is None:
        axes.add_collection(LineCollection([xy_km], colors=layer.colour, **width_pt))
        return
    pieces = np.stack([xy_km[:-1], xy_km[1:]], axis=1)
    between_m = (line.error_m[:-1] + line.error_m[1:]) / 2
    colours = error_colours().to_rgba(np.nan_to_num(between_m))
    colours[~np.isfinite(between_m)] = mpl.colors.to_rgba(layer.colour)
    axes.add_collection(LineCollection(list(pieces), colors=colours, **width_pt))


def error_colours() -> ScalarMappable:
    """Return the colours of a line by its distance to the true one, in metres, with their bounds."""
    colours = ListedColormap(ERROR_COLOURS[:-1]).with_extremes(over=ERROR_COLOURS[-1])
    return ScalarMappable(BoundaryNorm((0, *ERROR_STEPS_M), len(ERROR_STEPS_M)), colours)


# --- North, scale and coast


def add_north(axes: Axes, bounds_m: Bounds, crs: pyproj.CRS | None) -> None:
    """Point an arrow to true north at the map's middle; none where the map is of no place on Earth."""
    direction_deg = None if crs is None else north_deg(*middle(bounds_m), crs)
    if direction_deg is None:
        return
    side = 19.0
    box = DrawingArea(side, side)
    turn = math.radians(direction_deg)
    ahead, aside = np.array([math.sin(turn), math.cos(turn)]), np.array([math.cos(turn), -math.sin(turn)])
    centre = np.array([side / 2, side / 2])
    outline = [4.0 * ahead, -8.0 * ahead + 3.0 * aside, -5.6 * ahead, -8.0 * ahead - 3.0 * aside]
    box.add_artist(Polygon(np.array(outline) + centre, facecolor=INK, edgecolor="none"))
    x, y = centre + 7.2 * ahead
    box.add_artist(Text(x, y, "N", fontsize=5.5, fontweight="bold", color=INK, ha="center", va="center"))
    plate = AnchoredOffsetbox("upper left", child=box, pad=0.1, borderpad=0.4, prop=FontProperties(size=7))
    plate.patch.set(**PLATE)
    axes.add_artist(plate)


def scale_bar(bounds_m: Bounds, crs: pyproj.CRS | None) -> tuple[float, float]:
    """Return the length of a map's scale bar on the ground, which is round, and on the map, in metres."""
    width_m = bounds_m[2] - bounds_m[0]
    scale = ground_per_map(*middle(bounds_m), crs)
    ground_m = round_length_m(BAR_SHARE * width_m * scale)
    return ground_m, ground_m / scale


def add_scale_bar(axes: Axes, bounds_m: Bounds, crs: pyproj.CRS | None) -> None:
    """Draw a bar whose length is true on the ground at the map's middle."""
    ground_m, map_m = scale_bar(bounds_m, crs)
    left, bottom, right, top = (value / 1000 for value in bounds_m)
    x, y = left + INSET["x"] * (right - left), bottom + INSET["y"] * (top - bottom)
    halo: list[AbstractPathEffect] = [
        Stroke(linewidth=3.6, foreground=PAPER),
        Stroke(linewidth=1.4, foreground=INK),
    ]
    (bar,) = axes.plot([x, x + map_m / 1000], [y, y], color=INK, linewidth=1.4, solid_capstyle="butt")
    bar.set_path_effects(halo)
    words = axes.annotate(
        length_words(ground_m),
        (x + map_m / 2000, y),
        (0, 2.5),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=6.5,
        color=INK,
    )
    words.set_path_effects([withStroke(linewidth=2, foreground=PAPER)])
    axes.set(xlim=(left, right), ylim=(bottom, top))


def draw_locator(axes: Axes, places: Mapping[str, Locator]) -> None:
    """Draw the coast of a polar region with places on it, each with its letter; all of one map."""
    land = lands(next(iter(places.values())).crs)
    outlines = [shapely.get_coordinates(part.exterior) / 1000 for part in land]
    axes.add_collection(PolyCollection(outlines, facecolor=LAND, edgecolor=SOFT_INK, linewidth=0.35))
    for at_m, letters in _together(places).items():
        x, y = np.array(at_m) / 1000
        axes.plot(x, y, "o", markersize=3.5, markerfacecolor="none", markeredgecolor=HERE, markeredgewidth=1)
        words = axes.annotate(
            _runs(letters), (x, y), (3.5, 0), textcoords="offset points", va="center", fontsize=6.5
        )
        words.set_path_effects([withStroke(linewidth=1.5, foreground=PAPER)])
    left, bottom, right, top = shapely.total_bounds(land) / 1000
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


def _together(places: Mapping[str, Locator]) -> dict[tuple[float, float], str]:
    """Return the letters of places, those that are too near for a mark each together, by the first one's."""
    marks: dict[tuple[float, float], str] = {}
    for letter, place in places.items():
        near = [at for at in marks if math.dist(at, place.at_m) < NEAR_M]
        at = near[0] if near else place.at_m
        marks[at] = marks.get(at, "") + letter
    return marks


def _runs(letters: str) -> str:
    """Return letters as a reader writes them: abd, but a\N{EN DASH}d for all between."""
    whole = len(letters) > 2 and ord(letters[-1]) - ord(letters[0]) == len(letters) - 1
    return f"{letters[0]}\N{EN DASH}{letters[-1]}" if whole else letters
