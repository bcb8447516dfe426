"""The findings on the console: a table, what is wrong, what to mind, and the verdict."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glsweep.check.findings import Findings, SceneFindings
from glsweep.report.words import DASH, counted

COLUMNS = ("scene", "size", "CRS", "posting", "bands", "valid", "coh.", "line\nkm", "rows\nlost")
OTHERS_WIDTH = 62
"""Characters that all columns but the scene's name need."""
LEAST_NAME = 14
KINDS = {"real, imaginary": "real, imag", "phase, coherence": "phase, coh."}


def tell(findings: Findings, console: Console) -> None:
    """Print everything; paths and numbers as they are."""
    table = Table(*COLUMNS, box=SIMPLE_HEAD, show_edge=False, padding=0)
    for column in table.columns:
        column.no_wrap = True
    for column in table.columns[5:]:
        column.justify = "right"
    for scene in findings.scenes:
        table.add_row(_ending(scene.name, console.width - OTHERS_WIDTH), *_cells(scene))
    if findings.scenes:
        console.print(table)
        told = "valid: pixels with data; coh.: median local phase coherence, 5 x 5 px; rows lost: of lines"
        console.print(told, style="dim", soft_wrap=True)
    for scene in findings.scenes:
        _lines(console, "refused", "red", [f"{scene.name}: {fault}" for fault in scene.faults])
        _lines(console, "mind", "yellow", [f"{scene.name}: {note}" for note in scene.notes])
    _lines(console, "fault", "red", findings.faults)
    _lines(console, "mind", "yellow", findings.notes)
    if findings.is_usable:
        console.print("[green]usable[/green]: a study of this data would run", highlight=False)
    else:
        count = len(findings.faults) + sum(len(scene.faults) for scene in findings.scenes)
        console.print(f"[red]not usable[/red]: {counted(count, 'fault')} to mend", highlight=False)


def _cells(scene: SceneFindings) -> list[str]:
    return [
        scene.shape or DASH,
        scene.crs or DASH,
        scene.posting or DASH,
        KINDS.get(scene.kind, scene.kind) or DASH,
        DASH if scene.valid_share is None else f"{scene.valid_share:.0%}",
        DASH if scene.coherence is None else f"{scene.coherence:.2f}",
        f"{scene.line_km:.1f}" if scene.line_km else DASH,
        str(scene.rows_dropped) if scene.rows_dropped else DASH,
    ]


def _ending(name: str, width: int) -> str:
    """Shorten a name at its beginning, since names differ at their end; the lines below have it whole."""
    width = max(width, LEAST_NAME)
    return name if len(name) <= width else f"\N{HORIZONTAL ELLIPSIS}{name[1 - width :]}"


def _lines(console: Console, word: str, style: str, lines: list[str]) -> None:
    for line in lines:
        console.print(Text.assemble((f"{word}: ", style), line), soft_wrap=True)
