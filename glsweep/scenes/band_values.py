"""What a band's values say that it is, from pixels at full resolution that hold data.

Overviews are never looked at: they are averaged or interpolated, and a wrapped phase is then neither
wrapped nor a phase.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from glsweep.scenes.source import Window

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SLACK_RAD = 1e-3
"""By so much a wrapped phase in float32, or in scaled integers, may pass pi."""
SIDE_PX = 256
ENOUGH_PX = 2**19
"""Pixels with data that are looked at; where there are fewer, every pixel is."""
GOLDEN = (math.sqrt(5) - 1) / 2

NEAR_END, WRAP = 0.95, 0.75
"""A wrapped phase comes so near to half a turn, and jumps by at least so much of a whole one."""
BINS = 16
LEAST_BIN = 0.005
"""Each part of the circle holds at least this share of what it would hold if all held the same."""
FEW = 0.01
"""Share of the pixels that resampling may push beyond 0 and 1."""
OVERSHOOT = 0.3
LEAST_FILL_PX, LEAST_FILL_SHARE, APART = 10, 1e-4, 0.4
"""An extreme that so many pixels share stands for no data where no other value is nearer to it than so many
times the width of the others' middle 90 %."""
LEAST_FLAT_SHARE = 0.02


@dataclass(frozen=True)
class Look:
    """The values of one band where there is data, zeros aside.

    Attributes
    ----------
    count : int
        Values that were looked at.
    low, high : float
        Least and greatest; 0 where there is none.
    negative_share : float
        Share of the values below 0.
    rms : float
        Root mean square.
    wraps : bool
        Whether neighbours differ by nearly all that any two values do, as where a phase begins anew.
    beyond_unit_share : float
        Share of the values below 0 or above 1.
    is_two_valued : bool
        Whether all values are the same, as in a mask.
    least_bin : float
        Of equal parts of (-pi, pi], the emptiest one's share of what it would hold if all held the same.
    fill : float or None
        An extreme that stands for no data, though nothing says so.
    fill_share : float
        Share of the values that equal it.
    """

    count: int
    low: float
    high: float
    negative_share: float
    rms: float
    wraps: bool
    beyond_unit_share: float
    is_two_valued: bool
    least_bin: float
    fill: float | None
    fill_share: float

    @property
    def span(self) -> str:
        """Between which values they lie, for a message."""
        return f"{self.low:.4g} and {self.high:.4g}"

    @property
    def has_both_signs(self) -> bool:
        """Whether at least one value in a hundred has either sign."""
        return FEW <= self.negative_share <= 1 - FEW

    @property
    def is_never_negative(self) -> bool:
        """Whether no value is below 0."""
        return self.low >= 0

    @property
    def is_within_pi(self) -> bool:
        """Whether a wrapped phase in radians can hold these values."""
        return max(-self.low, self.high) <= math.pi + SLACK_RAD

    def wraps_from_zero(self, turn: float) -> bool:
        """Whether the values share out a whole turn that begins at 0, and jump at its ends."""
        near = (1 - NEAR_END) * turn
        return self.wraps and 0 <= self.low < near and turn - near < self.high <= turn * (1 + SLACK_RAD)

    @property
    def looks_wrapped(self) -> bool:
        """Whether they can be nothing but a wrapped phase in radians.

        It reaches pi at both ends and goes no farther, fills the circle, and jumps by a whole turn: so
        do no displacement, no look angle, no cycles and no part of a complex number.
        """
        return self.wraps_at(math.pi) and self.least_bin >= LEAST_BIN

    def wraps_at(self, half_turn: float) -> bool:
        """Whether the values end at both half turns, and jump there."""
        reaches = min(-self.low, self.high) >= NEAR_END * half_turn
        return self.wraps and reaches and max(-self.low, self.high) <= half_turn * (1 + SLACK_RAD)

    @property
    def looks_like_coherence(self) -> bool:
        """Whether they lie within 0 and 1, but for what resampling adds, and vary."""
        return (
            self.count > 0
            and self.beyond_unit_share <= FEW
            and self.low >= -OVERSHOOT
            and self.high <= 1 + OVERSHOOT
            and not self.is_two_valued
        )


