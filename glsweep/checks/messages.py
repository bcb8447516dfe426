"""The findings of `check`, on the console and as a figure of all scenes."""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glsweep.checks.findings import Findings, SceneFindings, SceneNote, Thumbnail
from glsweep.config.bands import Role
from glsweep.files import replacing
from glsweep.report import DASH, counted
from glsweep.report.figures import INK, NO_DATA, SOFT_INK, house_style, new_figure, png_bytes
from glsweep.scenes.reading import Reading, UsedBand
from glsweep.scenes.source import BandFacts

SHORT: dict[Role, str] = {
    "complex": "complex",
    "real": "real",
    "imaginary": "imag",
    "phase": "phase",
    "phase_pi": "phase/pi",
    "phase_cycles": "cycles",
    "phase_degrees": "degrees",
    "unwrapped_phase": "unwrapped",
    "coherence": "coh.",
    "magnitude": "amp.",
    "intensity": "int.",
    "mask": "mask",
}
SHORTER: dict[Role, str] = {
    "phase_pi": "ph/pi",
    "phase_cycles": "cyc",
    "phase_degrees": "deg",
    "unwrapped_phase": "unw",
}
UNITS: dict[Role, str] = {
    "phase": "radians",
    "phase_pi": "parts of pi",
    "phase_cycles": "cycles",
    "phase_degrees": "degrees",
    "unwrapped_phase": "radians, to be wrapped",
}
LEAST_SHARE = 5e-5
"""Share of clipped values from which it is mentioned."""


def short_title(reading: Reading) -> str:
    """Return what is read in at most 11 characters."""
    roles = [part.role for part in reading.signal]
    if len(roles) == 1:
        return SHORT[roles[0]]
    return ", ".join(SHORTER.get(role, SHORT[role]) for role in roles)


def in_words(reading: Reading, bands: tuple[BandFacts, ...]) -> str | None:
    """Return band by band what is read and what is passed over; None where the short title says it all.

    That is so where all bands are used in their order, without a name that says more, a scale, a mask
    or a value for no data that the file does not know.
    """
    in_order = [part.number for part in reading.parts] == list(range(1, len(bands) + 1))
    is_plain = all(_is_plain(part) for part in reading.parts)
    if in_order and is_plain and reading.nodata is None and reading.clipped_share < LEAST_SHARE:
        return None
    texts = [_part_in_words(part, reading) for part in reading.parts]
    if reading.nodata is not None:
        texts.append(f"{reading.nodata:g} is no data")
    used = {part.number for part in reading.parts}
    for number, facts in enumerate(bands, start=1):
        if number not in used:
            texts.append(f"band {number}{_name(facts)} is passed over")
    return "; ".join(texts)


def _is_plain(part: UsedBand) -> bool:
    facts = part.facts
    return part.role in ("complex", "real", "imaginary", "phase", "coherence") and (
        (facts.scale, facts.offset) == (1, 0) and facts.name.strip().lower() in ("", part.role)
    )


def _part_in_words(part: UsedBand, reading: Reading) -> str:
    text = f"{part.role} is band {part.number}{_name(part.facts)}"
    if part.role in UNITS:
        text += f", {UNITS[part.role]}"
    if (part.facts.scale, part.facts.offset) != (1, 0):
        offset = f" plus {part.facts.offset:g}" if part.facts.offset else ""
        text += f", numbers times {part.facts.scale:g}{offset}"
    if part.role == "coherence" and reading.clipped_share >= LEAST_SHARE:
        text += f", {reading.clipped_share:.2%} of it clipped to 0 to 1"
    return text


def _name(facts: BandFacts) -> str:
    return f" ({facts.name.strip()})" if facts.name.strip() else ""


# --- On the console

COLUMNS = ("scene", "size", "CRS", "posting", "bands", "valid", "coh.", "line\nkm", "rows\nlost")
LEAST_NAME = 10
FEW_SCENES = 6
"""Notes of one kind are printed scene by scene for so many, and in one line for more."""


