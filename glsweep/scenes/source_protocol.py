"""What a raster is to all who read one, whatever its format: bands, and what the file says of each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from affine import Affine
from rasterio.crs import CRS

Mask = npt.NDArray[np.bool_]


class Window(NamedTuple):
    """A pixel rectangle: its upper left pixel and its size, rows before columns."""

    row: int
    col: int
    rows: int
    cols: int


class BandFacts(NamedTuple):
    """What a file says of one band.

    Attributes
    ----------
    name : str
        Its description, or the variable's name; empty where there is none.
    dtype : str
        Of the stored numbers, as NumPy calls it.
    unit : str
        Of the scaled values; empty where there is none.
    scale, offset : float
        A value is the stored number times `scale` plus `offset`.
    nodata : float or None
        The stored number that stands for no data.
    is_alpha : bool
        Whether the file marks it as an alpha band: 0 where there is no data.
    path : str
        Where files hold groups: the variable's whole name from the root. Empty elsewhere.
    """

    name: str = ""
    dtype: str = "float32"
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    is_alpha: bool = False
    path: str = ""

    @property
    def is_complex(self) -> bool:
        """Whether each number has a real and an imaginary part."""
        return self.dtype.startswith("complex")

    def is_called(self, name: str) -> bool:
        """Whether a user who says `name` means this band: its name, or the end of its whole one."""
        return name == self.name or (bool(self.path) and ends_path(self.path, name))


def ends_path(path: str, end: str) -> bool:
    """Tell whether a variable's whole name ends in the groups and the name that `end` gives."""
    return f"/{path.strip('/')}".endswith(f"/{end.strip('/')}")


class Source(Protocol):
    """A raster that is open for reading.

    Attributes
    ----------
    path : Path
        What a user gave and what opens it again: a file, or GDAL's name of one variable in it.
    shape : tuple of int
        Rows and columns.
    crs : rasterio CRS or None
        None where the file does not tell.
    transform : Affine
        From (col, row) pixel corners to map coordinates; the identity where the file does not tell.
    bands : tuple of BandFacts
        In their order; the first is number 1.
    remarks : tuple of str
        What a user should know of the choice that was made within the file.
    """

    path: Path
    shape: tuple[int, int]
    crs: CRS | None
    transform: Affine
    bands: tuple[BandFacts, ...]
    remarks: tuple[str, ...]

    def read(self, numbers: Sequence[int], window: Window) -> npt.NDArray[Any]:
        """Return the stored numbers of bands, (B, rows, cols)."""

    def mask(self, window: Window) -> Mask | None:
        """Return where the file itself says that there is data, (rows, cols); None if it says nothing."""
