"""How a raster is to be read: as the user says, or as its bands and their values show."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from glsweep.config.bands import PHASES, BandTerm, NoData, Role, parse_bands, role_of
from glsweep.errors import DataError
from glsweep.scenes.band_roles import Candidate, check_requested_roles, recognise_roles
from glsweep.scenes.band_values import ENOUGH_PX, band_statistics, in_zero_areas, sample_windows
from glsweep.scenes.reading import (
    BANDS_OPTION,
    Reading,
    UsedBand,
    Zeros,
    holds_data,
    refuse_flat_areas,
    scaled,
)
from glsweep.scenes.source import BandFacts, Mask, Source

MOST_ZEROS_SHARE = 5e-3
"""A larger share of single zeros is no measurement, not even in whole numbers."""
MOST_MAGNITUDE = 1e12
"""No radar measures more; numbers in the wrong byte order are of any size."""
FAR_BEYOND = 100.0
"""So many times the sample's greatest magnitude is no measurement either."""


class SampleWindow(NamedTuple):
    """A window of the sample: stored numbers (B, rows, cols), and where the file has data."""

    bands: npt.NDArray[Any]
    mask: Mask | None

    def band(self, place: int) -> tuple[npt.NDArray[Any], Mask | None]:
        """Return one band, by its place among those that were read."""
        return self.bands[place], self.mask


@np.errstate(invalid="ignore", over="ignore")  # bytes in the wrong order are numbers of any kind
def find_reading(source: Source, requested: str = "auto", nodata: NoData = None) -> Reading:
    """Find out how a raster is to be read.

    Parameters
    ----------
    source : Source
        The raster.
    requested : str
        What the user says that its bands are (see `parse_bands`); `auto` to find out.
    nodata : float, "as_tagged" or None
        What stands for no data where the file does not say so, see `NoData`.

    Raises
    ------
    DataError
        When a band is not there, values do not fit the bands' names or what the user says, the raster can
        be read in several ways, or there is no data.
    """
    terms = parse_bands(requested)
    untagged = nodata if isinstance(nodata, int | float) else None
    masks = tuple(UsedBand(n, "mask", facts) for n, facts in enumerate(source.bands, 1) if facts.is_alpha)
    chosen = _chosen(source, terms) if terms else _usable(source)
    sample = _read_sample(source, list(chosen), masks, untagged)
    candidates = [
        _candidate(
            source.bands[number - 1], number, role, [window.band(place) for window in sample], untagged
        )
        for place, (number, role) in enumerate(chosen.items())
    ]
    if nodata != "as_tagged":
        for one in candidates:
            _refuse_fill(source.path, one, untagged)
    for one in candidates:
        _refuse_wrong_byte_order(source.path, one)
    roles = {number: role for number, role in chosen.items() if role is not None}
    is_requested = bool(roles)
    if is_requested:
        check_requested_roles(source.path, candidates, roles)
    else:
        roles = recognise_roles(source.path, candidates)
    parts = tuple(UsedBand(number, role, source.bands[number - 1]) for number, role in roles.items())
    reading = Reading(parts, untagged)
    phase = next((one for one in candidates if roles.get(one.number) in PHASES), None)
    if phase is not None:
        reading = replace(reading, zeros=_zeros(reading, phase, as_tagged=nodata == "as_tagged"))
    places = [list(chosen).index(number) for number in roles]
    reading = _check_sample(source, reading, places, sample, may_be_flat=nodata == "as_tagged")
    if not is_requested:
        _refuse_unused_mask(source, reading, len(sample))
    return replace(reading, parts=(*parts, *masks))


def _refuse_unused_mask(source: Source, reading: Reading, windows: int) -> None:
    """Refuse a raster with an unused band that is named a mask and is 0 where there seems to be data."""
    used = {part.number for part in reading.parts}
    for number, facts in enumerate(source.bands, 1):
        if number in used or facts.is_alpha or role_of(facts.name) != "mask":
            continue
        zeros = data = 0
        for window in islice(sample_windows(source.shape), windows):
            (band,) = source.read([number], window)
            if len(np.unique(band[np.isfinite(band)])) > 2:
                break  # codes of several kinds, not a mask that says yes or no
            has_data = reading.read(source, window) != 0
            zeros, data = zeros + int((has_data & (band == 0)).sum()), data + int(has_data.sum())
        else:
            if zeros > MOST_ZEROS_SHARE * data:
                named = ", ".join(f"{part.role}={part.number}" for part in reading.parts)
                raise DataError(
                    f"{source.path}: band {number} ({facts.name}) is 0 in {zeros / data:.0%} of the pixels "
                    f"that seem to hold data; name `{named}, mask={number}` if there is none, or `{named}` "
                    f"if there is {BANDS_OPTION}"
                )


