"""Interferograms as GeoTIFF: two float bands (real, imaginary) or one complex band."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as RasterioWindow
from shapely import Polygon

from glsweep.errors import DataError
from glsweep.files import replacing
from glsweep.scenes.raster_checks import check_bands, check_grid


class Window(NamedTuple):
    """A pixel rectangle: its upper left pixel and its size, rows before columns."""

    row: int
    col: int
    rows: int
    cols: int


@dataclass(frozen=True)
class RasterHeader:
    """What is known of an interferogram without reading its pixels.

    Attributes
    ----------
    path : Path
        The GeoTIFF.
    shape : tuple of int
        Rows and columns.
    transform : Affine
        From (col, row) pixel corners to map coordinates, in metres.
    crs : CRS
        Projected coordinate reference system.
    """

    path: Path
    shape: tuple[int, int]
    transform: Affine
    crs: CRS

    @property
    def name(self) -> str:
        """The file's stem, which joins it to its lines."""
        return self.path.stem

    @property
    def posting_m(self) -> float:
        """Side of a pixel in metres."""
        return float(np.hypot(self.transform.a, self.transform.d))

    @property
    def footprint(self) -> Polygon:
        """Outline in map coordinates, borders without data included."""
        rows, cols = self.shape
        return Polygon([self.transform @ corner for corner in [(0, 0), (cols, 0), (cols, rows), (0, rows)]])


def read_header(path: Path) -> RasterHeader:
    """Read shape, transform and CRS, and make sure that the file can be used.

    Raises
    ------
    DataError
        When the file cannot be read, is no interferogram (real and imaginary as two float bands,
        or one complex band), has no projected CRS in metres, or pixels that are not square.
    """
    with _opened(path) as dataset:
        check_bands(dataset, path)
        check_grid(dataset, path)
        return RasterHeader(path, dataset.shape, dataset.transform, dataset.crs)


def read_interferogram(path: Path, window: Window | None = None) -> npt.NDArray[np.complex64]:
    """Read the whole interferogram, or one window of it.

    A pixel is without data, and becomes 0, where a band is NaN, infinite or equal to the tagged
    nodata value. A tag of 0 means that real and imaginary part are both 0: one of them alone is
    0 wherever the phase is a multiple of 90 degrees.

    Parameters
    ----------
    path : Path
        A GeoTIFF that `read_header` accepts.
    window : Window, optional
        The part to read; it may hold no data at all.

    Returns
    -------
    complex64 array (rows, cols)

    Raises
    ------
    DataError
        When the file cannot be read (it may be cut short), the window leaves the raster, or the
        whole raster holds no data.
    """
    with _opened(path) as dataset:
        check_bands(dataset, path)
        bands = dataset.read(window=_rasterio_window(window, dataset.shape, path))
        nodata: float | None = dataset.nodata
    interferogram = _without_nodata(bands, nodata)
    if window is None and not interferogram.any():
        raise DataError(f"{path}: all {interferogram.size} pixels are without data; remove the file")
    return interferogram


def write_interferogram(path: Path, array: npt.NDArray[np.complex64], transform: Affine, crs: CRS) -> None:
    """Write in the study layout (two float32 bands, 0 = no data), whole or not at all.

    Parameters
    ----------
    path : Path
        The GeoTIFF to be made or replaced.
    array : complex64 array (rows, cols)
        0 (or NaN, which is written as 0) where there is no data.
    transform : Affine
        From (col, row) pixel corners to map coordinates.
    crs : CRS
        Projected coordinate reference system.
    """
    rows, cols = array.shape
    known = np.where(np.isfinite(array), array, 0)
    with (
        replacing(path) as beside,
        rasterio.open(
            beside,
            "w",
            driver="GTiff",
            height=rows,
            width=cols,
            count=2,
            dtype="float32",
            nodata=0,
            crs=crs,
            transform=transform,
            compress="deflate",
        ) as dataset,
    ):
        dataset.write(np.stack([known.real, known.imag]).astype(np.float32))
        dataset.descriptions = ("real", "imaginary")


@contextmanager
def _opened(path: Path) -> Iterator[rasterio.DatasetReader]:
    with warnings.catch_warnings():
        # A raster without a geotransform is refused below, in one line that names it.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.open(path) as dataset:
                yield dataset
        except RasterioError as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise DataError(
                f"{path}: cannot be read as a raster ({reason}); it may be cut short, obtain it again"
            ) from error


def _rasterio_window(window: Window | None, shape: tuple[int, int], path: Path) -> RasterioWindow | None:
    if window is None:
        return None
    rows, cols = shape
    row, col, window_rows, window_cols = window
    inside = 0 <= row <= row + window_rows <= rows and 0 <= col <= col + window_cols <= cols
    if not inside or min(window_rows, window_cols) < 1:
        raise DataError(f"{path}: {window} leaves the raster of {rows} x {cols} pixels; choose one inside")
    # rasterio takes columns first.
    return RasterioWindow(col, row, window_cols, window_rows)


def _without_nodata(bands: npt.NDArray[np.generic], nodata: float | None) -> npt.NDArray[np.complex64]:
    """Join the bands (B, rows, cols) to one complex64 array (rows, cols) with 0 for no data."""
    with np.errstate(over="ignore", invalid="ignore"):
        parts = np.stack([bands[0].real, bands[0].imag]) if len(bands) == 1 else bands
        missing = np.zeros(parts.shape[1:], dtype=bool)
        if nodata is not None and np.isfinite(nodata) and nodata != 0:
            missing |= (parts == np.asarray(nodata).astype(parts.dtype)).any(axis=0)
        real, imaginary = parts.astype(np.float32)
    joined = np.empty(missing.shape, dtype=np.complex64)
    joined.real, joined.imag = real, imaginary
    joined[missing | ~np.isfinite(joined)] = 0
    return joined
