"""The study's table: for pandas, for the console, and for the page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
from rich.table import Table

from glsweep.config.trial import ARCHITECTURE_TITLES
from glsweep.metrics.counts import best_trivial, is_better_than_trivial
from glsweep.report import DASH

# --- The study's table: for pandas, for the console, and (by its columns) for the page


@dataclass(frozen=True)
class Column:
    """One figure of the table: its key in `table.json`, its heading, and which way is better.

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

    def text(self, value: float | None) -> str:
        """Return `value` as the table shows it; a dash where there is none."""
        return DASH if value is None or pd.isna(value) else f"{value:,.{self.decimals}f}"


FIGURES = (
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
COLUMNS = (*FIGURES, TAU, *INTERVAL, *COUNTS)
WHY = ("reason", "remedy")

Row = Mapping[str, Any]


def patch_sizes(table: Mapping[str, Any]) -> list[int]:
    """Patch sizes on which something was scored, in ascending order."""
    return sorted({int(row["patch_size_px"]) for row in [*table["rows"], *table["baselines"]]})


def all_patch_sizes(table: Mapping[str, Any]) -> list[int]:
    """Patch sizes in ascending order, those of which every stratum failed among them."""
    return sorted({*patch_sizes(table), *(int(row["patch_size_px"]) for row in table.get("failed", []))})


def networks_of(table: Mapping[str, Any], patch_size_px: int) -> list[Row]:
    """Rows of networks with one patch size."""
    return _of_size(table["rows"], patch_size_px)


def baselines_of(table: Mapping[str, Any], patch_size_px: int) -> list[Row]:
    """Rows of trivial predictors with one patch size."""
    return _of_size(table["baselines"], patch_size_px)


def failed_of(table: Mapping[str, Any], patch_size_px: int) -> list[Row]:
    """Rows of strata with one patch size that failed: `stage`, `reason` and `remedy` in place of figures."""
    return _of_size(table.get("failed", []), patch_size_px)


def _of_size(rows: Sequence[Row], patch_size_px: int) -> list[Row]:
    """Those that belong to no architecture first, then in the order in which architectures are named."""
    names = [None, *ARCHITECTURE_TITLES]
    chosen = [row for row in rows if row["patch_size_px"] == patch_size_px]
    return sorted(chosen, key=lambda row: names.index(row["architecture"]))


def best_value(table: Mapping[str, Any], patch_size_px: int, column: Column) -> float | None:
    """Return the best figure of a column among networks of one patch size.

    Only networks count that beat what needs no training. None where nothing is compared.
    """
    rows = [row for row in networks_of(table, patch_size_px) if row.get(column.key) is not None]
    if len(rows) < 2 or column.better is None:
        return None
    trivial = best_trivial(table, patch_size_px)
    values = [float(row[column.key]) for row in rows if is_better_than_trivial(row, trivial)]
    return (max if column.better == "high" else min)(values, default=None)


def interval_text(row: Row) -> str:
    """Return the 95 % interval of the relaxed F1, or an empty text where it was not computed."""
    low, high = (row.get(column.key) for column in INTERVAL)
    return "" if low is None or high is None else f"{low:.3f}{DASH}{high:.3f}"


def interval_over(table: Mapping[str, Any]) -> str:
    """Return what the intervals are drawn over: `patches` as soon as one patch size has too few scenes."""
    over = {row.get("interval_over", "patches") for row in table["rows"]}
    return "scenes" if over == {"scenes"} else "patches"


def table_frame(table: Mapping[str, Any]) -> pd.DataFrame:
    """Return `table.json` as a frame: networks, then baselines, of each patch size in turn.

    Columns: model, kind (`network`, `all_line`, `no_line`, `untrained`, `failed`), patch_size_px, then the
    headings of `COLUMNS`, and `reason` and `remedy` of what failed. Figures of different patch sizes are of
    different test sets.
    """
    records = []
    for size in all_patch_sizes(table):
        for row in [*networks_of(table, size), *failed_of(table, size), *baselines_of(table, size)]:
            facts = {"model": row["title"], "kind": row.get("kind", "network"), "patch_size_px": size}
            why = {name: row.get(name) for name in WHY}
            records.append({**facts, **{column.heading: row.get(column.key) for column in COLUMNS}, **why})
    columns = ["model", "kind", "patch_size_px", *(column.heading for column in COLUMNS), *WHY]
    return pd.DataFrame(records, columns=columns)


def console_table(table: Mapping[str, Any]) -> Table:
    """Return the table for a terminal: a section for each patch size, baselines dimmed, best bold.

    A stratum that failed has a row without figures.
    """
    result = Table(
        title="Test split",
        caption="Patch sizes are different test sets: compare within a section only.",
        box=None,  # every column fits a terminal of 80
        padding=(0, 1, 0, 0),
        header_style="bold",
    )
    result.add_column("model")
    for heading in (*(column.heading for column in (*FIGURES, TAU)), "patches"):
        result.add_column(heading.replace("_", "\n").replace(" ", "\n"), justify="right")
    for size in all_patch_sizes(table):
        best = {column.key: best_value(table, size, column) for column in FIGURES}
        result.add_row(f"\n[bold]{size} px[/bold]")
        for row in networks_of(table, size):
            result.add_row(*_cells(row, best))
        for row in failed_of(table, size):
            dashes = [DASH] * len((*FIGURES, TAU))
            result.add_row(_short_title(row), *dashes, "failed", style="red")
        for row in baselines_of(table, size):
            result.add_row(*_cells(row, {}), style="dim")
    return result


def _cells(row: Row, best: Mapping[str, float | None]) -> list[str]:
    figures = [
        f"[bold]{column.text(row.get(column.key))}[/bold]"
        if best.get(column.key) is not None and row.get(column.key) == best[column.key]
        else column.text(row.get(column.key))
        for column in (*FIGURES, TAU)
    ]
    return [_short_title(row), *figures, f"{row['patches_with_line']}+{row['patches_without_line']}"]


def _short_title(row: Row) -> str:
    """Return the title without the patch size, which the section says."""
    return str(row["title"]).removesuffix(f" {row['patch_size_px']}")


# --- Figures that the first table has no room for: patches with and without a line apart, pooled pixels


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


def groups_of(table: Mapping[str, Any]) -> tuple[ColumnGroup, ...]:
    """Return the groups of columns; none for a table made before there were such figures."""
    return GROUPS if all(POOLED[1].key in row for row in table["rows"]) else ()
