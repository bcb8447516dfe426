"""Rasters of a scene as small pictures for a page, north of the map up."""

import io
import math

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from affine import Affine
from PIL import Image

from glsweep.pages.map_place import Bounds

Floats = npt.NDArray[np.floating]

PHASE_COLOURS = "twilight_shifted"
PROBABILITY_COLOUR = "#00b050"
"""As opaque as it is probable, so that the phase shows through."""
PHASE_QUALITY = 45
LEVELS = 8
"""Of a probability, in a picture that only says where to look."""


def north_up(values: Floats, transform: Affine, bounds_m: Bounds, longest_px: int) -> Floats:
    """Return values of a raster on a grid whose rows run along the map's x axis.

    Parameters
    ----------
    values : float array (rows, cols)
        NaN where there is no data.
    transform : Affine
        From (col, row) corners of `values` to map coordinates; turned or mirrored as it may be.
    bounds_m : tuple of float
        Of the grid.
    longest_px : int
        Pixels along its longer side, where `values` are no coarser; each takes the value at its middle.

    Returns
    -------
    float array (rows, cols)
        NaN also outside the raster.
    """
    left, bottom, right, top = bounds_m
    longest_m = max(right - left, top - bottom)
    pixel_m = longest_m / min(longest_px, math.ceil(longest_m / math.hypot(transform.a, transform.d)))
    cols = max(1, round((right - left) / pixel_m))
    rows = max(1, round((top - bottom) / pixel_m))
    x = left + (np.arange(cols) + 0.5) * (right - left) / cols
    y = top - (np.arange(rows) + 0.5) * (top - bottom) / rows
    col, row = ~transform @ tuple(np.meshgrid(x, y))
    inside = (row >= 0) & (row < values.shape[0]) & (col >= 0) & (col < values.shape[1])
    picture = np.full((rows, cols), np.nan, values.dtype)
    picture[inside] = values[row[inside].astype(int), col[inside].astype(int)]
    return picture


def highest(values: Floats, longest_px: int) -> tuple[Floats, int]:
    """Return the highest value in blocks of a raster, and their side; NaN where there is none.

    So a thin line stays in a picture that is coarser than it.
    """
    side = math.ceil(max(values.shape) / longest_px)
    rows, cols = (math.ceil(length / side) for length in values.shape)
    lowest = np.full((rows * side, cols * side), -np.inf, values.dtype)
    lowest[: values.shape[0], : values.shape[1]] = np.nan_to_num(values, nan=-np.inf)
    blocks = lowest.reshape(rows, side, cols, side).max(axis=(1, 3))
    return np.where(np.isfinite(blocks), blocks, np.nan), side


def phase_colours(count: int) -> list[str]:
    """Return so many colours of the phase from -pi to pi, as CSS has them."""
    return [mpl.colors.to_hex(mpl.colormaps[PHASE_COLOURS](turn)) for turn in np.linspace(0, 1, count)]


def phase_picture(phase_rad: Floats) -> bytes:
    """Return wrapped phase (rows, cols) in cyclic colours as WebP, transparent where it is NaN."""
    seen = np.isfinite(phase_rad)
    turns = np.where(seen, phase_rad / (2 * math.pi) + 0.5, 0.0)
    pixels = mpl.colormaps[PHASE_COLOURS](turns, bytes=True)
    pixels[..., 3] = 255 * seen
    return _webp(pixels, quality=PHASE_QUALITY)


def probability_picture(probability: Floats) -> bytes:
    """Return probability (rows, cols) as WebP of one colour, as opaque as it is probable; NaN counts as 0."""
    steps = np.round(np.nan_to_num(probability) * (LEVELS - 1)) / (LEVELS - 1)
    pixels = np.empty((*probability.shape, 4), np.uint8)
    pixels[..., :3] = np.multiply(mpl.colors.to_rgb(PROBABILITY_COLOUR), 255)
    pixels[..., 3] = np.round(255 * steps)
    return _webp(pixels, lossless=True, method=2)


def _webp(pixels: npt.NDArray[np.uint8], **options: float | bool) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="WEBP", **options)
    return buffer.getvalue()
