"""Within how far of a drawn line the true one lies, in half widths of the drawn band.

How wide a band a network draws says where it is unsure, and not by how many metres: one network's band
holds the truth nearly always, another's in a quarter of its length. What makes metres of it is the
quantile of |distance| / half width on lines that the network was not trained on, as in split conformal
prediction (Lei et al. 2018, section 2.2). What is exchangeable are scenes, not pieces of a line: those of
one scene err alike, so that many kilometres of two scenes tell little about a third.
"""

import math
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
HELD_WITHIN = 0.05
"""The share that is held in unseen scenes is to be `SHARE`, give or take so much."""
LARGEST_ERROR = HELD_WITHIN / 2
"""Standard error up to which a share is known: two of them are 95 %, and what is lost by looking is not much.

A sample that has few of the scenes in which lines are far off has a small standard error and a wrong factor:
of the factors that just pass, fewer hold than the standard error promises.
"""
FEWEST_SCENES = 50
"""With fewer nobody knows how much scenes differ: the standard error itself is off by a fifth and more."""


class PiecesInBand(NamedTuple):
    """Pieces of drawn lines that lie near a true one.

    Attributes
    ----------
    length_m, distance_m : float64 array (N,)
        A piece's length, and its distance from the true line, `NEAR_M` at most.
    half_width_m : float64 array (N,)
        Of its line's band.
    """

    length_m: Values
    distance_m: Values
    half_width_m: Values

    @classmethod
    def pooled(cls, several: Sequence["PiecesInBand"]) -> "PiecesInBand":
        """Join the pieces of several scenes."""
        return cls(*map(np.concatenate, zip(*several, strict=True)))

    def held(self, factor: float) -> npt.NDArray[np.bool_]:
        """Return of each piece whether the true line is within so many half widths."""
        return self.distance_m <= factor * self.half_width_m


class LearntFactor(NamedTuple):
    """By how much half a band's width is multiplied to hold `SHARE` of the length in unseen scenes.

    Attributes
    ----------
    value : float or None
        None where that is not known.
    scenes : int
        In which there are lines near a true one.
    unknown_because : str
        Why it is not known, empty where it is.
    """

    value: float | None
    scenes: int
    unknown_because: str


def factor_that_holds(by_scene: Sequence[PiecesInBand]) -> LearntFactor:
    """Learn a factor from scenes that the network was not trained on.

    It is not known from fewer than `FEWEST_SCENES` scenes with pieces, nor where these differ so much that
    the share has a standard error above `LARGEST_ERROR`.
    """
    drawn = [one for one in by_scene if len(one.length_m)]
    if len(drawn) < FEWEST_SCENES:
        why = f"{len(drawn)} validation scenes have lines near a true one, and {FEWEST_SCENES} are needed"
        return LearntFactor(None, len(drawn), why)
    pieces = PiecesInBand.pooled(drawn)
    ratio = pieces.distance_m / np.maximum(pieces.half_width_m, np.finfo(np.float64).tiny)
    order = np.argsort(ratio)
    passed = np.cumsum(pieces.length_m[order])
    factor = float(ratio[order][np.searchsorted(passed, SHARE * passed[-1])])
    error = share_error(drawn, factor)
    if error <= LARGEST_ERROR:
        return LearntFactor(factor, len(drawn), "")
    needed = math.ceil(len(drawn) * (error / LARGEST_ERROR) ** 2)
    why = (
        f"{len(drawn)} validation scenes have lines near a true one, and differ so much that the share held "
        f"has a standard error of {error:.1%}, not {LARGEST_ERROR:.1%} or less; about {needed} are needed"
    )
    return LearntFactor(None, len(drawn), why)


def share_error(by_scene: Sequence[PiecesInBand], factor: float) -> float:
    """Return the standard error of the share that is held, as a quotient of sums over two scenes or more.

    Cochran (1977), Sampling Techniques, equation 2.46.
    """
    held_m = np.array([one.length_m[one.held(factor)].sum() for one in by_scene])
    length_m = np.array([one.length_m.sum() for one in by_scene])
    residual_m = held_m - held_m.sum() / length_m.sum() * length_m
    count = len(by_scene)
    return float(np.sqrt(count / (count - 1) * (residual_m**2).sum()) / length_m.sum())