def _chosen(source: Source, terms: Sequence[BandTerm]) -> dict[int, Role | None]:
    """Return the bands that the user names, and their roles."""
    chosen: dict[int, Role | None] = {}
    for place, (role, band) in enumerate(terms, start=1):
        number = place if band is None else band
        if isinstance(number, str):
            found = [n for n, facts in enumerate(source.bands, 1) if facts.is_called(number)]
            if len(found) != 1:
                raise DataError(
                    f"{source.path}: has {len(found)} bands of the name {number!r}; {_listed(source)}; name "
                    f"one by its number or name, such as `phase=1` {BANDS_OPTION}"
                )
            number = found[0]
        if not 1 <= number <= len(source.bands) or number in chosen:
            fault = "is asked for band" if number in chosen else "has no band"
            often = " twice" if number in chosen else ""
            raise DataError(
                f"{source.path}: {fault} {number}{often}; {_listed(source)}; name others {BANDS_OPTION}"
            )
        chosen[number] = role
    return chosen


def _usable(source: Source) -> dict[int, Role | None]:
    """Return the bands that are not named as something else."""
    usable = [
        (number, facts)
        for number, facts in enumerate(source.bands, 1)
        if not facts.is_alpha and role_of(facts.name, facts.unit) not in ("other", "mask")
    ]
    if not usable:
        raise DataError(
            f"{source.path}: no band is named as part of an interferogram; {_listed(source)}; if one is, "
            f"name it, such as `phase=1` {BANDS_OPTION}"
        )
    for number, facts in usable:
        if facts.dtype.startswith(("int", "uint", "bool")) and facts.scale == 1:
            raise DataError(
                f"{source.path}: band {number} holds integers ({facts.dtype}), and nothing says by how much "
                "they count; tell it (gdal_translate -a_scale 0.0001, where 10,000 is one radian), or name "
                f"what they are, such as `phase_degrees` {BANDS_OPTION}"
            )
    return {number: None for number, _ in usable}


def _listed(source: Source) -> str:
    names = [f"{n} {facts.name}".strip() for n, facts in enumerate(source.bands, 1)]
    return f"its bands are {', '.join(names)}" if names else "it has none"


def _read_sample(
    source: Source, numbers: Sequence[int], masks: Sequence[UsedBand], nodata: float | None
) -> list[SampleWindow]:
    """Read windows at full resolution until there are enough pixels with data, or none is left.

    Raises
    ------
    DataError
        When no pixel holds data.
    """
    sample = []
    known_px = 0
    for window in sample_windows(source.shape):
        stored = source.read([*numbers, *(part.number for part in masks)], window)
        bands, alphas = stored[: len(numbers)], stored[len(numbers) :]
        mask = source.mask(window)
        for alpha in alphas:
            mask = (alpha > 0) if mask is None else mask & (alpha > 0)
        known = (bands != 0).any(axis=0) if mask is None else mask & (bands != 0).any(axis=0)
        for number, band in zip(numbers, bands, strict=True):
            known = known & holds_data(band, source.bands[number - 1], nodata)
        known_px += int(known.sum())
        sample.append(SampleWindow(bands, mask))
        if known_px >= ENOUGH_PX:
            break
    if not known_px:
        size = source.shape[0] * source.shape[1]
        raise DataError(f"{source.path}: all {size} pixels are without data; remove the file")
    return sample


def _candidate(
    facts: BandFacts,
    number: int,
    role: Role | None,
    stored: Sequence[tuple[npt.NDArray[Any], Mask | None]],
    nodata: float | None,
) -> Candidate:
    named = role_of(facts.name, facts.unit)
    likely = role or named
    factor = UsedBand(number, likely, facts).radians if likely in PHASES else 1.0
    windows, imaginary = [], []
    for band, mask in stored:
        has_data = holds_data(band, facts, nodata)
        if mask is not None:
            has_data &= mask
        values = scaled(band, facts)
        windows.append(np.where(has_data, values.real.astype(np.float64) * factor, np.nan))
        if facts.is_complex:
            imaginary.append(np.where(has_data, values.imag.astype(np.float64), np.nan))
    other = band_statistics(imaginary) if imaginary else None
    return Candidate(number, facts, named, windows, band_statistics(windows), factor, other)


