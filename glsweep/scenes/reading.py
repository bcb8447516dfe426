"""How a raster's bands become one complex value a pixel, once their roles are known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from glsweep.config.bands import PHASES, STRENGTHS, Role, unit_of_phase
from glsweep.errors import DataError
from glsweep.scenes.band_values import AREA_PX, OVERSHOOT, SLACK_RAD, flat_value, in_zero_areas
from glsweep.scenes.source import BandFacts, Mask, Source, Window

BANDS_OPTION = "(--bands, or `bands` in a data card's layout)"
LOWEST_STRENGTH = 1e-3
"""Of a coherence that resampling has pushed to 0 or below: 0 would say that there is no data."""
LEAST_WINDOW_PX = 2**14
"""In fewer pixels, a few that agree by chance look like an area of one value."""
Zeros = Literal["missing", "areas", "measured"]
RADIANS: dict[Role, float] = {
    "phase": 1.0,
    "unwrapped_phase": 1.0,
    "phase_pi": math.pi,
    "phase_cycles": 2 * math.pi,
    "phase_degrees": math.pi / 180,
}


class UsedBand(NamedTuple):
    """One band that is used: its number, from 1, its role, and what the file says of it."""

    number: int
    role: Role
    facts: BandFacts

    @property
    def radians(self) -> float:
        """Factor that turns a phase into radians; the file's unit counts where the name leaves it open."""
        by_unit = unit_of_phase(self.facts.unit) if self.role in ("phase", "unwrapped_phase") else None
        return RADIANS.get(by_unit or self.role, 1.0)


@dataclass(frozen=True)
class Reading:
    """Which bands of a raster are used, and as what.

    Attributes
    ----------
    parts : tuple of UsedBand
        A complex band; real and imaginary part; or a phase, perhaps with its strength. Masks besides.
    nodata : float or None
        A stored number that stands for no data in every band, though the file does not say so.
    zeros : {"missing", "areas", "measured"}
        Where a phase of exactly 0 is no data: in each pixel, only where areas are 0, or nowhere.
    clipped_share : float
        Share of the sample's pixels whose coherence lay a little beyond 0 and 1.
    largest : float
        Greatest magnitude that can be a measurement, judged by the sample of a large raster.
    may_be_flat : bool
        Whether areas of one value are data. A raster that was read whole has none.
    """

    parts: tuple[UsedBand, ...]
    nodata: float | None = None
    zeros: Zeros = "missing"
    clipped_share: float = 0.0
    largest: float = math.inf
    may_be_flat: bool = True

    @property
    def signal(self) -> tuple[UsedBand, ...]:
        """The bands that hold values, masks aside."""
        return tuple(part for part in self.parts if part.role != "mask")

    @property
    def title(self) -> str:
        """What the bands hold, as the user would name it."""
        return ", ".join(part.role for part in self.signal)

    def read(self, source: Source, window: Window) -> npt.NDArray[np.complex64]:
        """Return one window, complex64 (rows, cols); 0 where there is no data.

        Raises
        ------
        DataError
            When a phase or a coherence leaves its range, so that it cannot be what it is taken for.
        """
        # Only its neighbours show whether a 0 is one of many.
        margin = AREA_PX - 1 if self.zeros == "areas" else 0
        top, left = max(0, window.row - margin), max(0, window.col - margin)
        bottom = min(source.shape[0], window.row + window.rows + margin)
        right = min(source.shape[1], window.col + window.cols + margin)
        wide = Window(top, left, bottom - top, right - left)
        stored = source.read([part.number for part in self.parts], wide)
        joined = self.joined(stored, source.mask(wide), source.path)
        self._check_unseen(joined, stored, source.path)
        row, col = window.row - top, window.col - left
        return joined[row : row + window.rows, col : col + window.cols]

    def _check_unseen(self, joined: npt.NDArray[np.complex64], stored: npt.NDArray[Any], path: Path) -> None:
        """Refuse values that stand for no data in the part of a large raster outside the sample."""
        size = np.abs(joined)
        if size.size and size.max() > self.largest:
            value = float(stored[0][size == size.max()][0].real)
            raise DataError(
                f"{path}: holds {value:g} somewhere, far from all that was looked at before; if that is no "
                f"data, say so (--nodata={value:.9g}, or `nodata` in a data card's layout)"
            )
        if not self.may_be_flat and joined.size >= LEAST_WINDOW_PX:
            refuse_flat_areas([joined], [stored], self, path)

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
            for part in (part for part in self.parts if part.role in STRENGTHS):
                strength = numbers[part.role]
                # A measured strength is never exactly 0: that is what no data is written as.
                has_data &= strength != 0
                size = np.abs(signal)
                unit = np.divide(signal, size, out=np.zeros_like(signal), where=size > 0)
                signal = unit * _magnitude(strength, part, has_data, path)
            joined: npt.NDArray[np.complex64] = signal.astype(np.complex64)
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
            has_data &= ~(in_zero_areas(zero) if self.zeros == "areas" else zero)
        return np.asarray(np.cos(phase_rad) + 1j * np.sin(phase_rad))


