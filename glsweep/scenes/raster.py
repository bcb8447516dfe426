"""Interferograms as rasters: the grid they lie on, and their pixels as complex numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyproj
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window as RasterioWindow
from shapely import Polygon

from glsweep.config.bands import NoData, parse_bands
from glsweep.errors import DataError
from glsweep.files import replacing
from glsweep.geodesy import map_scale, place_in_words, point_lon_lat, suitable_crs
from glsweep.scenes.bands import find_reading
from glsweep.scenes.formats import open_source
from glsweep.scenes.products import scene_stem
from glsweep.scenes.reading import Reading
from glsweep.scenes.source import Source, Window

SQUARE_TOLERANCE = 0.01
LEAST_POSTING_M, MOST_POSTING_M = 1.0, 5000.0


class SquareGrid(Protocol):
    """What `check_grid` needs of a raster."""

    @property
    def crs(self) -> CRS | None:
        """Coordinate reference system, if the file names one."""

    @property
    def transform(self) -> Affine:
        """From (col, row) pixel corners to map coordinates."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""


def has_place(dataset: SquareGrid) -> bool:
    """Whether the raster says where on Earth it lies."""
    return dataset.crs is not None and not dataset.transform.is_identity


def check_grid(dataset: SquareGrid, path: Path) -> None:
    """Make sure that pixels are square, and their side in metres is true on the map and on the ground.

    Raises
    ------
    DataError
        When the CRS is missing, not projected or not in metres, or pixels are not square, or of a
        size that no interferogram has; when the raster's centre is no place on Earth, or a metre of
        the map is no metre on the ground there.
    """
    crs, transform = dataset.crs, dataset.transform
    if crs is None:
        raise DataError(
            f"{path}: has no CRS; assign the one it was made in (gdal_translate -a_srs EPSG:3031)"
        )
    if transform.is_identity:
        raise DataError(f"{path}: has no geotransform; assign one (gdal_translate -a_ullr)")
    rows, cols = dataset.shape
    x, y = transform @ (cols / 2, rows / 2)
    centre = _centre(x, y, crs, path)
    reproject = f"reproject it (gdalwarp -t_srs {suitable_crs(*centre)})"
    if not crs.is_projected:
        raise DataError(
            f"{path}: its CRS {crs_name(crs)} is not projected, so pixels have no size in metres; {reproject}"
        )
    unit, metres_per_unit = crs.linear_units_factor
    if metres_per_unit != 1:
        raise DataError(f"{path}: its CRS {crs_name(crs)} counts in {unit}, not in metres; {reproject}")
    posting_m = _posting_m(transform, path)
    scale = map_scale(x, y, _as_pyproj(crs))
    if not scale.is_true_to_scale:
        ground = scale.in_words(posting_m)
        raise DataError(
            f"{path}: its posting is {posting_m:g} m on its map {crs_name(crs)}, but {ground} "
            f"on the ground at its centre ({place_in_words(*centre)}); {reproject}, or assign the CRS it was "
            "made in where this is not it (gdal_translate -a_srs)"
        )


def _centre(x: float, y: float, crs: CRS, path: Path) -> tuple[float, float]:
    """Return longitude and latitude of the raster's centre."""
    found = point_lon_lat(x, y, _as_pyproj(crs))
    if found is None:
        kind = "" if crs.is_projected else " is not projected and"
        raise DataError(
            f"{path}: its CRS {crs_name(crs)}{kind} has no place on Earth for its centre ({x:g}, {y:g}); "
            "assign the CRS it was made in (gdal_translate -a_srs EPSG:3031) or mend its geotransform "
            "(gdal_translate -a_ullr)"
        )
    return found


def _posting_m(transform: Affine, path: Path) -> float:
    """Return the side of a pixel on the map."""
    width, height = np.hypot(transform.a, transform.d), np.hypot(transform.b, transform.e)
    skew = abs(transform.a * transform.b + transform.d * transform.e) / (width * height)
    sheared = " and sheared" if skew > SQUARE_TOLERANCE else ""
    if abs(width - height) > SQUARE_TOLERANCE * max(width, height) or sheared:
        raise DataError(
            f"{path}: its pixels are {width:g} x {height:g} m{sheared}, not square; "
            f"resample it (gdalwarp -tr {width:g} {width:g})"
        )
    if not LEAST_POSTING_M <= width <= MOST_POSTING_M:
        raise DataError(
            f"{path}: its posting is {width:g} m, which no interferogram has ({LEAST_POSTING_M:g} to "
            f"{MOST_POSTING_M:g} m); mend its geotransform (gdal_translate -a_ullr)"
        )
    return float(width)


def _as_pyproj(crs: CRS) -> pyproj.CRS:
    return pyproj.CRS.from_wkt(crs.to_wkt())


def crs_name(crs: CRS) -> str:
    """Return the CRS as a message names it."""
    return " ".join(str(crs.to_string()).split())[:60]


# --- One interferogram on disk: its header, its pixels, and writing it


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
        Which of several grids in the file is read, and which are not.
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
        What the user says that its bands are, see `config.bands.parse_bands`.
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
    """Return the first band that the user calls by its name, which picks one of a file's grids."""
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
    """Return the header of a scene whose place is unknown; `give_own_ground` gives it ground of its own."""
    transform = Affine.scale(posting_m, -posting_m)
    return RasterHeader(path, shape, transform, CRS.from_epsg(NOWHERE_EPSG), reading, is_placed=False)


def give_own_ground(headers: Sequence[RasterHeader], row: int = 0) -> list[RasterHeader]:
    """Give each header without a place ground of its own, far from all that lies on Earth.

    They are placed in one row, so that no two of them share ground and none does with a placed one.
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
    with interferogram_writer(path, (rows, cols), transform, crs) as write:
        write(Window(0, 0, rows, cols), array)


Writer = Callable[[Window, npt.NDArray[np.complex64]], None]


@contextmanager
def interferogram_writer(
    path: Path, shape: tuple[int, int], transform: Affine, crs: CRS, tags: Mapping[str, str] | None = None
) -> Iterator[Writer]:
    """Yield a function that writes a window of a raster in the study layout, as `write_interferogram` does.

    Parameters
    ----------
    tags : mapping, optional
        Further tags of the file.
    """
    with (
        replacing(path) as temporary,
        rasterio.open(
            temporary,
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
            finite = np.where(np.isfinite(values), values, 0)
            part = RasterioWindow(window.col, window.row, window.cols, window.rows)
            dataset.write(np.stack([finite.real, finite.imag]).astype(np.float32), window=part)

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
