"""Within how far of a drawn line the true one lies, in half widths of the drawn band.

How wide a band a network draws says where it is unsure, and not by how many metres: one network's band
holds the truth nearly always, another's in a quarter of its length. What makes metres of it is the
quantile of |distance| / half width on lines that the network was not trained on, as in split conformal
prediction (Lei et al. 2018, section 2.2). What is exchangeable are scenes, not pieces of a line: those of
one scene err alike, so that many kilometres of two scenes tell little about a third.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from glsweep.metrics.lines import TOLERANCES_M

Values = npt.NDArray[np.float64]

SHARE = 0.68
"""Of the lines' length that is to lie within the uncertainty: that of one standard deviation."""
NEAR_M = max(TOLERANCES_M)
"""Farther from every true line a piece is invented: it has no place to be uncertain about."""
FEWEST_SCENES = 20
"""With fewer nobody knows how much scenes differ."""
LARGEST_ERROR = 0.03
"""Standard error up to which a share is known, by how much scenes differ in it."""


class PiecesInBand(NamedTuple):
    """Pieces of drawn lines that lie near a true one.

    Attributes
    ----------
    line : int array (N,)
        The line that each piece is of.
    length_m, distance_m : float64 array (N,)
        A piece's length, and its distance from the true line, `NEAR_M` at most.
    half_width_m : float64 array (N,)
        Of its line's band.
    """

    line: npt.NDArray[np.int64]
    length_m: Values
    distance_m: Values
    half_width_m: Values

    @classmethod
    def pooled(cls, several: Sequence["PiecesInBand"]) -> "PiecesInBand":
        """Join the pieces of several scenes, each line with a number of its own."""
        first, lines = 0, [np.zeros(0, np.int64)]
        for one in several:
            lines.append(one.line + first)
            first += int(one.line.max(initial=-1)) + 1
        others = zip(*(one[1:] for one in several), strict=True)
        return cls(np.concatenate(lines), *map(np.concatenate, others))

    def held(self, factor: float) -> npt.NDArray[np.bool_]:
        """Return of each piece whether the true line is within so many half widths."""
        return self.distance_m <= factor * self.half_width_m


def factor_that_holds(by_scene: Sequence[PiecesInBand]) -> float | None:
    """Return by how much half a band's width is multiplied to hold `SHARE` of the length in unseen scenes.

    Parameters
    ----------
    by_scene : sequence of PiecesInBand
        Of scenes that the network was not trained on.

    Returns
    -------
    float or None
        None where that is not known: with pieces in fewer than `FEWEST_SCENES` scenes, or where these
        differ so much that the share has a standard error above `LARGEST_ERROR`.
    """
    drawn = [one for one in by_scene if len(one.line)]
    if len(drawn) < FEWEST_SCENES:
        return None
    pieces = PiecesInBand.pooled(drawn)
    ratio = pieces.distance_m / np.maximum(pieces.half_width_m, np.finfo(np.float64).tiny)
    order = np.argsort(ratio)
    passed = np.cumsum(pieces.length_m[order])
    factor = float(ratio[order][np.searchsorted(passed, SHARE * passed[-1])])
    return factor if share_error(drawn, factor) <= LARGEST_ERROR else None


def share_error(by_scene: Sequence[PiecesInBand], factor: float) -> float:
    """Return the standard error of the share that is held, as a quotient of sums over two scenes or more.

    Cochran (1977), Sampling Techniques, equation 2.46.
    """
    held_m = np.array([one.length_m[one.held(factor)].sum() for one in by_scene])
    length_m = np.array([one.length_m.sum() for one in by_scene])
    residual_m = held_m - held_m.sum() / length_m.sum() * length_m
    count = len(by_scene)
    return float(np.sqrt(count / (count - 1) * (residual_m**2).sum()) / length_m.sum())
