"""Rasters that GDAL opens: GeoTIFF, ENVI, VRT, the raw files of ISCE, and many others."""

import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as RasterioWindow

from glsweep.errors import DataError
from glsweep.scenes.products import ISCE_SUFFIXES
from glsweep.scenes.source import BandFacts, Mask, Window, raster_kind

RAW_DRIVERS = ("ENVI", "ISCE", "ROI_PAC", "EHdr")
NAMES_BY_PRODUCT: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), names)
    for pattern, names in (
        (r"\.conncomp(?:\.geo)?$", ("connected components",)),
        (r"\.unw(?:\.geo)?$", ("amplitude", "unwrapped phase")),
        (r"\.cor(?:\.geo)?$", ("coherence",)),
        (r"\.cor(?:\.geo)?$", ("amplitude", "coherence")),
        (r"^los\.rdr(?:\.geo)?$", ("incidence angle", "azimuth angle")),
        (r"^z\.rdr(?:\.geo)?$", ("height",)),
        (r"_(?:lv_theta|lv_phi)\.tiff?$", ("look vector",)),
        (r"_(?:los|vert)_disp\.tiff?$", ("displacement",)),
    )
)
"""What the bands are by the name of the file, where the file itself names none: ISCE's and HyP3's habits."""


class GdalSource:
    """A raster that GDAL opens.

    Parameters
    ----------
    path : Path
        The file that the user named.
    dataset : DatasetReader
        It, or what describes it, open.
    """

    def __init__(self, path: Path, dataset: rasterio.DatasetReader) -> None:
        self.path = path
        self.shape: tuple[int, int] = dataset.shape
        self.crs: CRS | None = dataset.crs
        self.transform: Affine = dataset.transform
        self.remarks: tuple[str, ...] = ()
        names = [name or "" for name in dataset.descriptions]
        self.bands = tuple(
            BandFacts(name, dtype, unit or "", scale, offset, nodata, color == ColorInterp.alpha)
            for name, dtype, unit, scale, offset, nodata, color in zip(
                names if any(names) else _names_by_product(path, len(names)),
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
        # A band of a VRT may have a mask of its own, which has no flag at all.
        self._masked_bands = [n for n, flags in enumerate(dataset.mask_flag_enums, 1) if not flags]

    def read(self, numbers: Sequence[int], window: Window) -> npt.NDArray[Any]:
        """Return the stored numbers of bands, (B, rows, cols)."""
        part = rasterio_window(window)
        # One by one: bands of several types cannot be read at once.
        return np.stack([self._dataset.read(number, window=part) for number in numbers])

    def mask(self, window: Window) -> Mask | None:
        """Return where a mask within or beside the file says that there is data."""
        part = rasterio_window(window)
        masks = [self._dataset.read_masks(number, window=part) > 0 for number in self._masked_bands]
        if self._has_mask:
            masks.append(self._dataset.dataset_mask(window=part) > 0)
        return np.all(masks, axis=0) if masks else None


def rasterio_window(window: Window) -> RasterioWindow:
    """Return the window in rasterio's order, columns before rows."""
    return RasterioWindow(window.col, window.row, window.cols, window.rows)


def _names_by_product(path: Path, count: int) -> tuple[str, ...]:
    name = path.name.removesuffix(".vrt")
    fitting = (names for pattern, names in NAMES_BY_PRODUCT if len(names) == count and pattern.search(name))
    return next(fitting, ("",) * count)


def file_of(path: Path) -> Path:
    """Return the file that GDAL opens for a raster: itself, or the description next to a raw file.

    Raises
    ------
    DataError
        When nothing describes a raw file.
    """
    if path.suffix.lower() not in ISCE_SUFFIXES:
        return path
    vrt = path.with_name(f"{path.name}.vrt")
    if vrt.is_file():
        return vrt
    descriptions = [path.with_name(path.name + suffix) for suffix in (".xml", ".hdr", ".rsc")]
    if any(other.is_file() for other in (*descriptions, path.with_suffix(".hdr"))):
        return path
    raise DataError(
        f"{path}: nothing beside it says how it is laid out; put the .vrt or .xml that ISCE wrote next to it"
    )


@contextmanager
def open_with_gdal(path: Path) -> Iterator[rasterio.DatasetReader]:
    """Open a raster with GDAL.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    raster_kind(path)
    with warnings.catch_warnings():
        # A raster without a geotransform is refused elsewhere, in one line that names it.
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            with rasterio.open(path) as dataset:
                check_length(path, dataset)
                yield dataset
        except RasterioError as error:
            reason = " ".join(str(error.__cause__ or error).split())
            raise DataError(
                f"{path}: cannot be read as a raster ({reason}); it may be cut short, obtain it again"
            ) from error


def check_length(path: Path, dataset: rasterio.DatasetReader) -> None:
    """Make sure that a raw file is as long as its description says.

    GDAL reads 0 beyond its end; and if the description has too few samples in a line, every row is
    shifted.

    Raises
    ------
    DataError
        When it is shorter or longer.
    """
    if dataset.driver in RAW_DRIVERS:
        lengths = {path: _described_bytes(dataset)}
    elif dataset.driver == "VRT" and path.suffix.lower() == ".vrt":
        lengths = _raw_bytes(path, dataset)
    else:
        return
    for file, allowed in lengths.items():
        size = file.stat().st_size if file.is_file() else allowed.least
        if size < allowed.least:
            raise DataError(f"{file}: is cut short ({size} of {allowed.least} bytes); obtain it again")
        if size > allowed.least and not allowed.may_be_longer(size):
            others = [Path(name).name for name in dataset.files if Path(name) != file]
            raise DataError(
                f"{file}: is {size} bytes, its header describes {allowed.least}; mend samples, lines or "
                f"header offset in {next(iter(others), path.name)}"
            )


class _Length(NamedTuple):
    """How long a raw file must be, and by what it may be longer."""

    least: int
    block: int = 0
    """Of bands that the description leaves out: the file may hold any number of such."""
    start: int = 0
    """Where the first of the bands that are described begins."""
    has_gaps: bool = False
    """Whether there may be gaps between the numbers."""

    def may_be_longer(self, size: int) -> bool:
        return self.has_gaps or (self.block > 0 and size % self.block in (0, self.start))


def _described_bytes(dataset: rasterio.DatasetReader) -> _Length:
    pixel_bytes = sum(_number_bytes(dtype) for dtype in dataset.dtypes)
    pixels = dataset.width * dataset.height * pixel_bytes
    tags = dataset.tags(ns="ENVI")
    if tags.get("file_compression", "0") != "0":
        return _Length(0, has_gaps=True)
    # An ESRI header may declare gaps between rows and bands, and numbers of less than a byte.
    has_gaps = dataset.driver == "EHdr" or "major_frame_offsets" in tags
    return _Length(pixels + int(tags.get("header_offset", 0)), has_gaps=has_gaps)


def _raw_bytes(vrt: Path, dataset: rasterio.DatasetReader) -> dict[Path, _Length]:
    """Return how long the raw files must be that a .vrt describes."""
    lengths: dict[Path, _Length] = {}
    # GDAL has opened it, so it is XML.
    for band, dtype in zip(ET.parse(vrt).getroot().findall("VRTRasterBand"), dataset.dtypes, strict=False):
        source = band.find("SourceFilename")
        if band.get("subClass") != "VRTRawRasterBand" or source is None or not source.text:
            continue
        file = vrt.parent / source.text if source.get("relativeToVRT") == "1" else Path(source.text)
        offset, pixel, line = (
            int(band.findtext(key) or 0) for key in ("ImageOffset", "PixelOffset", "LineOffset")
        )
        end = offset + (dataset.height - 1) * line + (dataset.width - 1) * pixel + _number_bytes(dtype)
        before = lengths.get(file, _Length(end, start=offset))
        lengths[file] = _Length(max(before.least, end), abs(line) * dataset.height, min(before.start, offset))
    return lengths


def _number_bytes(dtype: str) -> int:
    # NumPy has no complex integers.
    return 4 if dtype == "complex_int16" else np.dtype(dtype).itemsize