def _refuse_fill(path: Path, one: Candidate, untagged: float | None) -> None:
    stats = one.stats if one.stats.fill is not None or one.imaginary is None else one.imaginary
    if stats.fill is None:
        return
    stored = (stats.fill / one.factor - one.facts.offset) / one.facts.scale
    if untagged is not None:
        raise DataError(
            f"{path}: {one.title} holds {stored:g} besides {untagged:g}, in {stats.fill_share:.2%} of its "
            f"pixels; tag one of the two in the file (gdal_translate -a_nodata {stored:.17g}), and name the "
            "other"
        )
    raise DataError(
        f"{path}: {one.title} holds {stored:g} in {stats.fill_share:.2%} of its pixels, apart from all other "
        f"values, and nothing says that it is no data; say so (--nodata={stored:.17g}, or `nodata` in a data "
        "card's layout)"
    )


def _refuse_wrong_byte_order(path: Path, one: Candidate) -> None:
    if max(-one.stats.low, one.stats.high) > MOST_MAGNITUDE:
        raise DataError(
            f"{path}: {one.title} lies between {one.stats.span}, as numbers do that are read in the wrong "
            "byte order; mend `byte order` in the header beside it, or obtain it again"
        )


def _zeros(reading: Reading, phase: Candidate, *, as_tagged: bool) -> Zeros:
    """Return where a phase of exactly 0 is no data.

    Areas of zeros are no data whatever is tagged, unless the user says that only tags count. Single zeros
    are measurements if there is a strength too, if numbers are stored as integers, which are often 0, or
    if the file tags no data in another way; but not if there are more of them than chance gives.
    """
    tags = (phase.facts.nodata, reading.nodata)
    is_float = phase.facts.dtype.startswith("float")
    if 0 in tags and is_float:
        return "missing"
    if as_tagged:
        return "measured"
    is_tagged = any(tag is not None for tag in tags) or any(
        np.isnan(values).any() for values in phase.windows
    )
    if is_float and not is_tagged and len(reading.signal) == 1:
        return "missing"
    single = sum(int(((values == 0) & ~in_zero_areas(values == 0)).sum()) for values in phase.windows)
    size = sum(int(np.isfinite(values).sum()) for values in phase.windows)
    return "missing" if single > MOST_ZEROS_SHARE * size else "areas"


def _check_sample(
    source: Source,
    reading: Reading,
    places: Sequence[int],
    sample: Sequence[SampleWindow],
    *,
    may_be_flat: bool,
) -> Reading:
    """Join the sample's bands, so that what cannot be read is refused before any work is done.

    Returns
    -------
    Reading
        With the bounds that the rest of the raster must keep to, where the sample is not all of it.
    """
    stored = [bands[list(places)] for bands, _ in sample]
    joined = [
        reading.joined(bands, window.mask, source.path) for bands, window in zip(stored, sample, strict=True)
    ]
    if not any(window.any() for window in joined):
        raise DataError(
            f"{source.path}: no pixel that was looked at holds data; name other bands {BANDS_OPTION}"
        )
    if not may_be_flat:
        refuse_flat_areas(joined, stored, reading, source.path)
    reading = replace(reading, clipped_share=_clipped_share(reading, places, sample))
    if sum(window.size for window in joined) == source.shape[0] * source.shape[1]:
        return reading
    largest = FAR_BEYOND * max(float(np.abs(window).max()) for window in joined)
    return replace(reading, largest=largest, may_be_flat=may_be_flat)


def _clipped_share(reading: Reading, places: Sequence[int], sample: Sequence[SampleWindow]) -> float:
    """Return the share of the coherence's values that lie beyond 0 and 1."""
    for part, place in zip(reading.parts, places, strict=True):
        if part.role == "coherence":
            values = np.concatenate([scaled(bands[place], part.facts).ravel() for bands, _ in sample])
            return float(((values < 0) | (values > 1)).mean())
    return 0.0
