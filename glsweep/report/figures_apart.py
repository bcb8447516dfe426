"""Figures that the first table has no room for: patches with and without a line apart, pooled pixels."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glsweep.report.table import Column

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
