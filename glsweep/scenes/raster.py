"""Interferograms as rasters: complex, real and imaginary part, phase, or phase and coherence."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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

from glsweep.config.data_card import Bands
from glsweep.errors import DataError
from glsweep.files import replacing
from glsweep.scenes.bands import Kind, check_values, find_kind, sample_values, to_complex, without_masked
from glsweep.scenes.raster_checks import check_grid, has_place


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
    kind : str
        What its bands hold.
    is_placed : bool
        Whether its place on Earth is known; if not, `transform` is one that no other scene has.
    """

    path: Path
    shape: tuple[int, int]
    transform: Affine
    crs: CRS
    kind: Kind = "real_imaginary"
    is_placed: bool = True

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

    def read(self, window: Window | None = None) -> npt.NDArray[np.complex64]:
        """Read the pixels; see `read_interferogram`."""
        return read_interferogram(self.path, window, self.kind)

    def check_sample(self) -> None:
        """Make sure, by a coarse look, that there is data at all.

        Raises
        ------
        DataError
            When no pixel of the sample holds data, or the file cannot be read.
        """
        with opened(self.path) as dataset:
            if not np.nan_to_num(sample_values(dataset)).any():
                raise DataError(f"{self.path}: no pixel that was looked at holds data; remove the file")


NOWHERE_EPSG = 3031
NOWHERE_Y_M = 5e7
"""North of all ground of that CRS, whose coordinates end at 1.3e7."""


def read_header(path: Path, bands: Bands = "auto", *, posting_m: float | None = None) -> RasterHeader:
    """Read shape, transform and CRS, and make sure that the file can be used.

    Parameters
    ----------
    path : Path
        A raster.
    bands : str
        What the data card says that its bands hold.
    posting_m : float, optional
        The side of a pixel, for rasters that need no place on Earth since their labels are pixels.
        Without it a raster that does not say where it lies is refused.

    Raises
    ------
    DataError
        When the file cannot be read, is no interferogram, has no projected CRS in metres, or pixels
        that are not square.
    """
    with opened(path) as dataset:
        kind = find_kind(dataset, path, bands)
        if posting_m is not None and not has_place(dataset):
            return unplaced_header(path, dataset.shape, posting_m, kind)
        check_grid(dataset, path)
        return RasterHeader(path, dataset.shape, dataset.transform, dataset.crs, kind)


def unplaced_header(path: Path, shape: tuple[int, int], posting_m: float, kind: Kind) -> RasterHeader:
    """Return the header of a scene whose place is unknown; `laid_apart` gives it ground of its own."""
    transform = Affine.scale(posting_m, -posting_m)
    return RasterHeader(path, shape, transform, CRS.from_epsg(NOWHERE_EPSG), kind, is_placed=False)


def laid_apart(headers: Sequence[RasterHeader], row: int = 0) -> list[RasterHeader]:
    """Give each header without a place ground of its own, far from all that lies on Earth.

    They stand in one row, so that no two of them share ground and none does with a placed one.
    """
    left_m = 0.0
    placed = []
    for header in headers:
        if not header.is_placed:
            transform = Affine.translation(left_m, NOWHERE_Y_M * (1 + row)) @ header.transform
            left_m += (header.shape[1] + 1) * header.posting_m
            header = replace(header, transform=transform)  # noqa: PLW2901
        placed.append(header)
    return placed


def read_interferogram(
    path: Path, window: Window | None = None, bands: Bands = "auto"
) -> npt.NDArray[np.complex64]:
    """Read the whole interferogram, or one window of it.

    A pixel is without data, and becomes 0, where a band is NaN, infinite or equal to the tagged
    nodata value. A tag of 0 means that real and imaginary part are both 0: one of them alone is
    0 wherever the phase is a multiple of 90 degrees. A phase without magnitude gets magnitude 1.

    Parameters
    ----------
    path : Path
        A raster that `read_header` accepts.
    window : Window, optional
        The part to read; it may hold no data at all.
    bands : str
        What its bands hold.

    Returns
    -------
    complex64 array (rows, cols)

    Raises
    ------
    DataError
        When the file cannot be read (it may be cut short), the window leaves the raster, values are
        not what `bands` says, or the whole raster holds no data.
    """
    with opened(path) as dataset:
        kind = find_kind(dataset, path, bands) if bands == "auto" else bands
        part = _rasterio_window(window, dataset.shape, path)
        values = dataset.read(window=part)
        assert kind != "npz", "npz patches have headers of their own"
        interferogram = without_masked(dataset, to_complex(values, kind, dataset.nodata), part)
        if kind in ("wrapped_phase", "phase_coherence"):
            check_values(np.where(interferogram == 0, np.nan, values), kind, path)
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
    with writing_interferogram(path, (rows, cols), transform, crs) as write:
        write(Window(0, 0, rows, cols), array)


Writer = Callable[[Window, npt.NDArray[np.complex64]], None]


@contextmanager
def writing_interferogram(
    path: Path, shape: tuple[int, int], transform: Affine, crs: CRS, tags: Mapping[str, str] | None = None
) -> Iterator[Writer]:
    """Yield a function that writes a window of a raster in the study layout, as `write_interferogram` does.

    Parameters
    ----------
    tags : mapping, optional
        What else the file is to say of itself.
    """
    with (
        replacing(path) as beside,
        rasterio.open(
            beside,
            "w",
            driver="GTiff",
            height=shape[0],
            width=shape[1],
            count=2,
            dtype="float32",
            nodata=0,
            crs=crs,
            transform=transform,
            bigtiff="if_safer",
            # Not compressed: noise loses a twelfth of its size by it, and takes three times as long to read.
        ) as dataset,
    ):
        dataset.descriptions = ("real", "imaginary")
        dataset.update_tags(**tags or {})

        def write(window: Window, values: npt.NDArray[np.complex64]) -> None:
            known = np.where(np.isfinite(values), values, 0)
            part = RasterioWindow(window.col, window.row, window.cols, window.rows)
            dataset.write(np.stack([known.real, known.imag]).astype(np.float32), window=part)

        yield write


@contextmanager
def opened(path: Path) -> Iterator[rasterio.DatasetReader]:
    """Open a raster to read it; what goes wrong is told in one line.

    Raises
    ------
    DataError
        When it cannot be read.
    """
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
