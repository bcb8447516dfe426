"""What to mind of a scene: by its own pixels, and compared with the other scenes."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from glsweep.checks.findings import SceneFindings, SceneMeasurements, SceneNote

NOISE_COHERENCE = 0.20
"""Of pure noise the local coherence's median is about .17."""
SOME_LINE_SHARE = 0.10
TOO_COHERENT = 0.95
"""Of the local coherence's median: scenes at 100 m reach some .85, very few with real noise pass this."""
LEAST_GRAIN = 0.75
"""Simulated and real scenes have .82 to 1, a mean of 3 x 3 pixels or a finer grid .5 to .7, none .3."""
LEAST_CIRCLE = 0.65
"""Phases in cycles, parts of pi or metres that are read as radians fill .02 to .65 of the circle."""
FLAT_SHARE, HOLE_SHARE, REPEAT_SHARE = 0.01, 0.005, 0.3
LEAST_VALID = 0.2
FEW = 0.01
CLIPPED_SHARE = 1e-3


def scene_notes(found: SceneFindings) -> Iterator[SceneNote]:
    """Yield what to mind of a scene whose pixels and lines were read."""
    if found.measured is not None:
        yield from _phase_notes(found.measured)
        yield from _area_notes(found.measured)
    if found.reading is not None and found.reading.clipped_share >= CLIPPED_SHARE:
        yield SceneNote(
            "coherence clipped",
            f"{found.reading.clipped_share:.1%} of its coherence lies beyond 0 and 1 and was clipped; "
            "resampling by cubic convolution does that, bilinear does not",
        )
    if found.line_without_data > SOME_LINE_SHARE:
        yield SceneNote(
            "line without data",
            f"{found.line_without_data:.0%} of its line lies where there is no data; that part is not used",
        )


def _phase_notes(pixels: SceneMeasurements) -> Iterator[SceneNote]:
    """Yield notes on phases that are too regular, or too irregular, to be measured ones."""
    coherence = pixels.coherence
    if pixels.circle_share <= LEAST_CIRCLE:
        yield SceneNote(
            "part of the circle",
            f"its phases fill {pixels.circle_share:.0%} of the circle; likely they are in another unit than "
            "radians (cycles, parts of pi), a displacement, an amplitude or a mask; if so name the bands "
            "(--bands); only a scene of less than a fringe is like that",
        )
    elif coherence is not None and coherence >= TOO_COHERENT:
        is_smooth = pixels.grain < LEAST_GRAIN
        yield SceneNote(
            "too coherent",
            f"its median local coherence is {coherence:.2f}, too good to be true; likely its phase was "
            + (
                "unwrapped, averaged over many pixels, resampled to a finer posting, or simulated without "
                "noise, since neighbouring pixels share their noise"
                if is_smooth
                else "filtered or simulated with little noise, or it is no wrapped phase"
            ),
        )
    elif coherence is not None and coherence < NOISE_COHERENCE:
        yield SceneNote(
            "noise",
            f"its median local coherence is {coherence:.2f}, near that of noise; filter it or leave it out, "
            "unless its phase is in another unit than radians, such as degrees (--bands)",
        )


def _area_notes(pixels: SceneMeasurements) -> Iterator[SceneNote]:
    """Yield notes on areas in which the phase is the same, or missing."""
    if pixels.flat_share >= FLAT_SHARE:
        yield SceneNote(
            "areas of one phase",
            f"{pixels.flat_share:.0%} of its pixels lie in areas of one phase, as no measurement does; "
            "likely a collar, holes or the sea were filled with a constant (--nodata, or `nodata` in a data "
            "card's layout), or it was simulated without noise",
        )
    if pixels.repeat_share >= REPEAT_SHARE:
        yield SceneNote(
            "repeated pixels",
            f"{pixels.repeat_share:.0%} of neighbouring pixels have exactly the same phase; likely it was "
            "resampled to a finer posting by nearest neighbour, or its numbers are coarse; keep the posting "
            "at which it was processed",
        )
    if pixels.hole_share >= HOLE_SHARE:
        yield SceneNote(
            "holes",
            f"within the scene, pixels without data are {pixels.hole_share:.1%} of those with data; likely a "
            "mask (water, layover, low coherence), or values of exactly 0 that were measured",
        )
    if pixels.valid_share < LEAST_VALID:
        share = f"{pixels.valid_share:.0%}" if pixels.valid_share >= FEW else f"{pixels.valid_share:.2%}"
        yield SceneNote(
            "hardly any data",
            f"only {share} of its pixels hold data; likely it is cut to a frame that is far too large, or a "
            "value or a mask is wrongly taken for no data",
        )


