"""A scene: one double-difference interferogram, where it lies, and its lines."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio.crs import CRS
from shapely import LineString, Polygon


@dataclass(frozen=True)
class Scene:
    """One interferogram with its grounding lines.

    Attributes
    ----------
    name : str
        The raster file's stem, which joins it to its lines.
    interferogram : complex64 array (rows, cols)
        Wrapped phase as angle; 0 where there is no data.
    transform : Affine
        From (col, row) pixel corners to map coordinates, in metres.
    crs : CRS
        Projected coordinate reference system.
    lines : tuple of LineString
        Grounding lines in `crs`; empty when none was drawn.
    """

    name: str
    interferogram: npt.NDArray[np.complex64]
    transform: Affine
    crs: CRS
    lines: tuple[LineString, ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self.interferogram.shape
        return rows, cols

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """Pixels that hold data, (rows, cols)."""
        return np.asarray(self.interferogram != 0)

    @property
    def posting_m(self) -> float:
        """Side of a pixel in metres; the reader has made sure that pixels are square."""
        return float(np.hypot(self.transform.a, self.transform.d))

    def ground(self, row: int, col: int, rows: int, cols: int) -> Polygon:
        """Return the window's outline in map coordinates."""
        corners = [(col, row), (col + cols, row), (col + cols, row + rows), (col, row + rows)]
        return Polygon([self.transform @ corner for corner in corners])
