"""What two files of lines have in common, as a table for people and one for programs."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Column, Table

from glsweep.compare.pairs import Pair
from glsweep.files import replacing
from glsweep.metrics.lines import STEP_M, LineDistances, line_distances

POOLED = "all"


def measure(pairs: Sequence[Pair], tolerances_m: Sequence[float], *, step_m: float = STEP_M) -> pd.DataFrame:
    """Return one row a pair, and the pooled one last where there are several.

    Pooled, the pieces of all lines stand side by side. Lines without any counterpart in their pair
    have no distance, so that a pooled mean tells of the pairs that have both; what they cost is in
    completeness and false length.

    Returns
    -------
    DataFrame
        Columns name, lines_km, reference_km, mean_m, median_m, mad_m, and for each tolerance
        completeness_T, missed_km_T, false_km_T.
    """
    found = [line_distances(pair.lines, pair.reference, step_m=step_m) for pair in pairs]
    rows = [_row(pair.name or POOLED, one, one, tolerances_m) for pair, one in zip(pairs, found, strict=True)]
    if len(found) > 1:
        both = [one for one in found if len(one.drawn_m) and len(one.reference_m)]
        rows.append(_row(POOLED, LineDistances.pooled(found), LineDistances.pooled(both), tolerances_m))
    return pd.DataFrame(rows)


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
    within = [f"{tolerance_m:g} m" for tolerance_m in tolerances_m]
    headings = [
        *(f"{name}\nkm" for name in ("lines", "reference")),
        *(f"{name}\nm" for name in ("mean", "median", "MAD")),
        *(f"found\n{text}" for text in within),
        *(f"false\n{text}" for text in within),
    ]
    columns = [Column(heading, justify="right") for heading in headings]
    shown = Table(Column("", overflow="fold", min_width=4), *columns, box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    for row in table.to_dict("records"):
        shown.add_row(
            str(row["name"]),
            f"{row['lines_km']:.1f}",
            f"{row['reference_km']:.1f}",
            *(_figure(row[name], "{:.0f}") for name in ("mean_m", "median_m", "mad_m")),
            *(_figure(row[f"completeness_{t:g}"], "{:.1%}") for t in tolerances_m),
            *(_figure(row[f"false_km_{t:g}"], "{:.1f} km") for t in tolerances_m),
        )
    console.print(shown)


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write the table as CSV, whole or not at all."""
    with replacing(path) as beside:
        table.to_csv(beside, index=False)


def _figure(value: float, form: str) -> str:
    return form.format(value) if math.isfinite(value) else "-"
