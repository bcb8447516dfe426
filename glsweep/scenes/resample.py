"""The local coherence of an interferogram's phase, and the interferogram on another grid."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyproj
from affine import Affine
from rasterio.crs import CRS
from scipy.ndimage import map_coordinates, uniform_filter

from glsweep.scenes.raster import RasterHeader
from glsweep.scenes.source import Window

COHERENCE_BOX_PX = 5


def local_coherence(
    interferogram: npt.NDArray[np.complex64], box_px: int = COHERENCE_BOX_PX
) -> npt.NDArray[np.float32]:
    """Return how well the phases around each pixel agree: 1 where they are equal.

    The length of the mean of the unit phasors in a box of `box_px` x `box_px`. Noise alone gives
    sqrt(pi) / (2 box_px), .18 for 5 px.

    Parameters
    ----------
    interferogram : complex64 array (rows, cols)
        0 where there is no data.
    box_px : int
        Side of the box, odd.

    Returns
    -------
    float32 array (rows, cols)
        NaN where any pixel of the box holds no data or lies outside.
    """
    valid = interferogram != 0
    phasor = np.divide(interferogram, np.abs(interferogram), out=np.zeros_like(interferogram), where=valid)
    mean = uniform_filter(phasor.real, box_px, mode="constant") + 1j * uniform_filter(
        phasor.imag, box_px, mode="constant"
    )
    whole = uniform_filter(valid.astype(np.float32), box_px, mode="constant") > 1 - 0.5 / box_px**2
    return np.where(whole, np.abs(mean), np.nan).astype(np.float32)


# --- Another grid: averaged to its posting, then interpolated, as complex numbers

Interferogram = npt.NDArray[np.complex64]
Floats = npt.NDArray[np.float64]

LEAST_VALID_SHARE = 0.5
"""Share of what is averaged into one pixel that must hold data."""
ALIGNED_PX = 0.01
"""Grids that are apart by less are the same: a geotransform is rounded when it is written."""
WHOLE_FACTOR = 0.05
"""Relative difference up to which one posting is a whole multiple of another on another map."""


class TargetGrid(NamedTuple):
    """The grid on which a raster is read: its pixels on a map."""

    shape: tuple[int, int]
    transform: Affine
    crs: CRS

    @classmethod
    def of(cls, header: RasterHeader) -> "TargetGrid":
        """Return a raster's own grid."""
        return cls(header.shape, header.transform, header.crs)


def multilook(values: Interferogram, looks: int) -> Interferogram:
    """Average `looks` x `looks` pixels to one, as complex numbers: phases are averaged around the circle.

    Parameters
    ----------
    values : complex64 array (rows * looks, cols * looks)
        0 where there is no data.
    looks : int
        Pixels that become one, in each axis.

    Returns
    -------
    complex64 array (rows, cols)
        The mean of the pixels with data; 0 where fewer than `LEAST_VALID_SHARE` of them have any.
    """
    rows, cols = values.shape[0] // looks, values.shape[1] // looks
    blocks = values.reshape(rows, looks, cols, looks)
    count = (blocks != 0).sum(axis=(1, 3))
    mean = blocks.sum(axis=(1, 3)) / np.maximum(count, 1)
    return np.where(count >= LEAST_VALID_SHARE * looks**2, mean, 0).astype(np.complex64)


def interpolate(values: Interferogram, row: Floats, col: Floats) -> Interferogram:
    """Interpolate bilinearly between pixels with data.

    Parameters
    ----------
    values : complex64 array (rows, cols)
        0 where there is no data, as beyond its edges.
    row, col : float64 array (M, N)
        Where, counted from the first pixel's centre.

    Returns
    -------
    complex64 array (M, N)
        0 where pixels with data have less than `LEAST_VALID_SHARE` of the weight.
    """
    at = np.stack([row, col])
    data_weight = map_coordinates((values != 0).astype(np.float64), at, order=1, mode="grid-constant")
    total = map_coordinates(values.astype(np.complex128), at, order=1, mode="grid-constant")
    # A weight of a half is one, however its sum was rounded.
    has_data = data_weight > LEAST_VALID_SHARE - 1e-9
    return np.where(has_data, total / np.where(has_data, data_weight, 1), 0).astype(np.complex64)


