"""Maps as small pictures that stand within HTML."""

import io
from collections.abc import Callable, Sequence

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from shapely import LineString

from glsweep.metrics.lines import LineDistances
from glsweep.pages.map_place import Bounds, length_words, map_bounds, round_length_m
from glsweep.pages.scene_map import data_uri

MOST_BYTES = 45_000
"""Of a picture, before base64 makes it a third longer: it stays below 60 kB in a notebook."""
QUALITIES = (85, 60, 35, 15)
WIDTH_IN, DPI = 4.0, 110
FLATTEST, TALLEST = 0.4, 1.2
LONGEST_PX = 400
MOST_PIECES = 20_000
FARTHEST_M = 500.0
"""From which distance on the colour is the same, as in a study's maps of errors."""
INK, HALO, NO_DATA = "#1b2228", "#ffffff", "#d8d8d8"
DRAWN, REFERENCE = "#d7191c", "#7a858d"


def probability_map(
    probability: npt.NDArray[np.float32], transform: Affine, lines: Sequence[LineString]
) -> str:
    """Return a map of probability (rows, cols), NaN without data, with lines, as a data URI."""
    step = -(-max(probability.shape) // LONGEST_PX)
    coarse = _highest(probability, step)
    left, bottom, right, top = bounds = map_bounds(transform, probability.shape)

    def draw(axes: Axes) -> None:
        axes.set_facecolor(NO_DATA)
        # A turned raster's pixels have no place in a picture of its map: they are drawn where they lie.
        if transform.b or transform.d:
            rows, cols = np.mgrid[0 : coarse.shape[0] + 1, 0 : coarse.shape[1] + 1] * step
            x, y = transform @ (cols, rows)
            axes.pcolormesh(x, y, coarse, cmap="cividis", vmin=0, vmax=1)
        else:
            up = coarse if transform.e < 0 else coarse[::-1]
            extent = (left, right, bottom, top)
            axes.imshow(up, cmap="cividis", vmin=0, vmax=1, extent=extent, interpolation="nearest")
        _add_lines(axes, lines, DRAWN, 1.1)

    return _thumbnail(draw, bounds)


def distance_map(distances: LineDistances, reference: Sequence[LineString]) -> str:
    """Return a map of drawn pieces, coloured by how far they lie from the reference, as a data URI.

    The reference is on the map of the drawn lines.
    """
    every = max(1, -(-len(distances.drawn_m) // MOST_PIECES))
    xy, away_m = distances.drawn_xy[::every], distances.drawn_m[::every]
    both = np.concatenate([xy, *(shapely.get_coordinates(line) for line in reference)])
    (left, bottom), (right, top) = both.min(axis=0), both.max(axis=0)
    margin = 0.05 * max(right - left, top - bottom, 1.0)
    bounds = (left - margin, bottom - margin, right + margin, top + margin)

    def draw(axes: Axes) -> None:
        axes.set_facecolor("#f4f6f7")
        _add_lines(axes, reference, REFERENCE, 2.2, halo=False)
        points = axes.scatter(
            xy[:, 0], xy[:, 1], c=np.minimum(away_m, FARTHEST_M), s=3, cmap="plasma", vmin=0, vmax=FARTHEST_M
        )
        bar = axes.figure.colorbar(points, ax=axes, shrink=0.8, aspect=25, extend="max")
        bar.set_label("from the reference (m)", fontsize=7)
        bar.ax.tick_params(labelsize=7)

    return _thumbnail(draw, bounds)


def _highest(values: npt.NDArray[np.float32], step: int) -> npt.NDArray[np.float32]:
    """Return the highest value of each block, so that a thin line stays; NaN where there is no data."""
    rows, cols = (side // step * step for side in values.shape)
    blocks = np.where(np.isfinite(values), values, -1.0)[:rows, :cols]
    highest = blocks.reshape(rows // step, step, cols // step, step).max(axis=(1, 3))
    return np.where(highest < 0, np.nan, highest).astype(np.float32)


def _add_lines(
    axes: Axes, lines: Sequence[LineString], colour: str, width: float, *, halo: bool = True
) -> None:
    pieces = [shapely.get_coordinates(line) for line in lines]
    if halo:
        axes.add_collection(LineCollection(pieces, colors=HALO, linewidths=2.4 * width))
    axes.add_collection(LineCollection(pieces, colors=colour, linewidths=width))


def _thumbnail(draw: Callable[[Axes], None], bounds: Bounds) -> str:
    left, bottom, right, top = bounds
    ratio = float(np.clip((top - bottom) / max(right - left, 1.0), FLATTEST, TALLEST))
    figure = Figure(figsize=(WIDTH_IN, WIDTH_IN * ratio), layout="constrained")
    axes = figure.subplots()
    draw(axes)
    axes.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[], aspect="equal")
    length_m = round_length_m(0.3 * (right - left))
    x, y = left + 0.05 * (right - left), bottom + 0.06 * (top - bottom)
    axes.plot([x, x + length_m], [y, y], color=HALO, linewidth=4, solid_capstyle="butt")
    axes.plot([x, x + length_m], [y, y], color=INK, linewidth=2, solid_capstyle="butt")
    axes.annotate(
        length_words(length_m), (x, y), (0, 4), textcoords="offset points", fontsize=7,
        bbox={"facecolor": HALO, "alpha": 0.8, "edgecolor": "none", "pad": 1.0},
    )  # fmt: skip
    for quality in QUALITIES:
        buffer = io.BytesIO()
        with mpl.rc_context({"savefig.facecolor": HALO}):
            figure.savefig(
                buffer,
                format="webp",
                dpi=DPI,
                bbox_inches="tight",
                pad_inches=0.02,
                pil_kwargs={"quality": quality, "method": 6},
            )
        if buffer.tell() <= MOST_BYTES:
            break
    return data_uri(buffer.getvalue())
