"""What the two bands of `.npz` patches are, decided once for a data set, and how they become one signal.

The study's patches hold the phase (in radians or over pi) and the magnitude; others hold real and
imaginary part, and nothing but the values tells one from the other.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from glsweep.config.bands import LOOK, STRENGTHS, Role, parse_bands
from glsweep.errors import DataError
from glsweep.scenes.reading import Part, Reading
from glsweep.scenes.source import BandFacts

Image = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]

LARGEST: dict[Role, float] = {"phase": math.pi, "phase_pi": 1.0, "phase_cycles": 1.0, "phase_degrees": 360.0}
"""Greatest size of a wrapped phase in each unit."""
SLACK = 2e-3
"""Share by which float16 may pass it."""

SEVERAL = 128
"""Patches with data that are looked at."""
FEW = 0.02
SECTORS = 8
LEAST_SECTOR_SHARE = 0.05
"""Of the share that each sector of the circle has when all angles are alike."""
NEAR_END, LEAST_NEAR_END = 0.9, 1e-3
"""A wrapped phase comes so close to both ends of its range, in at least such a share of the pixels."""
LEAST_VARIATION = 0.02


class BandRoles(NamedTuple):
    """What band 1 and band 2 are; None where one is not needed."""

    first: Role | None
    second: Role | None

    @property
    def told(self) -> str:
        """The two for people, as a data card says them."""
        return ", ".join(f"{role}={band}" for band, role in enumerate(self, 1) if role is not None)


def decide_roles(images: Iterable[Image], asked: str, path: Path) -> BandRoles:
    """Tell what the bands of a whole set of patches are: as the data card says, or by their values.

    A phase in radians and one over pi are told apart by their size even where the card says
    `phase`: the study's patches may hold either.

    Parameters
    ----------
    images : iterable of float array (2, rows, cols)
        The patches' bands, no more of which are taken than are needed; not finite or 0 in both where
        there is no data.
    asked : str
        `layout.bands` of the data card.
    path : Path
        For messages: where the patches are.

    Raises
    ------
    DataError
        When the values do not fit what the card says, or do not tell what they are.
    """
    first, second = _sample(images, path)
    roles = asked_roles(asked, path)
    if roles is None:
        return _found_by_values(first, second, path)
    if "phase" in roles:
        unit = _unit_of_phase((first, second)[roles.index("phase")], path)
        roles = BandRoles(*(unit if role == "phase" else role for role in roles))
    fault = fault_of(first, second, roles) or _unlikely(first, second, roles)
    if fault:
        raise DataError(f"{path}: {fault}, so its bands are not {asked}; mend layout.bands in the data card")
    return roles


def asked_roles(asked: str, path: Path) -> BandRoles | None:
    """Return what the data card says of the two bands, None where it leaves that to the values.

    Raises
    ------
    DataError
        When it names what patches of two bands cannot be.
    """
    if asked in LOOK:
        return None
    places: dict[int, Role] = {}
    for number, term in enumerate(parse_bands(asked), 1):
        band = number if term.band is None else term.band
        if band not in (1, 2) or term.role in (None, "complex") or int(band) in places:
            raise DataError(
                f"{path}: patches have the bands 1 and 2, of which layout.bands says {asked!r}; say such as "
                "`phase, magnitude`, `real, imaginary` or `phase=1`"
            )
        places[int(band)] = term.role
    return BandRoles(places.get(1), places.get(2))


def to_complex(image: Image, roles: BandRoles, path: Path) -> npt.NDArray[np.complex64]:
    """Join two bands (2, rows, cols) of the patch at `path` to one complex value a pixel, 0 without data."""
    used = [(band, role) for band, role in enumerate(roles) if role is not None]
    facts = BandFacts(dtype=str(image.dtype))
    parts = tuple(Part(band + 1, role, facts) for band, role in used)
    # Beside a magnitude of its own a pixel holds data also where its phase is 0.
    reading = Reading(parts, zeros="measured" if len(parts) > 1 else "missing")
    return reading.joined(image[[band for band, _ in used]], None, path)


def fault_of(first: Values | Image, second: Values | Image, roles: BandRoles) -> str | None:
    """Say why values with data cannot be what they are said to be; None where they can."""
    for number, (values, role) in enumerate(zip((first, second), roles, strict=True), 1):
        if not values.size:
            continue
        largest = LARGEST.get(role) if role is not None else None
        span = f"band {number} lies between {values.min():.4g} and {values.max():.4g}"
        if largest is not None and np.abs(values).max() > largest * (1 + SLACK):
            return f"{span}, beyond {largest:.4g}"
        if role in STRENGTHS and values.min() < 0:
            return f"{span}, below 0"
    return None


def with_data(image: Image) -> Image:
    """Return the pixels of (2, rows, cols) that hold data, (2, N)."""
    flat = image.reshape(2, -1)
    return flat[:, np.isfinite(flat).all(axis=0) & (flat != 0).any(axis=0)]


def _sample(images: Iterable[Image], path: Path) -> tuple[Values, Values]:
    parts: list[Image] = []
    for image in images:
        pixels = with_data(image)
        if pixels.size:
            parts.append(pixels)
        if len(parts) == SEVERAL:
            break
    if not parts:
        raise DataError(f"{path}: no pixel of any patch holds data; remove the patches")
    first, second = np.concatenate(parts, axis=1).astype(np.float64)
    return first, second


def _found_by_values(first: Values, second: Values, path: Path) -> BandRoles:
    if _are_parts(first, second):
        return BandRoles("real", "imaginary")
    if _are_phase_and_strength(first, second):
        return BandRoles(_unit_of_phase(first, path), "magnitude")
    swapped = _are_phase_and_strength(second, first)
    likely = (
        "`bands: magnitude, phase`" if swapped else "`bands: phase, magnitude` or `bands: real, imaginary`"
    )
    raise DataError(
        f"{path}: band 1 of the patches lies between {first.min():.4g} and {first.max():.4g}, band 2 between "
        f"{second.min():.4g} and {second.max():.4g}, which does not tell what they are; say {likely} in the "
        "data card's layout"
    )


def _are_parts(first: Values, second: Values) -> bool:
    """Whether they look like real and imaginary part: alike in size and sign, at every angle."""
    if not (_has_both_signs(first) and _has_both_signs(second)):
        return False
    ratio = np.sqrt(np.mean(first**2) / np.mean(second**2))
    if not 0.5 <= ratio <= 2 or _ends_at(first, math.pi) or _ends_at(second, math.pi):
        return False
    sectors, _ = np.histogram(np.arctan2(second, first), SECTORS, (-math.pi, math.pi))
    return bool(sectors.min() >= LEAST_SECTOR_SHARE * len(first) / SECTORS)


def _are_phase_and_strength(phase: Values, strength: Values) -> bool:
    """Whether they look like a wrapped phase and a strength that does not bound it, as it would a part."""
    if not _has_both_signs(phase) or strength.min() < 0 or np.abs(phase).max() > math.pi * (1 + SLACK):
        return False
    if np.abs(phase).max() > 1 + SLACK and np.ptp(strength) <= LEAST_VARIATION * strength.max():
        return True
    weak = strength <= np.quantile(strength, 1 / 3)
    varies = np.ptp(strength) > LEAST_VARIATION * strength.max()
    return bool(varies and np.abs(phase[weak]).max() >= 0.7 * np.abs(phase).max())


def _unit_of_phase(phase: Values, path: Path) -> Role:
    """Return `phase` for radians or `phase_pi`, by the largest value of the set."""
    largest = np.abs(phase).max()
    if largest > 1 + SLACK:
        return "phase"
    if _ends_at(phase, 1.0):
        return "phase_pi"
    raise DataError(
        f"{path}: the phase of the patches lies between {phase.min():.4g} and {phase.max():.4g}, in "
        "radians or over pi; say `bands: phase_pi, magnitude` in the data card's layout if it is over pi, or "
        "`bands: unwrapped_phase, magnitude` if it is in radians"
    )


def _unlikely(first: Values, second: Values, roles: BandRoles) -> str | None:
    """Say why values that might be what they are said to be are more likely something else."""
    parts = (
        {"real": first, "imaginary": second}
        if roles.first == "real"
        else {"real": second, "imaginary": first}
    )
    if (
        set(roles) == {"real", "imaginary"}
        and parts["imaginary"].min() >= 0
        and _has_both_signs(parts["real"])
    ):
        return "one band has both signs and the other is never negative, as a phase and a magnitude are"
    phases = [values for values, role in zip((first, second), roles, strict=True) if role == "phase_degrees"]
    if phases and np.abs(phases[0]).max() <= 2 * math.pi:
        return f"its phase never passes {np.abs(phases[0]).max():.4g}, as one in radians does not"
    return None


def _has_both_signs(values: Values) -> bool:
    return bool(FEW <= np.mean(values < 0) <= 1 - FEW)


def _ends_at(values: Values, end: float) -> bool:
    """Whether the values are spread up to both ends of [-end, end], and go no farther."""
    near = [np.mean(values > NEAR_END * end), np.mean(values < -NEAR_END * end)]
    return bool(np.abs(values).max() <= end * (1 + SLACK) and min(near) >= LEAST_NEAR_END)
