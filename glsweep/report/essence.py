"""The table's essence for the first screen: how good each network is, in one glance."""

from collections.abc import Iterator
from dataclasses import dataclass

from glsweep.metrics.counts import best_trivial
from glsweep.report.results import Results
from glsweep.report.scene_tables import LineRow, line_rows
from glsweep.report.table import networks_of, patch_sizes, short_title


@dataclass(frozen=True)
class EssenceRow:
    """One network, or the best of what needs no training.

    Attributes
    ----------
    title : str
    is_network : bool
    relaxed_f1 : float
        On the test patches.
    low, high : float or None
        Its 95 % interval.
    line : LineRow or None
        Its lines on whole scenes of the first data set.
    """

    title: str
    is_network: bool
    relaxed_f1: float
    low: float | None
    high: float | None
    line: LineRow | None


@dataclass(frozen=True)
class Essence:
    """The networks of one patch size, the best first, and below them what needs no training."""

    patch_size_px: int
    rows: list[EssenceRow]


def essence(results: Results) -> list[Essence]:
    """Return what the first screen says of each patch size of which a network was tested."""
    sizes = [size for size in patch_sizes(results.table) if networks_of(results.table, size)]
    return [Essence(size, list(_rows(results, size))) for size in sizes]


def _rows(results: Results, size: int) -> Iterator[EssenceRow]:
    drawn = line_rows(results.lines)
    lines = {row.stratum: row for row in reversed(drawn)}  # of the first data set, which is the study's own
    for row in sorted(networks_of(results.table, size), key=lambda row: -row.relaxed_f1):
        low, high = row.relaxed_f1_low, row.relaxed_f1_high
        yield EssenceRow(short_title(row), True, row.relaxed_f1, low, high, lines.get(row.stratum))
    trivial = best_trivial(results.table, size)
    if trivial is not None:
        yield EssenceRow(trivial.title.removesuffix(f" {size}"), False, trivial.relaxed_f1, None, None, None)
