"""What a scene's file and pixels say, read in strips of rows."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import shapely
from scipy.ndimage import binary_dilation

from glsweep.checks.findings import SceneFindings, SceneMeasurements, Thumbnail
from glsweep.config.bands import NoData
from glsweep.config.data_card import LineRule
from glsweep.errors import DataError
from glsweep.scenes.bands import find_reading
from glsweep.scenes.bending import bendings_of
from glsweep.scenes.formats import open_source
from glsweep.scenes.raster import RasterHeader, has_place, named_band, placed_header
from glsweep.scenes.reading import Reading
from glsweep.scenes.resample import COHERENCE_BOX_PX, local_coherence
from glsweep.scenes.scene import STRIP_PX, SceneEntry
from glsweep.scenes.source import BandFacts, Mask, Source, Window

Found = TypeVar("Found")


class RasterFacts(NamedTuple):
    """A raster as its header has it, usable or not.

    Attributes
    ----------
    shape : tuple of int or None
        Rows and columns; None where the file cannot be opened.
    crs : str
        Its short name; empty without one.
    posting : str
        Side of a pixel with its unit; empty where it is unknown.
    bands : tuple of BandFacts
        What the file says of each band.
    reading : Reading or None
        How they are read; None where that is unknown.
    header : RasterHeader or None
        What reads its pixels; None where it cannot be used.
    remarks : tuple of str
        Which of several grids in the file is read, and which are not.
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

    def attempt(read: Callable[[], Found]) -> Found | None:
        try:
            return read()
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


# --- Pixels and lines, read in strips of rows

Phasors = npt.NDArray[np.complex64]

THUMBNAIL_PX = 256
COHERENCE_BINS = 1000
SECTORS, LEAST_SECTOR = 32, 0.02
"""A sector of the circle is filled if it holds this share of what it would if all held the same."""
SAME_RAD = 1e-3
"""Phases this near are the same: no measured one is, from pixel to pixel, over an area."""
AREA = np.ones((3, 3), np.bool_)
MAGNITUDES = np.geomspace(1e-12, 1e12, 2401)


def describe_pixels(header: RasterHeader, found: SceneFindings) -> Mask:
    """Read all pixels of a scene, enter what they show in `found`, and return where there is data.

    Raises
    ------
    DataError
        When the raster cannot be read to its end, holds no data, or values are not what they are taken for.
    """
    step = max(1, -(-max(header.shape) // THUMBNAIL_PX))
    sums = _PixelCounts()
    valid: list[Mask] = []
    phases: list[npt.NDArray[np.float32]] = []
    flats: list[Mask] = []
    for strip in _strips(header.shape):
        pixels = header.read(strip)
        here = pixels != 0
        flat = sums.add(pixels)
        valid.append(here)
        phase_rad = np.where(here, np.angle(pixels), np.nan).astype(np.float32)
        first = -strip.row % step
        phases.append(phase_rad[first::step, ::step])
        flats.append(flat[first::step, ::step])
    has_data = np.concatenate(valid)
    if not has_data.any():
        raise DataError(f"{header.path}: all {has_data.size} pixels are without data; remove the file")
    found.measured = sums.measured(has_data)
    found.thumbnail = Thumbnail(np.concatenate(phases), np.concatenate(flats), step)
    return has_data


def describe_lines(entry: SceneEntry, found: SceneFindings, has_data: Mask, rule: LineRule) -> None:
    """Enter in `found` where the lines of a scene lie, whether there is data, and how ice bends there."""
    line = entry.line_mask(rule) > 0
    found.line_without_data = float((line & ~has_data).sum() / max(1, line.sum()))
    if found.thumbnail is not None:
        to_pixels = ~entry.header.transform
        for one in entry.lines:
            points = to_pixels @ tuple(shapely.get_coordinates(one).T)
            found.thumbnail.lines_px.append(np.column_stack(points) / found.thumbnail.step)
    found.bendings = bendings_of(entry.header, entry.lines)


@dataclass
class _PixelCounts:
    """Counts to which every strip of a scene adds."""

    coherence: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(COHERENCE_BINS, np.int64))
    sectors: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(SECTORS, np.int64))
    magnitude: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(MAGNITUDES) - 1, np.int64))
    steps_rad: list[tuple[float, int]] = field(default_factory=list)
    bends_rad: dict[int, list[tuple[float, int]]] = field(default_factory=lambda: {1: [], 2: []})
    flat_px: int = 0
    repeats: int = 0

    def add(self, pixels: npt.NDArray[np.complex64]) -> Mask:
        """Count some rows in, and return where their phase is the same all around."""
        valid = pixels != 0
        size = np.abs(pixels)
        phasor = np.divide(pixels, size, out=np.zeros_like(pixels), where=valid)
        coherence = local_coherence(pixels)
        self.coherence += np.histogram(coherence[np.isfinite(coherence)], COHERENCE_BINS, (0, 1))[0]
        self.sectors += np.histogram(np.angle(pixels[valid]), SECTORS, (-math.pi, math.pi))[0]
        self.magnitude += np.histogram(np.clip(size[valid], 1e-12, 1e12), MAGNITUDES)[0]
        flat = _flat_areas(phasor, valid)
        self.flat_px += int(flat.sum())
        for turned, is_flat in ((phasor, flat), (phasor.T, flat.T)):
            known = (turned[1:] != 0) & (turned[:-1] != 0)
            step_rad = np.abs(np.angle(turned[1:] * turned[:-1].conj()))[known]
            self.steps_rad.append((float(step_rad.sum(dtype=np.float64)), len(step_rad)))
            apart = ~(is_flat[1:] | is_flat[:-1])
            self.repeats += int((known & apart & (turned[1:] == turned[:-1])).sum())
            for reach, bends in self.bends_rad.items():
                bends.append(_bend(turned, reach))
        return flat

    def measured(self, has_data: Mask) -> SceneMeasurements:
        """Return what was counted."""
        valid_px = int(has_data.sum())
        filled = self.sectors * SECTORS >= LEAST_SECTOR * max(1, valid_px)
        bend, longer = (_mean(bends) for bends in self.bends_rad.values())
        pairs = sum(count for _, count in self.steps_rad)
        return SceneMeasurements(
            valid_px,
            valid_px / has_data.size,
            _holes(has_data) / max(1, valid_px),
            _median(self.coherence, np.linspace(0, 1, COHERENCE_BINS + 1)),
            _mean(self.steps_rad) / (2 * math.pi),
            bend / longer if longer > 0 else 0.0,
            float(filled.mean()),
            self.flat_px / max(1, valid_px),
            self.repeats / max(1, pairs),
            _median(self.magnitude, MAGNITUDES) or 0.0,
        )


