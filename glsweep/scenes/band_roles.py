"""Which of a raster's bands make an interferogram: by their names, and by their values where they have none.

Whatever a band is called, its values must look like it. What is ambiguous is refused, with the likely
readings and the option that settles it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from pathlib import Path

import numpy as np

from glsweep.config.bands import PHASES, STRENGTHS, Named, Role, meaning
from glsweep.errors import DataError
from glsweep.scenes.band_values import NEAR_END, BandValues, Values, fill_a_square, values_of_window
from glsweep.scenes.reading import RADIANS, SETTLE
from glsweep.scenes.source import BandFacts

WRAPPED: tuple[Role, ...] = tuple(role for role in PHASES if role != "unwrapped_phase")
LEAST_END_SHARE = 0.02
"""A phase is as common within a tenth of its ends as elsewhere, noise with a few extremes is not."""
LEAST_PHASE_RAD = 1.2
"""A phase that does not wrap passes this: neither cycles nor parts of pi do."""
TURNS: tuple[tuple[float, Role, str], ...] = (
    (180, "phase_degrees", "degrees, perhaps"),
    (0.5, "phase_cycles", "cycles, perhaps"),
    (1, "phase_pi", "a phase over pi, or a real part alone"),
)
"""Half turns of phases that are not in radians, and what values that wrap there look like."""
SPREAD, SECTORS, LEAST_SECTOR = 3.0, 12, 0.02
"""Real and imaginary part spread alike, and their angles fill the circle: each of so many sectors holds at
least this share of what it would hold if all held the same."""

Roles = dict[int, Role]
"""What the bands that are used are, by their number."""


@dataclass(frozen=True)
class Candidate:
    """A band that may be used: what the file says of it, and what its values do.

    Attributes
    ----------
    number : int
        From 1.
    facts : BandFacts
        What the file says.
    named : str or None
        What its name and unit say that it is.
    windows : list of float64 array (rows, cols)
        Values at full resolution, a phase in radians; NaN where there is no data. Of a complex band the
        real part.
    look : Look
        What they are like.
    factor : float
        By what values were multiplied to be radians.
    imaginary : Look or None
        Of a complex band what the imaginary part is like.
    """

    number: int
    facts: BandFacts
    named: Named | None
    windows: list[Values]
    look: BandValues
    factor: float = 1.0
    imaginary: BandValues | None = None

    @property
    def title(self) -> str:
        """The band as a message calls it."""
        return f"band {self.number}" + (f" ({self.facts.name})" if self.facts.name else "")


def recognise(path: Path, candidates: Sequence[Candidate]) -> Roles:
    """Return which bands are used, and as what.

    Raises
    ------
    DataError
        When they make no interferogram, may make several, or do not look like what they are called.
    """
    roles = _signal_by_name(path, candidates) or _signal_by_values(path, candidates)
    roles |= _strength(path, [one for one in candidates if one.number not in roles], roles)
    used = [one for one in candidates if one.number in roles]
    for one in used:
        _check_look(path, one, roles)
    _check_quadrants(path, [one for one in used if roles[one.number] in ("complex", "real", "imaginary")])
    return roles


def check_requested_roles(path: Path, candidates: Sequence[Candidate], roles: Roles) -> None:
    """Make sure that bands can be what a user says; their range is checked where they are read.

    Raises
    ------
    DataError
        When a phase cannot be one, or a part of a complex number looks like something else.
    """
    # Over pi or in cycles it would look like a part of a complex number.
    phase = next((one for one in candidates if one.look.looks_wrapped or _wraps(one.look, 180)), None)
    for one in candidates:
        role, look = roles[one.number], one.look
        if role in PHASES:
            _check_requested_phase(path, one, role)
        if role in ("real", "imaginary") and phase is not None and look.is_never_negative and look.high > 0:
            strength = "coherence" if look.looks_like_coherence else "magnitude"
            told = f"{one.title} is never negative, and {phase.title} looks like a wrapped phase"
            raise _ambiguous(path, told, f"`phase={phase.number}, {strength}={one.number}`")


def _check_requested_phase(path: Path, one: Candidate, role: Role) -> None:
    if meaning("phase", one.facts.unit) == "other":
        raise _ambiguous(
            path, f"{one.title} has the unit {one.facts.unit}, in which no phase is counted", "a phase"
        )
    look = one.look
    if role in ("phase", "phase_pi") and look.is_never_negative and look.high < NEAR_END * pi:
        raise _ambiguous(path, f"{one.title} lies between {_likely(look)[0]}", "what it is")
    stored = values_of_window([window / one.factor for window in one.windows])
    looks_like: list[Role] = ["phase"] if stored.looks_wrapped else []
    looks_like += [
        other
        for half_turn, other, _ in TURNS
        if _wraps(stored, half_turn) or stored.wraps_from_zero(2 * half_turn)
    ]
    turned = next(iter(looks_like), None)
    if turned is not None and one.factor != RADIANS[turned]:
        told = f"{one.title} is asked for as {role}, but its values end at {stored.span}"
        raise _ambiguous(path, told, f"`{turned}={one.number}`, as which it looks")


def _wraps(look: BandValues, half_turn: float) -> bool:
    """Whether values end at half turns and are common there, as those of a phase are."""
    from_zero = half_turn > 1 and look.wraps_from_zero(2 * half_turn)
    return from_zero or (look.wraps_at(half_turn) and look.end_share >= LEAST_END_SHARE)


def _signal_by_name(path: Path, candidates: Sequence[Candidate]) -> Roles:
    """Return the bands that are named as phase or complex number; none where nothing is."""
    named: dict[Named | None, list[Candidate]] = {}
    for one in candidates:
        named.setdefault("complex" if one.facts.is_complex else one.named, []).append(one)
    if "complex" in named:
        return {_only(path, named["complex"], "complex").number: "complex"}
    phases = [one for role in WRAPPED for one in named.get(role, [])]
    if "real" in named and "imaginary" in named:
        real, imaginary = (_only(path, named[role], role) for role in ("real", "imaginary"))
        return {real.number: "real", imaginary.number: "imaginary"}
    if phases:
        one = _only(path, phases, "phase")
        # What is called a phase and shares out a turn from 0 on is one, counted otherwise.
        if one.named == "phase" and one.look.wraps_from_zero(2 * pi):
            return {one.number: "unwrapped_phase"}
        return {one.number: next(role for role in WRAPPED if role == one.named)}
    unnamed = named.get(None, [])
    parts: tuple[tuple[Role, Role], ...] = (("real", "imaginary"), ("imaginary", "real"))
    for part, other in parts:
        if part in named:
            one = _only(path, named[part], part)
            if len(unnamed) == 1 and _is_pair(one, unnamed[0]):
                return {one.number: part, unnamed[0].number: other}
            told = f"{one.title} is a {part} part without an {other} one"
            raise _ambiguous(path, told, f"both, such as `{part}={one.number}, {other}=2`")
    if "unwrapped_phase" in named and not any(one.look.looks_wrapped for one in unnamed):
        one = named["unwrapped_phase"][0]
        likely = f"`unwrapped_phase={one.number}` to have it wrapped"
        raise _ambiguous(path, f"{one.title} is an unwrapped phase", likely)
    return {}


def _signal_by_values(path: Path, candidates: Sequence[Candidate]) -> Roles:
    """Return the bands that can be nothing but phase or complex number, by their values alone."""
    unnamed = [one for one in candidates if one.named is None]
    wrapped = [one for one in unnamed if one.look.looks_wrapped]
    if len(wrapped) == 1 and len(unnamed) <= 2:
        return {wrapped[0].number: "phase"}
    if len(unnamed) == 2 and not wrapped and _is_pair(*unnamed):
        return {unnamed[0].number: "real", unnamed[1].number: "imaginary"}
    if not unnamed:
        told = ", ".join(f"{one.title}: {one.named}" for one in candidates)
        raise _ambiguous(path, f"its bands make no interferogram ({told})", "a phase, such as `phase=1`")
    if len(unnamed) == 1:
        told, role = _likely(unnamed[0].look)
        one = "one float band, whose" if len(candidates) == 1 else f"{unnamed[0].title}, whose"
        likely = _named_likely(unnamed[0].number, role)
        raise _ambiguous(path, f"has {one} values lie between {told}", likely)
    if len(wrapped) > 1:
        told = f"has {len(wrapped)} bands that look like wrapped phases"
        raise _ambiguous(path, told, f"one of them, such as `phase={wrapped[0].number}`")
    if len(unnamed) > 2:
        told = f"has {len(unnamed)} bands without names"
        raise _ambiguous(path, told, "those that count, such as `phase=1, coherence=2`")
    told = ", ".join(f"{one.title} lies between {_likely(one.look)[0]}" for one in unnamed)
    raise _ambiguous(
        path,
        f"its bands are neither real and imaginary part nor phase and coherence ({told})",
        f"what they are, such as `{_guess_pair(*(one.look for one in unnamed))}`",
    )


def _strength(path: Path, rest: Sequence[Candidate], signal: Roles) -> Roles:
    """Return the band that holds coherence or magnitude beside the signal, if there is one."""
    coherences = [one for one in rest if one.named == "coherence"]
    if coherences:
        return {_only(path, coherences, "coherence").number: "coherence"}
    if not set(signal.values()) & set(PHASES):
        return {}
    strengths = [one for one in rest if one.named in STRENGTHS]
    if strengths:
        one = _only(path, strengths, "magnitude")
        return {one.number: "intensity" if one.named == "intensity" else "magnitude"}
    unnamed = [one for one in rest if one.named is None]
    if not unnamed:
        return {}
    ((number, role),) = signal.items()
    phase, first = f"{role}={number}", unnamed[0]
    if len(unnamed) == 1 and first.look.looks_like_coherence:
        return {first.number: "coherence"}
    if first.look.is_two_valued:
        raise _ambiguous(
            path,
            f"{first.title} holds nothing but 0 and {first.look.high:g}, as a mask or an alpha band does",
            f"`{phase}, mask={first.number}` if there is no data where it is 0",
        )
    raise _ambiguous(
        path,
        f"{first.title} lies between {first.look.span}, not 0 and 1, so it is no coherence beside the phase "
        f"of band {number}",
        f"`{phase}, magnitude={first.number}` if it is an amplitude, or `{phase}` without it",
    )


def _only(path: Path, several: Sequence[Candidate], role: Role) -> Candidate:
    if len(several) > 1:
        told = " and ".join(one.title for one in several)
        raise _ambiguous(path, f"{told} can each be the {role}", f"one, such as `{role}={several[0].number}`")
    return several[0]


def _is_pair(one: Candidate, other: Candidate) -> bool:
    """Whether two bands look like real and imaginary part."""
    if not (one.look.has_both_signs and other.look.has_both_signs):
        return False
    if fill_a_square(one.windows, other.windows):
        return False
    if not 1 / SPREAD < one.look.rms / other.look.rms < SPREAD:
        return False
    angle = np.concatenate(
        [
            np.arctan2(b, a)[np.isfinite(a) & np.isfinite(b) & ((a != 0) | (b != 0))]
            for a, b in zip(one.windows, other.windows, strict=True)
        ]
    )
    sectors = np.histogram(angle, SECTORS, (-np.pi, np.pi))[0]
    return bool(sectors.min() * SECTORS >= LEAST_SECTOR * len(angle))


def _check_look(path: Path, one: Candidate, roles: Roles) -> None:
    """Make sure that a band's values are what its name says, or what was found for it."""
    role, look = roles[one.number], one.look
    if role in WRAPPED and not (look.looks_wrapped or _can_be_phase(look)):
        unscaled = values_of_window([window / one.factor for window in one.windows])
        told, likelier = _likely(unscaled, is_named_phase=True)
        likely = _named_likely(one.number, likelier)
        raise _ambiguous(path, f"its phase, {one.title}, lies between {told}", likely)
    if role == "coherence" and not look.looks_like_coherence:
        told = "is the same everywhere" if look.is_two_valued else f"lies between {look.span}, not 0 and 1"
        rest = ", ".join(f"{known}={number}" for number, known in roles.items() if number != one.number)
        likely = f"`{rest}, magnitude={one.number}` if it is an amplitude, or `{rest}` without it"
        raise _ambiguous(path, f"its coherence, {one.title}, {told}", likely)


