"""All scenes on one picture: wrapped phase and lines, and what is to be minded of each."""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glsweep.check.findings import Findings, Note, SceneFindings, Thumbnail
from glsweep.files import replacing
from glsweep.report.style import INK, NO_DATA, SOFT_INK, house_style, new_figure, png_bytes

MOST_SCENES = 48
ACROSS = 4
ROW_IN = 3.2
PHASE_COLOURS = "twilight_shifted"
NAME_LENGTH = 30
MINDED, REFUSED = "#B87A00", "#B3261E"
"""Frames and words: orange and red, both dark enough to be read."""
EMPTY = "#f3f4f5"
CAPTION_LENGTH, CAPTION_LINES = 34, 3
REASON_LENGTH, REASON_LINES = 30, 7


def draw_sheet(findings: Findings, path: Path) -> int:
    """Draw the scenes, and return how many there are; of none that could be read, no file is written.

    Of more than `MOST_SCENES` those with a note or a fault come first, then the others by name.
    """
    if all(scene.thumbnail is None for scene in findings.scenes):
        return 0
    shown = _shown(findings.scenes)
    down = math.ceil(len(shown) / ACROSS)
    with house_style():
        figure = new_figure(ROW_IN * down + 0.3)
        panels = figure.subplots(down, ACROSS, squeeze=False).ravel()
        for axes in panels[len(shown) :]:
            axes.axis("off")
        for axes, scene in zip(panels, shown, strict=False):
            _draw(axes, scene)
        _explain(figure, shown)
        with replacing(path) as beside:
            beside.write_bytes(png_bytes(figure))
    return len(shown)


def _shown(scenes: Sequence[SceneFindings]) -> list[SceneFindings]:
    first = sorted(scenes, key=lambda scene: not (scene.faults or scene.notes))[:MOST_SCENES]
    return [scene for scene in scenes if any(scene is one for one in first)]


def _draw(axes: Axes, scene: SceneFindings) -> None:
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    if scene.thumbnail is None:
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", facecolor=EMPTY)
        reason = scene.faults[0].partition("; ")[0] if scene.faults else "not read"
        text = _wrapped(reason, REASON_LENGTH, REASON_LINES)
        axes.text(0.5, 0.5, text, ha="center", va="center", fontsize=8, color=INK)
    else:
        _draw_pixels(axes, scene.thumbnail)
    name = scene.name if len(scene.name) <= NAME_LENGTH else f"...{scene.name[-NAME_LENGTH:]}"
    axes.set_title(f"{name}\n{_facts(scene)}", fontsize=8, fontweight="normal", pad=4)
    colour = REFUSED if scene.faults else MINDED
    for spine in axes.spines.values():
        spine.set(visible=True, color=colour if scene.faults or scene.notes else NO_DATA)
        spine.set_linewidth(2.5 if scene.faults or scene.notes else 0.6)
    caption = _wrapped("refused" if scene.faults else _kinds(scene.notes), CAPTION_LENGTH, CAPTION_LINES)
    axes.set_xlabel(caption, fontsize=8, color=colour, fontweight="bold", labelpad=4)


def _draw_pixels(axes: Axes, thumbnail: Thumbnail) -> None:
    rows, cols = thumbnail.phase_rad.shape
    colours = axes.imshow(
        thumbnail.phase_rad,
        cmap=PHASE_COLOURS,
        vmin=-math.pi,
        vmax=math.pi,
        interpolation="nearest",
        extent=(0, cols, rows, 0),
    )
    colours.set_cmap(colours.get_cmap().with_extremes(bad=NO_DATA))
    if thumbnail.is_flat.any():
        x, y = np.arange(cols) + 0.5, np.arange(rows) + 0.5
        axes.contourf(x, y, thumbnail.is_flat, levels=[0.5, 1.5], colors="none", hatches=["xxxx"])
        axes.contour(x, y, thumbnail.is_flat, levels=[0.5], colors=MINDED, linewidths=1.2)
    for line in thumbnail.lines_px:
        axes.plot(line[:, 0], line[:, 1], color="white", linewidth=2.2)
        axes.plot(line[:, 0], line[:, 1], color=INK, linewidth=1.0)
    axes.set_xlim(0, cols)
    axes.set_ylim(rows, 0)


def _facts(scene: SceneFindings) -> str:
    valid = f"{scene.measured.valid_share:.0%} valid" if scene.measured is not None else ""
    line = f"{scene.line_km:.0f} km of line" if scene.line_km else ""
    size = f"{scene.shape} px" if scene.shape else ""
    return ", ".join(part for part in (size, valid, line) if part)


def _kinds(notes: Sequence[Note]) -> str:
    """Return the kinds of notes, with what several begin with once."""
    kinds: dict[str, list[str]] = {}
    for note in notes:
        kind, _, part = note.kind.partition(": ")
        kinds.setdefault(kind, []).extend([part] if part else [])
    return "; ".join(f"{kind}: {', '.join(parts)}" if parts else kind for kind, parts in kinds.items())


def _explain(figure: Figure, shown: Sequence[SceneFindings]) -> None:
    told = []
    if any(scene.faults for scene in shown):
        told.append("red: refused")
    if any(scene.notes and not scene.faults for scene in shown):
        told.append("orange: to be minded, as told on the console")
    if any(scene.thumbnail is not None and scene.thumbnail.is_flat.any() for scene in shown):
        told.append("hatched: areas of one phase")
    told.append("grey: no data")
    figure.supxlabel("; ".join(told), fontsize=8, color=SOFT_INK)


def _wrapped(text: str, length: int, most_lines: int) -> str:
    return "\n".join(textwrap.wrap(text, length, max_lines=most_lines, placeholder=" ..."))
