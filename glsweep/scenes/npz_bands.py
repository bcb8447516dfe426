"""What the two bands of `.npz` patches are, decided once for a data set, and how they become one signal.

The study's patches hold the phase (in radians or over pi) and the magnitude; others hold real and
imaginary part, and only the values distinguish the two.
"""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from glsweep.config.bands import FROM_RASTER, PHASES, STRENGTHS, NoData, Role, parse_bands
from glsweep.errors import DataError
from glsweep.scenes.band_values import (
    SLACK,
    UNITS,
    Values,
    are_parts,
    are_phase_and_strength,
    band_statistics,
    ends_at,
    flat_value,
    has_both_signs,
    is_bounded_alone,
    wrapped_phase_unit,
)
from glsweep.scenes.reading import Reading, UsedBand, holds_data
from glsweep.scenes.source import BandFacts

Image = npt.NDArray[np.float32]

LARGEST: dict[Role, float] = {"phase": math.pi, "phase_pi": 1.0, "phase_cycles": 1.0, "phase_degrees": 360.0}
"""Greatest size of a wrapped phase in each unit."""
ENOUGH_PATCHES, ENOUGH_PX = 128, 2**22
"""Patches with data in a sample, fewer if they have so many pixels."""


class BandRoles(NamedTuple):
    """What band 1 and band 2 are; None where one is not needed."""

    first: Role | None
    second: Role | None

    @property
    def as_text(self) -> str:
        """Both as a data card says them."""
        return ", ".join(f"{role}={band}" for band, role in enumerate(self, 1) if role is not None)


def decide_roles(images: Iterable[Image], requested: str, path: Path, nodata: NoData = None) -> BandRoles:
    """Decide what the bands of a data set's patches are: as the data card says, or by their values.

    Even where the card says `phase`, its size decides between radians and parts of pi: the study's
    patches may hold either.

    Parameters
    ----------
    images : iterable of float array (2, rows, cols)
        The patches' bands, read only until there are enough; not finite, or 0 in both, where there is
        no data.
    requested : str
        `layout.bands` of the data card.
    path : Path
        For messages: where the patches are.
    nodata : float, "as_tagged" or None
        What stands for no data in either band, see `NoData`.

    Raises
    ------
    DataError
        When the values do not fit what the card says, do not show what they are, or some of them stand for
        no data though nothing says so.
    """
    sample = _sample(images, path, nodata)
    roles = requested_roles(requested, path)
    if nodata != "as_tagged":
        _refuse_fill(sample, roles, path, nodata)
    first, second = np.concatenate([pixels_with_data(image, nodata) for image in sample], axis=1).astype(
        np.float64
    )
    if roles is None:
        roles = _found_by_values(first, second, path)
    else:
        roles = _as_requested(first, second, roles, requested, path)
    if nodata is None:
        _refuse_flat(sample, roles, path)
    return roles


def _as_requested(first: Values, second: Values, roles: BandRoles, requested: str, path: Path) -> BandRoles:
    """Return the roles that the card names, in the values' own unit, if the values fit them."""
    if "phase" in roles:
        roles = _in_unit(roles, (first, second)[roles.index("phase")], path)
    fault = find_fault(first, second, roles) or _why_unlikely(first, second, roles)
    if fault:
        raise DataError(
            f"{path}: {fault}, so its bands are not {requested}; mend layout.bands in the data card, "
            f"perhaps as {_guess(first, second)}"
        )
    return roles


def requested_roles(requested: str, path: Path) -> BandRoles | None:
    """Return what the data card says of the two bands, None where it leaves that to the values.

    Raises
    ------
    DataError
        When it names what patches of two bands cannot be.
    """
    if requested in FROM_RASTER:
        return None
    places: dict[int, Role] = {}
    for number, term in enumerate(parse_bands(requested), 1):
        band = number if term.band is None else term.band
        if band not in (1, 2) or term.role in (None, "complex") or int(band) in places:
            raise DataError(
                f"{path}: patches have the bands 1 and 2, of which layout.bands says {requested!r}; say "
                "such as `phase, magnitude`, `real, imaginary` or `phase=1`"
            )
        places[int(band)] = term.role
    return BandRoles(places.get(1), places.get(2))


