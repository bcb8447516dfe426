"""The study's table: for pandas, for the console, and for the page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import pandas as pd
from rich.table import Table

from glsweep.metrics.counts import best_trivial, is_better_than_trivial
from glsweep.registry import ARCHITECTURES
from glsweep.report import DASH
from glsweep.study.evaluation_artifacts import (
    BaselineRow,
    FailedRow,
    HeldOutMetrics,
    NetworkRow,
    Predictor,
    Resampled,
    StudyTable,
    TableRow,
)


@dataclass(frozen=True)
class Column:
    """One column of the table: the field of its rows, its heading, and which way is better.

    `definition` is the anchor of what it means, where that is not the key.
    """

    key: str
    heading: str
    decimals: int
    better: Literal["high", "low"] | None = "high"
    definition: str = ""

    @property
    def anchor(self) -> str:
        """The anchor of its definition on the page."""
        return f"def-{self.definition or self.key}"

    def value(self, row: HeldOutMetrics) -> float | None:
        """Return a row's value."""
        value: float | None = getattr(row, self.key)
        return value

    def text(self, value: float | None) -> str:
        """Return `value` as the table shows it; a dash where there is none."""
        return DASH if value is None else f"{value:,.{self.decimals}f}"

    def text_of(self, row: HeldOutMetrics) -> str:
        """Return a row's value as the table shows it."""
        return self.text(self.value(row))


METRICS = (
    Column("relaxed_f1", "relaxed F1", 3),
    Column("dice", "Dice", 3),
    Column("precision", "P", 3),
    Column("recall", "R", 3),
    Column("bf", "BF", 3),
    Column("iou_tol2", "IoU_tol2", 3),
    Column("hd95_px", "HD95 px", 2, "low"),
)
TAU = Column("tau", "tau", 2, None)
COUNTS = (
    Column("patches_with_line", "with line", 0, None, "counts"),
    Column("patches_without_line", "without line", 0, None, "counts"),
    Column("parameters", "weights", 0, None),
)
INTERVAL = (Column("relaxed_f1_low", "low", 3, None), Column("relaxed_f1_high", "high", 3, None))
COLUMNS = (*METRICS, TAU, *INTERVAL, *COUNTS)
WHY = ("reason", "remedy")

AnyRow = TypeVar("AnyRow", bound=Predictor)


def patch_sizes(table: StudyTable) -> list[int]:
    """Patch sizes on which something was scored, in ascending order."""
    return sorted({row.patch_size_px for row in (*table.rows, *table.baselines)})


def all_patch_sizes(table: StudyTable) -> list[int]:
    """Patch sizes in ascending order, those of which every stratum failed among them."""
    return sorted({*patch_sizes(table), *(row.patch_size_px for row in table.failed)})


def networks_of(table: StudyTable, patch_size_px: int) -> list[NetworkRow]:
    """Rows of networks with one patch size."""
    return _of_size(table.rows, patch_size_px)


def baselines_of(table: StudyTable, patch_size_px: int) -> list[BaselineRow]:
    """Rows of baselines with one patch size."""
    return _of_size(table.baselines, patch_size_px)


def failed_of(table: StudyTable, patch_size_px: int) -> list[FailedRow]:
    """Rows of strata with one patch size that failed."""
    return _of_size(table.failed, patch_size_px)


def _of_size(rows: Iterable[AnyRow], patch_size_px: int) -> list[AnyRow]:
    """Rows without an architecture first, then in the order in which architectures are named."""
    chosen = [row for row in rows if row.patch_size_px == patch_size_px]
    return sorted(chosen, key=lambda row: ARCHITECTURES.rank(row.architecture))


def best_value(table: StudyTable, patch_size_px: int, column: Column) -> float | None:
    """Return the best metric of a column among networks of one patch size.

    Only networks count that beat what needs no training. None where nothing is compared.
    """
    rows = [row for row in networks_of(table, patch_size_px) if column.value(row) is not None]
    if len(rows) < 2 or column.better is None:
        return None
    trivial = best_trivial(table, patch_size_px)
    good = [column.value(row) for row in rows if is_better_than_trivial(row, trivial)]
    return (max if column.better == "high" else min)((v for v in good if v is not None), default=None)


def interval_text(row: HeldOutMetrics) -> str:
    """Return the 95 % interval of the relaxed F1, or an empty text where it was not computed."""
    low, high = row.relaxed_f1_low, row.relaxed_f1_high
    return "" if low is None or high is None else f"{low:.3f}{DASH}{high:.3f}"


