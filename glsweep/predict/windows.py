"""Overlapping windows over a scene, and how much each of their pixels counts."""

import numpy as np
import numpy.typing as npt

GRID_PX = 16
"""Networks halve the resolution four times: windows that start on this grid are halved alike."""
LEAST_WEIGHT = 1e-3


def starts(length_px: int, window_px: int, stride_px: int) -> list[int]:
    """Return where windows begin along an axis, so that each pixel lies in one at least.

    All begin on a grid of `GRID_PX`; the last may reach beyond the axis' end, by less than that.

    Parameters
    ----------
    length_px : int
        Length of the axis.
    window_px, stride_px : int
        Side of a window, and from one to the next; multiples of `GRID_PX`.
    """
    last = max(0, -(-(length_px - window_px) // GRID_PX) * GRID_PX)
    return [*range(0, last, stride_px), last]


def stride_of(window_px: int, overlap: float) -> int:
    """Return the step between windows that share `overlap` of their side, on the grid."""
    return max(GRID_PX, round(window_px * (1 - overlap) / GRID_PX) * GRID_PX)


def blending_weight(window_px: int) -> npt.NDArray[np.float32]:
    """Return how much each pixel of a window counts, (window_px, window_px).

    A raised cosine in both axes: 1 at the centre, nearly 0 at the border, where a network sees
    least around a pixel. Windows half a side apart add up to the same weight everywhere.
    """
    at = (np.arange(window_px) + 0.5) / window_px
    side = np.maximum(np.sin(np.pi * at) ** 2, LEAST_WEIGHT)
    return np.outer(side, side).astype(np.float32)
