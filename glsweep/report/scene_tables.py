"""Tables of whole test scenes in metres, and of the members on each data set apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from glsweep.report import DASH, counted
from glsweep.report.results import Results
from glsweep.study.evaluation_artifacts import (
    BandMetrics,
    BandsHeld,
    DataSetFacts,
    DataSetRow,
    LineIntervals,
    LineMetrics,
    MemberLines,
    PatchFacts,
    StudyLines,
    StudyTable,
)


@dataclass(frozen=True)
class ScenesRow:
    """One member, or a second analyst, on one data set.

    Attributes
    ----------
    title, data_set : str
    scenes : int
        Whole test scenes.
    pooled : LineMetrics
        Every metric over all their lines.
    intervals : LineIntervals
        Of some of them, from bootstrap over scenes; None with too few scenes.
    """

    title: str
    data_set: str
    scenes: int
    pooled: LineMetrics
    intervals: LineIntervals

    def text(self, name: str, form: str) -> str:
        """Return a metric as text, a dash where there is none."""
        value = getattr(self.pooled, name)
        return DASH if value is None else form.format(value)

    def interval(self, name: str, form: str) -> str:
        """Return a metric's interval as text, nothing where there is none."""
        ends = getattr(self.intervals, name)
        return "" if ends is None else DASH.join(form.format(end) for end in ends)


@dataclass(frozen=True)
class LineRow(ScenesRow):
    """One member on one data set.

    Attributes
    ----------
    architecture, stratum : str
    bands : BandsHeld
        How often the true line lay within the drawn bands.
    """

    architecture: str
    stratum: str
    bands: BandsHeld

    @property
    def f1(self) -> float:
        """Harmonic mean of completeness and correctness: how good lines are on the whole."""
        found = self.pooled.completeness_200 or 0.0
        right = self.pooled.correctness_200 or 0.0
        return 2 * found * right / (found + right) if found + right else 0.0

    def uncertainty(self) -> str:
        """Return in words what share of the true line `uncert_m` held, or why it is empty."""
        if not self.bands.scenes:
            return "no line was drawn near a true one"
        stated, near = self.bands.uncertainty, counted(self.bands.scenes, "scene")
        if stated is None:
            band = self.bands.band
            return (
                f"uncert_m is empty: {self.bands.unknown_because}. Within half the band's width, "
                f"{band.mean_m:.0f} m on average, lies {_share(band)} of the true line ({near})"
            )
        return (
            f"{stated.share:.0%} bands, {stated.mean_m:.0f} m to either side on average, hold "
            f"{_share(stated)} of the true line ({near})"
        )


def _share(bands: BandMetrics) -> str:
    if bands.low is None:
        return f"{bands.held:.0%}"
    return f"{bands.held:.0%} ({bands.low:.0%}{DASH}{bands.high:.0%})"


AnyRow = TypeVar("AnyRow", bound=ScenesRow)


def line_rows(lines: StudyLines | None) -> list[LineRow]:
    """Arrange `lines.json`, data set by data set; empty without whole test scenes."""
    if lines is None:
        return []
    rows = [
        LineRow(
            member.title,
            group.data_set,
            group.scenes,
            group.pooled,
            group.intervals,
            member.architecture,
            member.stratum,
            group.bands,
        )
        for member in lines.members
        for group in member.data_sets
    ]
    return _by_data_set(rows)


def scenes_rows(lines: StudyLines | None) -> list[ScenesRow]:
    """Return the rows of the table: members, and after them a second analyst, on each data set in turn."""
    if lines is None:
        return []
    second = [
        ScenesRow("second analyst", one.data_set, one.scenes, one.pooled, one.intervals)
        for one in lines.second_analyst
    ]
    return _by_data_set([*line_rows(lines), *second])


def _by_data_set(rows: Sequence[AnyRow]) -> list[AnyRow]:
    order = {name: number for number, name in enumerate(dict.fromkeys(row.data_set for row in rows))}
    return sorted(rows, key=lambda row: order[row.data_set])


def best_member(rows: Sequence[LineRow]) -> str | None:
    """Return the stratum of the member that draws the first data set's scenes best."""
    own = [row for row in rows if row.data_set == rows[0].data_set] if rows else []
    return max(own, key=lambda row: row.f1).stratum if own else None


def members_best_first(lines: StudyLines | None) -> list[MemberLines]:
    """Return the members that drew whole scenes, the best one before all others; none without scenes."""
    best = best_member(line_rows(lines))
    if lines is None or best is None:
        return []
    return sorted(lines.members, key=lambda member: member.stratum != best)


def console_line_table(rows: Sequence[ScenesRow]) -> Table:
    """Return the table that is printed after a study."""
    metrics = ("scenes", "km", "true km", "mean m", "median", "MAD")
    headings = [*metrics, "found\n200 m", "found\n500 m", "false km\n200 m"]
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