def _check_quadrants(path: Path, parts: Sequence[Candidate]) -> None:
    """Make sure that neither real nor imaginary part is missing, and that phases leave the first quadrant."""
    looks = [look for one in parts for look in (one.look, one.imaginary) if look is not None]
    if looks and (not all(look.count for look in looks) or all(look.is_never_negative for look in looks)):
        spans = " and ".join(look.span for look in looks)
        told = (
            f"its real and imaginary part lie between {spans}, so that its phase is confined to one quadrant"
        )
        raise _ambiguous(path, told, "what the bands are")


def _can_be_phase(look: BandValues) -> bool:
    """Whether a band that is named a phase can be one, though it does not wrap."""
    if look.wraps_from_zero(2 * pi):
        return True
    if look.wraps and look.end_share >= LEAST_END_SHARE and max(-look.low, look.high) < NEAR_END * pi:
        return False  # it begins anew elsewhere than at pi
    return look.is_within_pi and look.has_both_signs and max(-look.low, look.high) > LEAST_PHASE_RAD


def _likely(look: BandValues, *, is_named_phase: bool = False) -> tuple[str, Role]:
    """Return between what values lie and what that looks like, and what the band would be then."""
    for half_turn, role, told in TURNS:
        # From 0 to 1 or 2 may also go a coherence or an amplitude, which noise lets jump as well.
        from_zero = (half_turn > 1 or is_named_phase) and look.wraps_from_zero(2 * half_turn)
        if look.wraps_at(half_turn) or from_zero:
            return f"{look.span}: {told}", role
    if look.is_never_negative and look.high <= 1:
        return f"{look.span}: coherence or amplitude, not a phase", "coherence"
    if look.wraps_from_zero(2 * pi):
        return f"{look.span}: a phase from 0 to 2 pi, perhaps", "unwrapped_phase"
    if not look.is_within_pi:
        amplitude = "an amplitude or " if look.is_never_negative else ""
        return f"{look.span}: {amplitude}an unwrapped phase, perhaps", "unwrapped_phase"
    told = f"{look.span}, without a step from pi to -pi: no wrapped phase"
    return told, "magnitude" if look.is_never_negative else "phase"


