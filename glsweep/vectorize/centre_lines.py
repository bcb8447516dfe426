"""The middle of each outline: lines without spurs, loops and islands kept, short gaps bridged."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pygeoops
import shapely
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree
from shapely import LineString, Polygon

from glsweep.vectorize.along import points_along
from glsweep.vectorize.grid import Grid
from glsweep.vectorize.line_ends import mend_ends, mouths_of

Points = npt.NDArray[np.float64]

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
STRAIGHT_ON = 0.5
"""Least cosine of the angles at both ends of a bridge: it goes on as its lines end."""


def centre_lines(polygons: Sequence[Polygon], grid: Grid, *, bridge_px: float) -> list[LineString]:
    """Return the middle lines of outlines, joined where gaps are short.

    Parameters
    ----------
    polygons : sequence of Polygon
        Outlines in pixel coordinates.
    grid : Grid
        What they are drawn from, which says where there is data.
    bridge_px : float
        Gaps up to this length are bridged where a line goes straight on; 0 bridges none.

    Returns
    -------
    list of LineString
        In the same coordinates; a loop is closed.
    """
    lines = [
        mend_ends(line, polygon, mouths)
        for polygon, mouths in zip(polygons, mouths_of(polygons, grid), strict=True)
        for line in _middle(polygon)
    ]
    return [_smoothed(line) for line in _bridged(lines, bridge_px)]


def _middle(polygon: Polygon) -> list[LineString]:
    middle = pygeoops.centerline(
        _uneven(polygon), densify_distance=DENSE_PX, min_branch_length=-SPUR_WIDTHS, simplifytolerance=0.0
    )
    parts = shapely.get_parts(shapely.line_merge(middle))
    return [part for part in parts.tolist() if part.geom_type == "LineString" and part.length > CRUMB_PX]


def _uneven(polygon: Polygon) -> Polygon:
    """Move every vertex a little, by what its place says.

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
    outward = np.array([_outward(line, at) for line in open_lines for at in (0, -1)])
    pairs = cKDTree(ends).query_pairs(bridge_px, output_type="ndarray")
    way = ends[pairs[:, 1]] - ends[pairs[:, 0]]
    length = np.hypot(*way.T)
    towards = way / np.maximum(length, 1e-12)[:, None]
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


def _outward(line: LineString, at: int) -> Points:
    """Return the unit direction in which a line leaves at its first (0) or last (-1) vertex."""
    end = np.array(line.coords[at])
    inner = line.interpolate(min(5.0, line.length / 2) * (1 if at == 0 else -1))
    way = end - np.array(inner.coords[0])
    return np.asarray(way / max(float(np.hypot(*way)), 1e-12))


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
