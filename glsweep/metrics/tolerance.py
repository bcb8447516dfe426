"""What "within a tolerance" means, said once."""

import numpy as np
import numpy.typing as npt

# Lets 3 px of 33.3 m lie within 99.9 m in spite of rounding.
_SLACK_PX = 1e-6


def radius_px(tolerance_m: float, posting_m: float) -> float:
    """Return the largest distance between pixel centres, in pixels, that is within the tolerance.

    Raises
    ------
    ValueError
        When the tolerance is negative or the posting is not positive.
    """
    if tolerance_m < 0 or posting_m <= 0:
        raise ValueError(f"tolerance_m is {tolerance_m}, posting_m {posting_m}: need >= 0 and > 0")
    return tolerance_m / posting_m + _SLACK_PX


def disk_offsets(radius: float) -> npt.NDArray[np.int64]:
    """Return the (row, col) offsets of all pixels within `radius` pixels of a pixel, (K, 2)."""
    reach = int(radius)
    offsets = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1).T
    return np.asarray(offsets[np.hypot(*offsets.T) <= radius])
