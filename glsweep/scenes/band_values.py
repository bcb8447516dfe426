"""What a band's values show it to be, from a sample of pixels at full resolution.

Overviews are never used: they are averaged or interpolated, and a wrapped phase is then neither
wrapped nor a phase.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_opening

from glsweep.config.bands import Role
from glsweep.scenes.source import Mask, Window

Values = npt.NDArray[np.float64]

SLACK_RAD = 1e-3
"""How far a wrapped phase in float32, or in scaled integers, may pass pi."""
SIDE_PX = 256
ENOUGH_PX = 2**19
"""Pixels with data in a sample; where there are fewer, every pixel is read."""
GOLDEN = (math.sqrt(5) - 1) / 2

NEAR_END, WRAP = 0.95, 0.75
"""A wrapped phase comes this near to half a turn, and jumps by at least this share of a whole one."""
BINS = 16
LEAST_BIN = 0.005
"""Each part of the circle holds at least this share of an even distribution."""
FEW = 0.01
"""Share of the pixels that resampling may push beyond 0 and 1."""
OVERSHOOT = 0.3
LEAST_FILL_PX, LEAST_FILL_SHARE, APART = 10, 1e-4, 0.4
"""An extreme in at least so many pixels stands for no data if all other values are farther from it than this
multiple of the width of their middle 90 %."""
FAR, KNOWN_FILLS, NEAR = 50.0, (9999.0, 99999.0, 32767.0, 32768.0, 65535.0, 2147483647.0), 0.01
"""A value so many of these widths away stands for no data if it is nearly one of these, or huge."""
HUGE, MOST_FILL_KINDS = 1e15, 20
AREA_PX = 3
"""Zeros that fill a square of this side are a collar or a hole; by itself a phase may be measured as 0."""
LEAST_FLAT_SHARE, MOST_FLAT_KINDS = 0.005, 3
LEAST_WRAP_SHARE = 1e-4
CORNER, MOST_CORNER_SHARE = 0.8, 0.01


@dataclass(frozen=True)
class BandStatistics:
    """Statistics of one band's values where there is data, zeros aside.

    Attributes
    ----------
    count : int
        Number of values in the sample.
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
        An extreme value that seems to stand for no data, though nothing says so.
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
        """Whether the values fill a whole turn that begins at 0, and jump at its ends."""
        near = (1 - NEAR_END) * turn
        return self.wraps and 0 <= self.low < near and turn - near < self.high <= turn * (1 + SLACK_RAD)

    @property
    def looks_wrapped(self) -> bool:
        """Whether they can be nothing but a wrapped phase in radians.

        It reaches pi at both ends and goes no farther, fills the circle, and jumps by a whole turn. No
        displacement, look angle, phase in cycles or part of a complex number does all of this.
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


def band_statistics(windows: Sequence[Values]) -> BandStatistics:
    """Describe one band.

    Parameters
    ----------
    windows : sequence of float64 array (rows, cols)
        Full-resolution values, NaN where there is no data.
    """
    values = np.concatenate([w[np.isfinite(w) & (w != 0)] for w in windows]) if windows else np.empty(0)
    if not len(values):
        return BandStatistics(0, 0.0, 0.0, 0.0, 0.0, False, 0.0, True, 0.0, 0.0, None, 0.0)
    low, high = float(values.min()), float(values.max())
    fill, fill_share = _fill(values, low, high)
    steps = np.concatenate([np.abs(np.diff(window, axis=1)).ravel() for window in windows])
    bins = np.histogram(values, BINS, (-math.pi, math.pi))[0]
    return BandStatistics(
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


def sample_windows(shape: tuple[int, int]) -> Iterator[Window]:
    """Yield windows that tile the raster, corners first and the others in an order without pattern."""
    rows, cols = shape
    tops, lefts = (range(0, side, SIDE_PX) for side in (rows, cols))
    places = [(top, left) for top in tops for left in lefts]
    corners = {(top, left) for top in (0, tops[-1]) for left in (0, lefts[-1])}
    rest = [place for place in places if place not in corners]
    mixed = sorted(range(len(rest)), key=lambda number: (number * GOLDEN) % 1)
    for top, left in [*sorted(corners), *(rest[number] for number in mixed)]:
        yield Window(top, left, min(SIDE_PX, rows - top), min(SIDE_PX, cols - left))


# --- What the values of `.npz` patches look like

SLACK = 2e-3
"""Share by which float16 may pass the end of a range."""

TURNS: tuple[tuple[Role, float], ...] = (
    ("unwrapped_phase", 2 * math.pi),
    ("phase_cycles", 1),
    ("phase_pi", 2),
    ("phase_degrees", 360),
)
"""Whole turns, where a phase is counted from 0 on."""
HALF_TURNS: tuple[tuple[Role, float], ...] = (
    ("phase", math.pi),
    ("phase_pi", 1),
    ("phase_cycles", 0.5),
    ("phase_degrees", 180),
)
UNITS: dict[Role, str] = {
    "phase": "in radians",
    "unwrapped_phase": "in radians",
    "phase_pi": "over pi",
    "phase_cycles": "in cycles",
    "phase_degrees": "in degrees",
}
REACHED = 0.99
"""Share of a half or whole turn that the values of a phase that wraps reach."""

FEW_OF_PATCHES = 0.02
SECTORS = 8
LEAST_SECTOR_SHARE = 0.05
"""Of the share that each sector of the circle has when all angles are equally frequent."""
NEAR_END_OF_PATCHES, LEAST_NEAR_END = 0.9, 1e-3
"""A wrapped phase comes so close to both ends of its range, in at least such a share of the pixels."""
LEAST_VARIATION = 0.02
CROWDED_END, BEYOND, LEAST_BEYOND = 5e-3, 1.02, 0.03
"""A band that such a share of the pixels comes near both ends of is bounded: as a part of a complex number by
the magnitude, which the other band then cannot lead beyond; as a phase by itself, whatever the other is."""


def are_parts(first: Values, second: Values) -> bool:
    """Whether they look like real and imaginary part: similar in size and sign, at every angle."""
    if not (has_both_signs(first) and has_both_signs(second)):
        return False
    ratio = np.sqrt(np.mean(first**2) / np.mean(second**2))
    if not 0.5 <= ratio <= 2 or is_bounded_alone(first, second) or is_bounded_alone(second, first):
        return False
    sectors, _ = np.histogram(np.arctan2(second, first), SECTORS, (-math.pi, math.pi))
    return bool(sectors.min() >= LEAST_SECTOR_SHARE * len(first) / SECTORS)


def is_bounded_alone(values: Values, other: Values) -> bool:
    """Whether a band ends as a phase does, not as a part does where the magnitude ends.

    Where a part comes near its greatest value, nothing is left of the magnitude for the other.
    """
    least = CROWDED_END if wrapped_phase_unit(values) is None else LEAST_NEAR_END
    size = np.hypot(values, other)
    for side in (values, -values):
        end = side.max()
        near = side > NEAR_END_OF_PATCHES * end
        if np.mean(near) < least or np.mean(size[near] > BEYOND * end) < LEAST_BEYOND:
            return False
    return True


def are_phase_and_strength(phase: Values, strength: Values) -> bool:
    """Whether they look like a wrapped phase and a strength that does not bound it, as it would a part."""
    if not has_both_signs(phase) or strength.min() < 0 or np.abs(phase).max() > math.pi * (1 + SLACK):
        return False
    if np.abs(phase).max() > 1 + SLACK and np.ptp(strength) <= LEAST_VARIATION * strength.max():
        return True
    weak = strength <= np.quantile(strength, 1 / 3)
    varies = np.ptp(strength) > LEAST_VARIATION * strength.max()
    return bool(varies and np.abs(phase[weak]).max() >= 0.7 * np.abs(phase).max())


def wrapped_phase_unit(values: Values) -> Role | None:
    """Return the unit in which these values fill exactly a whole turn; None without one."""
    if values.min() < 0:
        return next((role for role, half_turn in HALF_TURNS if _fills(values, -half_turn, half_turn)), None)
    return next((role for role, turn in TURNS if _fills(values, 0, turn)), None)


def _fills(values: Values, low: float, high: float) -> bool:
    """Whether values come up to both ends of a range and go no farther."""
    middle, half = (low + high) / 2, (high - low) / 2
    reach = min(values.max() - middle, middle - values.min())
    return bool(reach >= REACHED * half and ends_at(values - middle, half))


def has_both_signs(values: Values) -> bool:
    """Whether at least two values in a hundred have either sign."""
    return bool(FEW_OF_PATCHES <= np.mean(values < 0) <= 1 - FEW_OF_PATCHES)


def ends_at(values: Values, end: float) -> bool:
    """Whether the values are spread up to both ends of [-end, end], and go no farther."""
    near = [np.mean(values > NEAR_END_OF_PATCHES * end), np.mean(values < -NEAR_END_OF_PATCHES * end)]
    return bool(np.abs(values).max() <= end * (1 + SLACK) and min(near) >= LEAST_NEAR_END)
