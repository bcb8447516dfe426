"""What rasters are read from: bands with what the file says of each, whatever the format."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as RasterioWindow

from glsweep.errors import DataError

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
    """

    name: str = ""
    dtype: str = "float32"
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    is_alpha: bool = False

    @property
    def is_complex(self) -> bool:
        """Whether each number has a real and an imaginary part."""
        return self.dtype.startswith("complex")


class Source(Protocol):
    """A raster that is open for reading.

    Attributes
    ----------
    path : Path
        The file that a user knows.
    shape : tuple of int
        Rows and columns.
    crs : rasterio CRS or None
        None where the file does not tell.
    transform : Affine
        From (col, row) pixel corners to map coordinates; the identity where the file does not tell.
    bands : tuple of BandFacts
        In their order; the first is number 1.
    """

    path: Path
    shape: tuple[int, int]
    crs: CRS | None
    transform: Affine
    bands: tuple[BandFacts, ...]

    def read(self, numbers: Sequence[int], window: Window) -> npt.NDArray[Any]:
        """Return the stored numbers of bands, (B, rows, cols)."""

    def mask(self, window: Window) -> Mask | None:
        """Return where the file itself says that there is data, (rows, cols); None if it says nothing."""


class GdalSource:
    """A raster that GDAL opens."""

    def __init__(self, path: Path, dataset: rasterio.DatasetReader) -> None:
        self.path = path
        self.shape: tuple[int, int] = dataset.shape
        self.crs: CRS | None = dataset.crs
        self.transform: Affine = dataset.transform
        self.bands = tuple(
            BandFacts(
                name or "",
                dtype,
                unit or "",
                scale,
                offset,
                nodata,
                color == ColorInterp.alpha,
            )
            for name, dtype, unit, scale, offset, nodata, color in zip(
                dataset.descriptions,
                dataset.dtypes,
                dataset.units,
                dataset.scales,
                dataset.offsets,
                dataset.nodatavals,
                dataset.colorinterp,
                strict=True,
            )
        )
        self._dataset = dataset
        self._has_mask = any(MaskFlags.per_dataset in flags for flags in dataset.mask_flag_enums)

    def read(self, numbers: Sequence[int], window: Window) -> npt.NDArray[Any]:
        """Return the stored numbers of bands, (B, rows, cols)."""
        part = _columns_first(window)
        # One by one: bands of several types cannot be read at once.
        return np.stack([self._dataset.read(number, window=part) for number in numbers])

    def mask(self, window: Window) -> Mask | None:
        """Return where a mask within or beside the file says that there is data."""
        if not self._has_mask:
            return None
        return np.asarray(self._dataset.dataset_mask(window=_columns_first(window)) > 0)


def _columns_first(window: Window) -> RasterioWindow:
    return RasterioWindow(window.col, window.row, window.cols, window.rows)


@contextmanager
def open_source(path: Path) -> Iterator[Source]:
    """Open a raster to read it; what goes wrong is told in one line.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    with opened(path) as dataset:
        yield GdalSource(path, dataset)


@contextmanager
def opened(path: Path) -> Iterator[rasterio.DatasetReader]:
    """Open a raster with GDAL; what goes wrong is told in one line.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    with warnings.catch_warnings():
        # A raster without a geotransform is refused elsewhere, in one line that names it.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.open(path) as dataset:
                yield dataset
        except RasterioError as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise DataError(
                f"{path}: cannot be read as a raster ({reason}); it may be cut short, obtain it again"
            ) from error
