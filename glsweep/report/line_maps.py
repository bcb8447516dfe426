"""Whole test scenes: phase with the true line, and the drawn one coloured by its error."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from glsweep.report.line_tables import best_member, line_rows
from glsweep.report.results import Results
from glsweep.report.style import INK, NO_DATA, VERMILLION, Plate, new_figure

MOST_SCENES = 3
FARTHEST_M = 500.0
FOUND_M = 200.0
TITLE_SIZE = 8.5

Arrays = Mapping[str, npt.NDArray[np.float64]]


def draw_line_maps(results: Results) -> Plate | None:
    """Draw the best member's test scenes, two panels each; None without whole test scenes."""
    best = best_member(line_rows(results.lines))
    if results.lines is None or results.maps is None or best is None:
        return None
    member = next(member for member in results.lines["members"] if member["stratum"] == best)
    scenes = _shown(member["scenes"])
    figure = new_figure(0.5 + 4.6 * len(scenes))
    grid = figure.subplots(len(scenes), 2, squeeze=False)
    coloured = None
    for (left, right), scene in zip(grid, scenes, strict=True):
        with np.load(results.maps / best / scene["errors"], allow_pickle=False) as arrays:
            _draw_truth(left, arrays)
            coloured = _draw_errors(right, arrays)
        left.set_title(f"{scene['scene']}\nthe true line", fontsize=TITLE_SIZE)
        found = scene["completeness_200"]
        words = "" if found is None else f"{found:.0%} found within 200 m, "
        told = f"{scene['false_km_200']:.0f} km invented"
        right.set_title(f"{member['title']}\n{words}{told}", fontsize=TITLE_SIZE)
    if coloured is not None:
        bar = figure.colorbar(coloured, ax=grid[:, 1].tolist(), shrink=0.5, aspect=40, extend="max")
        bar.set_label("distance to the true line (m)")
    return Plate(
        name="line-maps",
        title="Whole test scenes as the best member draws them",
        figure=figure,
        caption=(
            "Left: wrapped phase (cyclic colours) with the true line. Right: the drawn line, coloured by its "
            "distance to the true one, and as crosses what of the true line has no drawn one within 200 m. "
            "Kilometres along the axes; grey where there is no data."
        ),
        alt="Maps of test scenes with true and drawn lines.",
    )


def _shown(scenes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return scenes of every data set, the first ones first."""
    by_data_set: dict[str, list[dict[str, Any]]] = {}
    for scene in scenes:
        by_data_set.setdefault(scene["data_set"], []).append(scene)
    turns = [of_one[n] for n in range(MOST_SCENES) for of_one in by_data_set.values() if n < len(of_one)]
    return turns[:MOST_SCENES]


def _draw_truth(axes: Axes, arrays: Arrays) -> None:
    _draw_ground(axes, arrays, "twilight_shifted", 1.0)
    x, y = arrays["reference_km"].T
    axes.scatter(x, y, s=3.5, color="white", linewidth=0)
    axes.scatter(x, y, s=1.2, color=INK, linewidth=0)


def _draw_errors(axes: Axes, arrays: Arrays) -> PathCollection:
    _draw_ground(axes, arrays, "twilight_shifted", 0.25)
    x, y = arrays["reference_km"][arrays["reference_m"] > FOUND_M][::8].T
    axes.scatter(x, y, s=9, color=VERMILLION, marker="x", linewidth=0.7)
    x, y = arrays["drawn_km"].T
    return axes.scatter(x, y, c=arrays["drawn_m"], s=5, linewidth=0, cmap="viridis", vmin=0, vmax=FARTHEST_M)


def _draw_ground(axes: Axes, arrays: Arrays, colours: str, opacity: float) -> None:
    height_km, width_km = arrays["size_km"]
    image = axes.imshow(
        arrays["phase_rad"],
        cmap=colours,
        vmin=-math.pi,
        vmax=math.pi,
        alpha=opacity,
        extent=(0, width_km, height_km, 0),
    )
    image.set_cmap(image.get_cmap().with_extremes(bad=NO_DATA))
    axes.grid(visible=False)
