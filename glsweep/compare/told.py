"""What two files of lines have in common, as a table for people and one for programs."""

import math
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from glsweep.compare.pairs import Pair
from glsweep.files import replacing
from glsweep.metrics.lines import STEP_M, LineDistances

POOLED = "all"
EDGES_WIDTH = 2
"""Characters at the ends of a row; between two columns there is one."""
LEAST_NAME = 4


def measure(pairs: Sequence[Pair], tolerances_m: Sequence[float], *, step_m: float = STEP_M) -> pd.DataFrame:
    """Return one row a pair, and the pooled one last where there are several.

    Pooled, the pieces of all lines stand side by side; distances are those of `paired`.

    Returns
    -------
    DataFrame
        Columns name, lines_km, reference_km, mean_m, median_m, mad_m, and for each tolerance
        completeness_T, missed_km_T, false_km_T.
    """
    found = [pair.distances(step_m) for pair in pairs]
    rows = [_row(pair.name or POOLED, one, one, tolerances_m) for pair, one in zip(pairs, found, strict=True)]
    if len(found) > 1:
        every, both = LineDistances.pooled(found), LineDistances.pooled(paired(found))
        rows.append(_row(POOLED, every, both, tolerances_m))
    return pd.DataFrame(rows)


def paired(found: Sequence[LineDistances]) -> list[LineDistances]:
    """Return those with lines on both sides, of which alone a mean distance can tell.

    What lines without any counterpart cost is in completeness and false length.
    """
    return [one for one in found if len(one.drawn_m) and len(one.reference_m)]


def _row(
    name: str, every: LineDistances, paired: LineDistances, tolerances_m: Sequence[float]
) -> dict[str, float | str]:
    row: dict[str, float | str] = {
        "name": name,
        "lines_km": every.drawn_km,
        "reference_km": every.reference_km,
        "mean_m": paired.mean_m(),
        "median_m": paired.median_m(),
        "mad_m": paired.mad_m(),
    }
    for tolerance_m in tolerances_m:
        row[f"completeness_{tolerance_m:g}"] = every.completeness(tolerance_m)
        row[f"missed_km_{tolerance_m:g}"] = every.missed_km(tolerance_m)
        row[f"false_km_{tolerance_m:g}"] = every.false_km(tolerance_m)
    return row


def tell(table: pd.DataFrame, tolerances_m: Sequence[float], console: Console) -> None:
    """Print the table; distances in metres, lengths in kilometres, both within each tolerance."""
    headings = [
        *(f"{name}\nkm" for name in ("lines", "refer.")),
        *(f"{name}\nm" for name in ("mean", "median", "MAD")),
        *(f"{name}\n{t:g} m" for name in ("found\n%", "false\nkm") for t in tolerances_m),
    ]
    columns = [Column(heading, justify="right", no_wrap=True) for heading in headings]
    shown = Table(Column("", no_wrap=True), *columns, box=SIMPLE_HEAD, padding=0)
    rows = [_figures(row, tolerances_m) for row in table.to_dict("records")]
    widest = (
        max(map(len, [*heading.split("\n"), *cells])) for heading, *cells in zip(headings, *rows, strict=True)
    )
    left = console.width - EDGES_WIDTH - sum(1 + width for width in widest)
    for name, figures in zip(table["name"], rows, strict=True):
        shown.add_row(_ending(str(name), max(LEAST_NAME, left)), *figures)
    console.print(shown)


def _figures(row: Mapping[Hashable, float], tolerances_m: Sequence[float]) -> list[str]:
    return [
        *(f"{row[name]:.1f}" for name in ("lines_km", "reference_km")),
        *(_figure(row[name], "{:.0f}") for name in ("mean_m", "median_m", "mad_m")),
        *(_figure(100 * row[f"completeness_{t:g}"], "{:.1f}") for t in tolerances_m),
        *(_figure(row[f"false_km_{t:g}"], "{:.1f}") for t in tolerances_m),
    ]


def _ending(name: str, width: int) -> str:
    """Shorten a name at its beginning, since names differ at their end; files have it whole."""
    return name if len(name) <= width else f"\N{HORIZONTAL ELLIPSIS}{name[1 - width :]}"


def tell_remark(remark: str, console: Console) -> None:
    """Print what was not taken as it stands in a file; brackets in its path are no markup."""
    console.print(Text.assemble(("mind: ", "yellow"), remark), soft_wrap=True)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write the table as CSV, whole or not at all."""
    with replacing(path) as beside:
        table.to_csv(beside, index=False)


def _figure(value: float, form: str) -> str:
    return form.format(value) if math.isfinite(value) else "-"
