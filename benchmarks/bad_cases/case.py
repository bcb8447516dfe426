"""What a case is, what it must end with, and the good data set that each case begins from."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
from affine import Affine
from rasterio.crs import CRS
from scipy.ndimage import gaussian_filter
from shapely import LineString

from glsweep.scenes.cards import load_card
from glsweep.scenes.catalogue import open_catalogue
from glsweep.scenes.raster import write_interferogram

SIDE, SCENES = 160, 4
POLAR = CRS.from_epsg(3031)
KM_TOLERANCE = 0.03
"""Lengths on the polar map differ by up to so much from those on the ground."""
PHASE_TOLERANCE_RAD, PIXELS_OFF = 0.03, 0.002

Change = Callable[[Path], object]
Truth = Callable[[Path, str], str]
"""From the folder and what was printed: what is wrong with the result, empty if nothing is."""


@dataclass(frozen=True)
class Case:
    """One input, and how it must end.

    Attributes
    ----------
    change : function
        Makes the good data set below a folder a bad one.
    ends : str
        `refused`: exit code 2 and one line that names the file at fault; `right`: exit code 0 and the
        right values; `either` of the two.
    says : tuple of str
        What the line of a refusal must hold.
    command : tuple of str
        `prepare` of the data set where it is empty.
    truth : function
        Whether what came out is right.
    """

    change: Change
    ends: Literal["refused", "right", "either"]
    says: tuple[str, ...] = ("s1",)
    command: tuple[str, ...] = ()
    truth: Truth | None = None


Cases = Mapping[str, Case]


def refused(change: Change, *says: str, command: str = "", truth: Truth | None = None) -> Case:
    """Return a case that must be told in one line that holds these words."""
    return Case(change, "refused", says or ("s1",), tuple(command.split()), truth)


def right(change: Change, *, command: str = "", truth: Truth | None = None) -> Case:
    """Return a case that must be read, with the right values."""
    return Case(change, "right", (), tuple(command.split()), truth)


def either(change: Change, *says: str, command: str = "", truth: Truth | None = None) -> Case:
    """Return a case that may be refused or read, but not misread."""
    return Case(change, "either", says or ("s1",), tuple(command.split()), truth)


def place(number: int = 1) -> Affine:
    """Return where a scene lies: side by side, with gaps."""
    return Affine(100, 0, -1_400_000 + number * 40_000, 0, -100, -1_000_000)


@cache
def values(number: int = 1) -> Any:
    """Return an interferogram with noise and a collar of zeros, complex64 (rows, cols)."""
    generator = np.random.default_rng(number)
    row, col = np.indices((SIDE, SIDE))
    phase_rad = (row + 2 * col) / 12 + 30 * gaussian_filter(generator.normal(size=(SIDE, SIDE)), 12)
    phase_rad += 0.5 * generator.normal(size=(SIDE, SIDE))
    known = generator.uniform(0.2, 0.9, (SIDE, SIDE)) * np.exp(1j * phase_rad)
    known[col + row / 8 < 16] = 0
    return known.astype(np.complex64)


def phase_rad(number: int = 1) -> Any:
    """Return the wrapped phase, 0 in the collar."""
    return np.angle(values(number)).astype(np.float32)


def coherence(number: int = 1) -> Any:
    """Return the magnitude, 0 in the collar."""
    return np.abs(values(number))


def hole(number: int = 1) -> Any:
    """Return where a scene has no data."""
    return values(number) == 0


def parts(number: int = 1) -> Any:
    """Return real and imaginary part, (2, rows, cols)."""
    return np.stack([values(number).real, values(number).imag])


def line(number: int = 1) -> LineString:
    """Return a line through a scene."""
    return LineString([place(number) @ corner for corner in ((40, 5), (80, 70), (120, SIDE - 5))])


def lines_of_all() -> list[LineString]:
    """Return a line through each scene."""
    return [line(number) for number in range(SCENES)]


def good(root: Path) -> None:
    """Write four scenes with a line each, without a fault."""
    for number in range(SCENES):
        write_interferogram(root / "DInSAR" / f"s{number}.tif", values(number), place(number), POLAR)
    lines(root, lines_of_all())


def first(root: Path, suffix: str = ".tif") -> Path:
    """Return the scene that is changed."""
    return root / "DInSAR" / f"s1{suffix}"


def raster(root: Path, *bands: Any, suffix: str = ".tif", **options: Any) -> Path:
    """Write the scene anew with bands (rows, cols) as they are; options beside rasterio's are attributes."""
    path = first(root, suffix)
    first(root).unlink(missing_ok=True)
    return write(path, *bands, **options)