def _named_likely(number: int, role: Role) -> str:
    """Return what to name a band, if it is what it looks like."""
    if role in STRENGTHS:
        return "the band of the phase, or what this one is counted in"
    condition = {
        "unwrapped_phase": " to have it wrapped, if it is one in radians",
        "phase": " if it is in radians",
    }
    return f"`{role}={number}`{condition.get(role, ', if that is what it is')}"


def _guess_pair(first: BandValues, second: BandValues) -> str:
    """Return what two unnamed bands most likely are."""
    guesses = [_guess(first), _guess(second)]
    if guesses[0] == guesses[1] and not first.is_never_negative:
        return "real, imaginary"
    if not set(guesses) & set(PHASES):
        # The one that is farther from 0 has a number of turns added.
        guesses[int(second.low * first.high > first.low * second.high)] = "unwrapped_phase"
    both_phases = set(guesses) <= set(PHASES)
    return "phase=1, magnitude=2" if both_phases else ", ".join(guesses)


def _guess(look: BandValues) -> Role:
    """Return what an unnamed band of two most likely is."""
    if look.is_never_negative and look.high <= 1:
        return "coherence"
    for half_turn, role, _ in TURNS:
        if look.wraps_at(half_turn) or (half_turn > 1 and look.wraps_from_zero(2 * half_turn)):
            return role
    is_phase = look.wraps_from_zero(2 * pi) or not look.is_never_negative
    return "unwrapped_phase" if is_phase else "magnitude"


def _ambiguous(path: Path, what: str, likely: str) -> DataError:
    return DataError(f"{path}: {what}; name {likely} {SETTLE}")
