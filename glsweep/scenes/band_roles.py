"""Which of a raster's bands make an interferogram: by their names, and by their values where they have none.

A band's values must fit its name. What is ambiguous is refused, with the likely readings and the option
that decides between them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from pathlib import Path

import numpy as np

from glsweep.config.bands import PHASES, STRENGTHS, NamedRole, Role, role_of
from glsweep.errors import DataError
from glsweep.scenes.band_values import NEAR_END, BandStatistics, Values, band_statistics, fill_a_square
from glsweep.scenes.reading import BANDS_OPTION, RADIANS
from glsweep.scenes.source import BandFacts

WRAPPED: tuple[Role, ...] = tuple(role for role in PHASES if role != "unwrapped_phase")
LEAST_END_SHARE = 0.02
"""A phase is as common near its ends (within a tenth) as elsewhere; noise with a few extremes is not."""
LEAST_PHASE_RAD = 1.2
"""A phase in radians exceeds this even where it does not wrap; cycles and parts of pi do not."""
TURNS: tuple[tuple[float, Role, str], ...] = (
    (180, "phase_degrees", "degrees, perhaps"),
    (0.5, "phase_cycles", "cycles, perhaps"),
    (1, "phase_pi", "a phase over pi, or a real part alone"),
)
"""Half turns of phases that are not in radians, the role, and the message's word for it."""
SPREAD, SECTORS, LEAST_SECTOR = 3.0, 12, 0.02
"""Real and imaginary part spread equally, and their angles fill the circle: each of so many sectors holds at
least this share of an even distribution."""

Roles = dict[int, Role]
"""What the bands that are used are, by their number."""


@dataclass(frozen=True)
class Candidate:
    """A band that may be used: what the file says of it, and what its values look like.

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
    stats : BandStatistics
        Statistics of these values.
    factor : float
        Factor that turned the stored values into radians.
    imaginary : BandStatistics or None
        Those of a complex band's imaginary part.
    """

    number: int
    facts: BandFacts
    named: NamedRole | None
    windows: list[Values]
    stats: BandStatistics
    factor: float = 1.0
    imaginary: BandStatistics | None = None

    @property
    def title(self) -> str:
        """The band as a message calls it."""
        return f"band {self.number}" + (f" ({self.facts.name})" if self.facts.name else "")


def recognise_roles(path: Path, candidates: Sequence[Candidate]) -> Roles:
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
        _check_values(path, one, roles)
    _check_quadrants(path, [one for one in used if roles[one.number] in ("complex", "real", "imaginary")])
    return roles


def check_requested_roles(path: Path, candidates: Sequence[Candidate], roles: Roles) -> None:
    """Make sure that bands can be what the user says; their range is checked where they are read.

    Raises
    ------
    DataError
        When a phase cannot be one, or a part of a complex number looks like something else.
    """
    # Over pi or in cycles it would look like a part of a complex number.
    phase = next((one for one in candidates if one.stats.looks_wrapped or _wraps(one.stats, 180)), None)
    for one in candidates:
        role, stats = roles[one.number], one.stats
        if role in PHASES:
            _check_requested_phase(path, one, role)
        if role in ("real", "imaginary") and phase is not None and stats.is_never_negative and stats.high > 0:
            strength = "coherence" if stats.looks_like_coherence else "magnitude"
            problem = f"{one.title} is never negative, and {phase.title} looks like a wrapped phase"
            raise _ambiguous(path, problem, f"`phase={phase.number}, {strength}={one.number}`")


def _check_requested_phase(path: Path, one: Candidate, role: Role) -> None:
    if role_of("phase", one.facts.unit) == "other":
        raise _ambiguous(
            path, f"{one.title} has the unit {one.facts.unit}, in which no phase is counted", "a phase"
        )
    stats = one.stats
    if role in ("phase", "phase_pi") and stats.is_never_negative and stats.high < NEAR_END * pi:
        raise _ambiguous(path, f"{one.title} lies between {_likely(stats)[0]}", "what it is")
    stored = band_statistics([window / one.factor for window in one.windows])
    looks_like: list[Role] = ["phase"] if stored.looks_wrapped else []
    looks_like += [
        other
        for half_turn, other, _ in TURNS
        if _wraps(stored, half_turn) or stored.wraps_from_zero(2 * half_turn)
    ]
    turned = next(iter(looks_like), None)
    if turned is not None and one.factor != RADIANS[turned]:
        problem = f"{one.title} is asked for as {role}, but its values end at {stored.span}"
        raise _ambiguous(path, problem, f"`{turned}={one.number}`, as which it looks")


def _wraps(stats: BandStatistics, half_turn: float) -> bool:
    """Whether values end at half turns and are common there, as those of a phase are."""
    from_zero = half_turn > 1 and stats.wraps_from_zero(2 * half_turn)
    return from_zero or (stats.wraps_at(half_turn) and stats.end_share >= LEAST_END_SHARE)