def _flat_areas(phasor: Phasors, valid: Mask) -> Mask:
    """Return the pixels, (rows, cols), of 3 x 3 boxes in which all phases are the same."""
    centres = np.zeros(phasor.shape, np.bool_)
    if min(phasor.shape) < len(AREA):
        return centres
    down = (np.abs(phasor[1:] - phasor[:-1]) <= SAME_RAD) & valid[1:] & valid[:-1]
    across = (np.abs(phasor[:, 1:] - phasor[:, :-1]) <= SAME_RAD) & valid[:, 1:] & valid[:, :-1]
    columns = down[1:] & down[:-1]
    rows = across[:, 1:] & across[:, :-1]
    centres[1:-1, 1:-1] = columns[:, :-2] & columns[:, 1:-1] & columns[:, 2:] & rows[1:-1]
    return np.asarray(binary_dilation(centres, AREA))


def _bend(phasor: Phasors, reach: int) -> tuple[float, int]:
    """Return the sum of the second differences of phase across so many rows, and how many there are."""
    before, here, after = phasor[: -2 * reach], phasor[reach:-reach], phasor[2 * reach :]
    product = before * after * here.conj() ** 2
    bend_rad = np.abs(np.angle(product[product != 0]))
    return float(bend_rad.sum(dtype=np.float64)), len(bend_rad)


def _holes(has_data: Mask) -> int:
    """Count the pixels without data that have data on all four sides."""
    inside = ~has_data
    for axis in (0, 1):
        inside &= np.logical_or.accumulate(has_data, axis)
        inside &= np.flip(np.logical_or.accumulate(np.flip(has_data, axis), axis), axis)
    return int(inside.sum())


def _strips(shape: tuple[int, int]) -> Iterator[Window]:
    rows, cols = shape
    height = max(COHERENCE_BOX_PX, STRIP_PX // cols)
    for top in range(0, rows, height):
        yield Window(top, 0, min(height, rows - top), cols)


def _mean(sums: list[tuple[float, int]]) -> float:
    return sum(total for total, _ in sums) / max(1, sum(count for _, count in sums))


def _median(counts: npt.NDArray[np.int64], edges: npt.NDArray[np.float64]) -> float | None:
    if not counts.sum():
        return None
    return float(edges[np.searchsorted(counts.cumsum(), counts.sum() / 2)])