def print_check(findings: Findings, console: Console) -> None:
    """Print everything; paths and numbers as they are."""
    if findings.scenes:
        console.print(_table(findings, console.width))
        legend = "valid: pixels with data; coh.: median local phase coherence, 5 x 5 px; rows lost: of lines"
        console.print(legend, style="dim", soft_wrap=True)
    _lines(console, "bands", "dim", _readings(findings.scenes))
    _lines(console, "passed over", "dim", findings.passed_over)
    _lines(console, "beside", "dim", findings.others)
    for scene in findings.scenes:
        _lines(console, "refused", "red", [f"{scene.name}: {fault}" for fault in scene.faults])
    _lines(console, "mind", "yellow", _notes(findings.scenes))
    _lines(console, "fault", "red", findings.faults)
    _lines(console, "mind", "yellow", findings.notes)
    if findings.is_usable:
        console.print("[green]usable[/green]: a study of this data would run", highlight=False)
    else:
        count = len(findings.faults) + sum(len(scene.faults) for scene in findings.scenes)
        console.print(f"[red]not usable[/red]: {counted(count, 'fault')} to mend", highlight=False)


def _table(findings: Findings, width: int) -> Table:
    table = Table(*COLUMNS, box=SIMPLE_HEAD, show_edge=False, padding=0)
    for column in table.columns:
        column.no_wrap = True
    for column in table.columns[5:]:
        column.justify = "right"
    rows = [_cells(scene) for scene in findings.scenes]
    headings = [max(name.split("\n"), key=len) for name in COLUMNS[1:]]
    others = sum(max(map(len, cells)) + 1 for cells in zip(headings, *rows, strict=True))
    for scene, cells in zip(findings.scenes, rows, strict=True):
        table.add_row(_shortened(scene.name, width - others), *cells)
    return table


def _cells(scene: SceneFindings) -> list[str]:
    bands = short_title(scene.reading) if scene.reading is not None else scene.kind
    valid, coherence = DASH, DASH
    if scene.measured is not None:
        share = scene.measured.valid_share
        # All but a few pixels are not all.
        valid = "<100%" if 0.995 <= share < 1 else f"{share:.0%}"
        if scene.measured.coherence is not None:
            coherence = f"{scene.measured.coherence:.2f}"
    return [
        scene.shape or DASH,
        scene.crs or DASH,
        scene.posting or DASH,
        bands or DASH,
        valid,
        coherence,
        f"{scene.line_km:.1f}" if scene.line_km else DASH,
        str(scene.rows_dropped) if scene.rows_dropped else DASH,
    ]


def _readings(scenes: list[SceneFindings]) -> list[str]:
    """Return how bands are read where the table does not say it all, once for all scenes read that way."""
    scenes_by_text: dict[str, list[str]] = {}
    for scene in scenes:
        text = None if scene.reading is None else in_words(scene.reading, scene.bands)
        if text is not None:
            scenes_by_text.setdefault(text, []).append(scene.name)
    return [f"{', '.join(names)}: {text}" for text, names in scenes_by_text.items()]