def _signal_by_name(path: Path, candidates: Sequence[Candidate]) -> Roles:
    """Return the bands that are named as phase or complex number; none where nothing is."""
    named: dict[NamedRole | None, list[Candidate]] = {}
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
        # A band called phase whose values fill a turn from 0 on is a phase, counted from 0 to 2 pi.
        if one.named == "phase" and one.stats.wraps_from_zero(2 * pi):
            return {one.number: "unwrapped_phase"}
        return {one.number: next(role for role in WRAPPED if role == one.named)}
    unnamed = named.get(None, [])
    parts: tuple[tuple[Role, Role], ...] = (("real", "imaginary"), ("imaginary", "real"))
    for part, other in parts:
        if part in named:
            one = _only(path, named[part], part)
            if len(unnamed) == 1 and _is_pair(one, unnamed[0]):
                return {one.number: part, unnamed[0].number: other}
            problem = f"{one.title} is a {part} part without an {other} one"
            raise _ambiguous(path, problem, f"both, such as `{part}={one.number}, {other}=2`")
    if "unwrapped_phase" in named and not any(one.stats.looks_wrapped for one in unnamed):
        one = named["unwrapped_phase"][0]
        likely = f"`unwrapped_phase={one.number}` to have it wrapped"
        raise _ambiguous(path, f"{one.title} is an unwrapped phase", likely)
    return {}


def _signal_by_values(path: Path, candidates: Sequence[Candidate]) -> Roles:
    """Return the bands whose values alone show that they are a phase or a complex number."""
    unnamed = [one for one in candidates if one.named is None]
    wrapped = [one for one in unnamed if one.stats.looks_wrapped]
    if len(wrapped) == 1 and len(unnamed) <= 2:
        return {wrapped[0].number: "phase"}
    if len(unnamed) == 2 and not wrapped and _is_pair(*unnamed):
        return {unnamed[0].number: "real", unnamed[1].number: "imaginary"}
    if not unnamed:
        problem = ", ".join(f"{one.title}: {one.named}" for one in candidates)
        raise _ambiguous(path, f"its bands make no interferogram ({problem})", "a phase, such as `phase=1`")
    if len(unnamed) == 1:
        description, role = _likely(unnamed[0].stats)
        one = "one float band, whose" if len(candidates) == 1 else f"{unnamed[0].title}, whose"
        likely = _named_likely(unnamed[0].number, role)
        raise _ambiguous(path, f"has {one} values lie between {description}", likely)
    if len(wrapped) > 1:
        problem = f"has {len(wrapped)} bands that look like wrapped phases"
        raise _ambiguous(path, problem, f"one of them, such as `phase={wrapped[0].number}`")
    if len(unnamed) > 2:
        problem = f"has {len(unnamed)} bands without names"
        raise _ambiguous(path, problem, "those that count, such as `phase=1, coherence=2`")
    problem = ", ".join(f"{one.title} lies between {_likely(one.stats)[0]}" for one in unnamed)
    raise _ambiguous(
        path,
        f"its bands are neither real and imaginary part nor phase and coherence ({problem})",
        f"what they are, such as `{_guess_pair(*(one.stats for one in unnamed))}`",
    )


def _strength(path: Path, rest: Sequence[Candidate], signal: Roles) -> Roles:
    """Return the band that holds the signal's coherence or magnitude, if there is one."""
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
    if len(unnamed) == 1 and first.stats.looks_like_coherence:
        return {first.number: "coherence"}
    if first.stats.is_two_valued:
        raise _ambiguous(
            path,
            f"{first.title} holds nothing but 0 and {first.stats.high:g}, as a mask or an alpha band does",
            f"`{phase}, mask={first.number}` if there is no data where it is 0",
        )
    raise _ambiguous(
        path,
        f"{first.title} lies between {first.stats.span}, not 0 and 1, so it is no coherence beside the phase "
        f"of band {number}",
        f"`{phase}, magnitude={first.number}` if it is an amplitude, or `{phase}` without it",
    )


def _only(path: Path, several: Sequence[Candidate], role: Role) -> Candidate:
    if len(several) > 1:
        titles = " and ".join(one.title for one in several)
        raise _ambiguous(
            path, f"{titles} can each be the {role}", f"one, such as `{role}={several[0].number}`"
        )
    return several[0]


def _is_pair(one: Candidate, other: Candidate) -> bool:
    """Whether two bands look like real and imaginary part."""
    if not (one.stats.has_both_signs and other.stats.has_both_signs):
        return False
    if fill_a_square(one.windows, other.windows):
        return False
    if not 1 / SPREAD < one.stats.rms / other.stats.rms < SPREAD:
        return False
    angle = np.concatenate(
        [
            np.arctan2(b, a)[np.isfinite(a) & np.isfinite(b) & ((a != 0) | (b != 0))]
            for a, b in zip(one.windows, other.windows, strict=True)
        ]
    )
    sectors = np.histogram(angle, SECTORS, (-np.pi, np.pi))[0]
    return bool(sectors.min() * SECTORS >= LEAST_SECTOR * len(angle))