def look_at(windows: Sequence[Values]) -> Look:
    """Describe one band.

    Parameters
    ----------
    windows : sequence of float64 array (rows, cols)
        Full-resolution values, NaN where there is no data.
    """
    values = np.concatenate([w[np.isfinite(w) & (w != 0)] for w in windows]) if windows else np.empty(0)
    if not len(values):
        return Look(0, 0.0, 0.0, 0.0, 0.0, False, 0.0, True, 0.0, None, 0.0)
    low, high = float(values.min()), float(values.max())
    fill, fill_share = _fill(values, low, high)
    steps = np.concatenate([np.abs(np.diff(window, axis=1)).ravel() for window in windows])
    bins = np.histogram(values, BINS, (-math.pi, math.pi))[0]
    return Look(
        len(values),
        low,
        high,
        float((values < 0).mean()),
        float(np.sqrt(np.square(values, where=np.abs(values) < 1e150, out=np.zeros_like(values)).mean())),
        bool((steps > WRAP * (high - low)).any()),
        float(((values < 0) | (values > 1)).mean()),
        low == high,
        float(bins.min() * BINS / len(values)),
        fill,
        fill_share,
    )


def _fill(values: Values, low: float, high: float) -> tuple[float | None, float]:
    """Return an extreme that many pixels share, apart from all others, and their share."""
    for extreme in (low, high):
        same = values == extreme
        share = float(same.mean())
        if same.sum() < LEAST_FILL_PX or not LEAST_FILL_SHARE <= share < 1 - LEAST_FILL_SHARE:
            continue
        others = values[~same]
        below, above = np.percentile(others, (5, 95))
        gap = np.abs(others - extreme).min()
        if gap > APART * (above - below):
            return extreme, share
    return None, 0.0


class FlatValue(NamedTuple):
    """A value that large areas hold without exception, and the share of the pixels with data that do."""

    value: complex
    share: float


def flat_value(windows: Sequence[npt.NDArray[np.complex64]]) -> FlatValue | None:
    """Return a value that large areas hold without exception, if there is one.

    Nothing that was measured is the same in every pixel of a box of 3 x 3. Of values in such boxes the
    commonest one counts if it holds a fiftieth of all pixels with data, and ten times as many as the next:
    coarse numbers of a smooth phase have many.
    """
    total = sum(int((window != 0).sum()) for window in windows)
    flat = [window[_in_flat_boxes(window)] for window in windows]
    values = np.concatenate([part[part != 0] for part in flat]) if flat else np.empty(0, np.complex64)
    if not total or len(values) < LEAST_FLAT_SHARE * total:
        return None
    kinds, counts = np.unique(values, return_counts=True)
    order = np.argsort(counts)
    first, second = counts[order[-1]], (counts[order[-2]] if len(counts) > 1 else 0)
    if first < LEAST_FLAT_SHARE * total or first < 10 * second:
        return None
    return FlatValue(complex(kinds[order[-1]]), float(first / total))


def _in_flat_boxes(window: npt.NDArray[np.complex64]) -> Mask:
    """Return the pixels, (rows, cols), that equal all eight around them."""
    inner = np.zeros(window.shape, np.bool_)
    if min(window.shape) < 3:
        return inner
    down = window[1:] == window[:-1]
    across = window[:, 1:] == window[:, :-1]
    inner[1:-1, 1:-1] = (
        (down[:-1, :-2] & down[1:, :-2])
        & (down[:-1, 1:-1] & down[1:, 1:-1])
        & (down[:-1, 2:] & down[1:, 2:])
        & (across[1:-1, :-1] & across[1:-1, 1:])
    )
    return inner


def windows_to_look_at(shape: tuple[int, int]) -> Iterator[Window]:
    """Yield windows that share the raster out, corners first and the others in an order without pattern."""
    rows, cols = shape
    tops, lefts = (range(0, side, SIDE_PX) for side in (rows, cols))
    places = [(top, left) for top in tops for left in lefts]
    corners = {(top, left) for top in (0, tops[-1]) for left in (0, lefts[-1])}
    rest = [place for place in places if place not in corners]
    mixed = sorted(range(len(rest)), key=lambda number: (number * GOLDEN) % 1)
    for top, left in [*sorted(corners), *(rest[number] for number in mixed)]:
        yield Window(top, left, min(SIDE_PX, rows - top), min(SIDE_PX, cols - left))
