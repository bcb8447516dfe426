"""The table's essence for the first screen: how good each network is, in one glance."""

from collections.abc import Iterator
from dataclasses import dataclass

from glsweep.metrics.counts import best_trivial
from glsweep.report.results import Results
from glsweep.report.scene_tables import ScenesRow, scenes_rows
from glsweep.report.table import baselines_of, networks_of, patch_sizes, short_title

COMPARED = ("second_analyst", "phase_gradient")
"""Another person, and what a classical method finds; besides them the best of what knows nothing."""


@dataclass(frozen=True)
class EssenceRow:
    """One network, or what it is to be compared with.

    Attributes
    ----------
    title : str
    is_network : bool
    relaxed_f1 : float
        On the test patches.
    low, high : float or None
        Its 95 % interval.
    line : ScenesRow or None
        Its lines on whole scenes of the first data set.
    """

    title: str
    is_network: bool
    relaxed_f1: float
    low: float | None
    high: float | None
    line: ScenesRow | None


@dataclass(frozen=True)
class Essence:
    """The networks of one patch size, the best first, and below them what they are to be compared with."""

    patch_size_px: int
    rows: list[EssenceRow]


def essence(results: Results) -> list[Essence]:
    """Return what the first screen says of each patch size of which a network was tested."""
    sizes = [size for size in patch_sizes(results.table) if networks_of(results.table, size)]
    return [Essence(size, list(_rows(results, size))) for size in sizes]


def _rows(results: Results, size: int) -> Iterator[EssenceRow]:
    drawn = scenes_rows(results.lines)
    lines = {row.title: row for row in reversed(drawn)}  # of the first data set, which is the study's own
    for row in sorted(networks_of(results.table, size), key=lambda row: -row.relaxed_f1):
        low, high = row.relaxed_f1_low, row.relaxed_f1_high
        yield EssenceRow(short_title(row), True, row.relaxed_f1, low, high, lines.get(row.title))
    for other in sorted(baselines_of(results.table, size), key=lambda row: -row.relaxed_f1):
        if other.kind in COMPARED:
            title = short_title(other)
            yield EssenceRow(title, False, other.relaxed_f1, None, None, lines.get(title))
    trivial = best_trivial(results.table, size)
    if trivial is not None:
        yield EssenceRow(trivial.title.removesuffix(f" {size}"), False, trivial.relaxed_f1, None, None, None)
