"""Lines that a file holds more than once: twice the same row, reversed, or as a part of another."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from shapely import LineString

TOLERANCE = 1e-6
"""Of the CRS's unit: vertices within it are one."""


def without_repeats(lines: Sequence[LineString]) -> list[LineString]:
    """Return the lines of which some stretch between two vertices is in no other that is kept.

    So a line counts once, whichever way it runs, wherever a closed one begins, and however many
    parts it comes in; vertices may differ by rounding.
    """
    if len(lines) < 2:
        return list(lines)
    points, line_of = shapely.get_coordinates(lines, return_index=True)
    vertices = _numbered(points)
    within = line_of[:-1] == line_of[1:]
    stretches = np.sort(np.stack([vertices[:-1], vertices[1:]], axis=1)[within], axis=1)
    number_of = np.unique(stretches, axis=0, return_inverse=True)[1].reshape(-1)
    starts = np.searchsorted(line_of[:-1][within], np.arange(len(lines) + 1))
    seen = np.zeros(len(stretches), bool)
    kept = []
    # The longest first, so that a line goes before its parts.
    for line in sorted(range(len(lines)), key=lambda line: starts[line] - starts[line + 1]):
        own = number_of[starts[line] : starts[line + 1]]
        if not seen[own].all():
            seen[own] = True
            kept.append(line)
    return [lines[line] for line in sorted(kept)]


def _numbered(points: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Number the points, (N,); those that lie within the tolerance have one number."""
    distinct, number_of = np.unique(points, axis=0, return_inverse=True)
    pairs = cKDTree(distinct).query_pairs(TOLERANCE, output_type="ndarray")
    near = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(distinct), len(distinct)))
    groups = connected_components(near, directed=False)[1]
    return np.asarray(groups[number_of.reshape(-1)], dtype=np.int64)
