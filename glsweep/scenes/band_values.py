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
from scipy.ndimage import binary_opening

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
FAR, KNOWN_FILLS, NEAR = 50.0, (9999.0, 99999.0, 32767.0, 32768.0, 65535.0, 2147483647.0), 0.01
"""What lies so many times that width away stands for no data where it is nearly one of these, or huge."""
HUGE, MOST_FILL_KINDS = 1e15, 20
AREA_PX = 3
"""Zeros that fill a square of this side are a collar or a hole; by itself a phase may be measured as 0."""
LEAST_FLAT_SHARE, MOST_FLAT_KINDS = 0.005, 3
LEAST_WRAP_SHARE = 1e-4
CORNER, MOST_CORNER_SHARE = 0.8, 0.01


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
    end_share : float
        Share of the values within a tenth of the greatest, or of the least, whichever is rarer.
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
    end_share: float
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
        return Look(0, 0.0, 0.0, 0.0, 0.0, False, 0.0, True, 0.0, 0.0, None, 0.0)
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
        bool((steps > WRAP * (high - low)).mean() >= LEAST_WRAP_SHARE),
        float(((values < 0) | (values > 1)).mean()),
        low == high,
        float(min((values > 0.9 * high).mean(), (values < 0.9 * low).mean())),
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
    return _known_fill(values)


def _known_fill(values: Values) -> tuple[float | None, float]:
    """Return a number far from all others that programs write for no data, also where it was resampled."""
    below, middle, above = np.percentile(values, (5, 50, 95))
    far = values[np.abs(values - middle) > FAR * max(above - below, abs(middle) * SLACK_RAD)]
    sizes = np.abs(far)[:, None]
    likely = far[(sizes > HUGE).any(axis=1) | (np.abs(sizes / np.array(KNOWN_FILLS) - 1) < NEAR).any(axis=1)]
    if not len(likely):
        return None, 0.0
    kinds, counts = np.unique(likely, return_counts=True)
    if len(kinds) > MOST_FILL_KINDS and counts.max() < len(likely) / 2:
        return None, 0.0  # numbers of any size, as those of another byte order are
    return float(kinds[counts.argmax()]), float(len(likely) / len(values))


def fill_a_square(one: Sequence[Values], other: Sequence[Values]) -> bool:
    """Whether two bands are at their extremes together: parts of a complex number fill a disk."""
    a, b = (np.concatenate([window.ravel() for window in band]) for band in (one, other))
    known = np.isfinite(a) & np.isfinite(b) & ((a != 0) | (b != 0))
    a, b = np.abs(a[known]), np.abs(b[known])
    return bool(((a > CORNER * a.max()) & (b > CORNER * b.max())).mean() > MOST_CORNER_SHARE)


class FlatValue(NamedTuple):
    """A value that large areas hold without exception, and the share of the pixels with data that do."""

    value: complex
    share: float


def flat_value(windows: Sequence[npt.NDArray[np.complex64]]) -> FlatValue | None:
    """Return a value that large areas hold without exception, if there is one.

    Nothing that was measured is the same in every pixel of a box of 3 x 3. Values in such boxes count that
    hold a two hundredth of all pixels with data each, if there are no more than three and every other one is
    far rarer: coarse numbers of a smooth phase have many.
    """
    total = sum(int((window != 0).sum()) for window in windows)
    flat = [window[_in_flat_boxes(window)] for window in windows]
    values = np.concatenate([part[part != 0] for part in flat]) if flat else np.empty(0, np.complex64)
    if not total or len(values) < LEAST_FLAT_SHARE * total:
        return None
    kinds, counts = np.unique(values, return_counts=True)
    order = np.argsort(-counts)
    large = counts[order] >= LEAST_FLAT_SHARE * total
    rest = counts[order[large.sum() :]]
    if not 1 <= large.sum() <= MOST_FLAT_KINDS or (len(rest) and 10 * rest[0] > counts[order[0]]):
        return None
    return FlatValue(complex(kinds[order[0]]), float(counts[order][large].sum() / total))


def in_zero_areas(zero: Mask) -> Mask:
    """Return the zeros, (rows, cols), that fill squares, all beyond the edges being zero."""
    around = np.pad(zero, AREA_PX, constant_values=True)
    opened = binary_opening(around, np.ones((AREA_PX, AREA_PX), np.bool_))
    return np.asarray(opened[AREA_PX:-AREA_PX, AREA_PX:-AREA_PX])


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
