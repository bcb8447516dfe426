"""Which rasters lie on a grid that can be used."""

from pathlib import Path

import numpy as np
from rasterio.crs import CRS

from glsweep.errors import DataError
from glsweep.scenes.source import Source

SQUARE_TOLERANCE = 0.01
LEAST_POSTING_M, MOST_POSTING_M = 1.0, 5000.0


def has_place(dataset: Source) -> bool:
    """Tell whether the raster says where on Earth it lies."""
    return dataset.crs is not None and not dataset.transform.is_identity


def check_grid(dataset: Source, path: Path) -> None:
    """Make sure that pixels are squares of so many metres.

    Raises
    ------
    DataError
        When the CRS is missing, not projected or not in metres, or pixels are not square, or of a
        size that no interferogram has.
    """
    crs, transform = dataset.crs, dataset.transform
    if crs is None:
        raise DataError(f"{path}: has no CRS; assign the one it was made in (gdal_edit.py -a_srs EPSG:3031)")
    if transform.is_identity:
        raise DataError(f"{path}: has no geotransform; assign one (gdal_edit.py -a_ullr)")
    if not crs.is_projected:
        raise DataError(
            f"{path}: its CRS {_crs_name(crs)} is not projected, so pixels have no size in metres; "
            "reproject it (gdalwarp -t_srs EPSG:3031)"
        )
    unit, metres_per_unit = crs.linear_units_factor
    if metres_per_unit != 1:
        raise DataError(f"{path}: its CRS counts in {unit}; reproject it to one in metres")
    width, height = np.hypot(transform.a, transform.d), np.hypot(transform.b, transform.e)
    skew = abs(transform.a * transform.b + transform.d * transform.e) / (width * height)
    sheared = " and sheared" if skew > SQUARE_TOLERANCE else ""
    if abs(width - height) > SQUARE_TOLERANCE * max(width, height) or sheared:
        raise DataError(
            f"{path}: its pixels are {width:g} x {height:g} m{sheared}, not square; "
            "resample it (gdalwarp -tr)"
        )
    if not LEAST_POSTING_M <= width <= MOST_POSTING_M:
        raise DataError(
            f"{path}: its posting is {width:g} m, which no interferogram has ({LEAST_POSTING_M:g} to "
            f"{MOST_POSTING_M:g} m); mend its geotransform (gdal_edit.py -a_ullr)"
        )


def _crs_name(crs: CRS) -> str:
    return " ".join(str(crs.to_string()).split())[:60]
