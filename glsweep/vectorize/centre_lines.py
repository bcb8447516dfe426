"""The middle of each outline: lines without spurs, short gaps bridged, ends where the band ends.

A middle is equally far from all sides of an outline, also from the one across its end: left alone it
stops half a band's width before that, or turns into one of the two corners.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pygeoops
import shapely
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree
from shapely import LineString, MultiLineString, Polygon

from glsweep.vectorize.outlines import ProbabilityGrid, at_edge_of_data, points_along

Points = npt.NDArray[np.float64]

STEP_PX = 0.5
"""Spacing of the points at which lines and outlines are sampled."""
LEAST_INSIDE_PX = 4.0
"""A line's direction is taken this far from the edge of data: nearer, a few pixels decide it."""
STRAIGHT_ON = 0.5
"""Least cosine of the angle by which a line turns into a mouth, or into a bridge at either end."""
LONGEST_STEP_PX = 2.0
"""Length over which an outline may leave the edge of data within one mouth."""
WIDEST_MOUTH = 3.0
"""A longer mouth, in widths, is that of a line which grazes the edge, not of one that leaves by it."""
SAME_WIDTH = 0.9
"""A line is out of a corner of its outline where the width is this share of the width ahead."""
SQUARE = 0.85
"""A band is cut square if its corners are filled this far, in half widths; those of a round end are not."""
NARROW_PX = 2.0
"""Half width up to which an end is too few pixels to have a shape: it counts as half round, half square."""


def find_mouths(polygons: Sequence[Polygon], grid: ProbabilityGrid) -> list[list[LineString]]:
    """Return the mouths of each outline: its stretches along the edge of data or of the scene.

    Parameters
    ----------
    polygons : sequence of Polygon
        Outlines in (col, row) pixel coordinates.
    grid : ProbabilityGrid
        The probability they were drawn from.

    Returns
    -------
    list of list of LineString
        A mouth begins and ends on the band's two sides, at the same distance from the edge. A ring
        that is all edge, such as that around a hole in the data, has no sides and is left out.
    """
    if not polygons:
        return []
    rings = [(number, ring) for number, one in enumerate(polygons) for ring in (one.exterior, *one.interiors)]
    vertices = [shapely.get_coordinates(ring.segmentize(STEP_PX))[:-1] for _, ring in rings]
    at_edge = at_edge_of_data(grid, np.concatenate(vertices))
    mouths: list[list[LineString]] = [[] for _ in polygons]
    ends = np.cumsum([len(xy) for xy in vertices])[:-1]
    for (number, _), xy, is_edge in zip(rings, vertices, np.split(at_edge, ends), strict=True):
        mouths[number] += _stretches(xy, is_edge)
    return mouths


def _stretches(ring: Points, chosen: npt.NDArray[np.bool_]) -> list[LineString]:
    """Return the stretches of a ring (N, 2) whose vertices are chosen, none if all or none are.

    Where the edge steps from one pixel to the next, an outline may leave it for less than a pixel: what
    lies on both sides of such a step is one stretch.
    """
    chosen, count = chosen.copy(), len(ring)
    step_px = np.hypot(*(ring - np.roll(ring, 1, axis=0)).T)
    for start, length in _runs(~chosen):
        if step_px.take(range(start, start + length + 1), mode="wrap").sum() < LONGEST_STEP_PX:
            chosen[np.arange(start, start + length) % count] = True
    twice = np.concatenate([ring, ring])
    return [LineString(twice[start : start + length]) for start, length in _runs(chosen) if length > 1]


