"""What a raster is, and everything that speaks against it, each reason found on its own."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from glsweep.config.bands import NoData
from glsweep.errors import DataError
from glsweep.scenes.bands import find_reading
from glsweep.scenes.raster import named_band
from glsweep.scenes.raster_checks import check_grid, has_place
from glsweep.scenes.source import Source, open_source


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
    kind : str
        What the bands hold; empty where that is unknown.
    faults : tuple of str
        Every reason for which it cannot be used, with its remedy.
    """

    shape: tuple[int, int] | None
    crs: str
    posting: str
    kind: str
    faults: tuple[str, ...]


def raster_facts(path: Path, bands: str, *, nodata: NoData = None, needs_place: bool = True) -> RasterFacts:
    """Look at one raster's header and at a sample of its values; nothing is raised."""
    faults: list[str] = []

    def attempt(look: Callable[[], str]) -> str:
        try:
            return look()
        except DataError as error:
            faults.append(str(error).removeprefix(f"{path}: "))
            return ""

    def grid(source: Source) -> str:
        if needs_place or has_place(source):
            check_grid(source, path)
        return ""

    def whole() -> str:
        with open_source(path, named_band(bands)) as source:
            shape = source.shape
            kind = attempt(lambda: find_reading(source, bands, nodata).title)
            attempt(lambda: grid(source))
            found.append(RasterFacts(shape, _crs(source), _posting(source), kind, ()))
        return ""

    found: list[RasterFacts] = []
    attempt(whole)
    facts = found[0] if found else RasterFacts(None, "", "", "", ())
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
