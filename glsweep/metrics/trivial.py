"""What needs no training: the figure that a network must beat before it may be called good.

A line everywhere, a line nowhere, and networks as they are before training know nothing of the data. They
are judged on the same test patches, by the same figure, as the networks beside them in a study's table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

WORDS = {"all_line": "drawing everything", "no_line": "drawing nothing", "untrained": "an untrained network"}


@dataclass(frozen=True)
class Trivial:
    """The best of what needs no training on the test patches of one size.

    Attributes
    ----------
    title : str
        As in the table, such as `all-line 128`.
    kind : str
        `all_line`, `no_line` or `untrained`.
    relaxed_f1 : float
        What it reaches.
    """

    title: str
    kind: str
    relaxed_f1: float

    @property
    def words(self) -> str:
        """What it does, such as `drawing everything`."""
        return WORDS[self.kind]


def best_trivial(table: Mapping[str, Any], patch_size_px: int) -> Trivial | None:
    """Return the best of what needs no training with one patch size.

    Parameters
    ----------
    table : mapping
        What `table.json` holds.
    patch_size_px : int
        Figures of different sizes are of different patches.

    Returns
    -------
    Trivial or None
        None where the table holds none of that size.
    """
    return max(_trivial(table, patch_size_px), key=lambda one: one.relaxed_f1, default=None)


def is_better_than_trivial(row: Mapping[str, Any], best: Trivial | None) -> bool:
    """Whether a row's relaxed F1 is above that of the best of what needs no training.

    The figure itself decides, not its interval. Where no test patch holds a line, whoever draws nothing is
    right, and nobody is better.
    """
    if row.get("relaxed_f1") is None or row.get("patches_with_line") == 0:
        return False
    return best is None or bool(row["relaxed_f1"] > best.relaxed_f1)


def _trivial(table: Mapping[str, Any], patch_size_px: int) -> Iterator[Trivial]:
    for row in table.get("baselines", []):
        if row["patch_size_px"] == patch_size_px and row.get("relaxed_f1") is not None:
            yield Trivial(row["title"], row["kind"], row["relaxed_f1"])