def to_complex(
    image: Image, roles: BandRoles, path: Path, nodata: NoData = None
) -> npt.NDArray[np.complex64]:
    """Join two bands (2, rows, cols) of the patch at `path` to one complex value a pixel, 0 without data."""
    used = [(band, role) for band, role in enumerate(roles) if role is not None]
    facts = _facts(image)
    parts = tuple(UsedBand(band + 1, role, facts) for band, role in used)
    # Beside a magnitude of its own a pixel holds data also where its phase is 0.
    is_measured = len(parts) > 1 or nodata == "as_tagged"
    reading = Reading(parts, _number(nodata), zeros="measured" if is_measured else "missing")
    return reading.joined(image[[band for band, _ in used]], None, path)


def find_fault(first: Values | Image, second: Values | Image, roles: BandRoles) -> str | None:
    """Return why values cannot have these roles; None where they can."""
    for number, (values, role) in enumerate(zip((first, second), roles, strict=True), 1):
        if not values.size:
            continue
        largest = LARGEST.get(role) if role is not None else None
        if role == "phase_pi" and values.min() >= 0:
            largest = 2.0
        span = f"band {number} lies between {values.min():.4g} and {values.max():.4g}"
        if largest is not None and np.abs(values).max() > largest * (1 + SLACK):
            return f"{span}, beyond {largest:.4g}"
        if role in STRENGTHS and values.min() < 0:
            return f"{span}, below 0"
    return None


def pixels_with_data(image: Image, nodata: NoData = None) -> Image:
    """Return the pixels of (2, rows, cols) that hold data, (2, N)."""
    flat = image.reshape(2, -1)
    return flat[:, holds_data(flat, _facts(image), _number(nodata)).all(axis=0) & (flat != 0).any(axis=0)]


def _number(nodata: NoData) -> float | None:
    return float(nodata) if isinstance(nodata, int | float) else None


def _facts(image: Image) -> BandFacts:
    return BandFacts(dtype=str(image.dtype))


def _sample(images: Iterable[Image], path: Path, nodata: NoData) -> list[Image]:
    """Return as many patches with data as it takes to decide what all are."""
    sample: list[Image] = []
    data_px = 0
    for image in images:
        pixels = pixels_with_data(image, nodata).shape[1]
        if pixels:
            sample.append(image)
            data_px += pixels
        if len(sample) == ENOUGH_PATCHES or data_px >= ENOUGH_PX:
            break
    if not sample:
        raise DataError(f"{path}: no pixel of any patch holds data; remove the patches")
    return sample


def _refuse_fill(sample: Sequence[Image], roles: BandRoles | None, path: Path, nodata: NoData) -> None:
    """Make sure that no extreme value stands for no data without anything that says so."""
    for band in range(2):
        if roles is not None and roles[band] is None:
            continue
        stored = [(image[band], holds_data(image[band], _facts(image), _number(nodata))) for image in sample]
        stats = band_statistics(
            [np.where(is_data, values, np.nan).astype(np.float64) for values, is_data in stored]
        )
        if stats.fill is not None:
            raise DataError(
                f"{path}: band {band + 1} of the patches holds {stats.fill:g} in {stats.fill_share:.2%} of "
                "their pixels, apart from all other values, and nothing says that it is no data; say so "
                f"(`nodata: {stats.fill:.17g}` in the data card's layout), or that it is measured all "
                "the same (`nodata: as_tagged`)"
            )


def _refuse_flat(sample: Sequence[Image], roles: BandRoles, path: Path) -> None:
    """Make sure that no areas hold one value without exception."""
    joined = [to_complex(image, roles, path) for image in sample]
    # What fills some patches may be little of all.
    flat = flat_value(joined) or flat_value([values for values in joined if flat_value([values])])
    if flat is None:
        return
    share = sum((values == flat.value).sum() for values in joined) / sum(
        (values != 0).sum() for values in joined
    )
    image, place = next(
        (image, np.argwhere(there)[0])
        for image, values in zip(sample, joined, strict=True)
        if (there := values == flat.value).any()
    )
    stored = {role: float(image[band, *place]) for band, role in enumerate(roles) if role is not None}
    # One of real and imaginary part is often 0, and no tag then.
    tag = next(value for role, value in stored.items() if value != 0 or role in (*PHASES, *STRENGTHS))
    raise DataError(
        f"{path}: {share:.2%} of the patches' pixels hold one value, in areas without "
        "exception, as no measurement does; say that it is no data "
        f"(`nodata: {tag:.9g}` in the data card's layout), or that it is measured all the same "
        "(`nodata: as_tagged`)"
    )


