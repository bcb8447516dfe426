"""How a raster is to be read: as a user says, or as its own bands tell."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from glsweep.config.bands import PHASES, BandTerm, NoData, Role, parse_bands
from glsweep.errors import DataError
from glsweep.scenes.band_names import meaning
from glsweep.scenes.band_roles import Candidate, check_asked, recognise
from glsweep.scenes.band_values import ENOUGH_PX, flat_value, look_at, windows_to_look_at
from glsweep.scenes.reading import SETTLE, Part, Reading, Zeros, holds_data, scaled
from glsweep.scenes.source import BandFacts, Mask, Source


class Looked(NamedTuple):
    """A window that was looked at: stored numbers (B, rows, cols), and where the file has data."""

    bands: npt.NDArray[Any]
    mask: Mask | None

    def of(self, place: int) -> tuple[npt.NDArray[Any], Mask | None]:
        """Return one band, by its place among those that were looked at."""
        return self.bands[place], self.mask


def find_reading(source: Source, asked: str = "auto", nodata: NoData = None) -> Reading:
    """Tell how a raster is to be read.

    Parameters
    ----------
    source : Source
        The raster.
    asked : str
        What a user says of its bands (see `parse_bands`); `auto` to find out.
    nodata : float, "as_tagged" or None
        What stands for no data where the file does not say so, see `NoData`.

    Raises
    ------
    DataError
        When a band is not there, the values are not what the bands are called or asked for, they can be
        read in several ways, or there is no data.
    """
    terms = parse_bands(asked)
    untagged = nodata if isinstance(nodata, int | float) else None
    masks = tuple(Part(n, "mask", facts) for n, facts in enumerate(source.bands, 1) if facts.is_alpha)
    chosen = _chosen(source, terms) if terms else _usable(source)
    looked = _looked_at(source, list(chosen), masks, untagged)
    candidates = [
        _candidate(source.bands[number - 1], number, role, [window.of(place) for window in looked], untagged)
        for place, (number, role) in enumerate(chosen.items())
    ]
    if nodata != "as_tagged":
        for one in candidates:
            _refuse_fill(source.path, one)
    given = {number: role for number, role in chosen.items() if role is not None}
    is_asked = len(given) == len(chosen)
    if is_asked:
        check_asked(source.path, candidates, given)
    roles = given if is_asked else recognise(source.path, candidates)
    parts = tuple(Part(number, role, source.bands[number - 1]) for number, role in roles.items())
    signal = next(one for one in candidates if roles.get(one.number, "mask") != "mask")
    reading = Reading(parts, untagged)
    reading = replace(reading, zeros=_zeros(reading, signal, as_tagged=nodata == "as_tagged"))
    places = [list(chosen).index(number) for number in roles]
    tried = _tried(source.path, reading, places, looked, may_be_flat=nodata is not None)
    return replace(tried, parts=(*parts, *masks))


def _chosen(source: Source, terms: Sequence[BandTerm]) -> dict[int, Role | None]:
    """Return the bands that are asked for, and as what."""
    chosen: dict[int, Role | None] = {}
    for place, (role, band) in enumerate(terms, start=1):
        number = place if band is None else band
        if isinstance(number, str):
            found = [n for n, facts in enumerate(source.bands, 1) if facts.is_called(number)]
            if len(found) != 1:
                raise DataError(
                    f"{source.path}: has {len(found)} bands of the name {number!r}; {_listed(source)}; name "
                    f"one by its number or name, such as `phase=1` {SETTLE}"
                )
            number = found[0]
        if not 1 <= number <= len(source.bands) or number in chosen:
            told = "is asked for band" if number in chosen else "has no band"
            often = " twice" if number in chosen else ""
            raise DataError(f"{source.path}: {told} {number}{often}; {_listed(source)}; name others {SETTLE}")
        chosen[number] = role
    return chosen


def _usable(source: Source) -> dict[int, Role | None]:
    """Return the bands that are not named as something else."""
    usable = [
        (number, facts)
        for number, facts in enumerate(source.bands, 1)
        if not facts.is_alpha and meaning(facts.name, facts.unit) not in ("other", "mask")
    ]
    if not usable:
        raise DataError(
            f"{source.path}: no band is named as part of an interferogram; {_listed(source)}; if one is, "
            f"name it, such as `phase=1` {SETTLE}"
        )
    for number, facts in usable:
        if facts.dtype.startswith(("int", "uint", "bool")) and facts.scale == 1:
            raise DataError(
                f"{source.path}: band {number} holds integers ({facts.dtype}), and nothing says by how much "
                "they count; tell it (gdal_translate -a_scale 0.0001, where 10,000 is one radian), or name "
                f"what they are, such as `phase_degrees` {SETTLE}"
            )
    return {number: None for number, _ in usable}


def _listed(source: Source) -> str:
    names = [f"{n} {facts.name}".strip() for n, facts in enumerate(source.bands, 1)]
    return f"its bands are {', '.join(names)}" if names else "it has none"


def _looked_at(
    source: Source, numbers: Sequence[int], masks: Sequence[Part], nodata: float | None
) -> list[Looked]:
    """Read windows at full resolution until there are enough pixels with data, or none is left.

    Raises
    ------
    DataError
        When no pixel holds data.
    """
    looked = []
    known_px = 0
    for window in windows_to_look_at(source.shape):
        stored = source.read([*numbers, *(part.number for part in masks)], window)
        bands, alphas = stored[: len(numbers)], stored[len(numbers) :]
        mask = source.mask(window)
        for alpha in alphas:
            mask = (alpha > 0) if mask is None else mask & (alpha > 0)
        known = (bands != 0).any(axis=0) if mask is None else mask & (bands != 0).any(axis=0)
        for number, band in zip(numbers, bands, strict=True):
            known = known & holds_data(band, source.bands[number - 1], nodata)
        known_px += int(known.sum())
        looked.append(Looked(bands, mask))
        if known_px >= ENOUGH_PX:
            break
    if not known_px:
        size = source.shape[0] * source.shape[1]
        raise DataError(f"{source.path}: all {size} pixels are without data; remove the file")
    return looked


def _candidate(
    facts: BandFacts,
    number: int,
    role: Role | None,
    stored: Sequence[tuple[npt.NDArray[Any], Mask | None]],
    nodata: float | None,
) -> Candidate:
    named = meaning(facts.name, facts.unit)
    known = role or named
    factor = Part(number, known, facts).radians if known in PHASES else 1.0
    windows, imaginary = [], []
    for band, mask in stored:
        has_data = holds_data(band, facts, nodata)
        if mask is not None:
            has_data &= mask
        values = scaled(band, facts)
        windows.append(np.where(has_data, values.real.astype(np.float64) * factor, np.nan))
        if facts.is_complex:
            imaginary.append(np.where(has_data, values.imag.astype(np.float64), np.nan))
    other = look_at(imaginary) if imaginary else None
    return Candidate(number, facts, named, windows, look_at(windows), factor, other)


def _refuse_fill(path: Path, one: Candidate) -> None:
    look = one.look if one.look.fill is not None or one.imaginary is None else one.imaginary
    if look.fill is None:
        return
    stored = (look.fill / one.factor - one.facts.offset) / one.facts.scale
    raise DataError(
        f"{path}: {one.title} holds {stored:g} in {look.fill_share:.2%} of its pixels, apart from all other "
        f"values, and nothing says that it is no data; say so (--nodata={stored:.17g}, or `nodata` in a data "
        "card's layout)"
    )


def _zeros(reading: Reading, phase: Candidate, *, as_tagged: bool) -> Zeros:
    """Return where a phase of exactly 0 is no data.

    Areas of zeros are none whatever is tagged, unless a user says that tags alone count. Single zeros are
    measured beside a strength, where numbers were stored as integers, which are often 0, and where the file
    says otherwise what holds no data.
    """
    tags = (phase.facts.nodata, reading.nodata)
    if 0 in tags and phase.facts.dtype.startswith("float"):
        return "missing"
    if as_tagged:
        return "measured"
    told = any(tag is not None for tag in tags) or any(np.isnan(values).any() for values in phase.windows)
    is_float = phase.facts.dtype.startswith("float")
    return "areas" if told or len(reading.signal) > 1 or not is_float else "missing"


def _tried(
    path: Path, reading: Reading, places: Sequence[int], looked: Sequence[Looked], *, may_be_flat: bool
) -> Reading:
    """Join what was looked at, so that what cannot be read is refused before anything is done with it."""
    joined = [reading.joined(bands[list(places)], mask, path) for bands, mask in looked]
    if not any(window.any() for window in joined):
        raise DataError(f"{path}: no pixel that was looked at holds data; name other bands {SETTLE}")
    flat = None if may_be_flat else flat_value(joined)
    if flat is not None:
        stored = _stored_at(flat.value, joined, [bands[places[0]] for bands, _ in looked])
        raise DataError(
            f"{path}: {flat.share:.0%} of its pixels lie in areas that hold one value without exception, as "
            f"no measurement does; say that it is no data (--nodata={stored:.9g}, or `nodata` in a data "
            "card's layout), or that it is measured all the same (--nodata=as_tagged)"
        )
    return replace(reading, clipped_share=_clipped_share(reading, places, looked))


def _stored_at(
    value: complex, joined: Sequence[npt.NDArray[np.complex64]], stored: Sequence[npt.NDArray[Any]]
) -> float:
    """Return the number that is stored where pixels have a value."""
    return next(
        float(band[window == value][0].real)
        for window, band in zip(joined, stored, strict=True)
        if (window == value).any()
    )


def _clipped_share(reading: Reading, places: Sequence[int], looked: Sequence[Looked]) -> float:
    """Return the share of the coherence's values that lie beyond 0 and 1."""
    for part, place in zip(reading.parts, places, strict=True):
        if part.role == "coherence":
            values = np.concatenate([scaled(bands[place], part.facts).ravel() for bands, _ in looked])
            return float(((values < 0) | (values > 1)).mean())
    return 0.0
