"""The overview of all scenes' lines as a picture: a map with coast, dates, scale and north."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from shapely import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from glsweep.pages.map_furniture import (
    LAND,
    PAPER,
    SOFT_INK,
    add_north,
    add_scale_bar,
    draw_ground,
    draw_locator,
)
from glsweep.pages.map_pictures import north_up
from glsweep.pages.map_place import Bounds, lands, locator, map_bounds, middle, place_words
from glsweep.pages.scene_map import crs_words
from glsweep.prediction.overview import Overview
from glsweep.prediction.overview_files import LINE, Coast, colour_map, colours_of
from glsweep.prediction.quick_look import STYLE
from glsweep.scenes.phase import coarse_phase_rad

WIDTH_IN = 14.0 / 2.54
AROUND_IN = 0.9
"""Above and below the map: its title, the numbers along the axes, and the legend."""
ZONE, ZONE_ALPHA = "#e69f00", 0.55
OLD_LINE, DASHES = "#c2185b", (0, (4, 2))
INSET = (0.79, 0.78, 0.2, 0.21)
MOST_LABELS = 9
"""In a legend; of more a colour bar has some."""
LEAST_VIEW_M = 10_000.0
MARGIN = 0.12
TALLEST, FLATTEST = 1.25, 0.55
COARSE_COAST_FROM_M = 300_000.0
"""A coast of 1:110,000,000 is right to some ten kilometres."""
PHASE_PX = 700


def coast_below(overview: Overview, own: Coast | None) -> list[BaseGeometry]:
    """Return the coast that is seen below the lines, on their map.

    The user's own; without one Natural Earth's where the map is so wide that it is fine enough.
    """
    view = view_of(overview)
    seen = shapely.box(*view)
    is_wide = max(view[2] - view[0], view[3] - view[1]) >= COARSE_COAST_FROM_M
    small = locator(view, overview.crs) if is_wide else None
    if own is None and small is not None:
        own = Coast(list(lands(small.crs)), pyproj.CRS.from_user_input(small.crs))
    return [part for part in own.on(overview.crs) if part.intersects(seen)] if own else []


def draw_overview(
    overview: Overview, coast: Sequence[BaseGeometry] = (), old: Sequence[LineString] = ()
) -> Figure:
    """Draw the lines of all dates over the coast, with the zone between them.

    Parameters
    ----------
    overview : Overview
        The lines on one map.
    coast : sequence of geometry
        See `coast_below`; where there is none, the newest scene's phase is drawn below the lines.
    old : sequence of LineString
        Lines known before, on the overview's map.
    """
    view = view_of(overview)
    left, bottom, right, top = view
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        height_in = 0.86 * WIDTH_IN * (top - bottom) / (right - left) + AROUND_IN
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        axes: Axes = figure.subplots()
        draw_ground(axes, *_ground(overview, view, has_coast=bool(coast)), cmap="gray", vmin=-1.2, vmax=1.0)
        _draw_coast(axes, coast)
        for part in overview.ground:
            axes.add_patch(_patch(part, facecolor=ZONE, alpha=ZONE_ALPHA, linewidth=0, zorder=2))
        _draw_lines(figure, axes, overview, old)
        _draw_furniture(axes, overview, view)
    return figure


def view_of(overview: Overview) -> Bounds:
    """Return the bounds of all lines with a margin, no thinner than a picture should be."""
    lines = [line for scene in overview.scenes for line in scene.lines]
    left, bottom, right, top = shapely.total_bounds(lines).tolist()
    centre = middle((left, bottom, right, top))
    width_m, height_m = (max(LEAST_VIEW_M, side * (1 + 2 * MARGIN)) for side in (right - left, top - bottom))
    width_m = max(width_m, height_m / TALLEST)
    height_m = max(height_m, width_m * FLATTEST)
    return (
        centre[0] - width_m / 2,
        centre[1] - height_m / 2,
        centre[0] + width_m / 2,
        centre[1] + height_m / 2,
    )


def _ground(overview: Overview, view: Bounds, *, has_coast: bool) -> tuple[npt.NDArray[np.floating], Bounds]:
    """Return the newest scene's phase as greys with its bounds; nothing where there is a coast, or no scene.

    Of scenes with lines on the overview's own map. Greys are the same at both ends, as phases are.
    """
    for scene in () if has_coast else reversed(overview.scenes):
        header = scene.made.header
        if scene.lines and overview.crs.equals(pyproj.CRS.from_wkt(header.crs.to_wkt())):
            bounds = map_bounds(header.transform, header.shape)
            phase_rad, transform = coarse_phase_rad(header, PHASE_PX)
            return 0.5 + 0.5 * np.cos(north_up(phase_rad, transform, bounds, PHASE_PX)), bounds
    return np.full((1, 1), np.nan), view


def _patch(polygon: Polygon, **style: Any) -> PathPatch:
    """Return a polygon in kilometres, with its holes."""
    rings = [shapely.get_coordinates(ring) / 1000 for ring in (polygon.exterior, *polygon.interiors)]
    return PathPatch(Path.make_compound_path(*(Path(ring, closed=True) for ring in rings)), **style)


def _draw_coast(axes: Axes, coast: Sequence[BaseGeometry]) -> None:
    for part in coast:
        if isinstance(part, Polygon):
            axes.add_patch(_patch(part, facecolor=LAND, edgecolor=SOFT_INK, linewidth=0.5, zorder=1))
        else:
            axes.plot(*(shapely.get_coordinates(part).T / 1000), color=SOFT_INK, linewidth=0.6, zorder=1)


def _draw_lines(figure: Figure, axes: Axes, overview: Overview, old: Sequence[LineString]) -> None:
    labels = overview.labels
    colours = colours_of(labels)
    for scene in overview.scenes:
        pieces = [shapely.get_coordinates(line) / 1000 for line in scene.lines]
        for width, colour, order in ((2.4, PAPER, 3), (1.2, colours.get(scene.label, LINE), 4)):
            axes.add_collection(
                LineCollection(pieces, colors=colour, linewidths=width, zorder=order, capstyle="round")
            )
    few = labels if len(labels) <= MOST_LABELS else []
    handles: list[Artist] = [Line2D([], [], color=colours[label], linewidth=2, label=label) for label in few]
    if overview.ground:
        handles.append(Patch(color=ZONE, alpha=ZONE_ALPHA, label="zone between them"))
    if old:
        xy = [shapely.get_coordinates(line) / 1000 for line in old]
        axes.add_collection(LineCollection(xy, colors=OLD_LINE, linewidths=1.0, linestyles=DASHES, zorder=5))
        handles.append(
            Line2D([], [], color=OLD_LINE, linewidth=1.0, linestyle=DASHES, label="line known before")
        )
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=min(3, len(handles)), frameon=False)
    if not few:
        bar = figure.colorbar(
            ScalarMappable(Normalize(0, len(labels) - 1), colour_map()), ax=axes, shrink=0.7, aspect=30
        )
        ticks = np.unique(np.linspace(0, len(labels) - 1, 6).round().astype(int))
        bar.set_ticks(ticks.tolist(), labels=[labels[at] for at in ticks])
        bar.set_label("in the order of their dates" if overview.is_dated else "in the order of their names")


def _draw_furniture(axes: Axes, overview: Overview, view: Bounds) -> None:
    """Draw what makes a map: its coordinates, a scale bar, north, and where on Earth it is."""
    axes.set(xlabel="x on the map (km)", ylabel="y on the map (km)", aspect="equal")
    axes.set_title(f"{place_words(view, overview.crs)}; {crs_words(overview.crs)}", loc="left")
    add_scale_bar(axes, view, overview.crs)
    add_north(axes, view, overview.crs)
    small = locator(view, overview.crs)
    if small is not None:
        inset = axes.inset_axes(INSET, zorder=8)
        inset.set_facecolor(PAPER)
        draw_locator(inset, {"": small})