def _check_values(path: Path, one: Candidate, roles: Roles) -> None:
    """Make sure that a band's values are what its name says, or what was found for it."""
    role, stats = roles[one.number], one.stats
    if role in WRAPPED and not (stats.looks_wrapped or _can_be_phase(stats)):
        unscaled = band_statistics([window / one.factor for window in one.windows])
        description, likelier = _likely(unscaled, is_named_phase=True)
        likely = _named_likely(one.number, likelier)
        raise _ambiguous(path, f"its phase, {one.title}, lies between {description}", likely)
    if role == "coherence" and not stats.looks_like_coherence:
        problem = (
            "is the same everywhere" if stats.is_two_valued else f"lies between {stats.span}, not 0 and 1"
        )
        rest = ", ".join(f"{known}={number}" for number, known in roles.items() if number != one.number)
        likely = f"`{rest}, magnitude={one.number}` if it is an amplitude, or `{rest}` without it"
        raise _ambiguous(path, f"its coherence, {one.title}, {problem}", likely)


def _check_quadrants(path: Path, parts: Sequence[Candidate]) -> None:
    """Make sure that both parts hold values, and that phases are not confined to one quadrant."""
    of_parts = [stats for one in parts for stats in (one.stats, one.imaginary) if stats is not None]
    if of_parts and (
        not all(stats.count for stats in of_parts) or all(stats.is_never_negative for stats in of_parts)
    ):
        spans = " and ".join(stats.span for stats in of_parts)
        problem = (
            f"its real and imaginary part lie between {spans}, so that its phase is confined to one quadrant"
        )
        raise _ambiguous(path, problem, "what the bands are")


def _can_be_phase(stats: BandStatistics) -> bool:
    """Whether a band that is named a phase can be one, though it does not wrap."""
    if stats.wraps_from_zero(2 * pi):
        return True
    if stats.wraps and stats.end_share >= LEAST_END_SHARE and max(-stats.low, stats.high) < NEAR_END * pi:
        return False  # it begins anew elsewhere than at pi
    return stats.is_within_pi and stats.has_both_signs and max(-stats.low, stats.high) > LEAST_PHASE_RAD


def _likely(stats: BandStatistics, *, is_named_phase: bool = False) -> tuple[str, Role]:
    """Return in words which range values have and what that looks like, and the role that fits it."""
    for half_turn, role, unit in TURNS:
        # From 0 to 1 or 2 may also go a coherence or an amplitude, which noise lets jump as well.
        from_zero = (half_turn > 1 or is_named_phase) and stats.wraps_from_zero(2 * half_turn)
        if stats.wraps_at(half_turn) or from_zero:
            return f"{stats.span}: {unit}", role
    if stats.is_never_negative and stats.high <= 1:
        return f"{stats.span}: coherence or amplitude, not a phase", "coherence"
    if stats.wraps_from_zero(2 * pi):
        return f"{stats.span}: a phase from 0 to 2 pi, perhaps", "unwrapped_phase"
    if not stats.is_within_pi:
        amplitude = "an amplitude or " if stats.is_never_negative else ""
        return f"{stats.span}: {amplitude}an unwrapped phase, perhaps", "unwrapped_phase"
    description = f"{stats.span}, without a step from pi to -pi: no wrapped phase"
    return description, "magnitude" if stats.is_never_negative else "phase"


def _named_likely(number: int, role: Role) -> str:
    """Return what the user should name a band that is what it looks like."""
    if role in STRENGTHS:
        return "the band of the phase, or what this one is counted in"
    condition = {
        "unwrapped_phase": " to have it wrapped, if it is one in radians",
        "phase": " if it is in radians",
    }
    return f"`{role}={number}`{condition.get(role, ', if that is what it is')}"


def _guess_pair(first: BandStatistics, second: BandStatistics) -> str:
    """Return what two unnamed bands most likely are."""
    guesses = [_guess(first), _guess(second)]
    if guesses[0] == guesses[1] and not first.is_never_negative:
        return "real, imaginary"
    if not set(guesses) & set(PHASES):
        # The one that is farther from 0 has a number of turns added.
        guesses[int(second.low * first.high > first.low * second.high)] = "unwrapped_phase"
    both_phases = set(guesses) <= set(PHASES)
    return "phase=1, magnitude=2" if both_phases else ", ".join(guesses)


def _guess(stats: BandStatistics) -> Role:
    """Return what an unnamed band of two most likely is."""
    if stats.is_never_negative and stats.high <= 1:
        return "coherence"
    for half_turn, role, _ in TURNS:
        if stats.wraps_at(half_turn) or (half_turn > 1 and stats.wraps_from_zero(2 * half_turn)):
            return role
    is_phase = stats.wraps_from_zero(2 * pi) or not stats.is_never_negative
    return "unwrapped_phase" if is_phase else "magnitude"


def _ambiguous(path: Path, problem: str, likely: str) -> DataError:
    return DataError(f"{path}: {problem}; name {likely} {BANDS_OPTION}")
