"""Probabilities in memory, read as those on disk are."""

from glsweep.vectorize.outlines import Floats, Tile


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
