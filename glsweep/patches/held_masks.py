"""Masks of whole scenes in little memory: a bit for each pixel, or the places of few true ones."""

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

PIXELS_AT_ONCE = 2**21
"""Pixels of a scene that are unpacked, read or counted at once."""


class RowMask(Protocol):
    """A mask (rows, cols) of which some rows are looked at at a time."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    def rows(self, top: int, bottom: int) -> Mask:
        """Return the rows from `top` to before `bottom`, those that there are."""


class PackedMask:
    """A mask of any pixels, eight in a byte; false until it is written.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape
        self._bytes = np.zeros((shape[0], -(-shape[1] // 8)), np.uint8)

    @classmethod
    def of(cls, mask: Mask) -> "PackedMask":
        """Pack a mask (rows, cols)."""
        rows, cols = mask.shape
        packed = cls((rows, cols))
        packed.write(0, mask)
        return packed

    def write(self, top: int, rows: Mask) -> None:
        """Set whole rows, the first of them at `top`."""
        self._bytes[top : top + len(rows)] = np.packbits(rows, axis=1)

    def rows(self, top: int, bottom: int) -> Mask:
        """Return the rows from `top` to before `bottom`, those that there are."""
        return np.unpackbits(self._bytes[top:bottom], axis=1, count=self.shape[1]).view(np.bool_)

    def box(self, row: int, col: int, rows: int, cols: int) -> Mask:
        """Return a rectangle that begins within the mask; what lies beyond its last column is false."""
        packed = self._bytes[row : row + rows, col // 8 : -(-(col + cols) // 8)]
        return np.unpackbits(packed, axis=1)[:, col % 8 :][:, :cols].view(np.bool_)

    def at(self, rows: Places, cols: Places) -> Mask:
        """Return the pixels at `rows`, `cols`."""
        return np.asarray(self._bytes[rows, cols // 8] >> (7 - cols % 8) & 1, np.bool_)

    def true_in_rows(self) -> Places:
        """Return how many pixels of each row are true, (rows,)."""
        return np.asarray(np.bitwise_count(self._bytes).sum(axis=1, dtype=np.int64))


class SparseMask:
    """A mask of few true pixels, such as those of lines.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    places : tuple of int64 array (N,)
        Rows and columns of the true pixels, row by row.
    """

    def __init__(self, shape: tuple[int, int], places: tuple[Places, Places]) -> None:
        self.shape = shape
        self.places = places

    @classmethod
    def of(cls, mask: Mask) -> "SparseMask":
        """Find the true pixels of a mask (rows, cols)."""
        (rows, cols), (row, col) = mask.shape, np.nonzero(mask)
        return cls((rows, cols), (row.astype(np.int64), col.astype(np.int64)))

    @classmethod
    def joined(cls, shape: tuple[int, int], strips: Iterable[tuple[int, "SparseMask"]]) -> "SparseMask":
        """Join strips of rows, each with its first row, from the top down."""
        placed = [(top + strip.places[0], strip.places[1]) for top, strip in strips]
        rows, cols = (np.concatenate(values) for values in zip(*placed, strict=True))
        return cls(shape, (rows, cols))

    def where(self, mask: PackedMask) -> "SparseMask":
        """Return those of the true pixels that are true in another mask too."""
        kept = mask.at(*self.places)
        return SparseMask(self.shape, (self.places[0][kept], self.places[1][kept]))

    def rows(self, top: int, bottom: int) -> Mask:
        """Return the rows from `top` to before `bottom`, those that there are."""
        rows, cols = self.places
        mask = np.zeros((max(0, min(bottom, self.shape[0]) - top), self.shape[1]), np.bool_)
        here = slice(*np.searchsorted(rows, [top, bottom]))
        mask[rows[here] - top, cols[here]] = True
        return mask
