"""The findings on the console: a table, what is wrong, what to mind, and the verdict."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glsweep.check.band_words import in_words, short_title
from glsweep.check.findings import Findings, SceneFindings
from glsweep.report.words import DASH, counted

COLUMNS = ("scene", "size", "CRS", "posting", "bands", "valid", "coh.", "line\nkm", "rows\nlost")
LEAST_NAME = 10
FEW_SCENES = 6
"""Notes of one kind are told scene by scene for so many, and in one line for more."""


def tell(findings: Findings, console: Console) -> None:
    """Print everything; paths and numbers as they are."""
    if findings.scenes:
        console.print(_table(findings, console.width))
        told = "valid: pixels with data; coh.: median local phase coherence, 5 x 5 px; rows lost: of lines"
        console.print(told, style="dim", soft_wrap=True)
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
        table.add_row(_ending(scene.name, width - others), *cells)
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
    """Return how bands are read where the table does not say it all, once for scenes that are alike."""
    names: dict[str, list[str]] = {}
    for scene in scenes:
        told = None if scene.reading is None else in_words(scene.reading, scene.bands)
        if told is not None:
            names.setdefault(told, []).append(scene.name)
    return [f"{', '.join(alike)}: {told}" for told, alike in names.items()]


def _notes(scenes: list[SceneFindings]) -> list[str]:
    """Return what to mind scene by scene; of notes of one kind that many scenes have, the first whole."""
    kinds: dict[str, list[tuple[str, str]]] = {}
    for scene in scenes:
        for note in scene.notes:
            kinds.setdefault(note.kind, []).append((scene.name, note.told))
    lines = []
    for told in kinds.values():
        if len(told) <= FEW_SCENES:
            lines += [f"{name}: {text}" for name, text in told]
        else:
            (name, text), *others = told
            lines.append(f"{name}: {text} (alike: {', '.join(other for other, _ in others)})")
    return lines


def _ending(name: str, width: int) -> str:
    """Shorten a name at its beginning, since names differ at their end; the lines below have it whole."""
    width = max(width, LEAST_NAME)
    return name if len(name) <= width else f"\N{HORIZONTAL ELLIPSIS}{name[1 - width :]}"


def _lines(console: Console, word: str, style: str, lines: list[str]) -> None:
    for line in lines:
        console.print(Text.assemble((f"{word}: ", style), line), soft_wrap=True)
