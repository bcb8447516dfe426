"""How a raster's bands become one complex value a pixel, once it is known what they are."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_opening

from glsweep.config.bands import PHASES, STRENGTHS, Role
from glsweep.errors import DataError
from glsweep.scenes.band_names import unit_of_phase
from glsweep.scenes.band_values import OVERSHOOT, SLACK_RAD
from glsweep.scenes.source import BandFacts, Mask, Source, Window

SETTLE = "(--bands, or `bands` in a data card's layout)"
LOWEST_STRENGTH = 1e-3
"""Of a coherence that resampling has pushed to 0 or below: 0 would say that there is no data."""
AREA_PX = 3
"""Zeros that fill a square of this side are a collar or a hole; by itself a phase may be measured as 0."""
Zeros = Literal["missing", "areas", "measured"]
RADIANS: dict[Role, float] = {
    "phase": 1.0,
    "unwrapped_phase": 1.0,
    "phase_pi": math.pi,
    "phase_cycles": 2 * math.pi,
    "phase_degrees": math.pi / 180,
}


class Part(NamedTuple):
    """One band that is used: its number, from 1, what it is, and what the file says of it."""

    number: int
    role: Role
    facts: BandFacts

    @property
    def radians(self) -> float:
        """By what a phase's values are multiplied; the file's unit counts where its name leaves it open."""
        by_unit = unit_of_phase(self.facts.unit) if self.role in ("phase", "unwrapped_phase") else None
        return RADIANS.get(by_unit or self.role, 1.0)


@dataclass(frozen=True)
class Reading:
    """Which bands of a raster are used, and as what.

    Attributes
    ----------
    parts : tuple of Part
        A complex band; real and imaginary part; or a phase, perhaps with its strength. Masks besides.
    nodata : float or None
        A stored number that stands for no data in every band, though the file does not say so.
    zeros : {"missing", "areas", "measured"}
        Where a phase of exactly 0 is no data: in each pixel, only where areas are 0, or nowhere.
    clipped_share : float
        Share of the pixels looked at whose coherence lay a little beyond 0 and 1.
    """

    parts: tuple[Part, ...]
    nodata: float | None = None
    zeros: Zeros = "missing"
    clipped_share: float = 0.0

    @property
    def signal(self) -> tuple[Part, ...]:
        """The bands that hold values, masks aside."""
        return tuple(part for part in self.parts if part.role != "mask")

    @property
    def title(self) -> str:
        """What the bands hold, as it would be asked for."""
        return ", ".join(part.role for part in self.signal)

    @property
    def has_strength(self) -> bool:
        """Whether pixels have a magnitude of their own."""
        return len(self.signal) > 1 or self.signal[0].role == "complex"

    def read(self, source: Source, window: Window) -> npt.NDArray[np.complex64]:
        """Return one window, complex64 (rows, cols); 0 where there is no data.

        Raises
        ------
        DataError
            When a phase or a coherence leaves its range, so that it cannot be what it is taken for.
        """
        # Whether a 0 is one of many is seen from its neighbours.
        margin = AREA_PX - 1 if self.zeros == "areas" else 0
        top, left = max(0, window.row - margin), max(0, window.col - margin)
        bottom = min(source.shape[0], window.row + window.rows + margin)
        right = min(source.shape[1], window.col + window.cols + margin)
        wide = Window(top, left, bottom - top, right - left)
        stored = source.read([part.number for part in self.parts], wide)
        joined = self.joined(stored, source.mask(wide), source.path)
        row, col = window.row - top, window.col - left
        return joined[row : row + window.rows, col : col + window.cols]

    def joined(self, stored: npt.NDArray[Any], mask: Mask | None, path: Path) -> npt.NDArray[np.complex64]:
        """Join the stored numbers of all parts, (B, rows, cols), to one complex value a pixel."""
        has_data = np.ones(stored.shape[1:], np.bool_) if mask is None else mask.copy()
        numbers: dict[Role, npt.NDArray[Any]] = {}
        for part, band in zip(self.parts, stored, strict=True):
            if part.role == "mask":
                has_data &= np.nan_to_num(band) > 0
            else:
                has_data &= holds_data(band, part.facts, self.nodata)
                # A 0 that a user names counts in every band; a file's tag may mean both parts of a pair.
                has_data &= (band != 0) if self.nodata == 0 and part.role in (*PHASES, *STRENGTHS) else True
                numbers[part.role] = scaled(band, part.facts)
        with np.errstate(over="ignore", invalid="ignore"):  # what single precision cannot hold is no data
            signal = self._signal(numbers, has_data, path)
            strength = next((numbers[role] for role in STRENGTHS if role in numbers), None)
            if strength is not None:
                # A measured strength is never exactly 0: that is what no data is written as.
                has_data &= strength != 0
                size = np.abs(signal)
                unit = np.divide(signal, size, out=np.zeros_like(signal), where=size > 0)
                signal = unit * _magnitude(strength, numbers, has_data, path)
            joined = signal.astype(np.complex64)
        joined[~has_data | ~np.isfinite(joined)] = 0
        return joined

    def _signal(
        self, numbers: dict[Role, npt.NDArray[Any]], has_data: Mask, path: Path
    ) -> npt.NDArray[np.complexfloating[Any, Any]]:
        if "complex" in numbers:
            return numbers["complex"]
        if "real" in numbers:
            return np.asarray(numbers["real"] + 1j * numbers["imaginary"])
        role = next(role for role in numbers if role in PHASES)
        part = next(part for part in self.parts if part.role == role)
        phase_rad = np.where(has_data, numbers[role], 0) * part.radians
        if role != "unwrapped_phase":
            _check_phase(phase_rad[has_data], part, path)
        if self.zeros != "measured":
            zero = phase_rad == 0
            has_data &= ~(_areas(zero) if self.zeros == "areas" else zero)
        return np.asarray(np.cos(phase_rad) + 1j * np.sin(phase_rad))


def holds_data(band: npt.NDArray[Any], facts: BandFacts, nodata: float | None) -> Mask:
    """Return where a band of stored numbers is finite, and none of those that stand for no data.

    A 0 is left to what the band is: one of real and imaginary part is 0 wherever the phase is a multiple
    of 90 degrees.
    """
    known = np.isfinite(band)
    for tag in (facts.nodata, nodata):
        if tag is not None and tag != 0 and np.isfinite(tag):
            known &= ~_equals(band, tag, facts.dtype)
    return np.asarray(known)


def scaled(band: npt.NDArray[Any], facts: BandFacts) -> npt.NDArray[Any]:
    """Return the values that stored numbers stand for, in single precision where they are stored so."""
    if np.iscomplexobj(band):
        return band
    if (facts.scale, facts.offset) == (1, 0):
        return band if band.dtype == np.float32 else band.astype(np.float64)
    return band.astype(np.float64) * facts.scale + facts.offset


def _areas(marked: Mask) -> Mask:
    """Return the marked pixels that form areas, all beyond the edges being marked."""
    around = np.pad(marked, AREA_PX, constant_values=True)
    opened = binary_opening(around, np.ones((AREA_PX, AREA_PX), np.bool_))
    return np.asarray(opened[AREA_PX:-AREA_PX, AREA_PX:-AREA_PX])


def _equals(band: npt.NDArray[Any], tag: float, dtype: str) -> Mask:
    """Whether stored numbers are the tag, which is itself stored with the band's precision."""
    if np.iscomplexobj(band):
        part = "float64" if dtype == "complex128" else "float32"
        return _equals(band.real, tag, part) | _equals(band.imag, tag, part)
    if np.issubdtype(dtype, np.floating):
        with np.errstate(over="ignore"):
            tag = float(np.asarray(tag).astype(dtype))
    return np.asarray(band == tag)


