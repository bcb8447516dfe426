"""Small pictures of the lines worth a second look."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from shapely import LineString

from glsweep.evaluate.second_look import Doubt, MemberView
from glsweep.pages.map_furniture import NO_DATA
from glsweep.pages.scene_map import TRUE
from glsweep.scenes.scene import SceneEntry
from glsweep.scenes.source import Window

SIDE_PX, DOTS_PER_INCH, QUALITY = 240, 120, 60
LEAST_SIDE_M = 8_000.0
AROUND = 1.3
"""Side of a picture, in parts of the stretch's extent."""
PALE = 0.6
DRAWN, DOUBTFUL = "#d55e00", "#f0e442"


def thumbnail_name(rank: int) -> str:
    """Return the name of the picture of a rank."""
    return f"{rank:02d}.webp"


def draw_thumbnail(path: Path, entry: SceneEntry, views: Sequence[MemberView], doubt: Doubt) -> None:
    """Draw the phase around a stretch (yellow) with labels (black) and what members draw (orange).

    Parameters
    ----------
    path : Path
        The picture, of `SIDE_PX` pixels along its longer side.
    entry : SceneEntry
        The scene.
    views : sequence of MemberView
        One a member.
    doubt : Doubt
        The stretch.
    """
    window = _window_around(entry, doubt.line)
    longest = max(window.rows, window.cols)
    step = max(1, longest // SIDE_PX)
    pixels = entry.read_pixels(window)[::step, ::step]
    phase_rad = np.where(pixels != 0, np.angle(pixels), np.nan)
    size_in = SIDE_PX / DOTS_PER_INCH / longest
    figure = Figure(figsize=(window.cols * size_in, window.rows * size_in), dpi=DOTS_PER_INCH)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    left, right, top, bottom = window.col, window.col + window.cols, window.row, window.row + window.rows
    image = axes.imshow(
        phase_rad,
        cmap="twilight_shifted",
        vmin=-math.pi,
        vmax=math.pi,
        alpha=PALE,
        extent=(left, right, bottom, top),
        aspect="auto",
        interpolation="nearest",
    )
    image.set_cmap(image.get_cmap().with_extremes(bad=NO_DATA))
    _draw(axes, entry, [doubt.line], DOUBTFUL, 5.0)
    for view in views:
        _draw(axes, entry, view.lines, DRAWN, 0.8)
    _draw(axes, entry, entry.lines, TRUE.halo, 2.0)
    _draw(axes, entry, entry.lines, TRUE.colour, 1.0)
    axes.set(xlim=(left, right), ylim=(bottom, top))
    figure.savefig(path, pil_kwargs={"quality": QUALITY})


def _window_around(entry: SceneEntry, line: LineString) -> Window:
    """Return a square around a line, as far as the scene goes."""
    (rows, cols), xy = entry.shape, shapely.get_coordinates(line)
    col, row = ~entry.header.transform @ (xy[:, 0], xy[:, 1])
    side = math.ceil(max(AROUND * np.ptp(col), AROUND * np.ptp(row), LEAST_SIDE_M / entry.posting_m))
    left, top = (
        _start(float(col.min() + col.max()) / 2, side, cols),
        _start(float(row.min() + row.max()) / 2, side, rows),
    )
    return Window(top, left, min(side, rows), min(side, cols))


def _start(middle: float, side: int, size: int) -> int:
    return max(0, min(round(middle - side / 2), size - side))


def _draw(axes: Axes, entry: SceneEntry, lines: Sequence[LineString], colour: str, width: float) -> None:
    back = ~entry.header.transform
    for line in lines:
        col, row = back @ tuple(shapely.get_coordinates(line).T)
        axes.plot(col, row, color=colour, linewidth=width, solid_capstyle="butt")
