"""The picture of a predicted scene: phase and probability on its map, with the lines."""

import math
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pyproj
from affine import Affine
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator
from shapely import LineString
from shapely.affinity import translate

from glsweep.files import replacing
from glsweep.pages.map_furniture import add_north, add_scale_bar, draw_ground, draw_line, draw_locator
from glsweep.pages.map_pictures import PHASE_COLOURS, north_up
from glsweep.pages.map_place import Bounds, dates_words, locator, map_bounds, place_words
from glsweep.pages.scene_map import TRUE, MapLine, crs_words

LONGEST_PX = 1200
WIDTH_IN = 18.3 / 2.54
"""A double column of a journal."""
PANEL_IN = 0.42 * WIDTH_IN
AROUND_IN = 0.95
"""Above and below the panels: the title, the numbers along the axes, and the keys."""
SIDES = (0.35, 2.0)
DOTS_PER_INCH = 200
COAST = (0.76, 0.76, 0.23, 0.23)
"""Of the small map with the coast, in the second panel's shares."""
PHASE: dict[str, Any] = {"cmap": PHASE_COLOURS, "vmin": -math.pi, "vmax": math.pi}
PHASE_KEY: dict[str, Any] = {
    "label": "wrapped phase (rad)",
    "ticks": FixedLocator([-math.pi, 0, math.pi]),
    "format": FixedFormatter(["\N{MINUS SIGN}π", "0", "π"]),
}
PROBABILITY_KEY: dict[str, Any] = {"label": "probability of a line"}
PROBABILITY: dict[str, Any] = {"cmap": "cividis", "vmin": 0, "vmax": 1}
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "axes.linewidth": 0.6,
    "text.parse_math": False,
    "axes.formatter.use_mathtext": False,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}


def draw_quick_look(
    path: Path,
    phase_rad: npt.NDArray[np.float32],
    probability: npt.NDArray[np.float32],
    lines: Sequence[LineString],
    transform: Affine,
    *,
    shape: tuple[int, int],
    crs: pyproj.CRS | None,
    dates: Sequence[date],
    title: str,
) -> None:
    """Draw phase and probability side by side in map coordinates, with the lines on the phase.

    Parameters
    ----------
    path : Path
        The PNG.
    phase_rad, probability : float32 array (rows, cols)
        NaN where there is no data; coarser than the scene, and each of its own shape.
    lines : sequence of LineString
        On the scene's map.
    transform : Affine
        From (col, row) pixel corners of the scene to its map.
    shape : tuple of int
        The scene's rows and columns.
    crs : CRS or None
        Its map; None where the scene's place on Earth is not known.
    dates : sequence of date
        Of the interferogram; empty where they are not known.
    title : str
        Above the panels.
    """
    if crs is None:
        # Where nobody knows the place, the corner is as good as any.
        left, bottom, _, _ = map_bounds(transform, shape)
        transform = Affine.translation(-left, -bottom) @ transform
        lines = [translate(line, -left, -bottom) for line in lines]
    bounds_m = map_bounds(transform, shape)
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        figure = Figure(figsize=(WIDTH_IN, _height_in(bounds_m)), layout="constrained")
        left_panel, right_panel = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes, values, colours, key in (
            (left_panel, phase_rad, PHASE, PHASE_KEY),
            (right_panel, probability, PROBABILITY, PROBABILITY_KEY),
        ):
            coarse = transform @ Affine.scale(shape[1] / values.shape[1], shape[0] / values.shape[0])
            shown = draw_ground(axes, north_up(values, coarse, bounds_m, LONGEST_PX), bounds_m, **colours)
            axes.set_xlabel("x (km)")
            figure.colorbar(shown, ax=axes, location="bottom", shrink=0.6, aspect=30, **key)
        left_panel.set_ylabel("y (km)")
        _draw_furniture(left_panel, right_panel, bounds_m, crs)
        for line in lines:
            draw_line(left_panel, MapLine.of(TRUE.key, line))
        words = " · ".join([place_words(bounds_m, crs), dates_words(dates), crs_words(crs)])
        figure.suptitle(f"{title}\n{words}", fontsize=7.5, linespacing=1.4)
        with replacing(path) as temporary:
            figure.savefig(temporary, dpi=DOTS_PER_INCH)


def _height_in(bounds_m: Bounds) -> float:
    left, bottom, right, top = bounds_m
    side = min(max((top - bottom) / (right - left), SIDES[0]), SIDES[1])
    return PANEL_IN * side + AROUND_IN


def _draw_furniture(left: Axes, right: Axes, bounds_m: Bounds, crs: pyproj.CRS | None) -> None:
    add_north(left, bounds_m, crs)
    add_scale_bar(left, bounds_m, crs)
    coast = locator(bounds_m, crs)
    if coast is not None:
        inset = right.inset_axes(COAST)
        inset.patch.set(facecolor="white", alpha=0.85)
        draw_locator(inset, {"": coast})