def _runs(chosen: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first vertex and number of those that are chosen one after another round a ring."""
    starts = np.flatnonzero(chosen & ~np.roll(chosen, 1))
    # A run that passes the ring's first vertex ends in its second round.
    twice = np.concatenate([chosen, chosen])
    return [(int(start), int(np.argmin(twice[start:]))) for start in starts]


def extend_ends(line: LineString, polygon: Polygon, mouths: Sequence[LineString]) -> LineString:
    """Extend a middle line to where its band ends.

    Parameters
    ----------
    line : LineString
        The middle of an outline, or a part of it.
    polygon : Polygon
        The outline.
    mouths : sequence of LineString
        Its mouths.

    Returns
    -------
    LineString
        Through the middle of a mouth, if it ends at one. Where the band is cut square, up to the cut;
        where it ends as round as a line drawn with a round pen, or tapers, as it was. A loop stays
        closed, and a line of a few pixels, which has no direction, as it is.
    """
    if line.is_closed or line.length < 2 * LEAST_INSIDE_PX:
        return line
    boundary = polygon.boundary
    shapely.prepare(boundary)
    for _ in range(2):
        points = points_along(line, np.linspace(0, line.length, max(2, round(line.length / STEP_PX) + 1)))
        line = LineString(_extended(points, polygon, boundary, mouths)).reverse()
    return line


def _extended(
    points: Points, polygon: Polygon, boundary: LineString | MultiLineString, mouths: Sequence[LineString]
) -> Points:
    """Extend the end at which `points` begin."""
    half_width = shapely.distance(shapely.points(points), boundary)
    for mouth in mouths:
        if shapely.Point(points[0]).distance(mouth) <= half_width[0] + 2 * STEP_PX:
            return _leave_by_mouth(mouth, points, half_width)
    return _extend_to_cut(points, half_width, polygon)


def _leave_by_mouth(mouth: LineString, points: Points, half_width: Points) -> Points:
    """Leave the band's middle where its mouth comes nearer than its sides, for the middle of the mouth."""
    distance = shapely.distance(shapely.points(points), mouth)
    inside = np.flatnonzero(distance > np.maximum(half_width + 2 * STEP_PX, LEAST_INSIDE_PX))
    if len(inside) == 0:
        return points
    kept = points[inside[0] :]
    one, other = np.array(mouth.coords[0]), np.array(mouth.coords[-1])
    width = 2 * (half_width[inside[0]] + 2 * STEP_PX)
    middle = (one + other) / 2
    direction = _unit(middle - kept[0])
    goes_on = direction @ _outward(kept, LEAST_INSIDE_PX) >= STRAIGHT_ON
    if not goes_on or mouth.length > WIDEST_MOUTH * width:
        return points
    return np.vstack([_exit_point(mouth.convex_hull, middle, direction, mouth.length), middle, kept])


def _extend_to_cut(points: Points, half_width: Points, polygon: Polygon) -> Points:
    """Leave the band's middle before it turns into a corner, and go straight on to a square cut."""
    first = _out_of_corner(half_width)
    kept, radius = points[first:], float(half_width[first])
    if len(kept) < 2:
        return points
    direction = _outward(kept, max(radius, LEAST_INSIDE_PX))
    cut = _exit_point(polygon, kept[0], direction, 2 * max(radius, NARROW_PX))
    if radius <= NARROW_PX:
        return np.vstack([(cut + kept[0]) / 2, kept])
    across = np.array([-direction[1], direction[0]])
    corners = kept[0] + SQUARE * radius * np.array([direction + across, direction - across])
    goes_to_end = np.hypot(*(cut - kept[0])) <= radius / SQUARE + STEP_PX
    is_square = goes_to_end and shapely.contains_xy(polygon, corners).all()
    return np.vstack([cut, kept]) if is_square else points


def _out_of_corner(half_width: Points) -> int:
    """Return the first point from which on the band is about as wide as a width ahead."""
    for at, here in enumerate(half_width):
        ahead = max(4, round(2 * here / STEP_PX))
        if here >= SAME_WIDTH * half_width[at : at + ahead + 1].max():
            return at
    return 0


def _exit_point(polygon: Polygon, start: Points, direction: Points, reach_px: float) -> Points:
    """Return where a straight way from a point within a polygon leaves it, `reach_px` on at most."""
    ray = shapely.intersection(LineString([start, start + reach_px * direction]), polygon)
    first = min(shapely.get_parts(ray), key=shapely.Point(start).distance, default=None)
    if first is None or first.is_empty or first.distance(shapely.Point(start)) > STEP_PX:
        return start
    ends = shapely.get_coordinates(first)
    return np.asarray(ends[np.argmax((ends - start) @ direction)])


def _outward(points: Points, reach_px: float) -> Points:
    """Return the unit direction in which a line leaves where `points` begin."""
    return _unit(points[0] - points[min(len(points) - 1, round(reach_px / STEP_PX))])


def _unit(direction: Points) -> Points:
    return np.asarray(direction / max(float(np.hypot(*direction)), 1e-12))


# --- Middle lines: spurs left out, loops and islands kept, short gaps bridged

DENSE_PX = 0.5
"""Spacing of an outline's vertices, between which the middle is found."""
UNEVEN_PX = 1e-5
"""Far less than the vertices of an outline lie apart, far more than the rounding of coordinates."""
NO_PATTERN = np.array([[971.3, 613.7], [541.9, 877.1]])
"""Turns places into angles that neighbours do not share."""
CRUMB_PX = 0.1
"""Up to this length a middle is what Voronoi edges leave in a corner, far less than a pixel."""
SPUR_WIDTHS = 1.5
"""A branch is a spur when it is shorter than so many widths of its outline."""
SMOOTH_PX = 1.0
"""Deviation of the Gaussian along a line that takes what the pixels left of a staircase."""
STRAIGHT_PX = 0.05
"""Vertices are left out as long as a line moves by no more than this."""


def centre_lines(polygons: Sequence[Polygon], grid: ProbabilityGrid, *, bridge_px: float) -> list[LineString]:
    """Return the middle lines of outlines, joined where gaps are short.

    Parameters
    ----------
    polygons : sequence of Polygon
        Outlines in pixel coordinates.
    grid : ProbabilityGrid
        The probability they were drawn from, which says where there is data.
    bridge_px : float
        Gaps up to this length are bridged where a line goes straight on; 0 bridges none.

    Returns
    -------
    list of LineString
        In the same coordinates; a loop is closed.
    """
    lines = [
        extend_ends(line, polygon, mouths)
        for polygon, mouths in zip(polygons, find_mouths(polygons, grid), strict=True)
        for line in _middle_lines(polygon)
    ]
    return [_smoothed(line) for line in _bridged(lines, bridge_px)]


def _middle_lines(polygon: Polygon) -> list[LineString]:
    middle = pygeoops.centerline(
        _perturbed(polygon), densify_distance=DENSE_PX, min_branch_length=-SPUR_WIDTHS, simplifytolerance=0.0
    )
    parts = shapely.get_parts(shapely.line_merge(middle))
    return [part for part in parts.tolist() if part.geom_type == "LineString" and part.length > CRUMB_PX]


def _perturbed(polygon: Polygon) -> Polygon:
    """Move every vertex a little, by an amount that depends on its place.

    Where four vertices lie on one circle, as those of a band at 45 degrees do all along, the Voronoi
    edges between them have no length, meet only to rounding, and leave a middle in hundreds of pieces.
    """
    fine = shapely.segmentize(polygon, DENSE_PX)
    moved = shapely.transform(fine, lambda xy: xy + UNEVEN_PX * np.sin(xy @ NO_PATTERN))
    return moved if moved.is_valid else polygon


def _bridged(lines: Sequence[LineString], bridge_px: float) -> list[LineString]:
    """Join ends that lie near and point at each other, the nearest first, each end once."""
    open_lines = [line for line in lines if not line.is_closed]
    if len(open_lines) < 2:
        return list(lines)
    ends = np.array([line.coords[i] for line in open_lines for i in (0, -1)])
    outward = np.array([_points_outward(line, at) for line in open_lines for at in (0, -1)])
    pairs = cKDTree(ends).query_pairs(bridge_px, output_type="ndarray")
    direction = ends[pairs[:, 1]] - ends[pairs[:, 0]]
    length = np.hypot(*direction.T)
    towards = direction / np.maximum(length, 1e-12)[:, None]
    goes_on = ((outward[pairs[:, 0]] * towards).sum(axis=1) >= STRAIGHT_ON) & (
        -(outward[pairs[:, 1]] * towards).sum(axis=1) >= STRAIGHT_ON
    )
    taken: set[int] = set()
    bridges: list[LineString] = []
    for one, other in pairs[goes_on][np.argsort(length[goes_on], kind="stable")].tolist():
        # Both ends of one line would close it into a loop that nobody saw.
        if one // 2 != other // 2 and one not in taken and other not in taken:
            taken |= {one, other}
            bridges.append(LineString([ends[one], ends[other]]))
    merged = shapely.line_merge(shapely.MultiLineString([*lines, *bridges]))
    return list(shapely.get_parts(merged))


def _points_outward(line: LineString, at: int) -> Points:
    """Return the unit direction in which a line leaves at its first (0) or last (-1) vertex."""
    end = np.array(line.coords[at])
    inner = line.interpolate(min(5.0, line.length / 2) * (1 if at == 0 else -1))
    direction = end - np.array(inner.coords[0])
    return _unit(direction)


def _smoothed(line: LineString) -> LineString:
    """Smooth along the line; its ends stay, and a loop stays closed."""
    count = max(2, round(line.length / DENSE_PX) + 1)
    at = np.linspace(0, line.length, count)
    points = points_along(line, at)
    deviation = SMOOTH_PX / DENSE_PX
    if line.is_closed:
        smooth = gaussian_filter1d(points[:-1], deviation, axis=0, mode="wrap")
        smooth = np.vstack([smooth, smooth[:1]])
    else:
        smooth = gaussian_filter1d(points, deviation, axis=0, mode="nearest")
        smooth[[0, -1]] = points[[0, -1]]
    return LineString(smooth).simplify(STRAIGHT_PX)
