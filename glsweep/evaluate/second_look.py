"""Lines worth a second look: labels that no member sees, and lines that every member draws without a label.

Let some members have drawn a scene; `glsweep.evaluate.review` says which are asked. What they *see* at a
place within a reach is

    s = mean over the members of the highest probability within the reach.

*Missed* is a stretch of labelled line, on data, from which every member's line is farther than the largest
tolerance; the confidence that the label is wrong is the mean along it of (1 - s) v, where the reach is that
tolerance and v is 1 where anything within it is clearer than noise and 0 elsewhere: analysts draw through
noise by continuity, and no network can contradict them there.

*Unlabelled* is a stretch of the best member's line that every other member draws too, within a smaller
tolerance, and that is farther than the largest one from every label; its confidence is the mean along it of
s within the smaller tolerance.

Both are ranked by length times confidence: the metres of label that an analyst is expected to correct there.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import shapely
from scipy.ndimage import maximum_filter, uniform_filter
from shapely import LineString

from glsweep.geodesy import fine_vertices
from glsweep.metrics.distances import disk_offsets, radius_px
from glsweep.metrics.lines import STEP_M, TOLERANCES_M, Metres, PieceDistances, piece_distances
from glsweep.prediction.split_scenes import BRIDGE_M, SHORTEST_M, SplitScene
from glsweep.scenes.lines import read_lines
from glsweep.scenes.probability import open_probability
from glsweep.scenes.resample import COHERENCE_BOX_PX, local_coherence
from glsweep.scenes.scene import SceneEntry, row_strips
from glsweep.scenes.source import Window
from glsweep.study.second_look import DoubtKind
from glsweep.vectorize.outlines import read_tiles

FAR_M = max(TOLERANCES_M)
"""A label from which every member's line is farther is missed; so far from labels a line is unlabelled."""
AGREE_M = 200.0
"""Within which all members must draw a line that has no label."""
CLEAR = 0.45
"""Local coherence, averaged over a box: the highest within the largest tolerance of a place in noise at 100 m
posting is .26 at the median, .43 at one place in a thousand."""
BEND_M = 0.01
"""Vertices that move a line by less are left out: they were put in to measure it."""

Points = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


class MemberView(NamedTuple):
    """What one member makes of a scene: the raster of its probability, and its lines in the scene's map."""

    probability: Path
    lines: list[LineString]


class Doubt(NamedTuple):
    """A stretch of line that is worth a second look.

    Attributes
    ----------
    kind : str
        "missed" or "unlabelled".
    line : LineString
        In the scene's map.
    length_m : float
        On the ground.
    confidence : float
        That the label, or its absence, is wrong; see above.
    distance_m : float
        Mean along the stretch of the distance to the nearest line of any member, or to the nearest label;
        infinite where there is none within the scene's diagonal.
    """

    kind: DoubtKind
    line: LineString
    length_m: float
    confidence: float
    distance_m: float

    @property
    def gain_m(self) -> float:
        """By which doubts are ranked."""
        return self.length_m * self.confidence


def read_view(folder: Path, entry: SceneEntry) -> MemberView:
    """Read what a member has left of a scene in the folder of its maps."""
    name = entry.header.name
    file = read_lines(folder / f"{name}-lines.gpkg", None)
    return MemberView(folder / f"{name}-probability.tif", list(file.lines_of("", entry.header.crs)))


def doubts_of(scene: SplitScene, views: Sequence[MemberView]) -> list[Doubt]:
    """Return what is worth a second look on the split's ground of a scene, the most rewarding first.

    Parameters
    ----------
    scene : SplitScene
        With its true lines.
    views : sequence of MemberView
        One a member, the best member's first; of a single one it is told what that one alone says.
    """
    found = [*_missed(scene, views), *_unlabelled(scene, views)]
    return sorted(found, key=lambda doubt: -doubt.gain_m)


def _missed(scene: SplitScene, views: Sequence[MemberView]) -> Iterator[Doubt]:
    if not scene.reference:
        return
    crs = scene.entry.map_crs
    measured = [piece_distances(scene.reference, view.lines, crs=crs) for view in views]
    pieces, nearest_m = measured[0], np.min([one.distance_m for one in measured], axis=0)
    for line, here in _stretches(scene, scene.reference, nearest_m > FAR_M, pieces.length_m):
        points = _in_pixels(scene.entry, pieces.middle_xy[here])
        doubt = (1 - _seen(points, views, FAR_M, scene.entry)) * _is_clear(points, scene.entry)
        yield _doubt("missed", line, pieces.length_m[here], doubt, _near(nearest_m[here], scene))


def _unlabelled(scene: SplitScene, views: Sequence[MemberView]) -> Iterator[Doubt]:
    best, *others = views
    lines, entry = scene.judged(best.lines), scene.entry
    if not lines:
        return
    pieces = piece_distances(lines, entry.lines, crs=entry.map_crs)
    agree = np.ones(len(pieces.line), dtype=np.bool_)
    for other in others:
        agree &= piece_distances(lines, other.lines, crs=entry.map_crs).distance_m <= AGREE_M
    is_alone = (pieces.distance_m > FAR_M) & _bridged(agree, pieces)
    for line, here in _stretches(scene, lines, is_alone, pieces.length_m):
        seen = _seen(_in_pixels(entry, pieces.middle_xy[here]), views, AGREE_M, entry)
        distance_m = _near(pieces.distance_m[here], scene)
        yield _doubt("unlabelled", line, pieces.length_m[here], seen, distance_m)