def refuse_flat_areas(
    joined: Sequence[npt.NDArray[np.complex64]],
    stored: Sequence[npt.NDArray[Any]],
    reading: Reading,
    path: Path,
) -> None:
    """Refuse windows, (rows, cols) and as stored (B, rows, cols), with large areas of one value.

    Raises
    ------
    DataError
        When there are such areas: a number that stands for no data, though nothing says so.
    """
    windows = list(joined)
    phases = [place for place, part in enumerate(reading.parts) if part.role in PHASES]
    for place in phases:
        # The phase alone may be filled, while the coherence varies.
        windows = [
            np.where(z != 0, bands[place], 0).astype(np.complex64)
            for z, bands in zip(joined, stored, strict=True)
        ]
    flat = flat_value(windows)
    if flat is None:
        return
    value = next(
        next(
            (float(part) for band in bands for part in _parts_of(band[window == flat.value][0]) if part), 0.0
        )
        for window, bands in zip(windows, stored, strict=True)
        if (window == flat.value).any()
    )
    raise DataError(
        f"{path}: {flat.share:.0%} of its pixels lie in areas that hold one value without exception, as no "
        f"measurement does; say that it is no data (--nodata={value:.9g}, or `nodata` in a data card's "
        "layout), or that it is measured all the same (--nodata=as_tagged)"
    )


def _parts_of(number: Any) -> tuple[Any, ...]:
    return (number.real, number.imag) if np.iscomplexobj(number) else (number,)


def holds_data(band: npt.NDArray[Any], facts: BandFacts, nodata: float | None) -> Mask:
    """Return where a band of stored numbers is finite, and none of those that stand for no data.

    A 0 that means 0 is left to what the band is: one of real and imaginary part is 0 wherever the phase is
    a multiple of 90 degrees.
    """
    has_data = np.isfinite(band)
    for tag in (facts.nodata, nodata):
        if tag is not None and (tag != 0 or facts.offset != 0) and np.isfinite(tag):
            has_data &= ~_equals(band, tag, facts.dtype)
    return np.asarray(has_data)


def scaled(band: npt.NDArray[Any], facts: BandFacts) -> npt.NDArray[Any]:
    """Return the values that stored numbers stand for, in single precision where they are stored so."""
    if np.iscomplexobj(band):
        return band
    if (facts.scale, facts.offset) == (1, 0):
        return band if band.dtype == np.float32 else band.astype(np.float64)
    return band.astype(np.float64) * facts.scale + facts.offset


def _equals(band: npt.NDArray[Any], tag: float, dtype: str) -> Mask:
    """Whether stored numbers are the tag, which is itself stored with the band's precision."""
    if np.iscomplexobj(band):
        part = "float64" if dtype == "complex128" else "float32"
        return _equals(band.real, tag, part) | _equals(band.imag, tag, part)
    if np.issubdtype(dtype, np.floating):
        with np.errstate(over="ignore"):
            tag = float(np.asarray(tag).astype(dtype))
    return np.asarray(band == tag)


def _refuse_one_excess(values: npt.NDArray[Any], part: UsedBand, path: Path) -> None:
    """Refuse values out of range by name where they are one number: it stands for no data."""
    if len(values) > 1 and values.min() == values.max():
        stored = (float(values[0]) - part.facts.offset) / part.facts.scale
        raise DataError(
            f"{path}: band {part.number} holds {stored:g} in {len(values)} pixels, out of all range, and "
            f"nothing says that it is no data; say so (--nodata={stored:.17g}, or `nodata` in a data card's "
            "layout)"
        )


def _magnitude(strength: npt.NDArray[Any], part: UsedBand, has_data: Mask, path: Path) -> npt.NDArray[Any]:
    if part.role == "coherence":
        values = strength[has_data]
        _refuse_one_excess(values[(values < -OVERSHOOT) | (values > 1 + OVERSHOOT)], part, path)
        if len(values) and (values.min() < -OVERSHOOT or values.max() > 1 + OVERSHOOT):
            raise DataError(
                f"{path}: its coherence lies between {values.min():.4g} and {values.max():.4g}, not 0 and 1; "
                f"rescale it, or name it `magnitude` if it is an amplitude {BANDS_OPTION}"
            )
        return np.asarray(np.clip(strength, LOWEST_STRENGTH, 1))
    values = strength[has_data]
    if len(values) and values.min() < 0:
        raise DataError(
            f"{path}: its magnitude is {values.min():.4g} somewhere, and none is negative; name the bands "
            f"otherwise {BANDS_OPTION}"
        )
    return np.asarray(np.sqrt(np.abs(strength)) if part.role == "intensity" else strength)


def _check_phase(phase_rad: npt.NDArray[Any], part: UsedBand, path: Path) -> None:
    if not len(phase_rad):
        return
    low, high = float(phase_rad.min()), float(phase_rad.max())
    slack = SLACK_RAD * max(1, part.radians)
    # Cycles and degrees are also counted from 0 on; in radians that would be no wrapped phase.
    turn = part.radians != 1 and low >= -slack and high <= 2 * math.pi + slack
    if max(-low, high) > math.pi + slack and not turn:
        _refuse_one_excess(phase_rad[np.abs(phase_rad) > math.pi + slack] / part.radians, part, path)
        raise DataError(
            f"{path}: its phase lies between {low:.4g} and {high:.4g} rad, so it is not wrapped to "
            f"(-pi, pi]; name it `unwrapped_phase={part.number}` to have it wrapped, if it is one "
            f"{BANDS_OPTION}"
        )
