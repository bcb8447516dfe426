"""What the values of `.npz` patches look like: a phase that fills a turn, or parts of a complex number."""

import math

import numpy as np
import numpy.typing as npt

from glsweep.config.bands import Role

Values = npt.NDArray[np.float64]

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
"""Of a half or whole turn: so near to its ends come the values of a phase that wraps."""

FEW = 0.02
SECTORS = 8
LEAST_SECTOR_SHARE = 0.05
"""Of the share that each sector of the circle has when all angles are alike."""
NEAR_END, LEAST_NEAR_END = 0.9, 1e-3
"""A wrapped phase comes so close to both ends of its range, in at least such a share of the pixels."""
LEAST_VARIATION = 0.02
CROWDED_END, BEYOND, LEAST_BEYOND = 5e-3, 1.02, 0.03
"""A band that such a share of the pixels comes near both ends of is bounded: as a part of a complex number by
the magnitude, which the other band then cannot lead beyond; as a phase by itself, whatever the other is."""


def are_parts(first: Values, second: Values) -> bool:
    """Whether they look like real and imaginary part: alike in size and sign, at every angle."""
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
    least = CROWDED_END if turn_of(values) is None else LEAST_NEAR_END
    size = np.hypot(values, other)
    for side in (values, -values):
        end = side.max()
        near = side > NEAR_END * end
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


def turn_of(values: Values) -> Role | None:
    """Return the unit of a phase that fills a whole turn just as these values do, if there is one."""
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
    return bool(FEW <= np.mean(values < 0) <= 1 - FEW)


def ends_at(values: Values, end: float) -> bool:
    """Whether the values are spread up to both ends of [-end, end], and go no farther."""
    near = [np.mean(values > NEAR_END * end), np.mean(values < -NEAR_END * end)]
    return bool(np.abs(values).max() <= end * (1 + SLACK) and min(near) >= LEAST_NEAR_END)