def interval_over(table: StudyTable) -> Resampled:
    """Return what the intervals are drawn over: `patches` as soon as one patch size has too few scenes."""
    return "scenes" if {row.interval_over for row in table.rows} == {"scenes"} else "patches"


def table_frame(table: StudyTable) -> pd.DataFrame:
    """Return the table as a frame: networks, then baselines, of each patch size in turn.

    Columns: model, kind (`network`, `all_line`, `no_line`, `phase_gradient`, `second_analyst`, `untrained`,
    `failed`), patch_size_px, then the headings of `COLUMNS`, and `reason` and `remedy` of what failed.
    Metrics of different patch sizes are of different test sets.
    """
    records = []
    for size in all_patch_sizes(table):
        networks, failed, baselines = (of(table, size) for of in (networks_of, failed_of, baselines_of))
        for row in (*networks, *failed, *baselines):
            labels = {"model": row.title, "kind": row.kind, "patch_size_px": size}
            if isinstance(row, FailedRow):
                records.append({**labels, "reason": row.reason, "remedy": row.remedy})
            else:
                records.append({**labels, **{column.heading: column.value(row) for column in COLUMNS}})
    columns = ["model", "kind", "patch_size_px", *(column.heading for column in COLUMNS), *WHY]
    return pd.DataFrame(records, columns=columns)


def console_table(table: StudyTable) -> Table:
    """Return the table for a terminal: a section for each patch size, baselines dimmed, best bold.

    A stratum that failed has a row without metrics.
    """
    result = Table(
        title="Test split",
        caption="Patch sizes are different test sets: compare within a section only.",
        box=None,  # every column fits a terminal of 80
        padding=(0, 1, 0, 0),
        header_style="bold",
    )
    result.add_column("model")
    for heading in (*(column.heading for column in (*METRICS, TAU)), "patches"):
        result.add_column(heading.replace("_", "\n").replace(" ", "\n"), justify="right")
    for size in all_patch_sizes(table):
        best = {column.key: best_value(table, size, column) for column in METRICS}
        result.add_row(f"\n[bold]{size} px[/bold]")
        for network in networks_of(table, size):
            result.add_row(*_cells(network, best))
        for failed in failed_of(table, size):
            dashes = [DASH] * len((*METRICS, TAU))
            result.add_row(short_title(failed), *dashes, "failed", style="red")
        for baseline in baselines_of(table, size):
            result.add_row(*_cells(baseline, {}), style="dim")
    return result


def _cells(row: TableRow, best: Mapping[str, float | None]) -> list[str]:
    metrics = [
        f"[bold]{column.text_of(row)}[/bold]"
        if best.get(column.key) is not None and column.value(row) == best[column.key]
        else column.text_of(row)
        for column in (*METRICS, TAU)
    ]
    return [short_title(row), *metrics, f"{row.patches_with_line}+{row.patches_without_line}"]


def short_title(row: Predictor) -> str:
    """Return the title without the patch size, which the section says."""
    return row.title.removesuffix(f" {row.patch_size_px}")


# --- Columns of the second table: patches with and without a line, and pooled pixels

WITH_LINE = (
    Column("dice_with_line", "Dice", 3, definition="dice"),
    Column("precision_with_line", "P", 3, definition="precision"),
    Column("recall_with_line", "R", 3, definition="recall"),
    Column("bf_with_line", "BF", 3, definition="bf"),
    Column("hd95_px_with_line", "HD95 px", 2, "low", "hd95_px"),
    Column("empty_with_line", "left empty", 2, "low", "apart"),
)
WITHOUT_LINE = (Column("empty_without_line", "left empty", 2, "high", "apart"),)
POOLED = (
    Column("dice_micro", "Dice", 3, definition="micro"),
    Column("precision_micro", "P", 3, definition="micro"),
    Column("recall_micro", "R", 3, definition="micro"),
)
EVERY_PATCH = (
    Column("bf_100", "BF 100", 3, definition="bf"),
    Column("bf_500", "BF 500", 3, definition="bf"),
    Column("iou_tol2_literal", "IoU_tol2 literal", 3),
    Column("hd95_union_px", "HD95 union px", 2, "low"),
)


@dataclass(frozen=True)
class ColumnGroup:
    """Columns that are about the same patches."""

    heading: str
    columns: tuple[Column, ...]


GROUPS = (
    ColumnGroup("patches with a line", WITH_LINE),
    ColumnGroup("without", WITHOUT_LINE),
    ColumnGroup("all pixels together", POOLED),
    ColumnGroup("every patch", EVERY_PATCH),
)
