"""Kind 3: how pixels without data are told from those with data."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.shutil import copy as copy_raster

from bad_cases.bands import ALPHA, GRAY, NONE
from bad_cases.case import (
    Cases,
    all_rasters,
    differs,
    either,
    hole,
    line,
    lines,
    parts,
    phase_rad,
    place,
    raster,
    refused,
    right,
    values,
)
from glsweep.scenes.raster import read_header
from glsweep.scenes.source import Window

REAL, IMAGINARY = parts()


def filled(fill: float, number: int = 1) -> list[Any]:
    """Return real and imaginary part with a value in place of data."""
    return [np.where(hole(number), fill, band).astype(np.float32) for band in parts(number)]


def phase(fill: float) -> Any:
    """Return the phase with a value in place of data."""
    return np.where(hole(), fill, phase_rad()).astype(np.float32)


def patched(constant: complex) -> list[Any]:
    """Return real and imaginary part with one constant in the collar and in a large square."""
    pixels = np.where(hole(), constant, values())
    pixels[60:110, 60:130] = constant
    return [pixels.real.astype(np.float32), pixels.imag.astype(np.float32)]


def masked(root: Path, *bands: Any, beside: bool = False) -> None:
    """Write the scene anew with a mask within the file, or beside it."""
    path = raster(root, *bands)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=not beside), rasterio.open(path, "r+") as file:
        file.write_mask(~hole())


def optimised(root: Path) -> None:
    """Write the phase as a cloud-optimised GeoTIFF, whose overviews GDAL averages as it does by default."""
    path = raster(root, np.tile(phase_rad(), (4, 4)), transform=place(-9))
    beside = path.with_suffix(".cog")
    copy_raster(path, beside, driver="COG", blocksize=256, overview_resampling="cubic")
    beside.replace(path)
    lines(root, [line(0), line(-9), line(2), line(3)])


def optimised_is_right(folder: Path, _told: str) -> str:
    """Compare the first part of the large scene, all of which is alike."""
    read = read_header(folder / "data/DInSAR/s1.tif").read(Window(0, 0, *hole().shape))
    return differs(read, values())


CASES: Cases = {
    "parts with NaN": right(lambda r: raster(r, *filled(np.nan))),
    "parts with infinity": right(lambda r: raster(r, *filled(np.inf))),
    "a complex band with NaN": right(
        lambda r: raster(r, np.where(hole(), complex(np.nan, np.nan), values()).astype(np.complex64))
    ),
    "parts with a tagged fill": right(lambda r: raster(r, *filled(-9999), nodata=-9999)),
    "parts with the tag NaN and zeros": right(lambda r: raster(r, REAL, IMAGINARY, nodata=np.nan)),
    "parts with another tag and zeros": right(lambda r: raster(r, REAL, IMAGINARY, nodata=-9999)),
    "parts tagged 0, one of them 0 in places": right(
        lambda r: raster(
            r, np.where(np.abs(REAL) < 0.01, 0, REAL), np.where(hole(), 0, IMAGINARY + 1e-6), nodata=0
        )
    ),
    "parts with an untagged fill": refused(lambda r: raster(r, *filled(-9999)), "s1", "-9999"),
    "parts with a small untagged fill": either(lambda r: raster(r, *filled(-1))),
    "parts with the greatest number": either(lambda r: raster(r, *filled(3.4028234663852886e38))),
    "parts with an untagged fill in the card": right(
        lambda r: all_rasters(r, lambda n: filled(-9999, n), "real, imaginary", more=", nodata: -9999")
    ),
    "a phase with NaN": right(lambda r: raster(r, phase(np.nan))),
    "a phase with a tagged fill": right(lambda r: raster(r, phase(-9999), nodata=-9999)),
    "a phase with a tag and zeros": right(lambda r: raster(r, phase(0), nodata=-9999)),
    "a phase with a tag that it cannot hold": either(lambda r: raster(r, phase(-1e30), nodata=-1e30)),
    "a phase with an untagged fill": refused(lambda r: raster(r, phase(-9999)), "s1", "-9999"),
    "a phase with an untagged fill of 10": either(lambda r: raster(r, phase(10))),
    "a phase with a collar of one phase": either(lambda r: raster(r, phase(1.5))),
    "parts with areas of one phase": refused(lambda r: raster(r, *patched(0.4 + 0.1j))),
    "parts with a collar of 1": either(lambda r: raster(r, *patched(1))),
    "a mask within the file": right(lambda r: masked(r, *filled(7))),
    "a mask within the file, over a phase": right(lambda r: masked(r, phase(-9999))),
    "a mask beside the file": right(lambda r: masked(r, *filled(-9999), beside=True)),
    "integers with a tag and a scale": right(
        lambda r: raster(r, (1e4 * phase(-3.2768)).round().astype(np.int16), scales=(1e-4,), nodata=-32768)
    ),
    "overviews that pass pi": right(optimised, truth=optimised_is_right),
    "all NaN": refused(lambda r: raster(r, REAL * np.nan, REAL * np.nan), "s1", "without data"),
    "all 0": refused(lambda r: raster(r, 0 * REAL, 0 * REAL, nodata=0), "s1", "without data"),
    "all tagged": refused(
        lambda r: raster(r, np.full_like(REAL, -9999), np.full_like(REAL, -9999), nodata=-9999), "s1"
    ),
    "all masked": refused(lambda r: raster(r, REAL, IMAGINARY, 0 * REAL, colours=(GRAY, NONE, ALPHA))),
    "all the same": refused(lambda r: raster(r, 0 * REAL + 1, 0 * REAL + 1)),
}
