"""The overview of all scenes' lines as a picture: a map with coast, dates, scale and north."""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pyproj
import shapely
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from shapely import Polygon
from shapely.geometry.base import BaseGeometry

from glsweep.pages.map_pictures import north_up
from glsweep.pages.map_place import (
    Bounds,
    ground_per_map,
    lands,
    length_words,
    locator,
    map_bounds,
    middle,
    north_deg,
    round_length_m,
)
from glsweep.pages.scene_map import crs_words
from glsweep.prediction.overview import Overview
from glsweep.prediction.overview_files import Coast
from glsweep.scenes.phase import coarse_phase_rad

WIDTH_IN = 7.0
INK = "#1b2228"
LINE, HALO, LAND, GROUND, COAST, ZONE = "#0072b2", "#ffffff", "#e9e5dc", "#f4f6f7", "#5a6670", "#e69f00"
MOST_LABELS = 9
"""In a legend; of more a colour bar has some."""
LEAST_VIEW_M = 10_000.0
MARGIN = 0.12
TALLEST, FLATTEST = 1.25, 0.55
COARSE_COAST_FROM_M = 300_000.0
"""A coast of 1:110,000,000 is right to some ten kilometres."""
PHASE_PX = 700


def colour_map() -> Colormap:
    """Return the colours from the oldest line to the newest: perceptual, and dark enough for paper."""
    return ListedColormap(mpl.colormaps["viridis"](np.linspace(0.0, 0.86, 256)))


def colours_of(labels: Sequence[str]) -> dict[str, str]:
    """Return a colour for each date, evenly spaced in their order."""
    if len(labels) == 1:
        return {labels[0]: LINE}
    places = np.linspace(0, 1, max(len(labels), 1))
    return {label: mpl.colors.to_hex(colour_map()(at)) for label, at in zip(labels, places, strict=True)}


def coast_below(overview: Overview, own: Coast | None) -> list[BaseGeometry]:
    """Return the coast that is seen below the lines, on their map.

    The user's own; without one Natural Earth's where the map is so wide that it is fine enough.
    """
    view = _view(overview)
    seen = shapely.box(*view)
    is_wide = max(view[2] - view[0], view[3] - view[1]) >= COARSE_COAST_FROM_M
    small = locator(view, overview.crs) if is_wide else None
    if own is None and small is not None:
        own = Coast(list(lands(small.crs)), pyproj.CRS.from_user_input(small.crs))
    return [part for part in own.on(overview.crs) if part.intersects(seen)] if own else []


def draw_overview(overview: Overview, coast: Sequence[BaseGeometry] = ()) -> Figure:
    """Draw the lines of all dates over the coast, with the zone between them.

    Parameters
    ----------
    overview : Overview
        The lines on one map.
    coast : sequence of geometry
        See `coast_below`; where there is none, the newest scene's phase is drawn below the lines.
    """
    view = _view(overview)
    left, bottom, right, top = view
    height_in = WIDTH_IN * 0.82 * (top - bottom) / (right - left) + 0.9
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    axes: Axes = figure.subplots()
    axes.set_facecolor(GROUND)
    if coast:
        _draw_coast(axes, coast)
    else:
        _draw_phase(axes, overview)
    _draw_zone(axes, overview)
    _draw_lines(figure, axes, overview)
    _draw_furniture(axes, overview, view)
    return figure


def _view(overview: Overview) -> Bounds:
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


def _draw_coast(axes: Axes, coast: Sequence[BaseGeometry]) -> None:
    for part in coast:
        if isinstance(part, Polygon):
            axes.fill(*part.exterior.xy, facecolor=LAND, edgecolor=COAST, linewidth=0.6, zorder=0)
        else:
            axes.plot(*shapely.get_coordinates(part).T, color=COAST, linewidth=0.8, zorder=1)


def _draw_phase(axes: Axes, overview: Overview) -> None:
    """Draw the newest scene's phase that lies on the overview's own map, pale, below everything."""
    for scene in reversed(overview.scenes):
        header = scene.made.header
        if scene.lines and overview.crs.equals(pyproj.CRS.from_wkt(header.crs.to_wkt())):
            bounds = map_bounds(header.transform, header.shape)
            phase_rad, transform = coarse_phase_rad(header, PHASE_PX)
            picture = north_up(phase_rad, transform, bounds, PHASE_PX)
            left, bottom, right, top = bounds
            # Its colours are cyclic, so a grey that is the same at both ends.
            axes.imshow(
                0.5 + 0.5 * np.cos(picture),
                cmap="gray",
                vmin=-1.2,
                vmax=1.0,
                extent=(left, right, bottom, top),
                interpolation="antialiased",
                zorder=0,
            )
            return


def _draw_zone(axes: Axes, overview: Overview) -> None:
    for part in overview.ground:
        axes.fill(*part.exterior.xy, color=ZONE, alpha=0.55, linewidth=0, zorder=2)


