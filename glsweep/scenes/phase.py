"""A scene's phase, coarsely, for pictures of it."""

import math

import numpy as np
import numpy.typing as npt
from affine import Affine

from glsweep.scenes.raster import RasterHeader
from glsweep.scenes.source import Window


def coarse_phase_rad(header: RasterHeader, longest_px: int) -> tuple[npt.NDArray[np.float32], Affine]:
    """Return every n-th pixel's phase, NaN without data, and the transform of this grid.

    Parameters
    ----------
    header : RasterHeader
        The scene; a row is read at a time.
    longest_px : int
        Most pixels along each side.

    Raises
    ------
    DataError
        When the scene's pixels cannot be read.
    """
    rows, cols = header.shape
    step = math.ceil(max(rows, cols) / longest_px)
    values = np.stack([header.read(Window(row, 0, 1, cols))[0, ::step] for row in range(0, rows, step)])
    phase_rad = np.where(values != 0, np.angle(values), np.nan).astype(np.float32)
    return phase_rad, header.transform @ Affine.scale(step)
