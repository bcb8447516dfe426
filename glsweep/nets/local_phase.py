"""Coherence and fringe frequency around each pixel, on batches of patches.

All take (N, 2, H, W), real and imaginary part, on any device, where 0 is no data. What holds no data is
counted nowhere, and neither is what lies beyond the border. Magnitudes do not matter. A constant phase
and conjugation change neither value; the eight flips and quarter turns turn them along.
`glsweep.scenes.profiles` has the same along normals, without torch.
"""

from math import pi

import torch
import torch.nn.functional as F
from torch import Tensor

COHERENCE_BOX_PX, FREQUENCY_BOX_PX = 5, 7


def box_sum(values: Tensor, rows: int, cols: int) -> Tensor:
    """Return sums over boxes of (..., H, W): as many as there are with a border of half a box around.

    Of odd sides, a box stands around each pixel. Of an even one, around each place between two, and half
    a pixel beyond either end.
    """
    total = values.flatten(0, -3)[:, None]
    for side in ((rows, 1), (1, cols)):
        padding = (side[0] // 2, side[1] // 2)
        total = F.avg_pool2d(total, side, stride=1, padding=padding, divisor_override=1)
    sums: Tensor = total[:, 0].unflatten(0, values.shape[:-2])
    return sums


def local_coherence(image: Tensor, box_px: int = COHERENCE_BOX_PX) -> Tensor:
    """Return |mean of exp(i phase)| over a box around each pixel, (N, H, W) in [0, 1].

    0 where there is no data. Of noise alone it is about sqrt(pi) / (2 box_px), .18 for 5 px.

    Parameters
    ----------
    image : Tensor (N, 2, H, W)
        Real and imaginary part.
    box_px : int
        Side of the box, odd.
    """
    phasor = unit_phasor(image)
    has_data = phasor.abs().sum(dim=1) > 0
    count = box_sum(has_data.to(phasor.dtype), box_px, box_px)
    length: Tensor = torch.linalg.vector_norm(box_sum(phasor, box_px, box_px), dim=1)
    return length / count.clamp(min=1) * has_data


def fringe_frequency(image: Tensor, box_px: int = FREQUENCY_BOX_PX) -> Tensor:
    """Return how many fringes there are to a pixel, across them, (N, H, W) in cycles a pixel.

    Along rows and columns the phase of the mean product of each pixel and its neighbour's conjugate, over
    all pairs of pixels with data within a box; of both the length. Along either at most half a cycle can
    be seen. 0 where there is no data, and along an axis without pairs.

    Parameters
    ----------
    image : Tensor (N, 2, H, W)
        Real and imaginary part.
    box_px : int
        Side of the box, odd.
    """
    phasor = unit_phasor(image)
    along = [_cycles(phasor.transpose(-1, -2), box_px).transpose(-1, -2), _cycles(phasor, box_px)]
    has_data = phasor.abs().sum(dim=1) > 0
    return torch.hypot(*along) * has_data


def unit_phasor(image: Tensor) -> Tensor:
    """Return exp(i phase) as real and imaginary part, (N, 2, H, W); 0 where there is no data."""
    magnitude = torch.linalg.vector_norm(image, dim=1, keepdim=True)
    return image / torch.where(magnitude > 0, magnitude, 1.0)


def _cycles(phasor: Tensor, box_px: int) -> Tensor:
    """Return cycles from one column to the next (N, H, W), in [-.5, .5]."""
    (real, imag), (next_real, next_imag) = (
        part.unbind(dim=1) for part in (phasor[..., :-1], phasor[..., 1:])
    )
    product = torch.stack([next_real * real + next_imag * imag, next_imag * real - next_real * imag], dim=1)
    # Pairs within a box of so many pixels are one fewer.
    total = box_sum(product, box_px, box_px - 1)
    cycles: Tensor = torch.atan2(total[:, 1], total[:, 0]) / (2 * pi)
    return cycles
