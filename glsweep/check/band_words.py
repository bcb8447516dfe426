"""A reading of bands in words: short for a table, whole for a line of its own."""

from glsweep.config.bands import Role
from glsweep.scenes.reading import Part, Reading
from glsweep.scenes.source import BandFacts

SHORT: dict[Role, str] = {
    "complex": "complex",
    "real": "real",
    "imaginary": "imag",
    "phase": "phase",
    "phase_pi": "phase/pi",
    "phase_cycles": "cycles",
    "phase_degrees": "degrees",
    "unwrapped_phase": "unwrapped",
    "coherence": "coh.",
    "magnitude": "amp.",
    "intensity": "int.",
    "mask": "mask",
}
SHORTER: dict[Role, str] = {
    "phase_pi": "ph/pi",
    "phase_cycles": "cyc",
    "phase_degrees": "deg",
    "unwrapped_phase": "unw",
}
UNITS: dict[Role, str] = {
    "phase": "radians",
    "phase_pi": "parts of pi",
    "phase_cycles": "cycles",
    "phase_degrees": "degrees",
    "unwrapped_phase": "radians, to be wrapped",
}

LEAST_SHARE = 5e-5
"""Of values that were clipped, to be worth a word."""


def short_title(reading: Reading) -> str:
    """Return what is read in at most 11 characters."""
    roles = [part.role for part in reading.signal]
    if len(roles) == 1:
        return SHORT[roles[0]]
    return ", ".join(SHORTER.get(role, SHORT[role]) for role in roles)


def in_words(reading: Reading, bands: tuple[BandFacts, ...]) -> str | None:
    """Return band by band what is read and what is passed over; None where the short title says it all.

    That is so where all bands are used in their order, without a name that says more, a scale, a mask
    or a value for no data that the file does not know.
    """
    in_order = [part.number for part in reading.parts] == list(range(1, len(bands) + 1))
    is_plain = all(_is_plain(part) for part in reading.parts)
    if in_order and is_plain and reading.nodata is None and reading.clipped_share < LEAST_SHARE:
        return None
    told = [_part_in_words(part, reading) for part in reading.parts]
    if reading.nodata is not None:
        told.append(f"{reading.nodata:g} is no data")
    used = {part.number for part in reading.parts}
    for number, facts in enumerate(bands, start=1):
        if number not in used:
            told.append(f"band {number}{_name(facts)} is passed over")
    return "; ".join(told)


def _is_plain(part: Part) -> bool:
    facts = part.facts
    return part.role in ("complex", "real", "imaginary", "phase", "coherence") and (
        (facts.scale, facts.offset) == (1, 0) and facts.name.strip().lower() in ("", part.role)
    )


def _part_in_words(part: Part, reading: Reading) -> str:
    told = f"{part.role} is band {part.number}{_name(part.facts)}"
    if part.role in UNITS:
        told += f", {UNITS[part.role]}"
    if (part.facts.scale, part.facts.offset) != (1, 0):
        offset = f" plus {part.facts.offset:g}" if part.facts.offset else ""
        told += f", numbers times {part.facts.scale:g}{offset}"
    if part.role == "coherence" and reading.clipped_share >= LEAST_SHARE:
        told += f", {reading.clipped_share:.2%} of it clipped to 0 to 1"
    return told


def _name(facts: BandFacts) -> str:
    return f" ({facts.name.strip()})" if facts.name.strip() else ""