class PixelMap:
    """From a grid's pixel coordinates (col, row), counted from its corner, to another's."""

    def __init__(self, source: TargetGrid, target: TargetGrid) -> None:
        self._to_map, self._from_map = source.transform, ~target.transform
        crs, other = (pyproj.CRS.from_wkt(grid.crs.to_wkt()) for grid in (source, target))
        self._transformer = None if crs == other else pyproj.Transformer.from_crs(crs, other, always_xy=True)

    def __call__(self, col: Floats, row: Floats) -> tuple[Floats, Floats]:
        """Return (col, row) on the other grid; infinite where its map does not reach."""
        x, y = _apply(self._to_map, col, row)
        if self._transformer is not None:
            x, y = self._transformer.transform(x, y)
        return _apply(self._from_map, x, y)

    def step(self, shape: tuple[int, int]) -> float:
        """Return the side of a pixel in the middle of the first grid, in pixels of the other."""
        row, col = shape[0] / 2, shape[1] / 2
        at_col, at_row = self(np.array([col, col + 1, col]), np.array([row, row, row + 1]))
        across, down = (np.hypot(at_col[i] - at_col[0], at_row[i] - at_row[0]) for i in (1, 2))
        return float(np.sqrt(across * down))


@dataclass(frozen=True)
class Resampled:
    """A raster as it is read on another grid.

    Attributes
    ----------
    header : RasterHeader
        The raster.
    pixel_map : PixelMap
        From the grid's pixels to its own.
    looks : int
        Its pixels in each axis that are averaged to one.
    corner : tuple of int or None
        Its (row, col) where the grid begins, if whole pixels of it, averaged or not, are the grid's;
        None where it must be interpolated.
    """

    header: RasterHeader
    pixel_map: PixelMap
    looks: int
    corner: tuple[int, int] | None

    def read(self, window: Window) -> Interferogram:
        """Read a window of the grid, complex64 (rows, cols); 0 where there is no data."""
        if self.corner is None:
            return self._interpolated(window)
        n, (row, col) = self.looks, self.corner
        return self._averaged(
            Window(row + window.row * n, col + window.col * n, window.rows * n, window.cols * n)
        )

    def _interpolated(self, window: Window) -> Interferogram:
        row, col = np.indices((window.rows, window.cols)) + 0.5
        at_col, at_row = self.pixel_map(col + window.col, row + window.row)
        # Now in averaged pixels, from the centre of the first.
        at_row, at_col = at_row / self.looks - 0.5, at_col / self.looks - 0.5
        rows, cols = (side // self.looks for side in self.header.shape)
        near = (at_row > -1) & (at_row < rows) & (at_col > -1) & (at_col < cols)
        if not near.any():
            return np.zeros(near.shape, np.complex64)
        top, left = (max(0, int(np.floor(at[near].min()))) for at in (at_row, at_col))
        bottom = min(rows, int(np.floor(at_row[near].max())) + 2)
        right = min(cols, int(np.floor(at_col[near].max())) + 2)
        n = self.looks
        values = self._averaged(Window(top * n, left * n, (bottom - top) * n, (right - left) * n))
        # What is far off, or nowhere, lies outside of `values` too.
        at_row, at_col = (np.where(near, at - first, -9) for at, first in ((at_row, top), (at_col, left)))
        return interpolate(values, at_row, at_col)

    def _averaged(self, window: Window) -> Interferogram:
        values = _read_beyond(self.header, window)
        return values if self.looks == 1 else multilook(values, self.looks)


def _apply(transform: Affine, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    return transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f


def resampled(header: RasterHeader, grid: TargetGrid) -> Resampled:
    """Return the raster on a grid: as it is or averaged where whole pixels fit, else interpolated."""
    own = TargetGrid.of(header)
    pixel_map = PixelMap(grid, own)
    step = pixel_map.step(grid.shape)
    looks = max(1, round(step)) if np.isfinite(step) else 1
    rows, cols = grid.shape
    col, row = np.array([0, cols, cols, 0]), np.array([0, 0, rows, rows])
    at_col, at_row = pixel_map(col.astype(float), row.astype(float))
    off_col, off_row = at_col - col * looks, at_row - row * looks
    first = off_row[0], off_col[0]
    if np.isfinite(first).all():
        whole = round(first[0]), round(first[1])
        if max(np.abs(off_row - whole[0]).max(), np.abs(off_col - whole[1]).max()) < ALIGNED_PX:
            return Resampled(header, pixel_map, looks, whole)
    # Between 1 and 2 pixels nothing is averaged first: a mean of four would be coarser than the grid.
    finer = max(1, int(step + WHOLE_FACTOR)) if np.isfinite(step) else 1
    return Resampled(header, pixel_map, finer, None)


def common_grid(first: RasterHeader, second: RasterHeader) -> TargetGrid | None:
    """Return the ground that two rasters share, on the first one's map and at the coarser posting.

    The grid is the first one's own, unless the second is coarser by a whole factor: then so many
    pixels of the first become one; where the grids are aligned, those within one pixel of the second.

    Returns
    -------
    TargetGrid or None
        None where they share no pixel.
    """
    own, other = TargetGrid.of(first), TargetGrid.of(second)
    pixel_map = PixelMap(other, own)
    factor = pixel_map.step(other.shape)
    looks = round(factor) if np.isfinite(factor) else 1
    if looks < 2 or abs(factor / looks - 1) > WHOLE_FACTOR:
        looks = 1
    rows, cols = other.shape
    along = np.linspace(0, 1, 65)
    edge_col = cols * np.concatenate([along, np.ones(65), 1 - along, np.zeros(65), [0.5]])
    edge_row = rows * np.concatenate([np.zeros(65), along, np.ones(65), 1 - along, [0.5]])
    at_col, at_row = pixel_map(edge_col, edge_row)
    start = (0, 0)
    if looks > 1:
        start = round(float(at_row[0])) % looks, round(float(at_col[0])) % looks
    spans = [
        _span((at - begin) / looks, (side - begin) // looks)
        for at, begin, side in zip((at_row, at_col), start, own.shape, strict=True)
    ]
    (top, bottom), (left, right) = spans
    if top >= bottom or left >= right:
        return None
    corner = Affine.translation(start[1] + left * looks, start[0] + top * looks)
    return TargetGrid((bottom - top, right - left), own.transform @ corner @ Affine.scale(looks), own.crs)


def _span(at: Floats, count: int) -> tuple[int, int]:
    """Return which of `count` pixels have their centre within an outline; its last point is its middle."""
    outline, middle = at[:-1], at[-1]
    if not np.isfinite(at).all() or not outline.min() <= middle <= outline.max():
        # The other's outline leaves this map; pixel by pixel it will show where there is data.
        return 0, count
    return max(0, int(np.ceil(outline.min() - 0.5))), min(count, int(np.floor(outline.max() + 0.5)))


def _read_beyond(header: RasterHeader, window: Window) -> Interferogram:
    """Read a window that may leave the raster, beyond whose edges there is no data."""
    rows, cols = header.shape
    top, left = max(0, window.row), max(0, window.col)
    bottom, right = min(rows, window.row + window.rows), min(cols, window.col + window.cols)
    if (top, left, bottom - top, right - left) == tuple(window):
        return header.read(window)
    values = np.zeros((window.rows, window.cols), np.complex64)
    if top < bottom and left < right:
        part = header.read(Window(top, left, bottom - top, right - left))
        values[
            top - window.row : bottom - window.row,
            left - window.col : right - window.col,
        ] = part
    return values
