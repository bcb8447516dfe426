"""The exact Euclidean distance to a line, on the device and without asking it for a value."""

import math

import torch
from torch import Tensor
from torch.nn.functional import pad


def distance_px(line: Tensor, reach_px: float) -> Tensor:
    """Return how far each pixel's centre lies from that of the nearest pixel of the line, at most `reach_px`.

    Squared distances separate: the least (row - i)^2 along each column, then the least of
    (col - j)^2 + that along each row (Felzenszwalb & Huttenlocher 2012, Theory of Computing 8).
    Since nothing beyond the reach counts, shifts by less than it suffice, and every size is known beforehand.

    Parameters
    ----------
    line : Tensor (..., H, W)
        Bool.
    reach_px : float
        Distance that is given to what lies farther, and to all pixels where there is no line.

    Returns
    -------
    Tensor (..., H, W)
        In pixels, float32; 0 on the line.
    """
    squared = torch.where(line, 0.0, reach_px**2)
    for axis in (-2, -1):
        squared = _least_along(squared, axis, reach_px)
    return squared.sqrt()


def _least_along(squared: Tensor, axis: int, reach_px: float) -> Tensor:
    """Return min over j of squared[j] + (i - j)^2 along an axis, over |i - j| < reach."""
    size, far = squared.shape[axis], min(math.ceil(reach_px), squared.shape[axis]) - 1
    margin = (0, 0, far, far) if axis == -2 else (far, far)
    padded, least = pad(squared, margin, value=reach_px**2), squared
    for shift in range(1, far + 1):
        for start in (far - shift, far + shift):
            least = torch.minimum(least, padded.narrow(axis, start, size) + shift**2)
    return least
