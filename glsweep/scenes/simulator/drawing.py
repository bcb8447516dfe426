"""Lines as analysts leave them: several rows a scene, none where there is no data."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from scipy.ndimage import map_coordinates, uniform_filter, uniform_filter1d
from shapely import LineString, Polygon
from shapely.ops import substring

SHORTEST_M, LONGEST_M = 5_000.0, 30_000.0
HAND_M = 1_000.0
"""Over so much of a line a hand's error stays the same."""
SIGHT_M = 3_000.0
"""How far to either side of a line its drawer looks."""
LEAST_COHERENCE = 0.15
"""Mean coherence within sight below which there is nothing but noise to be seen."""
LEAST_SEEN_SHARE = 0.5


def drawn_lines(
    lines: Sequence[LineString],
    footprint: Polygon,
    transform: Affine,
    generator: np.random.Generator,
    *,
    coherence: npt.NDArray[np.float64] | None = None,
    gap_share: float = 0.0,
    wobble_m: float = 0.0,
) -> tuple[LineString, ...]:
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
        True coherence: strokes of which less than `LEAST_SEEN_SHARE` can be seen are left out.
    gap_share : float
        Share of the strokes that are left out; the best seen of a scene never is.
    wobble_m : float
        Standard deviation of the hand that draws, along x and y.
    """
    parts = shapely.get_parts(shapely.line_merge(shapely.intersection(list(lines), footprint)))
    kept = [part for part in parts if part.geom_type == "LineString" and part.length > 1]
    on_map = shapely.transform(kept, lambda xy: np.column_stack(transform @ (xy[:, 0], xy[:, 1])))
    strokes = [stroke for line in on_map for stroke in _strokes(line, generator)]
    if wobble_m > 0:
        strokes = [_wobbled(stroke, wobble_m, generator) for stroke in strokes]
    seen_shares = _seen_shares(strokes, transform, coherence)
    drawn = (generator.random(len(strokes)) >= gap_share) & (seen_shares >= LEAST_SEEN_SHARE)
    if strokes:
        drawn[seen_shares.argmax()] = True
    return tuple(stroke for stroke, is_drawn in zip(strokes, drawn, strict=True) if is_drawn)


def _strokes(line: LineString, generator: np.random.Generator) -> Iterator[LineString]:
    start_m = 0.0
    while start_m < line.length:
        end_m = start_m + generator.uniform(SHORTEST_M, LONGEST_M)
        if line.length - end_m < SHORTEST_M:
            end_m = line.length
        yield substring(line, start_m, end_m)
        start_m = end_m


def _seen_shares(
    strokes: Sequence[LineString], transform: Affine, coherence: npt.NDArray[np.float64] | None
) -> npt.NDArray[np.float64]:
    """Return the share of each stroke that has something other than noise within sight."""
    if coherence is None:
        return np.ones(len(strokes))
    sight_px = round(SIGHT_M / abs(transform.a))
    seen = uniform_filter(coherence, 2 * sight_px + 1) >= LEAST_COHERENCE
    shares = np.empty(len(strokes))
    for number, stroke in enumerate(strokes):
        points = shapely.get_coordinates(shapely.segmentize(stroke, SIGHT_M / 4))
        col, row = ~transform @ (points[:, 0], points[:, 1])
        pixels = [np.asarray(row) - 0.5, np.asarray(col) - 0.5]
        shares[number] = map_coordinates(seen, pixels, order=0, mode="nearest").mean()
    return shares


def _wobbled(stroke: LineString, wobble_m: float, generator: np.random.Generator) -> LineString:
    """Shift a stroke's points by noise that changes over `HAND_M`; no farther than three deviations."""
    points = shapely.get_coordinates(shapely.segmentize(stroke, HAND_M / 4))
    shift = uniform_filter1d(generator.normal(0, wobble_m * 2, points.shape), 4, axis=0, mode="nearest")
    return LineString(points + np.clip(shift, -3 * wobble_m, 3 * wobble_m))