def _found_by_values(first: Values, second: Values, path: Path) -> BandRoles:
    if are_parts(first, second):
        return BandRoles("real", "imaginary")
    if are_phase_and_strength(first, second):
        roles = BandRoles("phase", "magnitude")
        return _in_unit(roles, first, path)
    raise DataError(
        f"{path}: band 1 of the patches lies between {first.min():.4g} and {first.max():.4g}, band 2 between "
        f"{second.min():.4g} and {second.max():.4g}, which does not tell what they are; say "
        f"{_guess(first, second)} in the data card's layout"
    )


def _guess(first: Values, second: Values) -> str:
    """Return what a card would most likely say of the two bands."""
    bands = (first, second)
    # Parts of one magnitude end as a phase over pi does.
    turns = [
        wrapped_phase_unit(values) if other.min() >= 0 or is_bounded_alone(values, other) else None
        for values, other in (bands, bands[::-1])
    ]
    if not any(turns) and has_both_signs(first) and has_both_signs(second):
        return "`bands: real, imaginary`"
    # What has a negative value is no strength; of two without, the one that passes 1 is none either.
    likeness = [
        (values.min() < 0, turn is not None and values.max() > 1 + SLACK, turn is not None)
        for values, turn in zip(bands, turns, strict=True)
    ]
    place = int(likeness[1] > likeness[0])
    phase, other = bands[place], bands[1 - place]
    in_radians: Role = "phase" if phase.min() < 0 and np.abs(phase).max() <= math.pi else "unwrapped_phase"
    role = turns[place] or in_radians
    condition = "" if turns[place] or role == "phase" else " if the phase is in radians (convert it else)"
    if other.min() < 0:
        return f"`bands: {role}={place + 1}`{condition}"
    return f"`bands: {_spelt(role, 'magnitude') if place == 0 else _spelt('magnitude', role)}`{condition}"


def _spelt(first: Role | None, second: Role | None) -> str:
    """Return two roles as a data card says them."""
    if first and second:
        return f"{first}, {second}"
    return f"{first}=1" if first else f"{second}=2"


def _in_unit(roles: BandRoles, phase: Values, path: Path) -> BandRoles:
    """Return the roles with `phase_pi` for `phase` where the largest value of the set is over pi."""

    def named(role: Role) -> BandRoles:
        return BandRoles(*(role if one == "phase" else one for one in roles))

    if np.abs(phase).max() > 1 + SLACK:
        return roles
    if ends_at(phase, 1.0):
        return named("phase_pi")
    span = f"{path}: the phase of the patches lies between {phase.min():.4g} and {phase.max():.4g}"
    turn = wrapped_phase_unit(phase)
    if turn is not None:
        raise DataError(
            f"{span}, as one {UNITS[turn]} does; say `bands: {_spelt(*named(turn))}` in the data card's "
            "layout"
        )
    raise DataError(
        f"{span}, in radians or over pi; say `bands: {_spelt(*named('phase_pi'))}` in the data card's layout "
        f"if it is over pi, or `bands: {_spelt(*named('unwrapped_phase'))}` if it is in radians"
    )


def _why_unlikely(first: Values, second: Values, roles: BandRoles) -> str | None:
    """Return why values that could have these roles more likely have others; None where they do not."""
    by_role = dict(zip(roles, (first, second), strict=True))
    if set(roles) == {"real", "imaginary"}:
        real, imaginary = by_role["real"], by_role["imaginary"]
        if real.min() >= 0 and imaginary.min() >= 0:
            return "neither band is ever negative, as no pair of real and imaginary part is"
        one_sided = imaginary.min() >= 0 or (real.min() >= 0 and wrapped_phase_unit(imaginary) is not None)
        if one_sided and (has_both_signs(real) or has_both_signs(imaginary)):
            return "one band has both signs and the other is never negative, as a phase and a magnitude are"
        return None
    role = next((role for role in PHASES if role in by_role), None)
    return None if role is None else _unlikely_phase(by_role[role], role)


def _unlikely_phase(phase: Values, role: Role) -> str | None:
    span = f"its phase lies between {phase.min():.4g} and {phase.max():.4g}"
    turn = wrapped_phase_unit(phase)
    if turn is not None and UNITS[turn] == UNITS[role]:
        return None
    if turn is not None:
        return f"{span}, as one {UNITS[turn]} does"
    if role == "phase_degrees" and np.abs(phase).max() <= 2 * math.pi:
        return f"{span}, as one in radians does"
    if role in ("phase", "phase_pi") and phase.min() >= 0:
        return f"{span} and is never negative"
    return None
