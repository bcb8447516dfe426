"""The parts of lines that lie where there is data: no network can see the rest."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from scipy.ndimage import binary_dilation
from shapely import LineString


def lines_on_data(
    lines: Sequence[LineString], valid: npt.NDArray[np.bool_], transform: Affine
) -> list[LineString]:
    """Cut away what lies farther than a pixel from all data, or outside of the scene.

    Parameters
    ----------
    lines : sequence of LineString
        In the scene's map.
    valid : bool array (rows, cols)
        Pixels that hold data.
    transform : Affine
        From (col, row) pixel corners to map coordinates.
    """
    rows, cols = valid.shape
    near = np.asarray(binary_dilation(valid, np.ones((3, 3), np.bool_)))
    posting_m = float(np.hypot(transform.a, transform.d))
    fine = shapely.segmentize(np.array(lines, dtype=object), posting_m / 2)
    xy, line = shapely.get_coordinates(fine, return_index=True)
    joined = line[1:] == line[:-1]
    start, end = xy[:-1][joined], xy[1:][joined]
    middle = (start + end) / 2
    col, row = (np.floor(values).astype(int) for values in ~transform @ (middle[:, 0], middle[:, 1]))
    kept = (row >= 0) & (row < rows) & (col >= 0) & (col < cols)
    kept[kept] = near[row[kept], col[kept]]
    segments = shapely.linestrings(np.stack([start[kept], end[kept]], axis=1))
    merged = shapely.line_merge(shapely.multilinestrings(segments))
    return [part for part in shapely.get_parts(merged).tolist() if part.length > 0]
