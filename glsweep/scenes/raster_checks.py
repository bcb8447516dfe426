"""Which rasters lie on a grid that can be used: squares of so many metres on the ground."""

from pathlib import Path
from typing import Protocol

import numpy as np
import pyproj
from affine import Affine
from rasterio.crs import CRS

from glsweep.errors import DataError
from glsweep.scenes.map_scale import map_scale, place, told_place, true_map

SQUARE_TOLERANCE = 0.01
LEAST_POSTING_M, MOST_POSTING_M = 1.0, 5000.0


class Grid(Protocol):
    """What is looked at of a raster."""

    @property
    def crs(self) -> CRS | None:
        """Coordinate reference system, if the file names one."""

    @property
    def transform(self) -> Affine:
        """From (col, row) pixel corners to map coordinates."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""


def has_place(dataset: Grid) -> bool:
    """Tell whether the raster says where on Earth it lies."""
    return dataset.crs is not None and not dataset.transform.is_identity


def check_grid(dataset: Grid, path: Path) -> None:
    """Make sure that pixels are squares of so many metres, on the map and on the ground.

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
    reproject = f"reproject it (gdalwarp -t_srs {true_map(*centre)})"
    if not crs.is_projected:
        raise DataError(
            f"{path}: its CRS {_crs_name(crs)} is not projected, so pixels have no size in metres; "
            f"{reproject}"
        )
    unit, metres_per_unit = crs.linear_units_factor
    if metres_per_unit != 1:
        raise DataError(f"{path}: its CRS {_crs_name(crs)} counts in {unit}, not in metres; {reproject}")
    posting_m = _posting_m(transform, path)
    scale = map_scale(x, y, _as_pyproj(crs))
    if not scale.is_true:
        ground = scale.told(posting_m)
        raise DataError(
            f"{path}: its posting is {posting_m:g} m on its map {_crs_name(crs)}, but {ground} "
            f"on the ground at its centre ({told_place(*centre)}); {reproject}, or assign the CRS it was "
            "made in where this is not it (gdal_translate -a_srs)"
        )


def _centre(x: float, y: float, crs: CRS, path: Path) -> tuple[float, float]:
    """Return longitude and latitude of the raster's centre."""
    found = place(x, y, _as_pyproj(crs))
    if found is None:
        kind = "" if crs.is_projected else " is not projected and"
        raise DataError(
            f"{path}: its CRS {_crs_name(crs)}{kind} has no place on Earth for its centre ({x:g}, {y:g}); "
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


def _crs_name(crs: CRS) -> str:
    return " ".join(str(crs.to_string()).split())[:60]