def _doubt(kind: DoubtKind, line: LineString, length_m: Metres, doubt: Metres, distance_m: Metres) -> Doubt:
    confidence, mean_m = (float(np.average(values, weights=length_m)) for values in (doubt, distance_m))
    return Doubt(kind, line, float(length_m.sum()), confidence, mean_m)


def _near(distance_m: Metres, scene: SplitScene) -> Metres:
    """Return distances, infinite where they are longer than the scene."""
    return np.where(distance_m <= scene.farthest_m, distance_m, np.inf)


def _stretches(
    scene: SplitScene, lines: Sequence[LineString], chosen: Flags, length_m: Metres
) -> Iterator[tuple[LineString, slice]]:
    """Yield each stretch of chosen pieces, as long as the shortest line drawn, and its pieces.

    Parameters
    ----------
    scene : SplitScene
    lines : sequence of LineString
    chosen : bool array (N,)
        By piece, in the order of `piece_distances`.
    length_m : float64 array (N,)
        Of each piece.
    """
    vertices = fine_vertices(lines, scene.entry.map_crs, STEP_M)
    first = np.flatnonzero(vertices.joined)
    for here in _runs(chosen, vertices.line[first]):
        if chosen[here.start] and length_m[here].sum() >= SHORTEST_M:
            xy = vertices.xy[first[here.start] : first[here.stop - 1] + 2]
            yield shapely.simplify(LineString(xy), BEND_M), here


def _bridged(chosen: Flags, pieces: PieceDistances) -> Flags:
    """Return the same with short gaps within a line closed, as drawn lines have theirs."""
    bridged = chosen.copy()
    runs = list(_runs(chosen, pieces.line))
    for before, gap, after in zip(runs, runs[1:], runs[2:], strict=False):
        is_within = pieces.line[before.start] == pieces.line[gap.start] == pieces.line[after.start]
        if is_within and not chosen[gap.start] and pieces.length_m[gap].sum() <= BRIDGE_M:
            bridged[gap] = True
    return bridged


def _runs(chosen: Flags, line: npt.NDArray[np.int64]) -> Iterator[slice]:
    """Yield the runs of pieces of one line that are alike."""
    edges = np.flatnonzero(np.diff(chosen) | (np.diff(line) != 0)) + 1
    yield from (slice(start, end) for start, end in pairwise([0, *edges.tolist(), len(chosen)]))


def _in_pixels(entry: SceneEntry, xy: Points) -> Points:
    """Return points on the map as (col, row) from the scene's corner."""
    return np.column_stack(~entry.header.transform @ (xy[:, 0], xy[:, 1]))


def _seen(points: Points, views: Sequence[MemberView], reach_m: float, entry: SceneEntry) -> Metres:
    """Return the mean over members of the highest probability within reach of each point, (N,)."""
    disk = _disk(reach_m, entry.posting_m)
    highest = np.zeros((len(views), len(points)))
    inside = points.clip(0, np.array(entry.shape[::-1]) - 1e-6)
    for values, view in zip(highest, views, strict=True):
        with open_probability(view.probability) as raster:
            for here, bands, corner in read_tiles(raster, inside, len(disk) // 2):
                col, row = np.floor(inside[here] - corner).astype(np.int64).T
                # Of several networks the first band is their mean.
                values[here] = maximum_filter(bands[0], footprint=disk)[row, col]
    return np.asarray(highest.mean(axis=0))


def _is_clear(points: Points, entry: SceneEntry) -> Flags:
    """Return whether anything within the largest tolerance of each point is clearer than noise, (N,)."""
    disk = _disk(FAR_M, entry.posting_m)
    margin = len(disk) // 2 + 2 * (COHERENCE_BOX_PX // 2)
    (rows, cols), clear = entry.shape, np.zeros(len(points), dtype=np.bool_)
    col, row = np.floor(points).astype(np.int64).clip(0, (cols - 1, rows - 1)).T
    for strip in row_strips(rows, cols):
        here = (row >= strip.row) & (row < strip.row + strip.rows)
        if not here.any():
            continue
        top, bottom = max(0, row[here].min() - margin), min(rows, row[here].max() + margin + 1)
        left, right = max(0, col[here].min() - margin), min(cols, col[here].max() + margin + 1)
        pixels = entry.read_pixels(Window(int(top), int(left), int(bottom - top), int(right - left)))
        mean = uniform_filter(np.nan_to_num(local_coherence(pixels)), COHERENCE_BOX_PX)
        near = maximum_filter(mean, footprint=disk)
        clear[here] = near[row[here] - top, col[here] - left] >= CLEAR
    return clear


def _disk(reach_m: float, posting_m: float) -> Flags:
    """Return the pixels within reach of the one in the middle, (S, S)."""
    radius = radius_px(reach_m, posting_m)
    disk = np.zeros((2 * math.floor(radius) + 1,) * 2, dtype=np.bool_)
    disk[tuple(disk_offsets(radius).T + math.floor(radius))] = True
    return disk
