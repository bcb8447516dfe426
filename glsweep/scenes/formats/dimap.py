"""BEAM-DIMAP, in which SNAP saves its products: a .dim file, and a folder with one raster for each band."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError

from glsweep.errors import DataError
from glsweep.scenes.formats.gdal import open_with_gdal, rasterio_window
from glsweep.scenes.products import list_names
from glsweep.scenes.source import BandFacts, Mask, Window

SUFFIX = ".dim"
SNAP = b"BEAM-DATAMODEL"
HEAD_BYTES = 4096
OWN_CODE = re.compile(r'AUTHORITY\s*\[\s*"EPSG"\s*,\s*"?(\d+)"?\s*\]\s*\]\s*$')
"""The code of the whole CRS; SNAP writes methods and axes in a way of its own, but this at the end."""


class Band(NamedTuple):
    """One band as the .dim file describes it."""

    facts: BandFacts
    file: Path
    shape: tuple[int, int]


class DimapSource:
    """The bands of a .dim file.

    Parameters
    ----------
    path : Path
        The .dim file.
    bands : sequence of Band
        All of one shape.
    datasets : sequence of DatasetReader
        Their rasters, open.
    place : tuple of Affine and CRS
        Where they lie.
    remarks : tuple of str
        What to know of the choice.
    """

    def __init__(
        self,
        path: Path,
        bands: Sequence[Band],
        datasets: Sequence[rasterio.DatasetReader],
        place: tuple[Affine, CRS],
        remarks: tuple[str, ...],
    ) -> None:
        self.path = path
        self.shape = bands[0].shape
        self.transform, self.crs = place
        self.bands = tuple(band.facts for band in bands)
        self.remarks = remarks
        self._datasets = tuple(datasets)

    def read(self, numbers: Sequence[int], window: Window) -> npt.NDArray[Any]:
        """Return the stored numbers of bands, (B, rows, cols)."""
        part = rasterio_window(window)
        try:
            return np.stack([self._datasets[number - 1].read(1, window=part) for number in numbers])
        except RasterioError as error:
            raise DataError(f"{self.path}: a band cannot be read ({error}); obtain it again") from error

    def mask(self, window: Window) -> Mask | None:
        """Return None: SNAP marks pixels without data by their numbers alone."""
        return None


def is_dimap(path: Path) -> bool:
    """Whether a file is one of SNAP's; SPOT's products have the same suffix."""
    if path.suffix.lower() != SUFFIX:
        return False
    with path.open("rb") as file:
        return SNAP in file.read(HEAD_BYTES)


@contextmanager
def open_dimap(path: Path) -> Iterator[DimapSource]:
    """Open a product of SNAP.

    Virtual bands, which are formulas in the .dim file alone, are left out.

    Raises
    ------
    DataError
        When it cannot be read, a band's file is missing, or the product is not on a map.
    """
    bands, place = _described(path, path.stat().st_mtime_ns)
    shape = bands[0].shape
    used = [band for band in bands if band.shape == shape]
    others = [band.facts.name for band in bands if band.shape != shape]
    remarks = (f"bands of another size are not read: {list_names(others)}",) if others else ()
    with ExitStack() as stack:
        datasets = [stack.enter_context(open_with_gdal(band.file)) for band in used]
        for band, dataset in zip(used, datasets, strict=True):
            if dataset.shape != band.shape:
                raise DataError(
                    f"{band.file}: is {dataset.shape[0]} x {dataset.shape[1]} pixels, {path.name} says "
                    f"{band.shape[0]} x {band.shape[1]}; save the product again"
                )
        real = [
            band._replace(facts=band.facts._replace(dtype=dataset.dtypes[0]))
            for band, dataset in zip(used, datasets, strict=True)
        ]
        yield DimapSource(path, real, datasets, place, remarks)


@lru_cache(maxsize=8)
def _described(path: Path, changed_ns: int) -> tuple[list[Band], tuple[Affine, CRS]]:
    """Return the bands and where they lie; cached, since a long file is opened for each window."""
    document = _document(path)
    try:
        return _bands(path, document), _place(path, document)
    except ValueError as error:
        raise DataError(f"{path}: has no number where one belongs ({error}); save it again") from error


def _document(path: Path) -> ET.Element:
    text = path.read_bytes()
    if b"<!ENTITY" in text:
        # SNAP writes none; they can blow a small file up to gigabytes.
        raise DataError(f"{path}: defines XML entities, as no product of SNAP does; obtain it again")
    try:
        return ET.fromstring(text)
    except ET.ParseError as error:
        raise DataError(
            f"{path}: is not whole XML ({error}); it may be cut short, obtain it again"
        ) from error


def _bands(path: Path, document: ET.Element) -> list[Band]:
    files = {_text(file, "BAND_INDEX"): file.find("DATA_FILE_PATH") for file in document.iter("Data_File")}
    whole = (int(_number(document, ".//NROWS", 0)), int(_number(document, ".//NCOLS", 0)))
    bands = []
    for info in document.iter("Spectral_Band_Info"):
        element = files.get(_text(info, "BAND_INDEX"))
        href = "" if element is None else element.get("href", "")
        is_virtual = _text(info, "VIRTUAL_BAND").lower() == "true"
        if is_virtual or not href:
            continue
        name = _text(info, "BAND_NAME")
        if _text(info, "LOG10_SCALED").lower() == "true":
            raise DataError(f"{path}: band {name} is stored as its logarithm; save it as floats in SNAP")
        shape = (
            int(_number(info, "BAND_RASTER_HEIGHT", whole[0])),
            int(_number(info, "BAND_RASTER_WIDTH", whole[1])),
        )
        has_tag = _text(info, "NO_DATA_VALUE_USED").lower() == "true"
        facts = BandFacts(
            name=name,
            unit=_text(info, "PHYSICAL_UNIT"),
            scale=_number(info, "SCALING_FACTOR", 1.0),
            offset=_number(info, "SCALING_OFFSET", 0.0),
            nodata=_number(info, "NO_DATA_VALUE", 0.0) if has_tag else None,
        )
        bands.append(Band(facts, _file_of_band(path, href, name), shape))
    if not bands:
        raise DataError(f"{path}: names no band that is stored; save the product with its bands in SNAP")
    return bands


def _file_of_band(path: Path, href: str, name: str) -> Path:
    """Return a band's raster; a product that was renamed still names its old folder."""
    named = PurePosixPath(href.replace("\\", "/"))
    data = path.with_suffix(".data")
    for header in (path.parent / named, data / named.name):
        if header.with_suffix(".img").is_file():
            return header.with_suffix(".img")
    raise DataError(
        f"{path}: its band {name} is not in {data.name}/{named.stem}.img; keep that folder beside the file"
    )


def _place(path: Path, document: ET.Element) -> tuple[Affine, CRS]:
    wkt = _text(document, "Coordinate_Reference_System/WKT")
    matrix = _text(document, "Geoposition/IMAGE_TO_MODEL_TRANSFORM")
    numbers = [float(part) for part in matrix.split(",") if part.strip()]
    if not wkt or len(numbers) != 6:
        raise DataError(
            f"{path}: is not on a map; geocode it in SNAP (Range Doppler Terrain Correction, with a "
            "projected map such as WGS 84 / Antarctic Polar Stereographic)"
        )
    # By columns, as Java's AffineTransform has them; from the corners of pixels.
    a, d, b, e, c, f = numbers
    code = OWN_CODE.search(wkt)
    try:
        crs = CRS.from_epsg(int(code[1])) if code else CRS.from_wkt(wkt)
    except CRSError as error:
        raise DataError(f"{path}: its map projection is not understood ({error}); choose another") from error
    return Affine(a, b, c, d, e, f), crs


def _text(element: ET.Element, key: str) -> str:
    return (element.findtext(key) or "").strip()


def _number(element: ET.Element, key: str, otherwise: float) -> float:
    text = _text(element, key)
    return float(text) if text else otherwise
