"""What a raster is, and everything that speaks against it, each reason found on its own."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rasterio import DatasetReader

from glsweep.config.data_card import Bands
from glsweep.errors import DataError
from glsweep.scenes.bands import find_kind
from glsweep.scenes.raster import opened
from glsweep.scenes.raster_checks import check_grid, has_place


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


def raster_facts(path: Path, bands: Bands, *, needs_place: bool = True) -> RasterFacts:
    """Look at one raster's header and at a sample of its values; nothing is raised."""
    faults: list[str] = []

    def attempt(look: Callable[[], str]) -> str:
        try:
            return look()
        except DataError as error:
            faults.append(str(error).removeprefix(f"{path}: "))
            return ""

    def grid(dataset: DatasetReader) -> str:
        if needs_place or has_place(dataset):
            check_grid(dataset, path)
        return ""

    def whole() -> str:
        with opened(path) as dataset:
            shape = dataset.shape
            kind = attempt(lambda: find_kind(dataset, path, bands))
            attempt(lambda: grid(dataset))
            found.append(RasterFacts(shape, _crs(dataset), _posting(dataset), kind, ()))
        return ""

    found: list[RasterFacts] = []
    attempt(whole)
    facts = found[0] if found else RasterFacts(None, "", "", "", ())
    return facts._replace(faults=tuple(faults))


def _crs(dataset: DatasetReader) -> str:
    if dataset.crs is None:
        return ""
    code = dataset.crs.to_epsg()
    return f"EPSG:{code}" if code else " ".join(str(dataset.crs.to_string()).split())[:40]


def _posting(dataset: DatasetReader) -> str:
    if not has_place(dataset):
        return ""
    unit = "m" if dataset.crs.is_projected else "deg"
    return f"{abs(dataset.transform.a):.4g} {unit}"
