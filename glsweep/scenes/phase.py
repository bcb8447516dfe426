"""A scene's phase, coarsely, for pictures of it."""

import math

import numpy as np
import numpy.typing as npt
from affine import Affine

from glsweep.scenes.raster import RasterHeader
from glsweep.scenes.scene import row_strips


def coarse_phase_rad(header: RasterHeader, longest_px: int) -> tuple[npt.NDArray[np.float32], Affine]:
    """Return every n-th pixel's phase, NaN without data, and the transform of this grid.

    Parameters
    ----------
    header : RasterHeader
        The scene; a strip of rows is read at a time.
    longest_px : int
        Most pixels along each side.

    Raises
    ------
    DataError
        When the scene's pixels cannot be read.
    """
    rows, cols = header.shape
    step = math.ceil(max(rows, cols) / longest_px)
    strips = row_strips(rows, cols)
    # A strip begins wherever the one before ends, and gives the rows of the grid that lie in it.
    values = np.concatenate([header.read(strip)[-strip.row % step :: step, ::step] for strip in strips])
    phase_rad = np.where(values != 0, np.angle(values), np.nan).astype(np.float32)
    return phase_rad, header.transform @ Affine.scale(step)