# --- Scenes that differ from the others, and copies

LEAST_SCENES = 4
"""Fewer do not show what is usual."""
MOST_DEVIATIONS = 4.0
"""Standard deviations, estimated from the median deviation, by which a scene differs from the others."""
SIGMAS_TO_MAD = 1.4826
SAME_RAD = 1e-3
SAME_SHARE = 0.999


class _Quantity(NamedTuple):
    """A property in which scenes of one set are similar.

    Attributes
    ----------
    kind : str
        Kind of the note on a scene that differs from the others in it.
    template : str
        The sentence that states it, with a place for a value.
    value : function
        Reads it from the measurements, on a scale on which equal differences matter equally.
    shown : function
        Formats the value.
    least_spread : float
        Scenes may differ by this much, however similar the others are.
    low, high : str
        The likely reason where it is far below or above the others'.
    """

    kind: str
    template: str
    value: Callable[[SceneMeasurements], float]
    shown: Callable[[float], str]
    least_spread: float
    low: str
    high: str


def _log(value: float) -> float:
    return math.log10(max(value, 1e-6))


def _two_digits(value: float) -> str:
    return f"{value:.2f}"


QUANTITIES = (
    _Quantity(
        "unlike others: grain",
        "its noise from pixel to pixel is {} of that across two",
        lambda pixels: pixels.grain,
        _two_digits,
        0.04,
        "it was filtered, averaged or resampled, and the others were not",
        "the others were filtered, averaged or resampled, and it was not",
    ),
    _Quantity(
        "unlike others: coherence",
        "its median local coherence is {}",
        lambda pixels: pixels.coherence or 0.0,
        _two_digits,
        0.08,
        "it is of another processing or a longer time, or its phase is in degrees or another unit",
        "it was filtered, or its phase is in cycles or another unit",
    ),
    _Quantity(
        "unlike others: phase steps",
        "from pixel to pixel its phase differs by {} cycles",
        lambda pixels: _log(pixels.step_cycles),
        lambda value: f"{10**value:.3f}",
        0.12,
        "its phase is in cycles or another unit, or it was filtered or resampled to a finer posting",
        "it is of another sensor or posting, or its phase is in degrees or another unit",
    ),
    _Quantity(
        "unlike others: magnitude",
        "its median magnitude is {}",
        lambda pixels: _log(pixels.magnitude),
        lambda value: f"{10**value:.3g}",
        0.15,
        "it has a coherence where the others have an amplitude, or another unit or scale",
        "it has an amplitude where the others have a coherence, or another unit or scale",
    ),
    _Quantity(
        "unlike others: share with data",
        "the share of its pixels with data is {}",
        lambda pixels: pixels.valid_share,
        _two_digits,
        0.1,
        "it touches the ground of the others with an edge alone, or what is measured counts as no data",
        "its collar is filled with a value, or it is a crop",
    ),
)


def compare_scenes(scenes: Sequence[SceneFindings]) -> None:
    """Note in each scene how it differs from the others, and of which one it is a copy."""
    measured = [scene for scene in scenes if scene.measured is not None]
    for scene, other, how in _copies(measured):
        scene.notes.append(
            SceneNote(
                "a copy",
                f"holds the {how} {other.name}; remove one of the two, or mend its file, since scenes that "
                "are there twice count twice",
            )
        )
    if len(measured) >= LEAST_SCENES:
        _note_outliers(measured)
        _note_readings(measured)
        _note_collars(measured)


