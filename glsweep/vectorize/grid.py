"""A probability that is read a piece at a time, so that any scene fits the memory."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

TILE_PX = 1024


class Tile(NamedTuple):
    """A rectangle of pixels: its upper left one and its size."""

    row: int
    col: int
    rows: int
    cols: int


class Grid(Protocol):
    """Probabilities of a scene, NaN where there is no data."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    def read(self, tile: Tile) -> Floats:
        """Return one band a network, (members, rows, cols), of a rectangle within the scene."""


class ArrayGrid:
    """Probabilities that are in memory.

    Parameters
    ----------
    probability : float32 array (members, rows, cols) or (rows, cols)
        One band a network; NaN where there is no data.
    """

    def __init__(self, probability: Floats) -> None:
        self._bands = probability if probability.ndim == 3 else probability[None]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._bands.shape[1], self._bands.shape[2]

    def read(self, tile: Tile) -> Floats:
        """Return the bands of a rectangle."""
        row, col, rows, cols = tile
        return self._bands[:, row : row + rows, col : col + cols]


def tiles(shape: tuple[int, int], size_px: int = TILE_PX) -> Iterator[Tile]:
    """Part a scene into rectangles of `size_px` at most."""
    for row in range(0, shape[0], size_px):
        for col in range(0, shape[1], size_px):
            yield Tile(row, col, min(size_px, shape[0] - row), min(size_px, shape[1] - col))


def read_around(grid: Grid, tile: Tile, margin_px: int) -> Floats:
    """Read a rectangle with a margin, which repeats the scene's last pixels where it leaves the scene.

    Returns
    -------
    float32 array (members, rows + 2 margin_px, cols + 2 margin_px)
        0 where there is no data: no line is seen there.
    """
    rows, cols = grid.shape
    top, left = max(0, tile.row - margin_px), max(0, tile.col - margin_px)
    bottom = min(rows, tile.row + tile.rows + margin_px)
    right = min(cols, tile.col + tile.cols + margin_px)
    values = np.nan_to_num(grid.read(Tile(top, left, bottom - top, right - left)), nan=0.0)
    before = (top - tile.row + margin_px, left - tile.col + margin_px)
    after = (tile.row + tile.rows + margin_px - bottom, tile.col + tile.cols + margin_px - right)
    padding = ((0, 0), (before[0], after[0]), (before[1], after[1]))
    # Most tiles of a large scene have nothing to pad, and need no copy.
    return np.pad(values, padding, mode="edge") if any(map(any, padding)) else values


def at_edge_of_data(grid: Grid, points: Points) -> npt.NDArray[np.bool_]:
    """Return whether the pixel in which a point lies, or one beside it, holds no data or is beyond the scene.

    Parameters
    ----------
    grid : Grid
        The probability.
    points : float64 array (N, 2)
        (col, row) from the scene's corner, as far beyond the scene as may be.

    Returns
    -------
    bool array (N,)
    """
    rows, cols = grid.shape
    col, row = np.floor(points).astype(np.int64).clip(0, (cols - 1, rows - 1)).T
    found = np.zeros(len(points), dtype=np.bool_)
    for tile in tiles(grid.shape):
        here = (row >= tile.row) & (row < tile.row + tile.rows)
        here &= (col >= tile.col) & (col < tile.col + tile.cols)
        if here.any():
            top, left = max(0, tile.row - 1), max(0, tile.col - 1)
            bottom, right = min(rows, tile.row + tile.rows + 1), min(cols, tile.col + tile.cols + 1)
            is_empty = np.isnan(grid.read(Tile(top, left, bottom - top, right - left))).any(axis=0)
            beside = binary_dilation(np.pad(is_empty, 1, constant_values=True), np.ones((3, 3), np.bool_))
            found[here] = beside[row[here] - top + 1, col[here] - left + 1]
    return found
