"""What a raster is, and everything that speaks against it, each reason found on its own."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from glsweep.config.bands import NoData
from glsweep.errors import DataError
from glsweep.scenes.bands import find_reading
from glsweep.scenes.raster import RasterHeader, named_band, placed_header
from glsweep.scenes.raster_checks import has_place
from glsweep.scenes.reading import Reading
from glsweep.scenes.source import BandFacts, Source, open_source

Found = TypeVar("Found")


class RasterFacts(NamedTuple):
    """A raster as its header has it, usable or not.

    Attributes
    ----------
    shape : tuple of int or None
        Rows and columns; None where the file cannot be opened.
    crs : str
        In short; empty without one.
    posting : str
        Side of a pixel with its unit; empty where it is unknown.
    bands : tuple of BandFacts
        What the file says of each band.
    reading : Reading or None
        How they are read; None where that is unknown.
    header : RasterHeader or None
        What reads its pixels; None where it cannot be used.
    remarks : tuple of str
        What of the file is read and what is not, where it holds several.
    faults : tuple of str
        Every reason for which it cannot be used, with its remedy.
    """

    shape: tuple[int, int] | None = None
    crs: str = ""
    posting: str = ""
    bands: tuple[BandFacts, ...] = ()
    reading: Reading | None = None
    header: RasterHeader | None = None
    remarks: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def raster_facts(
    path: Path, bands: str, *, nodata: NoData = None, posting_m: float | None = None
) -> RasterFacts:
    """Look at one raster's header and at a sample of its values; nothing is raised.

    The parameters are those of `read_header`.
    """
    faults: list[str] = []

    def attempt(look: Callable[[], Found]) -> Found | None:
        try:
            return look()
        except DataError as error:
            faults.append(str(error).removeprefix(f"{path}: "))
            return None

    def whole() -> RasterFacts:
        with open_source(path, named_band(bands)) as source:
            reading = attempt(lambda: find_reading(source, bands, nodata))
            header = attempt(lambda: placed_header(source, reading or Reading(()), posting_m=posting_m))
            return RasterFacts(
                source.shape,
                _crs(source),
                _posting(source),
                source.bands,
                reading,
                None if reading is None else header,
                source.remarks,
            )

    facts = attempt(whole) or RasterFacts()
    return facts._replace(faults=tuple(faults))


def _crs(source: Source) -> str:
    if source.crs is None:
        return ""
    code = source.crs.to_epsg()
    return f"EPSG:{code}" if code else " ".join(str(source.crs.to_string()).split())[:40]


def _posting(source: Source) -> str:
    if source.crs is None or not has_place(source):
        return ""
    unit = "m" if source.crs.is_projected else "deg"
    return f"{abs(source.transform.a):.4g} {unit}"
