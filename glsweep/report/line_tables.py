"""Whole test scenes in metres: what the page and the console show of each member."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from glsweep.report.words import DASH, counted

TOLERANCE_M = "200"
"""The tolerance at which intervals and curves are shown."""


@dataclass(frozen=True)
class LineRow:
    """One member on one data set.

    Attributes
    ----------
    title, architecture, stratum, data_set : str
    scenes : int
        Whole test scenes.
    pooled : mapping
        Every figure over all their lines; see `evaluate.line_scores`.
    intervals : mapping
        Of some of them, from bootstrap over scenes; None with too few scenes.
    bands : mapping or None
        How often the true line lay within the drawn bands; None in studies that were evaluated before
        this was measured.
    """

    title: str
    architecture: str
    stratum: str
    data_set: str
    scenes: int
    pooled: Mapping[str, Any]
    intervals: Mapping[str, Any]
    bands: Mapping[str, Any] | None

    @property
    def f1(self) -> float:
        """Harmonic mean of completeness and correctness: how good lines are on the whole."""
        found = self.pooled[f"completeness_{TOLERANCE_M}"] or 0.0
        right = self.pooled[f"correctness_{TOLERANCE_M}"] or 0.0
        return 2 * found * right / (found + right) if found + right else 0.0

    def text(self, name: str, form: str) -> str:
        """Return a figure as text, a dash where there is none."""
        value = self.pooled[name]
        return DASH if value is None else form.format(value)

    def interval(self, name: str, form: str) -> str:
        """Return a figure's interval as text, nothing where there is none."""
        ends = self.intervals.get(name)
        return "" if ends is None else DASH.join(form.format(end) for end in ends)

    def uncertainty(self) -> str | None:
        """Return in words what share of the drawn lines `uncert_m` held, or why it is empty."""
        if self.bands is None:
            return None
        if not self.bands["scenes"]:
            return "no line was drawn near a true one"
        stated, near = self.bands["uncertainty"], counted(self.bands["scenes"], "scene")
        if stated is None:
            band = self.bands["band"]
            # Members that were calibrated before reasons were kept have none.
            why = ": ".join(filter(None, ("uncert_m is empty", self.bands["unknown_because"])))
            return (
                f"{why}. Within half the band's width, "
                f"{band['mean_m']:.0f} m on average, lies {_share(band)} of the drawn line ({near})"
            )
        return (
            f"{stated['share']:.0%} bands, {stated['mean_m']:.0f} m to either side on average, hold "
            f"{_share(stated)} of the drawn line ({near})"
        )


def _share(bands: Mapping[str, Any]) -> str:
    if bands["low"] is None:
        return f"{bands['held']:.0%}"
    return f"{bands['held']:.0%} ({bands['low']:.0%}{DASH}{bands['high']:.0%})"


def line_rows(lines: Mapping[str, Any] | None) -> list[LineRow]:
    """Arrange `lines.json`, data set by data set; empty without whole test scenes."""
    if lines is None:
        return []
    rows = [
        LineRow(
            member["title"],
            member["architecture"],
            member["stratum"],
            group["data_set"],
            group["scenes"],
            group["pooled"],
            group["intervals"],
            group.get("bands"),
        )
        for member in lines["members"]
        for group in member["data_sets"]
    ]
    order = {name: number for number, name in enumerate(dict.fromkeys(row.data_set for row in rows))}
    return sorted(rows, key=lambda row: order[row.data_set])


def best_member(rows: Sequence[LineRow]) -> str | None:
    """Return the stratum of the member that draws the first data set's scenes best."""
    own = [row for row in rows if row.data_set == rows[0].data_set] if rows else []
    return max(own, key=lambda row: row.f1).stratum if own else None


def console_line_table(rows: Sequence[LineRow]) -> Table:
    """Return the table that is printed after a study."""
    figures = ("scenes", "km", "true km", "mean m", "median", "MAD")
    headings = [*figures, "found\n200 m", "found\n500 m", "false km\n200 m"]
    columns = [Column(heading, justify="right") for heading in headings]
    table = Table("", *columns, title="Whole test scenes, in metres", box=SIMPLE_HEAD, padding=(0, 0, 0, 1))
    several = len({row.data_set for row in rows}) > 1
    for row in rows:
        table.add_row(
            f"{row.title} on {row.data_set}" if several else row.title,
            f"{row.scenes}",
            row.text("lines_km", "{:.0f}"),
            row.text("reference_km", "{:.0f}"),
            row.text("mean_m", "{:.0f}"),
            row.text("median_m", "{:.0f}"),
            row.text("mad_m", "{:.0f}"),
            row.text("completeness_200", "{:.0%}"),
            row.text("completeness_500", "{:.0%}"),
            row.text("false_km_200", "{:.0f}"),
        )
    return table
