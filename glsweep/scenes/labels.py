"""What a network is trained on where that is wider or softer than the line itself."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt

from glsweep.config.data_card import LabelRule

FULL = 255
"""The value of a training target on the line."""


def training_target(
    mask: npt.NDArray[np.uint8], rule: LabelRule, width_m: float, posting_m: float
) -> npt.NDArray[np.uint8]:
    """Return a line's neighbourhood as a target for training; the line itself is what is scored.

    Parameters
    ----------
    mask : uint8 array (rows, cols)
        1 on the line, 0 elsewhere.
    rule : {"buffered", "soft"}
        `buffered`: 1 within `width_m` of a line pixel's centre. `soft`: exp(-d^2 / 2 width_m^2) at
        the distance d, a label smoothed across the line.
    width_m : float
        Reach of the buffer, or standard deviation of the smoothing, in metres.
    posting_m : float
        Side of a pixel in metres.

    Returns
    -------
    uint8 array (rows, cols)
        `FULL` for 1.
    """
    if not mask.any():
        return np.zeros(mask.shape, np.uint8)
    distance_m = np.asarray(distance_transform_edt(mask == 0)) * posting_m
    share = distance_m <= width_m if rule == "buffered" else np.exp(-(distance_m**2) / (2 * width_m**2))
    return np.asarray(np.rint(FULL * share), np.uint8)
