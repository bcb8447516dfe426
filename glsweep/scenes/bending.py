"""Where ice begins to bend beside a line, and how much tidal phase has built up at it."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from affine import Affine
from shapely import LineString

from glsweep.config.data_card import LineKind
from glsweep.scenes.profiles import NormalProfiles, ReadWindow, in_pixels, normal_profiles
from glsweep.scenes.raster import RasterHeader
from glsweep.scenes.resample import multilook
from glsweep.scenes.source import Window

Floats = npt.NDArray[np.float64]

REACH_M = 3_200.0
FEWEST_PX, MOST_PX = 16, 128
"""Length of a normal to either side: `REACH_M`, but so many pixels at least and at most."""
QUIET_M, SEEN_M = -1_200.0, 1_600.0
"""The phase landward of the first is of air and orbits; what is seaward of the second is not looked at."""
FINEST_M = 50.0
PIECE_M = 10_000.0
"""Length of line along which ice is taken to bend alike."""
RATES_PER_M = np.geomspace(2.5e-4, 1.6e-3, 7)
"""b of beams of 200 to 1,200 m of ice with 0.8 to 3 GPa."""
STARTS_M = np.arange(-2_400.0, 2_001.0, 50.0)
STEEPEST_PER_M = np.geomspace(3e-4, 9e-3, 12)
"""Cycles a metre where the fringes are densest: of tides that are hardly seen, and of the strongest."""
FREQUENCIES = np.linspace(-1.0, 1.0, 101)
MOST_BACKGROUND_PER_M = 1e-3
INDEPENDENT_SHARE = 0.1
"""Of the evidence of all products: neighbours share noise, filters spread it, and no beam is ideal. Set so
that the errors that are stated hold in simulated scenes, filtered or not."""
LEAST_DEVIATIONS, LEAST_CONTRAST = 4.0, 0.05
"""A beam must explain more than none does, by so many deviations of what noise would; and the line's two
sides must differ by so much."""
MOST_LEVEL_ERROR, MOST_HINGE_ERROR_M = 0.3, 250.0
COHERENT = 0.6


class Bending(NamedTuple):
    """How ice bends beside a line, or a piece of one.

    Attributes
    ----------
    level_cycles : float
        Tidal phase that has built up at the line since the first bending, in cycles; NaN where it
        cannot be told to within `MOST_LEVEL_ERROR`.
    hinge_m : float
        How far the line lies seaward of the first bending, negative where landward of it; NaN where it
        cannot be told to within `MOST_HINGE_ERROR_M`.
    normals : int
        Normals with data, one a pixel.
    sees_no_fringes : bool
        Whether the phase is clear on both sides, and nothing bends.
    """

    level_cycles: float
    hinge_m: float
    normals: int
    sees_no_fringes: bool


def bendings_of(header: RasterHeader, lines: Sequence[LineString]) -> list[Bending | None]:
    """Return how ice bends beside each line of a scene, of which only what lies near them is read.

    Lines are in the scene's map. A scene finer than `FINEST_M` is averaged.

    Raises
    ------
    DataError
        When the scene's pixels cannot be read.
    """
    scene = _Averaged(header)
    return [
        bending_along(scene.read, scene.shape, in_pixels(line, scene.transform), scene.posting_m)
        for line in lines
    ]


def sea_sides_of(header: RasterHeader, lines: Sequence[LineString]) -> npt.NDArray[np.int64]:
    """Return on which side of each line of a scene the sea is, by its fringes, (N,).

    1 to the left of one who walks along the line on the map, -1 to the right, 0 where nothing tells the
    sides apart. Lines are in the scene's map.

    Raises
    ------
    DataError
        When the scene's pixels cannot be read.
    """
    scene = _Averaged(header)
    # On the map of a scene whose first row is the northern one, left is as on its picture.
    as_on_picture = 1 if scene.transform.determinant < 0 else -1
    sides = np.zeros(len(lines), np.int64)
    for number, line in enumerate(lines):
        profiles = normal_profiles(
            scene.read, scene.shape, in_pixels(line, scene.transform), reach_px=_reach_px(scene.posting_m)
        )
        if profiles is not None and profiles.contrast >= LEAST_CONTRAST:
            sides[number] = as_on_picture if profiles.is_left else -as_on_picture
    return sides


class _Averaged:
    """A scene, averaged to pixels of `FINEST_M` where it is finer."""

    def __init__(self, header: RasterHeader) -> None:
        self._header, self._looks = header, max(1, int(FINEST_M / header.posting_m))
        rows, cols = header.shape
        self.shape = rows // self._looks, cols // self._looks
        self.transform = header.transform @ Affine.scale(self._looks)
        self.posting_m = self._looks * header.posting_m

    def read(self, window: Window) -> npt.NDArray[np.complex64]:
        """Read a window of it, 0 where there is no data."""
        full = Window(*(self._looks * number for number in window))
        return multilook(self._header.read(full), self._looks)


def _reach_px(posting_m: float) -> int:
    return int(np.clip(round(REACH_M / posting_m), FEWEST_PX, MOST_PX))


def bending_along(
    read: ReadWindow, shape: tuple[int, int], line_px: LineString, posting_m: float
) -> Bending | None:
    """Find out how ice bends beside a line: piece by piece, of which medians are taken.

    On simulated scenes (`wide`, noisy, filtered) with lines of 10 km at .4 to 1 cycle, three lines in ten
    can be told: half of their levels to .1 cycle and nine in ten to .35, half of their first bendings to
    60 m and nine in ten to 170 m. Without noise all can: half to .03 cycle and 50 m, nine in ten to .3
    cycle and 180 m.

    Parameters
    ----------
    read, shape, line_px
        As those of `normal_profiles`.
    posting_m : float
        Side of a pixel.

    Returns
    -------
    Bending or None
        None where no normal touches data.
    """
    profiles = normal_profiles(read, shape, line_px, reach_px=_reach_px(posting_m))
    if profiles is None:
        return None
    count = max(1, round(len(profiles.normals) * posting_m / PIECE_M))
    pieces = [
        bending_beside(profiles.part(some), posting_m)
        for some in np.array_split(np.arange(len(profiles.normals)), count)
    ]
    return Bending(
        _median([piece.level_cycles for piece in pieces]),
        _median([piece.hinge_m for piece in pieces]),
        sum(piece.normals for piece in pieces),
        all(piece.sees_no_fringes for piece in pieces),
    )


def bending_beside(profiles: NormalProfiles, posting_m: float) -> Bending:
    """Fit the bending of a beam to the fringes along the normals of one piece.

    The uplift of a beam that is clamped at x0 has the gradient of 2 A b exp(-b (x - x0)) sin(b (x - x0))
    (Holdsworth 1969). For each x0, rate b and tide A the products of neighbouring phasors are turned back
    by the phase that this gradient would give them, on top of the background that the quiet side has, and
    their real parts are summed: unlike a mean of measured frequencies this is neither biased by noise nor
    led astray by fringes finer than a pixel. Level and x0 are means over all beams, weighted by the
    likelihood; where noise leaves several possible their spread says so.
    """
    beams = _beams(posting_m, len(profiles.offsets_px) // 2)
    total = _agreement(profiles)
    quiet = total[profiles.offsets_px * posting_m <= QUIET_M].sum(axis=0)
    is_slow = np.abs(FREQUENCIES) <= MOST_BACKGROUND_PER_M * posting_m
    background = int(np.flatnonzero(is_slow)[quiet[is_slow].argmax()])
    seen = INDEPENDENT_SHARE * total[: beams.turns.shape[-1]]
    at = np.clip(np.rint(beams.turns + background), 0, len(FREQUENCIES) - 1).astype(np.int64)
    evidence = seen[np.arange(len(seen)), at].sum(axis=-1)
    products = INDEPENDENT_SHARE * np.count_nonzero(profiles.products[:, : len(seen)])
    agreement = min(1.0, float(evidence.max()) / max(products, 1.0))
    noise = np.sqrt(INDEPENDENT_SHARE * products / 2 * (1 - agreement**2))
    bends = bool(evidence.max() - seen[:, background].sum() >= LEAST_DEVIATIONS * noise)
    weight = np.exp(evidence - evidence.max())
    hinge_m, hinge_error_m = _mean_and_spread(-STARTS_M, weight.sum(axis=(0, 1)))
    level, level_error = _mean_and_spread(beams.levels, weight)
    is_known = bends and profiles.contrast >= LEAST_CONTRAST
    return Bending(
        level if is_known and level_error <= MOST_LEVEL_ERROR else np.nan,
        hinge_m if is_known and hinge_error_m <= MOST_HINGE_ERROR_M else np.nan,
        int(np.isfinite(profiles.coherence).any(axis=1).sum()),
        not bends and _is_coherent(profiles, posting_m),
    )


class _Beams(NamedTuple):
    """Beams that are tried, by tide (T), rate (R) and start (S), at the offsets (K) that are looked at.

    Attributes
    ----------
    turns : float64 array (T, R, S, K)
        Their fringe frequency, in steps of `FREQUENCIES`.
    levels : float64 array (T, R, S)
        Cycles that have built up at the line.
    """

    turns: Floats
    levels: Floats


@lru_cache(maxsize=4)
def _beams(posting_m: float, reach_px: int) -> _Beams:
    offsets_m = np.arange(-reach_px, reach_px + 1) * posting_m
    seen_m = offsets_m[offsets_m <= SEEN_M]
    steepest = np.concatenate([STEEPEST_PER_M, -STEEPEST_PER_M])
    u = np.maximum(RATES_PER_M[:, None, None] * (seen_m - STARTS_M[:, None]), 0.0)
    # The slope is greatest at u = pi / 4.
    slope = np.exp(-u) * np.sin(u) / (np.exp(-np.pi / 4) * np.sin(np.pi / 4))
    step = FREQUENCIES[1] - FREQUENCIES[0]
    at_line = np.maximum(RATES_PER_M[:, None] * -STARTS_M, 0.0)
    risen = 1 - np.exp(-at_line) * (np.cos(at_line) + np.sin(at_line))
    whole = np.abs(steepest)[:, None] / (2 * RATES_PER_M * np.exp(-np.pi / 4) * np.sin(np.pi / 4))
    return _Beams(
        steepest[:, None, None, None] * posting_m / step * slope,
        whole[:, :, None] * risen,
    )


def _agreement(profiles: NormalProfiles) -> Floats:
    """Return how well all normals agree with each of `FREQUENCIES` at each offset, (K, F).

    The sum over the products of both axes, each turned back by its share of the frequency, of real parts.
    """
    total = np.zeros((len(profiles.offsets_px), len(FREQUENCIES)))
    for axis in (0, 1):
        turned = np.exp(-2j * np.pi * profiles.normals[:, axis, None] * FREQUENCIES)
        total += (profiles.products[:, :, axis].T @ turned).real
    return total


def _is_coherent(profiles: NormalProfiles, posting_m: float) -> bool:
    """Whether the phase is clear on both sides."""
    near = np.abs(profiles.offsets_px) * posting_m <= SEEN_M
    sides = [near & (profiles.offsets_px * sign > 0) for sign in (-1, 1)]
    known = [profiles.coherence[:, side][np.isfinite(profiles.coherence[:, side])] for side in sides]
    return all(len(values) and float(np.median(values)) >= COHERENT for values in known)


def _mean_and_spread(values: Floats, weight: Floats) -> tuple[float, float]:
    mean = float((values * weight).sum() / weight.sum())
    return mean, float(np.sqrt(((values - mean) ** 2 * weight).sum() / weight.sum()))


def _median(values: Iterable[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.median(known)) if known else np.nan


# --- What the lines of a data set are, taken together

LEAST_LEVEL = 0.25
"""Lines at a median level below this are drawn at the hinge."""
FEWEST_LINES, LEAST_SHARE = 3, 0.1
"""Of the lines, so many must have a level that can be told."""
MOST_DEVIATIONS, SIGMAS_TO_MAD = 3.0, 1.4826
LEAST_LEVEL_SPREAD, LEAST_HINGE_SPREAD_M = 0.2, 250.0
"""Lines that agree better than this are not held to it."""


class Convention(NamedTuple):
    """What the lines of a data set are.

    Attributes
    ----------
    kind : str or None
        `analyst` or `hinge`; None where too few lines can be told.
    level_cycles, hinge_m : float
        Medians over the lines: the level at which they are drawn, and how far seaward of the first bending.
    measured : int
        Lines of which either can be told.
    odd : tuple of int
        Numbers of the lines that lie elsewhere: where nothing bends, or far from the others' medians.
    """

    kind: LineKind | None
    level_cycles: float
    hinge_m: float
    measured: int
    odd: tuple[int, ...]


def convention_of(bendings: Sequence[Bending | None]) -> Convention:
    """Return what lines are, taken together, and which of them lie elsewhere than most.

    A line lies elsewhere if its level or its distance from the first bending is more than three
    deviations (by the median absolute deviation) from the median, or if its surroundings are clear and
    show no fringes. Where too few lines can be told, none is odd.
    """
    known = [(np.nan, np.nan) if one is None else (one.level_cycles, one.hinge_m) for one in bendings]
    values = np.array(known).reshape(-1, 2)
    medians = _median(values[:, 0]), _median(values[:, 1])
    measured = int(np.isfinite(values).any(axis=1).sum())
    if np.isfinite(values[:, 0]).sum() < max(FEWEST_LINES, LEAST_SHARE * len(values)):
        return Convention(None, *medians, measured, ())
    is_odd = np.array([one is not None and one.sees_no_fringes for one in bendings])
    leasts = (LEAST_LEVEL_SPREAD, LEAST_HINGE_SPREAD_M)
    for column, median, least in zip(values.T, medians, leasts, strict=True):
        spread = max(SIGMAS_TO_MAD * _median(np.abs(column - median)), least)
        is_odd |= np.abs(column - median) > MOST_DEVIATIONS * spread
    kind: LineKind = "analyst" if medians[0] >= LEAST_LEVEL else "hinge"
    return Convention(kind, *medians, measured, tuple(np.flatnonzero(is_odd).tolist()))
