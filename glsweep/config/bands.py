"""What a raster's bands hold: as a user writes it, and as names and units say it."""

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
FROM_RASTER = ("auto", "npz")
"""With these the raster's own names and values decide what its bands are."""


class BandTerm(NamedTuple):
    """One band to be read: its role and its number or name; one of them may be left to the raster.

    Attributes
    ----------
    role : str or None
        Its role; None to find out.
    band : int, str or None
        Its number, from 1, or its name (a description or a variable's); None for the next in order.
    """

    role: Role | None
    band: int | str | None


def parse_bands(text: str) -> tuple[BandTerm, ...]:
    """Return the bands that `text` names; none where the raster decides.

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
    if text.strip() in FROM_RASTER:
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


def check_bands(text: str, option: str = "--bands") -> None:
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


# --- The role of a band by its name and unit; only whole words count

OTHER = "other"
"""The role of a band that is no part of an interferogram."""
NamedRole = Role | Literal["other"]

# With these words a phase or coherence becomes another quantity: its error, its slope, a model of it.
DERIVED = {
    *("std", "stddev", "sigma", "variance", "var", "error", "err", "uncertainty", "gradient", "slope"),
    *("screen", "count", "quality", "offset", "offsets", "bias"),
}
# Rows are tried in turn, since names combine words: the magnitude of a coherence is a coherence.
WORDS: tuple[tuple[NamedRole, frozenset[str]], ...] = (
    ("mask", frozenset({"alpha", "mask", "valid", "validity", "layover", "shadow"})),
    (
        "other",
        frozenset(
            {
                *(
                    "dem",
                    "height",
                    "elevation",
                    "altitude",
                    "bathymetry",
                    "thickness",
                    "latitude",
                    "longitude",
                ),
                *("lat", "lon", "incidence", "inc", "lv", "los", "theta", "vector", "baseline"),
                *(
                    "displacement",
                    "disp",
                    "deformation",
                    "velocity",
                    "vel",
                    "vx",
                    "vy",
                    "vz",
                    "east",
                    "north",
                ),
                *("easting", "northing", "up", "dx", "dy", "rate", "connected", "conncomp"),
            }
        ),
    ),
    ("coherence", frozenset({"coherence", "coh", "corr", "correlation", "cc", "cor", "phsig"})),
    ("unwrapped_phase", frozenset({"unwrapped", "unwrap", "unw"})),
    ("imaginary", frozenset({"imaginary", "imag", "im", "quadrature", "q", "sin", "sine"})),
    ("real", frozenset({"real", "re", "inphase", "i", "cos", "cosine"})),
    ("intensity", frozenset({"intensity", "power", "sigma0", "gamma0", "beta0"})),
    ("phase", frozenset({"phase", "wrapped", "phs", "pha", "phi"})),
    ("magnitude", frozenset({"magnitude", "mag", "amplitude", "amp"})),
)
UNITS: dict[str, Role] = {
    **dict.fromkeys(("deg", "degree", "degrees", "°"), "phase_degrees"),
    **dict.fromkeys(("cycle", "cycles", "turn", "turns"), "phase_cycles"),
    **dict.fromkeys(("pi rad", "pi radians", "pi"), "phase_pi"),
}
NOT_A_PHASE = re.compile(
    r"(?:[cmk]m|m|met(?:er|re)s?|(?:centi|milli)met(?:er|re)s?|[cm]?m[ /*.].*|db|decibels?"
    r"|mrad|millirad(?:ian)?s?|k|s|days?|years?)"
)
BRACKETS = re.compile(r"[\[(]\s*([^\])]+?)\s*[\])]$")
BACKSCATTER = re.compile(r"(?i)(sigma|gamma|beta)[-_ ]?(?:0|nought|naught)")
SHORT = {"re", "im", "i", "q", "cc"}
"""Words that mean something else beside `phase`: image 1, track, mode."""
UNIT_WORDS = {word for word in UNITS if word not in ("pi", "cycle", "turn", "turns")}
WORD_PART = re.compile(r"(?i:sigma0|gamma0|beta0)|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words_in(name: str) -> list[str]:
    """Return the words of a name in lower case, split at digits, punctuation and capitals."""
    # In-phase means the real part, not a kind of phase.
    joined = re.sub(r"(?i)(?<![a-z])in[-_ ]?phase(?![a-z])", "inphase", name)
    return [word.lower() for word in WORD_PART.findall(BACKSCATTER.sub(r"\g<1>0", joined))]


def role_of(name: str, unit: str = "") -> NamedRole | None:
    """Return what a band is by its name and unit; None where they do not say.

    A phase in degrees or cycles is recognised by its unit, which may be part of the name.
    """
    found = words_in(name)
    role = _by_words(set(found))
    if role is None or role in PHASES:
        spelt = unit.strip().lower()
        if spelt and NOT_A_PHASE.fullmatch(spelt):
            return "other"
        if role == "phase":
            in_name = BRACKETS.search(name.strip().lower())
            units = (spelt, in_name[1] if in_name else "", *(word for word in found if word in UNIT_WORDS))
            return next((UNITS[word] for word in units if word in UNITS), role)
    return role


def _by_words(found: set[str]) -> NamedRole | None:
    if found & {"phase", "wrapped"}:
        found = found - SHORT
    for role, known in WORDS:
        if found & known:
            return "other" if role != "mask" and found & DERIVED else role
    return None


def unit_of_phase(unit: str) -> Role | None:
    """Return the kind of phase that a unit implies; None for radians, and if it is no unit of an angle."""
    return UNITS.get(unit.strip().lower())