def _magnitude(
    strength: npt.NDArray[Any], numbers: dict[Role, npt.NDArray[Any]], has_data: Mask, path: Path
) -> npt.NDArray[Any]:
    if "coherence" in numbers:
        known = strength[has_data]
        if len(known) and (known.min() < -OVERSHOOT or known.max() > 1 + OVERSHOOT):
            raise DataError(
                f"{path}: its coherence lies between {known.min():.4g} and {known.max():.4g}, not 0 and 1; "
                f"rescale it, or name it `magnitude` if it is an amplitude {SETTLE}"
            )
        return np.asarray(np.clip(strength, LOWEST_STRENGTH, 1))
    known = strength[has_data]
    if len(known) and known.min() < 0:
        raise DataError(
            f"{path}: its magnitude is {known.min():.4g} somewhere, and none is negative; name the bands "
            f"otherwise {SETTLE}"
        )
    return np.asarray(np.sqrt(np.abs(strength)) if "intensity" in numbers else strength)


def _check_phase(phase_rad: npt.NDArray[Any], part: Part, path: Path) -> None:
    if not len(phase_rad):
        return
    low, high = float(phase_rad.min()), float(phase_rad.max())
    slack = SLACK_RAD * max(1, part.radians)
    # Cycles and degrees are also counted from 0 on; in radians that would be no wrapped phase.
    turn = part.radians != 1 and low >= -slack and high <= 2 * math.pi + slack
    if max(-low, high) > math.pi + slack and not turn:
        raise DataError(
            f"{path}: its phase lies between {low:.4g} and {high:.4g} rad, so it is not wrapped to "
            f"(-pi, pi]; name it `unwrapped_phase={part.number}` to have it wrapped, if it is one {SETTLE}"
        )