def write(path: Path, *bands: Any, **options: Any) -> Path:
    """Write bands (rows, cols) as a raster; names, units, scales and colours are attributes of bands."""
    stacked = np.stack(bands)
    if stacked.dtype in (np.float64, np.int64) and not options.pop("is_double", False):
        stacked = stacked.astype(np.float32)
    told = {"names": "descriptions", "units": "units", "scales": "scales", "colours": "colorinterp"}
    attributes = {told[key]: options.pop(key) for key in list(options) if key in told}
    size = {"count": len(stacked), "height": stacked.shape[1], "width": stacked.shape[2]}
    where = {"driver": "GTiff", "dtype": stacked.dtype, "transform": place(), "crs": POLAR} | options
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(action="ignore"), rasterio.open(path, "w", **size, **where) as file:
        for name, value in attributes.items():
            setattr(file, name, value)
        file.write(stacked)
    return path


def all_rasters(root: Path, encode: Callable[[int], Sequence[Any]], bands: str, **options: Any) -> None:
    """Write every scene anew with the bands of its number, and a card that says what they are."""
    more = options.pop("more", "")
    for number in range(SCENES):
        write(root / "DInSAR" / f"s{number}.tif", *encode(number), transform=place(number), **options)
    card(root, f', bands: "{bands}"{more}')


def lines(root: Path, geometries: Sequence[Any], **options: Any) -> None:
    """Write the file of lines anew."""
    path = root / str(options.pop("name", "lines.gpkg"))
    (root / "lines.gpkg").unlink(missing_ok=True)
    column = options.pop("column", "source_file")
    names = options.pop("names", None) or [f"s{n}.shp" for n in range(len(geometries))]
    columns = {column: names} | options.pop("columns", {})
    table = gpd.GeoDataFrame(columns, geometry=list(geometries), crs=options.pop("crs", 3031))
    table.to_file(path, **options)


def card(root: Path, layout: str = "", more: str = "", rasters: str = "DInSAR/*.tif") -> None:
    """Write a data card beside the folder, by which it is read from then on."""
    layout = layout if "lines:" in layout or "masks:" in layout else f"lines: lines.gpkg{layout}"
    text = f"name: bad\nroot: data\nlayout: {{rasters: '{rasters}', {layout}}}\n{more}"
    (root.parent / "card.yaml").write_text(text)


def known_scenes(folder: Path, _told: str) -> str:
    """Compare what is read of every scene with the interferogram and the kilometres that are known."""
    return scenes_are(folder, {number: values(number) for number in range(SCENES)})


def scenes_are(folder: Path, known: Mapping[int, Any]) -> str:
    """Compare the scenes that are read with those that are known."""
    data = folder / "card.yaml" if (folder / "card.yaml").exists() else folder / "data"
    data_card = load_card(data)
    assert data_card.root is not None
    entries = {entry.name: entry for entry in open_catalogue(data_card.root, data_card).entries}
    if set(entries) != {f"s{number}" for number in known}:
        return f"the scenes are {sorted(entries)}"
    for number, pixels in known.items():
        entry = entries[f"s{number}"]
        wanted_km = line(number).length / 1000
        if abs(entry.line_km - wanted_km) > KM_TOLERANCE * wanted_km:
            return f"s{number} has {entry.line_km:.2f} km of line, not {wanted_km:.2f}"
        wrong = differs(entry.read_pixels(), pixels)
        if wrong:
            return f"s{number}: {wrong}"
    return ""


def differs(read: Any, known: Any) -> str:
    """Return how two interferograms differ in phase and in where there are data; empty if they do not."""
    if read.shape != known.shape:
        return f"is {read.shape}, not {known.shape}"
    off = ((read != 0) != (known != 0)).mean()
    if off > PIXELS_OFF:
        return f"{off:.1%} of its pixels are taken for data, or for none"
    both = (read != 0) & (known != 0)
    apart_rad = np.abs(np.angle(read[both] * known[both].conj()))
    if (apart_rad > PHASE_TOLERANCE_RAD).mean() > PIXELS_OFF:
        return f"its phase is off by {np.median(apart_rad):.2f} rad"
    return ""


def table_has(**wanted: float) -> Truth:
    """Return a truth about the figures that `compare` writes to table.csv: `column=value`, to 3 % or 5 m."""

    def look(folder: Path, _told: str) -> str:
        found = pd.read_csv(folder / "table.csv").iloc[-1]
        for column, value in wanted.items():
            if not abs(found[column] - value) <= max(
                KM_TOLERANCE * abs(value), 5 if column.endswith("_m") else 0
            ):
                return f"{column} is {found[column]:g}, not {value:g}"
        return ""

    return look


def says(*words: str) -> Truth:
    """Return a truth about what is printed."""

    def look(_folder: Path, told: str) -> str:
        missing = [word for word in words if word not in told]
        return f"does not say {missing}" if missing else ""

    return look
