"""What a user says of a raster's bands: `phase, coherence`, `phase=3`, `real=i_ifg, imaginary=q_ifg`."""

import re
from typing import Annotated, Literal, NamedTuple, get_args

from pydantic import AfterValidator

from glsweep.errors import ConfigError

Role = Literal[
    "complex",
    "real",
    "imaginary",
    "phase",
    "phase_pi",
    "phase_cycles",
    "phase_degrees",
    "unwrapped_phase",
    "coherence",
    "magnitude",
    "intensity",
    "mask",
]
"""What a band can be: a phase in radians, over pi, in cycles or degrees; a mask is 0 without data."""

ROLES: tuple[Role, ...] = get_args(Role)
PHASES: tuple[Role, ...] = ("phase", "phase_pi", "phase_cycles", "phase_degrees", "unwrapped_phase")
STRENGTHS: tuple[Role, ...] = ("coherence", "magnitude", "intensity")

SYNONYMS: dict[str, Role] = {"imag": "imaginary", "amplitude": "magnitude", "wrapped_phase": "phase"}
PAIRS: dict[str, str] = {"real_imaginary": "real, imaginary", "phase_coherence": "phase, coherence"}
LOOK = ("auto", "npz")
"""By these a raster's own names and values say what its bands are."""


class BandTerm(NamedTuple):
    """One band that is to be read: what it is, and which; either may be left to the raster.

    Attributes
    ----------
    role : str or None
        What it is; None to find out.
    band : int, str or None
        Its number, from 1, or its name (a description or a variable's); None for the one whose turn
        it is.
    """

    role: Role | None
    band: int | str | None


def parse_bands(text: str) -> tuple[BandTerm, ...]:
    """Return the bands that `text` names, none where a raster says itself what it holds.

    Parameters
    ----------
    text : str
        `auto`, or terms between commas: a role (the first one is that of band 1, and so on), `role=band`
        with a band's number or name, or a number or name alone.

    Raises
    ------
    ValueError
        When a term is empty, a role is not known or named twice, or roles do not make an interferogram.
    """
    if text.strip() in LOOK:
        return ()
    spelt = PAIRS.get(text.strip(), text)
    terms = tuple(_term(part.strip(), text) for part in spelt.split(","))
    roles = {term.role for term in terms if term.role is not None}
    if len(roles) < sum(term.role is not None for term in terms):
        raise ValueError(f"{text!r} names a role twice; name each band once")
    if roles and len(roles) < len(terms):
        raise ValueError(f"{text!r} says what some bands are and not others; say it of all, or of none")
    if roles and not _is_interferogram(roles):
        raise ValueError(
            f"{text!r} is no interferogram; name `complex`, `real, imaginary`, or a phase "
            f"({', '.join(PHASES)}), by itself or with one of {', '.join(STRENGTHS)}"
        )
    return terms


def _term(part: str, text: str) -> BandTerm:
    role, equals, band = (piece.strip() for piece in part.partition("="))
    if not role or (equals and not band):
        raise ValueError(f"{text!r} has an empty term; write such as `phase, coherence` or `phase=2`")
    known = SYNONYMS.get(role, role)
    if equals:
        if known not in ROLES:
            raise ValueError(f"{text!r}: {role!r} is no role; known are {', '.join(ROLES)}")
        return BandTerm(known, int(band) if re.fullmatch(r"\d+", band) else band)
    if known in ROLES:
        return BandTerm(known, None)
    return BandTerm(None, int(role) if re.fullmatch(r"\d+", role) else role)


def _is_interferogram(roles: set[Role]) -> bool:
    strengths = roles & set(STRENGTHS)
    signal = roles - strengths - {"mask"}
    is_signal = signal in ({"complex"}, {"real", "imaginary"}, *({phase} for phase in PHASES))
    return is_signal and len(strengths) <= 1


def _checked(text: str) -> str:
    parse_bands(text)
    return text


def check_option(text: str, option: str = "--bands") -> None:
    """Make sure that an option of a command names bands.

    Raises
    ------
    ConfigError
        When it does not.
    """
    try:
        parse_bands(text)
    except ValueError as error:
        raise ConfigError(f"{option} {error}") from error


Bands = Annotated[str, AfterValidator(_checked)]
"""A text that `parse_bands` understands."""

NoData = float | Literal["as_tagged"] | None
"""A stored number that stands for no data though the file does not say so; None leaves it to the file.

Areas that hold one value without exception are then refused, unless they are said to be as the file tags
them, so that a value which nothing tags is measured.
"""
