"""The study's answer in one sentence for each patch size."""

from dataclasses import dataclass

from glsweep.metrics.trivial import Trivial, best_trivial, is_better_than_trivial
from glsweep.report.results import Results
from glsweep.report.table import Row, networks_of, patch_sizes
from glsweep.report.words import joined


@dataclass(frozen=True)
class Verdict:
    """Which network is best with one patch size, and how sure that is.

    Attributes
    ----------
    patch_size_px : int
        The size.
    title : str
        The best network; nothing where none is better than what needs no training.
    value : str
        Its relaxed F1.
    remark : str
        How sure that is; without a title a whole clause on why there is no best network.
    """

    patch_size_px: int
    title: str
    value: str
    remark: str

    def __str__(self) -> str:
        if not self.title:
            return f"{self.patch_size_px} px: {self.remark}"
        best = f"{self.title} draws the line best, relaxed F1 {self.value}"
        return f"{self.patch_size_px} px: {best} ({self.remark})"


def verdicts(results: Results) -> list[Verdict]:
    """Return the best network by relaxed F1 of each patch size of which a network was tested.

    A network that does not beat what needs no training is not the best, whoever else there is.
    """
    found, table = [], results.table
    for size in patch_sizes(table):
        rows = list(networks_of(table, size))
        if rows:
            found.append(_verdict(size, rows, best_trivial(table, size)))
    return found


def _verdict(size: int, rows: list[Row], trivial: Trivial | None) -> Verdict:
    if not any(row.get("relaxed_f1") is not None and row["patches_with_line"] for row in rows):
        return Verdict(size, "", "", "no test patch holds a line, so that networks cannot be told apart")
    ranked = sorted(
        (row for row in rows if row.get("relaxed_f1") is not None), key=lambda r: -r["relaxed_f1"]
    )
    good = [row for row in ranked if is_better_than_trivial(row, trivial)]
    if good:
        title = str(good[0]["title"]).removesuffix(f" {size}")
        return Verdict(size, title, f"{good[0]['relaxed_f1']:.3f}", _remark(good, ranked, trivial))
    assert trivial is not None, "without it every network is better"
    best = ranked[0]
    return Verdict(
        size,
        "",
        "",
        f"no network beats {trivial.words}: relaxed F1 {best['relaxed_f1']:.3f} ({_told_interval(best)}) of "
        f"the best, {best['title']}, against {trivial.relaxed_f1:.3f} of {trivial.title}",
    )


def _remark(good: list[Row], ranked: list[Row], trivial: Trivial | None) -> str:
    best = good[0]
    low = best.get("relaxed_f1_low")
    others = [row for row in ranked if row is not best]
    near = [
        str(row["title"]) for row in others if low is not None and (row.get("relaxed_f1_high") or 0) >= low
    ]
    remark = _told_interval(best)
    if near:
        remark += f", which overlaps that of {joined(near)}: the order may be chance"
    elif others and low is not None:
        remark += ", clear of the others'"
    if trivial is not None and low is not None and low <= trivial.relaxed_f1:
        remark += f"; it holds the {trivial.relaxed_f1:.3f} of {trivial.title}, which knows nothing"
    return remark


def _told_interval(row: Row) -> str:
    low, high = row.get("relaxed_f1_low"), row.get("relaxed_f1_high")
    if low is None or high is None:
        return "no interval was computed"
    return f"95\N{NO-BREAK SPACE}% interval {low:.3f} to {high:.3f}"
