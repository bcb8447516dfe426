"""Interferograms as rasters: where they lie, and their pixels as complex numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window as RasterioWindow
from shapely import Polygon

from glsweep.config.bands import NoData, parse_bands
from glsweep.config.products import scene_stem
from glsweep.errors import DataError
from glsweep.files import replacing
from glsweep.scenes.bands import find_reading
from glsweep.scenes.raster_checks import check_grid, has_place
from glsweep.scenes.reading import Reading
from glsweep.scenes.source import Source, Window, open_source


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
    reading : Reading
        Which of its bands are used, and as what.
    is_placed : bool
        Whether its place on Earth is known; if not, `transform` is one that no other scene has.
    remarks : tuple of str
        What of the file is read and what is not, where it holds several.
    """

    path: Path
    shape: tuple[int, int]
    transform: Affine
    crs: CRS
    reading: Reading = field(default_factory=lambda: Reading(()))
    is_placed: bool = True
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The file's stem, which joins it to its lines."""
        return scene_stem(self.path)

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
        """Read the whole interferogram, or one window of it.

        Parameters
        ----------
        window : Window, optional
            The part to read; it may hold no data at all.

        Returns
        -------
        complex64 array (rows, cols)
            0 where there is no data: where a band is NaN, infinite or a value that stands for none, where a
            mask or an alpha band says so, where real and imaginary part or the magnitude are 0. A phase
            without magnitude gets magnitude 1.

        Raises
        ------
        DataError
            When the file cannot be read (it may be cut short), the window leaves the raster, or values are
            not what they are taken for.
        """
        with open_source(self.path, self.reading.parts[0].facts.path or None) as source:
            return self.reading.read(source, _inside(window, source.shape, self.path))


NOWHERE_EPSG = 3031
NOWHERE_Y_M = 5e7
"""North of all ground of that CRS, whose coordinates end at 1.3e7."""


def read_header(
    path: Path, bands: str = "auto", *, posting_m: float | None = None, nodata: NoData = None
) -> RasterHeader:
    """Find out what a raster's bands are and where it lies, and make sure that it can be used.

    Parameters
    ----------
    path : Path
        A raster.
    bands : str
        What a user says that its bands hold, see `config.bands.parse_bands`.
    posting_m : float, optional
        The side of a pixel, for rasters that need no place on Earth since their labels are pixels.
        Without it a raster that does not say where it lies is refused.
    nodata : float, "as_tagged" or None
        What stands for no data where the file does not say so, see `NoData`.

    Raises
    ------
    DataError
        When the file cannot be read, is no interferogram or may be several, has no projected CRS in
        metres, pixels that are not square, or no data.
    """
    with open_source(path, named_band(bands)) as source:
        reading = find_reading(source, bands, nodata)
        return placed_header(source, reading, posting_m=posting_m)


def named_band(bands: str) -> str | None:
    """Return the first band that is asked for by its name: in a file of several grids it says which."""
    return next((term.band for term in parse_bands(bands) if isinstance(term.band, str)), None)


def placed_header(source: Source, reading: Reading, *, posting_m: float | None) -> RasterHeader:
    """Return the header of a raster that is read in that way; see `read_header`."""
    if posting_m is not None and not has_place(source):
        return unplaced_header(source.path, source.shape, posting_m, reading)
    check_grid(source, source.path)
    return RasterHeader(
        source.path, source.shape, source.transform, source.crs, reading, remarks=source.remarks
    )


def unplaced_header(path: Path, shape: tuple[int, int], posting_m: float, reading: Reading) -> RasterHeader:
    """Return the header of a scene whose place is unknown; `laid_apart` gives it ground of its own."""
    transform = Affine.scale(posting_m, -posting_m)
    return RasterHeader(path, shape, transform, CRS.from_epsg(NOWHERE_EPSG), reading, is_placed=False)


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


def _inside(window: Window | None, shape: tuple[int, int], path: Path) -> Window:
    rows, cols = shape
    if window is None:
        return Window(0, 0, rows, cols)
    is_inside = (
        0 <= window.row <= window.row + window.rows <= rows
        and 0 <= window.col <= window.col + window.cols <= cols
    )
    if not is_inside or min(window.rows, window.cols) < 1:
        raise DataError(f"{path}: {window} leaves the raster of {rows} x {cols} pixels; choose one inside")
    return window
