"""The study's answer in one sentence for each patch size."""

from dataclasses import dataclass

from glsweep.report.results import Results
from glsweep.report.table import Row, networks_of, patch_sizes
from glsweep.report.words import joined


@dataclass(frozen=True)
class Verdict:
    """Which network is best with one patch size, and how sure that is."""

    patch_size_px: int
    title: str
    value: str
    remark: str


def verdicts(results: Results) -> list[Verdict]:
    """Return the best network by relaxed F1 of each patch size that has one."""
    found = []
    for size in patch_sizes(results.table):
        rows = [row for row in networks_of(results.table, size) if row.get("relaxed_f1") is not None]
        if rows:
            rows.sort(key=lambda row: -row["relaxed_f1"])
            title = str(rows[0]["title"]).removesuffix(f" {size}")
            found.append(Verdict(size, title, f"{rows[0]['relaxed_f1']:.3f}", _remark(rows)))
    return found


def _remark(rows: list[Row]) -> str:
    best, *others = rows
    low, high = best.get("relaxed_f1_low"), best.get("relaxed_f1_high")
    if low is None or high is None:
        return "no interval was computed"
    interval = f"95\N{NO-BREAK SPACE}% interval {low:.3f} to {high:.3f}"
    near = [str(row["title"]) for row in others if (row.get("relaxed_f1_high") or 0) >= low]
    if not others:
        return interval
    if near:
        return f"{interval}, which overlaps that of {joined(near)}: the order may be chance"
    return f"{interval}, clear of the others'"
