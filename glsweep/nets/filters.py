"""The filters by which processors smooth an interferogram, on batches of patches.

All take (N, 2, H, W), real and imaginary part, on any device, where 0 is no data. That stays 0 and
adds nothing to its neighbours; nothing else becomes 0. What lies beyond the border is mirrored.
"""

from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from glsweep.config.trial import FilterName
from glsweep.nets import has_data

WINDOW_PX = 32
STRIDE_PX = 8


def filtered(image: Tensor, name: FilterName) -> Tensor:
    """Return what a processor would make of an image, (N, 2, H, W); `raw` is the image as it is."""
    kind, _, strength = name.partition(".")
    if kind == "goldstein":
        return goldstein(image, image.new_full((len(image),), float(f".{strength}")))
    if kind == "multilooked":
        return multilooked(image)
    return image if kind == "raw" else boxcar(image, int(kind.removeprefix("boxcar")))


def boxcar(image: Tensor, side_px: int) -> Tensor:
    """Return the mean of the complex signal over squares.

    Parameters
    ----------
    image : Tensor (N, 2, H, W)
        Real and imaginary part.
    side_px : int
        Side of the square, an odd number.
    """
    reach = side_px // 2
    total = _mirrored(torch.cat([image, _valid(image)], dim=1), reach, reach, reach)
    for axis in (-2, -1):
        total = total.unfold(axis, side_px, 1).sum(dim=-1)
    return _kept(total[:, :2] / total[:, 2:], image)


def multilooked(image: Tensor) -> Tensor:
    """Return the mean of blocks of 2 x 2 pixels, brought back to the grid, as coarser products are.

    Parameters
    ----------
    image : Tensor (N, 2, H, W)
        Real and imaginary part.
    """
    rows, cols = image.shape[-2:]
    blocks = F.pad(torch.cat([image, _valid(image)], dim=1), (0, cols % 2, 0, rows % 2))
    total = F.avg_pool2d(blocks, 2)
    count = total[:, 2:]
    looks = torch.cat([total[:, :2] / count.clamp(min=0.25), (count > 0).to(image.dtype)], dim=1)
    finer = F.interpolate(looks, scale_factor=2, mode="bilinear")[..., :rows, :cols]
    return _kept(finer[:, :2] / finer[:, 2:], image)


def goldstein(image: Tensor, strength: Tensor, stride_px: int = STRIDE_PX) -> Tensor:
    """Multiply each window's spectrum Z by |S(Z)|**strength, S being a mean over neighbouring bins.

    The adaptive filter of Goldstein & Werner 1998 (eq. 3). Windows are blended with triangular weights.

    Parameters
    ----------
    image : Tensor (N, 2, H, W)
        Real and imaginary part.
    strength : Tensor (N,)
        The exponent of each patch: 0 changes nothing, 1 filters most.
    stride_px : int
        From one window to the next, at most half a window and a whole part of it.

    Returns
    -------
    Tensor (N, 2, H, W)
        The filtered phase with the magnitude as it was.
    """
    rows, cols = image.shape[-2:]
    # Every pixel lies in as many windows.
    before = WINDOW_PX - stride_px
    around = _mirrored(image, before, before + -rows % stride_px, before + -cols % stride_px)
    signal = _complex(around)
    tiles = signal.unfold(1, WINDOW_PX, stride_px).unfold(2, WINDOW_PX, stride_px)
    filtered = _strengthened(tiles, strength[:, None, None, None, None]) * _triangle(image)
    blended = torch.zeros_like(signal)
    # Windows a whole side apart do not overlap: all of one offset are added at once.
    apart = WINDOW_PX // stride_px
    for top, left in product(range(apart), repeat=2):
        part = filtered[:, top::apart, left::apart].transpose(2, 3).flatten(3).flatten(1, 2)
        here = top * stride_px, left * stride_px
        blended[:, here[0] : here[0] + part.shape[1], here[1] : here[1] + part.shape[2]] += part
    blended = blended[:, before : before + rows, before : before + cols]
    magnitude = _complex(image).abs()
    return _kept(torch.view_as_real(blended * (magnitude / blended.abs())).movedim(-1, 1), image)


def _strengthened(tiles: Tensor, strength: Tensor) -> Tensor:
    """Filter complex windows (..., S, S), each by itself."""
    spectrum = torch.fft.fft2(tiles)
    nearby = torch.eye(WINDOW_PX, dtype=strength.dtype, device=strength.device)
    nearby = nearby + nearby.roll(1, 0) + nearby.roll(-1, 0)
    smooth = nearby @ spectrum.abs() @ nearby
    # Windows are scaled to the same strength, so that none dominates where they are blended.
    factor = (smooth / smooth.amax(dim=(-2, -1), keepdim=True).clamp(min=1e-12)) ** strength
    filtered: Tensor = torch.fft.ifft2(spectrum * factor)
    return filtered


def _triangle(image: Tensor) -> Tensor:
    """Return the weights of a window's pixels (S, S)."""
    from_centre = (torch.arange(WINDOW_PX, device=image.device) + 0.5 - WINDOW_PX / 2).abs()
    ramp = (1 - from_centre / (WINDOW_PX / 2)).to(image.dtype)
    return torch.outer(ramp, ramp)


def _complex(image: Tensor) -> Tensor:
    """Return the complex signal (N, H, W)."""
    return torch.view_as_complex(image.movedim(1, -1).contiguous())


def _valid(image: Tensor) -> Tensor:
    """Return 1 where there is data, 0 elsewhere, (N, 1, H, W)."""
    return has_data(image)[:, None].to(image.dtype)


def _kept(filtered: Tensor, image: Tensor) -> Tensor:
    """Return what was filtered: nothing where there was no data, the pixel as it was where all cancelled."""
    found = has_data(filtered) & filtered.isfinite().all(dim=1)
    return torch.where((found & has_data(image))[:, None], filtered, image)


def _mirrored(image: Tensor, before: int, after_rows: int, after_cols: int) -> Tensor:
    """Continue patches beyond their border as in a mirror, however narrow they are."""
    for axis, after in ((-2, after_rows), (-1, after_cols)):
        size = image.shape[axis]
        index = torch.arange(-before, size + after, device=image.device) % max(2 * size - 2, 1)
        image = image.index_select(axis, torch.minimum(index, (2 * size - 2 - index).abs()))
    return image