def _notes(scenes: list[SceneFindings]) -> list[str]:
    """Return what to mind scene by scene; of notes of one kind that many scenes have, the first whole."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    for scene in scenes:
        for note in scene.notes:
            kinds.setdefault(note.kind, []).append((scene.name, note.text))
    lines = []
    for notes in kinds.values():
        if len(notes) <= FEW_SCENES:
            lines += [f"{name}: {text}" for name, text in notes]
        else:
            (name, text), *others = notes
            lines.append(f"{name}: {text} (alike: {', '.join(other for other, _ in others)})")
    return lines


def _shortened(name: str, width: int) -> str:
    """Shorten a name at its beginning, since names differ at their end; the lines below have it whole."""
    width = max(width, LEAST_NAME)
    return name if len(name) <= width else f"\N{HORIZONTAL ELLIPSIS}{name[1 - width :]}"


def _lines(console: Console, word: str, style: str, lines: list[str]) -> None:
    for line in lines:
        console.print(Text.assemble((f"{word}: ", style), line), soft_wrap=True)


# --- The contact sheet: wrapped phase and lines of each scene

MOST_SCENES = 48
ACROSS = 4
SHEET_IN, ROW_IN = 10.8, 3.2
SHEET_DOTS_PER_INCH = 150
PHASE_COLOURS = "twilight_shifted"
NAME_LENGTH = 30
NOTED, REFUSED = "#B87A00", "#B3261E"
"""Frames and words: orange and red, both dark enough to be read."""
ODD = "#1B7F3B"
"""Of lines that lie elsewhere than most: no colour of the phase."""
EMPTY = "#f3f4f5"
CAPTION_LENGTH, CAPTION_LINES = 34, 3
REASON_LENGTH, REASON_LINES = 30, 7


def draw_sheet(findings: Findings, path: Path) -> int:
    """Draw the scenes and return how many were drawn; without one that could be read, no file is written.

    Of more than `MOST_SCENES` those with a note or a fault come first, then the others by name.
    """
    if all(scene.thumbnail is None for scene in findings.scenes):
        return 0
    shown = _shown(findings.scenes)
    down = math.ceil(len(shown) / ACROSS)
    with house_style():
        figure = new_figure(ROW_IN * down + 0.3, SHEET_IN)
        panels = figure.subplots(down, ACROSS, squeeze=False).ravel()
        for axes in panels[len(shown) :]:
            axes.axis("off")
        for axes, scene in zip(panels, shown, strict=False):
            _draw(axes, scene)
        _add_legend(figure, shown)
        with replacing(path) as temporary:
            temporary.write_bytes(png_bytes(figure, SHEET_DOTS_PER_INCH))
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
    colour = REFUSED if scene.faults else NOTED
    for spine in axes.spines.values():
        spine.set(visible=True, color=colour if scene.faults or scene.notes else NO_DATA)
        spine.set_linewidth(2.5 if scene.faults or scene.notes else 0.6)
    caption = _wrapped("refused" if scene.faults else _note_kinds(scene.notes), CAPTION_LENGTH, CAPTION_LINES)
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
        axes.contour(x, y, thumbnail.is_flat, levels=[0.5], colors=NOTED, linewidths=1.2)
    for number, line in enumerate(thumbnail.lines_px):
        is_odd = number in thumbnail.odd_lines
        axes.plot(line[:, 0], line[:, 1], color="white", linewidth=2.6 if is_odd else 2.2)
        axes.plot(line[:, 0], line[:, 1], color=ODD if is_odd else INK, linewidth=1.4 if is_odd else 1.0)
    axes.set_xlim(0, cols)
    axes.set_ylim(rows, 0)


def _facts(scene: SceneFindings) -> str:
    valid = f"{scene.measured.valid_share:.0%} valid" if scene.measured is not None else ""
    line = f"{scene.line_km:.0f} km of line" if scene.line_km else ""
    size = f"{scene.shape} px" if scene.shape else ""
    return ", ".join(part for part in (size, valid, line) if part)


def _note_kinds(notes: Sequence[SceneNote]) -> str:
    """Return the kinds of notes, with what several begin with once."""
    kinds: dict[str, list[str]] = {}
    for note in notes:
        kind, _, part = note.kind.partition(": ")
        kinds.setdefault(kind, []).extend([part] if part else [])
    return "; ".join(f"{kind}: {', '.join(parts)}" if parts else kind for kind, parts in kinds.items())


def _add_legend(figure: Figure, shown: Sequence[SceneFindings]) -> None:
    legend = []
    if any(scene.faults for scene in shown):
        legend.append("red: refused")
    if any(scene.notes and not scene.faults for scene in shown):
        legend.append("orange: to be minded, as told on the console")
    if any(scene.thumbnail is not None and scene.thumbnail.is_flat.any() for scene in shown):
        legend.append("hatched: areas of one phase")
    if any(scene.thumbnail is not None and scene.thumbnail.odd_lines for scene in shown):
        legend.append("green lines: elsewhere than most")
    legend.append("grey: no data")
    figure.supxlabel("; ".join(legend), fontsize=8, color=SOFT_INK)


def _wrapped(text: str, length: int, most_lines: int) -> str:
    return "\n".join(textwrap.wrap(text, length, max_lines=most_lines, placeholder=" ..."))
