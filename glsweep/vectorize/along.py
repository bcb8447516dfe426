"""Points along a line, as many as are wanted in one go."""

import numpy as np
import numpy.typing as npt
import shapely
from shapely import LineString

Values = npt.NDArray[np.float64]


def points_along(line: LineString, at: Values) -> Values:
    """Return the points, (N, 2), at distances `at`, (N,), from the line's beginning.

    As `shapely.line_interpolate_point`, which walks the line anew for each of them.
    """
    vertices = shapely.get_coordinates(line)
    passed = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(vertices, axis=0).T))])
    return np.column_stack([np.interp(at, passed, axis) for axis in vertices.T])
