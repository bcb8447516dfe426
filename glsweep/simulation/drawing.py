"""Lines as analysts draw them: at the edge of dense fringes, in strokes, and only where something is seen."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from scipy.ndimage import map_coordinates, maximum_filter, uniform_filter, uniform_filter1d
from shapely import LineString, Polygon
from shapely.ops import substring
from skimage.measure import find_contours

LEVEL_CYCLES = (0.4, 1.0)
"""Tidal phase at which analysts draw, measured on real double differences."""
MOST_TIDE_SHARE = 0.35
"""A weak tide is drawn where this share of it is reached, though that is less than its scene's level."""
STRAIGHT_PX = 0.05

SHORTEST_M, LONGEST_M = 5_000.0, 30_000.0
HAND_M = 1_000.0
"""Length of line over which the error of the drawing hand stays the same."""

SEEN_COHERENCE = 0.3
"""Mean coherence of 5 x 5 pixels from which on fringes can be seen."""
SEEN_WITHIN_M = 1_000.0
"""How far from a line its analyst looks for something to see."""
LONGEST_GAP_M = 2_000.0
"""Up to this length a line is continued where nothing can be seen."""
SHORTEST_SEEN_M = 1_000.0
"""Shorter stretches are not enough to draw a line by."""
SAMPLE_M = 100.0


class DrawnLines(NamedTuple):
    """What an analyst leaves of a scene's lines, on the map.

    Attributes
    ----------
    lines : tuple of LineString
        What is drawn, in strokes.
    unsure : tuple of LineString
        Where the line runs and is not drawn, since nobody can see it there, or its analyst left it out.
    """

    lines: tuple[LineString, ...]
    unsure: tuple[LineString, ...]


def draw_level_cycles(tide_cycles: float, generator: np.random.Generator) -> float:
    """Draw the level at which a scene's analyst sees the fringes begin.

    Parameters
    ----------
    tide_cycles : float
        Phase of the whole tide, far from the line.
    generator : Generator
        Source of randomness.
    """
    return min(float(generator.uniform(*LEVEL_CYCLES)), MOST_TIDE_SHARE * abs(tide_cycles))


def lines_at_level(tide_rad: npt.NDArray[np.float64], level_cycles: float) -> tuple[LineString, ...]:
    """Return where the tide's unwrapped phase reaches a level, in (col, row) pixel coordinates.

    Parameters
    ----------
    tide_rad : float64 array (rows, cols)
        Phase of the flexure alone, of either sign.
    level_cycles : float
        Above 0.
    """
    # Contours are given at pixel centres as (row, col).
    contours = find_contours(np.abs(tide_rad) / (2 * math.pi), level_cycles)  # type: ignore[no-untyped-call]
    return tuple(LineString(one[:, ::-1] + 0.5).simplify(STRAIGHT_PX) for one in contours if len(one) > 1)


