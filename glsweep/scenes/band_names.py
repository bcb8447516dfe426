"""What a band's name and unit say that it is; a word counts as a whole word, not as letters within one."""

import re
from typing import Literal

from glsweep.config.bands import PHASES, Role

OTHER = "other"
"""Named as something that is no part of an interferogram."""
Named = Role | Literal["other"]

# What makes a quantity of something else of a phase or a coherence: its error, its slope, a model of it.
DERIVED = {
    *("std", "stddev", "sigma", "variance", "var", "error", "err", "uncertainty", "gradient", "slope"),
    *("screen", "count", "quality", "offset", "offsets", "bias"),
}
# Each row is tried in turn, since names pile words up: a coherence's magnitude is a coherence.
WORDS: tuple[tuple[Named, frozenset[str]], ...] = (
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
"""Words that say something else beside `phase`: image 1, track, mode."""
IN_WORDS = {word for word in UNITS if word not in ("pi", "cycle", "turn", "turns")}
PART = re.compile(r"(?i:sigma0|gamma0|beta0)|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words(name: str) -> list[str]:
    """Return the words of a name in lower case; digits, signs and capitals part them."""
    # In-phase is one word for the real part, not a kind of phase.
    joined = re.sub(r"(?i)(?<![a-z])in[-_ ]?phase(?![a-z])", "inphase", name)
    return [word.lower() for word in PART.findall(BACKSCATTER.sub(r"\g<1>0", joined))]


def meaning(name: str, unit: str = "") -> Named | None:
    """Return what a band is by its name and unit; None where they do not tell.

    A phase in degrees or cycles is told from one in radians by its unit, which may stand in its name.
    """
    found = words(name)
    role = _by_words(set(found))
    if role is None or role in PHASES:
        spelt = unit.strip().lower()
        if spelt and NOT_A_PHASE.fullmatch(spelt):
            return "other"
        if role == "phase":
            in_name = BRACKETS.search(name.strip().lower())
            said = (spelt, in_name[1] if in_name else "", *(word for word in found if word in IN_WORDS))
            return next((UNITS[word] for word in said if word in UNITS), role)
    return role


def _by_words(found: set[str]) -> Named | None:
    if found & {"phase", "wrapped"}:
        found = found - SHORT
    for role, known in WORDS:
        if found & known:
            return "other" if role != "mask" and found & DERIVED else role
    return None


def unit_of_phase(unit: str) -> Role | None:
    """Return the kind of phase that is counted in a unit; None for radians, and where it is no angle's."""
    return UNITS.get(unit.strip().lower())