def _draw_lines(figure: Figure, axes: Axes, overview: Overview) -> None:
    labels = overview.labels
    colours = colours_of(labels)
    for scene in overview.scenes:
        pieces = [shapely.get_coordinates(line) for line in scene.lines]
        for width, colour, order in ((2.6, HALO, 3), (1.4, colours.get(scene.label, LINE), 4)):
            axes.add_collection(
                LineCollection(pieces, colors=colour, linewidths=width, zorder=order, capstyle="round")
            )
    what = "interferogram" if overview.is_dated else "scene (no dates: by name)"
    zone = [Patch(color=ZONE, alpha=0.55, label="zone between them")] if overview.ground else []
    few = labels if len(labels) <= MOST_LABELS else []
    handles = [Line2D([], [], color=colours[label], linewidth=2, label=label) for label in few] + zone
    if handles:
        figure.legend(
            handles=handles,
            title=what if few else None,
            loc="outside lower center",
            ncols=min(3, len(handles)),
            fontsize=8,
            title_fontsize=8,
            frameon=False,
        )
    if not few:
        bar = figure.colorbar(
            ScalarMappable(Normalize(0, len(labels) - 1), colour_map()), ax=axes, shrink=0.7, aspect=30
        )
        ticks = np.unique(np.linspace(0, len(labels) - 1, 6).round().astype(int))
        bar.set_ticks(ticks.tolist(), labels=[labels[at] for at in ticks], fontsize=7)
        bar.set_label(f"{what}, in their order", fontsize=8)


def _draw_furniture(axes: Axes, overview: Overview, view: Bounds) -> None:
    """Draw what makes a map: its coordinates, a scale bar, north, and where on Earth it is."""
    left, bottom, right, top = view
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
    axes.ticklabel_format(style="plain", useOffset=False)
    for axis, name in ((axes.xaxis, "x"), (axes.yaxis, "y")):
        axis.set_major_formatter(lambda value, _at: f"{value / 1000:,.0f}")
        axis.set_major_locator(mpl.ticker.MaxNLocator(5))
        axis.set_label_text(f"{name} (km)", fontsize=8)
        axis.set_tick_params(labelsize=8)
    axes.set_title(crs_words(overview.crs), fontsize=8, loc="left")
    centre = middle(view)
    _draw_scale(axes, view, ground_per_map(*centre, overview.crs))
    turn_deg = north_deg(*centre, overview.crs)
    if turn_deg is not None:
        _draw_north(axes, turn_deg)
    small = locator(view, overview.crs)
    if small is not None:
        _draw_locator(axes, small.crs, small.at_m)


def _draw_scale(axes: Axes, view: Bounds, ground: float) -> None:
    left, bottom, right, top = view
    length_m = round_length_m(0.25 * (right - left) * ground)
    x, y = left + 0.04 * (right - left), bottom + 0.045 * (top - bottom)
    on_map_m = length_m / ground
    box: dict[str, Any] = {"facecolor": "#ffffff", "alpha": 0.8, "edgecolor": "none", "pad": 2.0}
    axes.plot([x, x + on_map_m], [y, y], color="#ffffff", linewidth=5, zorder=6, solid_capstyle="butt")
    axes.plot([x, x + on_map_m], [y, y], color=INK, linewidth=2.5, zorder=7, solid_capstyle="butt")
    axes.annotate(
        length_words(length_m), (x + on_map_m / 2, y), (0, 5), textcoords="offset points",
        ha="center", va="bottom", fontsize=8, zorder=7, bbox=box,
    )  # fmt: skip


def _draw_north(axes: Axes, turn_deg: float) -> None:
    """Draw an arrow to true north in the upper left corner; on polar maps that is rarely upwards."""
    inset = axes.inset_axes((0.015, 0.86, 0.12, 0.12), zorder=8)
    inset.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal")
    inset.patch.set_alpha(0.8)
    inset.set(xticks=[], yticks=[])
    for spine in inset.spines.values():
        spine.set_visible(False)
    turn = np.radians(turn_deg)
    x, y = float(np.sin(turn)), float(np.cos(turn))
    arrow = {"arrowstyle": "-|>", "color": INK, "lw": 1.4}
    inset.annotate("", (0.75 * x, 0.75 * y), (-0.95 * x, -0.95 * y), arrowprops=arrow)
    inset.text(1.15 * x, 1.15 * y, "N", ha="center", va="center", fontsize=8, weight="bold")


def _draw_locator(axes: Axes, crs: str, at_m: tuple[float, float]) -> None:
    inset = axes.inset_axes((0.79, 0.79, 0.2, 0.2), zorder=8)
    for land in lands(crs):
        inset.fill(*land.exterior.xy, facecolor="#c9c4b8", edgecolor=COAST, linewidth=0.3)
    inset.plot(*at_m, marker="s", markersize=5, markerfacecolor="none", markeredgecolor="#d55e00", mew=1.6)
    inset.set(xticks=[], yticks=[], aspect="equal")
    inset.patch.set_alpha(0.85)
    for spine in inset.spines.values():
        spine.set_linewidth(0.4)