# --- Each data set apart, and in words why metrics differ

CLASS_TITLES = ("noisy (below .3)", "fair (.3 to .6)", "clear (above .6)")
"""The classes of local coherence by which recall is split, as `COHERENCE_EDGES` has them."""

SMALL_DIFFERENCE = 0.02


@dataclass(frozen=True)
class DataSetTable:
    """All networks on the data sets, for one patch size.

    Attributes
    ----------
    patch_size_px : int
        Side of a patch.
    facts : list of DataSetFacts
        One a data set: what its test patches are like; the study's own first.
    rows : list of DataSetRow
        One a network or baseline and data set, in that order.
    explanations : list of str
        One a network and data set that is for test alone.
    """

    patch_size_px: int
    facts: list[DataSetFacts]
    rows: list[DataSetRow]
    explanations: list[str]


def data_set_tables(results: Results) -> list[DataSetTable]:
    """Arrange `table.json`'s metrics by data set; empty where there is but one."""
    sizes = sorted({facts.patch_size_px for facts in results.table.data_sets})
    return [_table(results, size) for size in sizes]


def _table(results: Results, size: int) -> DataSetTable:
    facts = [one for one in results.table.data_sets if one.patch_size_px == size]
    rows = [row for row in results.table.by_data_set if row.patch_size_px == size]
    own = next((fact for fact in facts if not fact.test_only), facts[0])
    networks = {row.title: row for row in rows if row.kind == "network" and row.data_set == own.data_set}
    explanations = [
        explain(networks[row.title], row, own, fact)
        for fact in facts
        if fact is not own
        for row in rows
        if row.kind == "network" and row.data_set == fact.data_set
    ]
    return DataSetTable(size, facts, rows, explanations)


def explain(home: DataSetRow, away: DataSetRow, home_facts: PatchFacts, away_facts: PatchFacts) -> str:
    """Say how far a network's relaxed F1 differs between two data sets, and what that comes from.

    It names three things: precision and recall; the difference that is left when each has the
    threshold that suits it best; and what remains of recall when both data sets are given the same
    mixture of noisy, fair and clear surroundings (direct standardisation).
    """
    fall = home.relaxed_f1 - away.relaxed_f1
    words = (
        f"{away.title}: relaxed F1 is {away.relaxed_f1:.3f} on {away.data_set} and "
        f"{home.relaxed_f1:.3f} on {home.data_set}"
    )
    if abs(fall) < SMALL_DIFFERENCE:
        return f"{words}, no difference to explain."
    return " ".join(
        [
            f"{words}. Precision is {away.relaxed_precision:.2f} against {home.relaxed_precision:.2f}, "
            f"recall {away.relaxed_recall:.2f} against {home.relaxed_recall:.2f}.",
            f"Each at the threshold that suits it best ({away.best_tau:.2f} there, "
            f"{home.best_tau:.2f} here; no one could have known), they differ by "
            f"{home.best_relaxed_f1 - away.best_relaxed_f1:.3f} instead of {fall:.3f}.",
            _noise(home, away, home_facts, away_facts),
        ]
    )


def _noise(home: DataSetRow, away: DataSetRow, home_facts: PatchFacts, away_facts: PatchFacts) -> str:
    here, there = home_facts.line_coherence, away_facts.line_coherence
    standard = standardised_recall(home, away)
    if here is None or there is None or standard is None:
        return "Too little line lies where the coherence is known to tell noise from the rest."
    return (
        f"Around the line the median coherence is {there:.2f} there and {here:.2f} here; were the lines "
        f"there as clear as here, recall would be {standard:.2f}, against {home.relaxed_recall:.2f} here: "
        "what is left is not noise but belts, lines or ground of another kind."
    )


def standardised_recall(home: DataSetRow, away: DataSetRow) -> float | None:
    """Return the recall on `away` if its line pixels were distributed over the classes as those of `home`.

    None where a class of coherence that `home` has line pixels in is missing from `away`.
    """
    pairs = list(zip(home.recall_by_coherence, away.recall_by_coherence, strict=True))
    total, weighted = sum(at_home.line_px for at_home, _ in pairs), 0.0
    for at_home, there in pairs:
        if at_home.line_px and there.recall is None:
            return None
        weighted += at_home.line_px * (there.recall or 0.0)
    return weighted / total if total else None


def data_set_lines(table: StudyTable) -> list[str]:
    """Return one line a network and data set of `table.json`, for the console."""
    return [
        f"{row.title} on {row.data_set}: relaxed F1 {row.relaxed_f1:.3f} "
        f"({counted(row.patches_with_line, 'patch', 'patches')} with a line)"
        for row in table.by_data_set
        if row.kind == "network"
    ]
