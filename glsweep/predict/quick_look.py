"""A scene at a glance: its phase with the lines, and the probability beside it."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from affine import Affine
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from shapely import LineString

from glsweep.files import replacing

LONGEST_PX = 1200
WIDTH_IN = 12.0
LINE = "#111111"
HALO = "#ffffff"
NO_DATA = "#d8d8d8"


def draw_quick_look(
    path: Path,
    phase_rad: npt.NDArray[np.float32],
    probability: npt.NDArray[np.float32],
    lines: Sequence[LineString],
    transform: Affine,
    *,
    shape: tuple[int, int],
    title: str,
) -> None:
    """Draw two panels, with kilometres along their axes.

    Parameters
    ----------
    path : Path
        The PNG.
    phase_rad, probability : float32 array (rows, cols)
        NaN where there is no data; coarser than the scene, and each of its own shape.
    lines : sequence of LineString
        In (col, row) pixel coordinates of the scene.
    transform : Affine
        From those to map coordinates.
    shape : tuple of int
        The scene's rows and columns.
    title : str
        Above the panels.
    """
    posting_km = math.hypot(transform.a, transform.d) / 1000
    rows_km, cols_km = shape[0] * posting_km, shape[1] * posting_km
    height_in = WIDTH_IN / 2.15 * min(2.0, rows_km / cols_km) + 0.8
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    plain: dict[str, Any] = {"extent": (0.0, cols_km, rows_km, 0.0), "interpolation": "nearest"}
    phase = left.imshow(phase_rad, cmap="twilight_shifted", vmin=-math.pi, vmax=math.pi, **plain)
    shown = right.imshow(probability, cmap="cividis", vmin=0, vmax=1, **plain)
    for axes, image, label in ((left, phase, "wrapped phase (rad)"), (right, shown, "probability")):
        axes.set_facecolor(NO_DATA)
        axes.set(xlabel="km", title=label)
        figure.colorbar(image, ax=axes, shrink=0.7)
    left.set_ylabel("km")
    _draw_lines(left, lines, posting_km)
    figure.suptitle(title, fontsize=11)
    with replacing(path) as beside:
        figure.savefig(beside, dpi=120)


def _draw_lines(axes: Axes, lines: Sequence[LineString], posting_km: float) -> None:
    for line in lines:
        col, row = np.array(line.coords).T * posting_km
        axes.plot(col, row, color=HALO, linewidth=2.4)
        axes.plot(col, row, color=LINE, linewidth=1.0)
