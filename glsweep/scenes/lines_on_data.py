"""The parts of lines that lie where there is data: no network can see the rest."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from scipy.ndimage import binary_dilation
from shapely import LineString

ROUNDING_PX = 1e-6
"""What is no farther outside of the scene lies on its edge: map coordinates are rounded."""


def lines_on_data(
    lines: Sequence[LineString], valid: npt.NDArray[np.bool_], transform: Affine
) -> list[LineString]:
    """Cut away what lies farther than a pixel from all data, or outside of the scene, whose edge is inside.

    Parameters
    ----------
    lines : sequence of LineString
        In the scene's map.
    valid : bool array (rows, cols)
        Pixels that hold data.
    transform : Affine
        From (col, row) pixel corners to map coordinates.
    """
    near = np.asarray(binary_dilation(valid, np.ones((3, 3), np.bool_)))
    posting_m = float(np.hypot(transform.a, transform.d))
    fine = shapely.segmentize(np.array(lines, dtype=object), posting_m / 2)
    xy, line = shapely.get_coordinates(fine, return_index=True)
    joined = line[1:] == line[:-1]
    start, end = xy[:-1][joined], xy[1:][joined]
    middle = (start + end) / 2
    col_row = np.column_stack(~transform @ (middle[:, 0], middle[:, 1]))
    size = np.array(valid.shape[::-1])
    kept = np.all((col_row >= -ROUNDING_PX) & (col_row <= size + ROUNDING_PX), axis=1)
    # A pixel begins at its near edges; what lies on the scene's far ones belongs to the last pixel.
    col, row = np.clip(np.floor(col_row[kept]).astype(np.int64), 0, size - 1).T
    kept[kept] = near[row, col]
    segments = shapely.linestrings(np.stack([start[kept], end[kept]], axis=1))
    merged = shapely.line_merge(shapely.multilinestrings(segments))
    return [part for part in shapely.get_parts(merged).tolist() if part.length > 0]
