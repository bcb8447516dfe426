"""The members on each data set apart: what the page shows, and in words why the figures differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glsweep.report.results import Results
from glsweep.report.words import counted

Row = Mapping[str, Any]

CLASS_TITLES = ("noisy (below .3)", "fair (.3 to .6)", "clear (above .6)")
"""The classes of local coherence that recall is parted by, as `evaluate.surroundings` has them."""

SMALL_DIFFERENCE = 0.02


@dataclass(frozen=True)
class DataSetTable:
    """All networks on the data sets, for one patch size.

    Attributes
    ----------
    patch_size_px : int
        Side of a patch.
    facts : list of mapping
        One a data set: what its test patches are like; the study's own first.
    rows : list of mapping
        One a network or baseline and data set, in that order.
    explanations : list of str
        One a network and data set that is for test alone.
    """

    patch_size_px: int
    facts: list[Row]
    rows: list[Row]
    explanations: list[str]


def data_set_tables(results: Results) -> list[DataSetTable]:
    """Arrange `table.json`'s figures by data set; empty where there is but one."""
    facts = results.table.get("data_sets", [])
    sizes = sorted({row["patch_size_px"] for row in facts})
    return [_table(results, size) for size in sizes]


def _table(results: Results, size: int) -> DataSetTable:
    facts = [row for row in results.table["data_sets"] if row["patch_size_px"] == size]
    rows = [row for row in results.table["by_data_set"] if row["patch_size_px"] == size]
    own = next((fact for fact in facts if not fact["test_only"]), facts[0])
    networks = {
        row["title"]: row for row in rows if row["kind"] == "network" and row["data_set"] == own["data_set"]
    }
    explanations = [
        explain(networks[row["title"]], row, own, fact)
        for fact in facts
        if fact is not own
        for row in rows
        if row["kind"] == "network" and row["data_set"] == fact["data_set"]
    ]
    return DataSetTable(size, facts, rows, explanations)


def explain(home: Row, away: Row, home_facts: Row, away_facts: Row) -> str:
    """Say how far a network's relaxed F1 differs between two data sets, and what that comes from.

    Three things are told: precision and recall; the difference that is left when each has the
    threshold that suits it best; and what remains of recall when both data sets are given the same
    mixture of noisy, fair and clear surroundings (direct standardisation).
    """
    fall = home["relaxed_f1"] - away["relaxed_f1"]
    words = (
        f"{away['title']}: relaxed F1 is {away['relaxed_f1']:.3f} on {away['data_set']} and "
        f"{home['relaxed_f1']:.3f} on {home['data_set']}"
    )
    if abs(fall) < SMALL_DIFFERENCE:
        return f"{words}, no difference to explain."
    return " ".join(
        [
            f"{words}. Precision is {away['relaxed_precision']:.2f} against {home['relaxed_precision']:.2f}, "
            f"recall {away['relaxed_recall']:.2f} against {home['relaxed_recall']:.2f}.",
            f"Each at the threshold that suits it best ({away['best_tau']:.2f} there, "
            f"{home['best_tau']:.2f} here; no one could have known), they differ by "
            f"{home['best_relaxed_f1'] - away['best_relaxed_f1']:.3f} instead of {fall:.3f}.",
            _noise(home, away, home_facts, away_facts),
        ]
    )


def _noise(home: Row, away: Row, home_facts: Row, away_facts: Row) -> str:
    known = all(facts["line_coherence"] is not None for facts in (home_facts, away_facts))
    standard = standardised_recall(home, away)
    if not known or standard is None:
        return "Too little line lies where the coherence is known to tell noise from the rest."
    return (
        f"Around the line the median coherence is {away_facts['line_coherence']:.2f} there and "
        f"{home_facts['line_coherence']:.2f} here; were the lines there as clear as here, recall would be "
        f"{standard:.2f}, against {home['relaxed_recall']:.2f} here: what is left is not noise but belts, "
        "lines or ground of another kind."
    )


def standardised_recall(home: Row, away: Row) -> float | None:
    """Return the recall on `away` if its line pixels were mixed as those of `home`.

    None where a class of coherence that `home` has line pixels in is missing from `away`.
    """
    pairs = list(zip(home["recall_by_coherence"], away["recall_by_coherence"], strict=True))
    total = sum(at_home["line_px"] for at_home, _ in pairs)
    if total == 0 or any(at_home["line_px"] and there["recall"] is None for at_home, there in pairs):
        return None
    weighted = sum(at_home["line_px"] * there["recall"] for at_home, there in pairs if at_home["line_px"])
    return float(weighted / total)


def data_set_lines(table: Mapping[str, Any]) -> list[str]:
    """Return one line a network and data set of `table.json`, for the console."""
    return [
        f"{row['title']} on {row['data_set']}: relaxed F1 {row['relaxed_f1']:.3f} "
        f"({counted(row['patches_with_line'], 'patch', 'patches')} with a line)"
        for row in table.get("by_data_set", [])
        if row["kind"] == "network"
    ]
