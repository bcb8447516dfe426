"""Whole test scenes in print: true lines on the phase, and drawn ones in the colours of their error."""

import math
from collections.abc import Sequence
from string import ascii_lowercase
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from glsweep.pages.map_furniture import (
    add_north,
    add_scale_bar,
    draw_ground,
    draw_line,
    draw_locator,
    error_colours,
)
from glsweep.pages.map_pictures import PHASE_COLOURS
from glsweep.pages.map_place import Locator, dates_words, locator, place_words
from glsweep.pages.scene_map import MISSED, TRUE
from glsweep.report.figures import WIDTH_IN, CaptionedFigure, new_figure
from glsweep.report.map_files import MapFiles, read_map
from glsweep.report.results import Results
from glsweep.report.scene_map import FOUND_M, lines_of, rank_of
from glsweep.report.scene_tables import members_best_first
from glsweep.study.evaluation_artifacts import LinesOnScene, MemberLines

MOST_SCENES = 8
COLUMNS = 3
PHASE_PX = 450
FADED = 0.55
"""Of the phase, so that lines stand out on it."""
LEFT_IN, TITLE_IN, LABEL_IN = 0.55, 0.85, 0.15
"""Around a panel: the numbers along its y axis, its title with the numbers below, and a label below all."""
SMALLEST = 1500
"""Parts of a panel's side: what is smaller is not seen in print."""
TITLE: dict[str, Any] = {"fontsize": 6.5, "fontweight": "normal", "linespacing": 1.25}
SIDES = (0.6, 1.5)
"""A panel's height in widths: what is longer or wider has its own scale."""


def draw_line_maps(results: Results) -> CaptionedFigure | None:
    """Draw test scenes with the lines of the best member; None without whole test scenes.

    Raises
    ------
    StudyError
        When a file in `maps/` is missing.
    """
    member = next(iter(members_best_first(results.lines)), None)
    if member is None:
        return None
    scenes = _from_best_to_worst(member.scenes)
    read = [read_map(results.maps / member.stratum, scene) for scene in scenes]
    cells = len(scenes) + 1
    columns = 2 if cells in (2, 4) else COLUMNS
    rows = math.ceil(cells / columns)
    figure = new_figure(rows * ((WIDTH_IN / columns - LEFT_IN) * _side(read) + TITLE_IN) + LABEL_IN)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, letter, scene, files in zip(grid, ascii_lowercase, scenes, read, strict=False):
        _draw_scene(axes, files)
        when = "simulated" if scene.data_set in results.simulated else dates_words(files.dates)
        words = f"{place_words(files.bounds_m, files.crs)}\n{when}\n{_in_short(scene)}"
        axes.set_title(f"{letter}  {scene.scene}\n{words}", **TITLE)
    grid[0].set(xlabel="x (km)", ylabel="y (km)")
    for axes in grid[len(scenes) + 1 :]:
        axes.set_axis_off()
    _draw_keys(figure, grid[len(scenes)], read)
    return CaptionedFigure(
        name="line-maps",
        title="Whole test scenes as the best member draws them",
        figure=figure,
        caption=_caption(member, scenes),
        alt=f"Maps of {len(scenes)} test scenes with true and drawn lines.",
        on_page=False,
    )


def _in_short(scene: LinesOnScene) -> str:
    found = "" if scene.completeness_200 is None else f"{scene.completeness_200:.0%} found, "
    mean = "" if scene.mean_m is None else f", {scene.mean_m:.0f} m off"
    return f"{found}{scene.false_km_200:.0f} km invented{mean}"


def _from_best_to_worst(scenes: Sequence[LinesOnScene]) -> list[LinesOnScene]:
    """Return the best drawn scene, the worst, and others that are spread evenly over the ranks between."""
    ranked = sorted(scenes, key=rank_of)
    count = min(MOST_SCENES, len(ranked))
    return [ranked[round(rank * (len(ranked) - 1) / max(1, count - 1))] for rank in range(count)]


def _side(read: Sequence[MapFiles]) -> float:
    """Return the height of panels in their widths: that of the highest scene, within bounds."""
    sides = [(top - bottom) / (right - left) for left, bottom, right, top in (one.bounds_m for one in read)]
    return min(max(*sides, SIDES[0]), SIDES[1])


def _draw_scene(axes: Axes, files: MapFiles) -> None:
    phase_rad = files.phase_north_up(PHASE_PX)
    draw_ground(axes, phase_rad, files.bounds_m, cmap=PHASE_COLOURS, vmin=-math.pi, vmax=math.pi, alpha=FADED)
    left, bottom, right, top = files.bounds_m
    tolerance_m = max(right - left, top - bottom) / SMALLEST
    for line in (one.thinned(tolerance_m) for one in lines_of(files)):
        draw_line(axes, line)
    add_north(axes, files.bounds_m, files.crs)
    add_scale_bar(axes, files.bounds_m, files.crs)


def _draw_keys(figure: Figure, axes: Axes, read: Sequence[MapFiles]) -> None:
    """Draw in a cell of the grid where the scenes lie and what the colours are."""
    axes.set_axis_off()
    places = _places(read)
    if places:
        draw_locator(axes.inset_axes((0.08, 0.5, 0.84, 0.5)), places)
    lines = [Line2D([], [], color=one.colour, linewidth=2) for one in (TRUE, MISSED)]
    axes.legend(
        lines,
        ["true line", f"true, nothing drawn within {FOUND_M:g} m"],
        loc="upper left",
        bbox_to_anchor=(0.02, 0.49),
        borderaxespad=0,
        fontsize=6.5,
    )
    error, phase = axes.inset_axes((0.08, 0.27, 0.84, 0.04)), axes.inset_axes((0.08, 0.05, 0.84, 0.04))
    bar = figure.colorbar(
        error_colours(), cax=error, orientation="horizontal", extend="max", spacing="uniform"
    )
    bar.set_label("drawn line: distance to the true one (m)", fontsize=6.5, labelpad=2)
    shown = ScalarMappable(Normalize(-math.pi, math.pi), PHASE_COLOURS)
    bar = figure.colorbar(shown, cax=phase, orientation="horizontal", alpha=FADED)
    bar.set_ticks([-math.pi, 0, math.pi], labels=["\N{MINUS SIGN}π", "0", "π"])
    bar.set_label("wrapped phase (rad)", fontsize=6.5, labelpad=2)
    for one in (error, phase):
        one.tick_params(labelsize=6.5)


def _places(read: Sequence[MapFiles]) -> dict[str, Locator]:
    """Return where scenes lie, by their letter; those on the map of the first that has one."""
    found = {
        letter: place
        for letter, place in zip(
            ascii_lowercase, (locator(one.bounds_m, one.crs) for one in read), strict=False
        )
        if place is not None
    }
    return {letter: place for letter, place in found.items() if place.crs == next(iter(found.values())).crs}


def _caption(member: MemberLines, scenes: Sequence[LinesOnScene]) -> str:
    which = (
        "All test scenes"
        if len(scenes) == len(member.scenes)
        else f"{len(scenes)} of {len(member.scenes)} test scenes, spread evenly over the ranks of all"
    )
    return (
        f"{which}, from that with the least mean distance between true and drawn lines to that with "
        f"the greatest, as {member.title} draws them, the best member on whole scenes; the page shows "
        f"every member. Found: within {FOUND_M:g} m of a drawn line. Along the axes kilometres of the "
        "scene's own map; the arrow points to true north, the bar is true on the ground, both at the "
        "scene's middle. Light blue: not judged, beyond the test ground or where nobody can tell."
    )