def drawn_lines(
    lines: Sequence[LineString],
    footprint: Polygon,
    transform: Affine,
    generator: np.random.Generator,
    *,
    coherence: npt.NDArray[np.float64] | None = None,
    gap_share: float = 0.0,
    wobble_m: float = 0.0,
) -> DrawnLines:
    """Cut lines to the footprint, move them to the map, cut them into strokes, and leave some out.

    Parameters
    ----------
    lines : sequence of LineString
        In (col, row) pixel coordinates.
    footprint : Polygon
        Where there is data, in the same coordinates.
    transform : Affine
        From (col, row) pixel corners to map coordinates.
    generator : Generator
        Source of randomness.
    coherence : float array (rows, cols), optional
        True coherence: stretches without any within `SEEN_WITHIN_M` are left out if they are longer than
        `LONGEST_GAP_M`.
    gap_share : float
        Share of the strokes that are left out; a scene's longest is always kept.
    wobble_m : float
        Standard deviation of the drawing hand, along x and y.
    """
    parts = shapely.get_parts(shapely.line_merge(shapely.intersection(list(lines), footprint)))
    kept = [part for part in parts if part.geom_type == "LineString" and part.length > 1]
    on_map = shapely.transform(kept, lambda xy: np.column_stack(transform @ (xy[:, 0], xy[:, 1])))
    is_seen = None if coherence is None else _seen_pixels(coherence, abs(transform.a))
    stretches = [one for line in on_map for one in _stretches(line, is_seen, transform)]
    strokes = [stroke for line, seen in stretches if seen for stroke in _strokes(line, generator)]
    drawn = generator.random(len(strokes)) >= gap_share
    if strokes:
        drawn[int(np.argmax([stroke.length for stroke in strokes]))] = True
    unsure = [line for line, seen in stretches if not seen]
    unsure += [stroke for stroke, is_drawn in zip(strokes, drawn, strict=True) if not is_drawn]
    chosen = [stroke for stroke, is_drawn in zip(strokes, drawn, strict=True) if is_drawn]
    if wobble_m > 0:
        chosen = [_wobbled(stroke, wobble_m, generator) for stroke in chosen]
    return DrawnLines(tuple(chosen), tuple(unsure))


def _seen_pixels(coherence: npt.NDArray[np.float64], posting_m: float) -> npt.NDArray[np.bool_]:
    """Return the pixels near to which there is something besides noise, (rows, cols)."""
    reach_px = round(SEEN_WITHIN_M / posting_m)
    return np.asarray(maximum_filter(uniform_filter(coherence, 5), 2 * reach_px + 1) >= SEEN_COHERENCE)


def _stretches(
    line: LineString, is_seen: npt.NDArray[np.bool_] | None, transform: Affine
) -> Iterator[tuple[LineString, bool]]:
    """Cut a line where it stops or begins to be seen, but for gaps across which it is continued."""
    if is_seen is None:
        yield line, True
        return
    edges_m = np.linspace(0, line.length, max(1, round(line.length / SAMPLE_M)) + 1)
    middles = shapely.line_interpolate_point(line, (edges_m[:-1] + edges_m[1:]) / 2)
    col, row = ~transform @ (shapely.get_x(middles), shapely.get_y(middles))
    pixels = [np.asarray(row) - 0.5, np.asarray(col) - 0.5]
    seen = map_coordinates(is_seen.astype(np.uint8), pixels, order=0, mode="nearest") > 0
    step_m = line.length / len(seen)
    for start, end in _runs(seen):
        if not seen[start] and start > 0 and end < len(seen) and (end - start) * step_m <= LONGEST_GAP_M:
            seen[start:end] = True
    for start, end in _runs(seen):
        if seen[start] and end - start < len(seen) and (end - start) * step_m < SHORTEST_SEEN_M:
            seen[start:end] = False
    for start, end in _runs(seen):
        yield substring(line, edges_m[start], edges_m[end]), bool(seen[start])


def _runs(values: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return (first, behind the last) of each run of equal values."""
    edges = [0, *(np.flatnonzero(np.diff(values)) + 1).tolist(), len(values)]
    return list(pairwise(edges))


def _strokes(line: LineString, generator: np.random.Generator) -> Iterator[LineString]:
    start_m = 0.0
    while start_m < line.length:
        end_m = start_m + generator.uniform(SHORTEST_M, LONGEST_M)
        if line.length - end_m < SHORTEST_M:
            end_m = line.length
        yield substring(line, start_m, end_m)
        start_m = end_m


def _wobbled(stroke: LineString, wobble_m: float, generator: np.random.Generator) -> LineString:
    """Shift a stroke's points by noise that changes over `HAND_M`; no farther than three deviations."""
    points = shapely.get_coordinates(shapely.segmentize(stroke, HAND_M / 4))
    shift = uniform_filter1d(generator.normal(0, wobble_m * 2, points.shape), 4, axis=0, mode="nearest")
    return LineString(points + np.clip(shift, -3 * wobble_m, 3 * wobble_m))