def _note_outliers(scenes: Sequence[SceneFindings]) -> None:
    for quantity in QUANTITIES:
        values = np.array([quantity.value(scene.measured) for scene in scenes if scene.measured])
        middle = float(np.median(values))
        spread = max(SIGMAS_TO_MAD * float(np.median(np.abs(values - middle))), quantity.least_spread)
        for scene, value in zip(scenes, values, strict=True):
            if abs(value - middle) <= MOST_DEVIATIONS * spread:
                continue
            reason = quantity.low if value < middle else quantity.high
            value_text = quantity.template.format(quantity.shown(float(value)))
            scene.notes.append(
                SceneNote(
                    quantity.kind,
                    f"is unlike the other scenes: {value_text}, theirs {quantity.shown(middle)}; "
                    f"likely {reason}",
                )
            )


def _note_readings(scenes: Sequence[SceneFindings]) -> None:
    """Note scenes whose bands are not read as those of most scenes."""
    titles = [scene.reading.title if scene.reading else scene.kind for scene in scenes]
    usual, count = Counter(titles).most_common(1)[0]
    if count <= len(scenes) / 2:
        return
    for scene, title in zip(scenes, titles, strict=True):
        if title != usual:
            scene.notes.append(
                SceneNote(
                    "read otherwise",
                    f"its bands are read as {title}, those of most scenes as {usual}; make sure that both "
                    "come from the same processing",
                )
            )


def _note_collars(scenes: Sequence[SceneFindings]) -> None:
    """Note scenes without a collar among others with one."""
    whole = [scene for scene in scenes if scene.measured and scene.measured.valid_share == 1]
    if len(whole) > len(scenes) / 2:
        return
    for scene in whole:
        scene.notes.append(
            SceneNote(
                "no collar",
                "holds data in every pixel, and most other scenes have a collar without; likely it is a "
                "crop, else its collar was filled with a value",
            )
        )


def missing_collar_note(scenes: Sequence[SceneFindings]) -> str | None:
    """Return what to mind of scenes none of which has a pixel without data; None where one has."""
    measured = [scene.measured for scene in scenes if scene.measured is not None]
    if not measured or any(pixels.valid_share < 1 for pixels in measured):
        return None
    return (
        "no scene has a pixel without data, not even a collar; right for crops and simulated scenes, else "
        "collars and holes were filled with a value (name it: --nodata, or `nodata` in a data card's layout)"
    )


def _copies(scenes: Sequence[SceneFindings]) -> Iterator[tuple[SceneFindings, SceneFindings, str]]:
    """Yield each scene that holds the same phase as an earlier one, that one, and how."""
    same_size: defaultdict[tuple[str, int], list[SceneFindings]] = defaultdict(list)
    for scene in scenes:
        if scene.measured is not None:
            same_size[scene.shape, scene.measured.valid_px].append(scene)
    for group in same_size.values():
        copied = set[int]()
        for (first, one), (second, other) in combinations(enumerate(group), 2):
            if second in copied or first in copied:
                continue
            how = _same_phase(one, other)
            if how is not None:
                copied.add(second)
                yield other, one, how


def _same_phase(one: SceneFindings, other: SceneFindings) -> str | None:
    if one.thumbnail is None or other.thumbnail is None:
        return None
    a, b = one.thumbnail.phase_rad, other.thumbnail.phase_rad
    if not np.array_equal(np.isfinite(a), np.isfinite(b)) or not np.isfinite(a).any():
        return None
    for sign, how in ((1, "same pixels as"), (-1, "same pixels with the opposite sign as")):
        apart = np.abs(np.angle(np.exp(1j * (a - sign * b))))[np.isfinite(a)]
        if (apart < SAME_RAD).mean() > SAME_SHARE:
            return how
    return None
