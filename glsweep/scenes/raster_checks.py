"""Which rasters are interferograms that can be used: their bands and their grid."""

from pathlib import Path

import numpy as np
from rasterio import DatasetReader
from rasterio.crs import CRS

from glsweep.errors import DataError

SQUARE_TOLERANCE = 0.01
FLOAT_TYPES = {"float32", "float64"}


def check_bands(dataset: DatasetReader, path: Path) -> None:
    """Make sure that the bands are real and imaginary part, or one complex value.

    Raises
    ------
    DataError
        When they are anything else, such as a phase alone.
    """
    types = list(dataset.dtypes)
    if len(types) == 1 and types[0].startswith("complex"):
        return
    wanted = "give two float bands (real, imaginary) or one complex band"
    if len(types) == 1 and types[0] in FLOAT_TYPES:
        raise DataError(
            f"{path}: has one {types[0]} band, which is phase alone (wrapped or unwrapped) or coherence; "
            f"{wanted}, such as cos(phase) and sin(phase)"
        )
    if len(types) != 2 or not set(types) <= FLOAT_TYPES:
        raise DataError(f"{path}: has {len(types)} band(s) of type {', '.join(types)}; {wanted}")
    words = " ".join(text.lower() for text in dataset.descriptions if text)
    if "phase" in words or "coherence" in words:
        raise DataError(f"{path}: its bands are described as {dataset.descriptions}; {wanted}")


def check_grid(dataset: DatasetReader, path: Path) -> None:
    """Make sure that pixels are squares of so many metres.

    Raises
    ------
    DataError
        When the CRS is missing, not projected or not in metres, or pixels are not square.
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


def _crs_name(crs: CRS) -> str:
    return " ".join(str(crs.to_string()).split())[:60]
