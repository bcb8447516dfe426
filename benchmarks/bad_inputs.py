"""Rasters, lines and data cards with one fault each: is it told in one clear line, with nothing written?

A case is handled when `prepare` ends with exit code 2, prints one line that names the file at fault and
what is wrong, and leaves no study behind; or, where the fault can be lived with, when it runs through.

Run: `python benchmarks/bad_inputs.py` (about a minute).
"""

import contextlib
import io
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rich.console import Console
from rich.table import Table
from shapely import LineString, MultiLineString, MultiPoint, Point, Polygon, force_3d

from glsweep.run import main
from glsweep.scenes.raster import write_interferogram

SIDE = 160
POLAR = CRS.from_epsg(3031)
CARD = "name: bad\nroot: data\nlayout: {{rasters: '{rasters}', lines: lines.gpkg{layout}}}\n{more}"


def place(number: int) -> Affine:
    """Return where a scene lies: side by side, with gaps."""
    return Affine(100, 0, number * 40_000, 0, -100, 0)


def values() -> Any:
    """Return smooth fringes with a collar."""
    row, col = np.indices((SIDE, SIDE))
    fringes = np.exp(1j * (row + 2 * col) / 9).astype(np.complex64)
    fringes[:, :16] = 0
    return fringes


def line(number: int) -> LineString:
    """Return a line through a scene."""
    return LineString([place(number) @ corner for corner in ((30, 5), (80, 70), (120, SIDE - 5))])


def good(root: Path) -> None:
    """Write four scenes with a line each, without a fault."""
    for number in range(4):
        write_interferogram(root / "DInSAR" / f"s{number}.tif", values(), place(number), POLAR)
    lines(root, [line(number) for number in range(4)])


def lines(root: Path, geometries: list[Any], **options: Any) -> None:
    """Write the file of lines anew."""
    path = root / str(options.pop("name", "lines.gpkg"))
    (root / "lines.gpkg").unlink(missing_ok=True)
    column = options.pop("column", "source_file")
    table = gpd.GeoDataFrame(
        {column: [f"s{n}.shp" for n in range(len(geometries))]},
        geometry=geometries,
        crs=options.pop("crs", 3031),
    )
    table.to_file(path, **options)


def raster(root: Path, bands: Any, name: str = "s1", **options: Any) -> None:
    """Write a scene anew with bands (B, rows, cols) as they are."""
    path = root / "DInSAR" / f"{name}.tif"
    path.unlink(missing_ok=True)
    size = {"count": len(bands), "height": bands.shape[1], "width": bands.shape[2], "dtype": bands.dtype}
    where = {"transform": place(1), "crs": POLAR} | options
    with (
        warnings.catch_warnings(action="ignore"),
        rasterio.open(path, "w", driver="GTiff", **size, **where) as file,
    ):
        file.write(bands)


def two_bands() -> Any:
    """Return real and imaginary part, (2, rows, cols)."""
    return np.stack([values().real, values().imag]).astype(np.float32)


def described(root: Path, bands: Any, *names: str) -> None:
    """Write a scene anew whose bands are described."""
    raster(root, bands)
    with rasterio.open(root / "DInSAR" / "s1.tif", "r+") as file:
        file.descriptions = names


def replaced(root: Path, *transform: float, epsg: int = 3031) -> None:
    """Write a scene anew at another place."""
    raster(root, two_bands(), transform=Affine(*transform), crs=CRS.from_epsg(epsg))


def cut(path: Path, share: float) -> None:
    """Keep the first part of a file."""
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])


def card(root: Path, layout: str = "", more: str = "", rasters: str = "DInSAR/*.tif") -> None:
    """Write a data card beside the folder."""
    (root.parent / "card.yaml").write_text(CARD.format(layout=layout, more=more, rasters=rasters))


def moved(root: Path, epsg: int) -> None:
    """Write the lines anew in another CRS."""
    table = gpd.read_file(root / "lines.gpkg").to_crs(epsg)
    (root / "lines.gpkg").unlink()
    table.to_file(root / "lines.gpkg")


def renamed(root: Path) -> None:
    """Write the lines anew as of a scene that is not there."""
    table = gpd.read_file(root / "lines.gpkg").assign(source_file="elsewhere.shp")
    (root / "lines.gpkg").unlink()
    table.to_file(root / "lines.gpkg")


def first(root: Path) -> Path:
    """Return the scene that is broken."""
    return root / "DInSAR" / "s1.tif"


Break = Callable[[Path], object]
RASTERS: dict[str, tuple[Break, str]] = {
    "empty file": (lambda r: first(r).write_bytes(b""), "s1.tif"),
    "text in place of a raster": (lambda r: first(r).write_text("no raster"), "s1.tif"),
    "cut in its header": (lambda r: cut(first(r), 0.01), "s1.tif"),
    "cut in its pixels": (lambda r: cut(first(r), 0.6), "s1.tif"),
    "a folder": (lambda r: (first(r).unlink(), first(r).mkdir()), "fine"),
    "all NaN": (lambda r: raster(r, np.full((2, SIDE, SIDE), np.nan, np.float32)), "s1.tif"),
    "all 0": (lambda r: raster(r, np.zeros((2, SIDE, SIDE), np.float32), nodata=0), "s1.tif"),
    "no CRS": (lambda r: raster(r, two_bands(), crs=None), "s1.tif"),
    "no geotransform": (lambda r: raster(r, two_bands(), transform=Affine.identity()), "s1.tif"),
    "geographic CRS": (
        lambda r: replaced(r, 0.001, 0, 0, 0, -0.001, -75, epsg=4326),
        "not projected",
    ),
    "CRS in feet": (lambda r: raster(r, two_bands(), crs=CRS.from_epsg(2263)), "foot"),
    "oblong pixels": (lambda r: replaced(r, 100, 0, 4e4, 0, -50, 0), "not square"),
    "sheared pixels": (lambda r: replaced(r, 100, 60, 4e4, 0, -100, 0), "s1.tif"),
    "posting of 1 mm": (
        lambda r: replaced(r, 0.001, 0, 0, 0, -0.001, 0),
        "posting",
    ),
    "posting of 1,000 km": (lambda r: replaced(r, 1e6, 0, 0, 0, -1e6, 0), "posting"),
    "another posting": (lambda r: replaced(r, 50, 0, 4e4, 0, -50, 0), "posting"),
    "integers": (lambda r: raster(r, (two_bands() * 100).astype(np.int16)), "int16"),
    "bytes": (lambda r: raster(r, np.ones((1, SIDE, SIDE), np.uint8)), "uint8"),
    "three bands": (lambda r: raster(r, np.ones((3, SIDE, SIDE), np.float32)), "3 bands"),
    "one band of coherence": (lambda r: raster(r, np.abs(two_bands()[:1])), "coherence"),
    "unwrapped phase": (lambda r: raster(r, two_bands()[:1] * 40), "unwrapped"),
    "bands swapped by name": (lambda r: described(r, two_bands(), "imaginary", "real"), "swapped"),
    "bands swapped by values": (
        lambda r: raster(r, np.stack([np.abs(two_bands()[0]), 3.1 * two_bands()[0]])),
        "swapped",
    ),
    "foreign bands": (lambda r: described(r, two_bands(), "VV", "VH"), "fine"),
    "two of one name": (
        lambda r: (shutil.copytree(r / "DInSAR", r / "again"), card(r, rasters="*/*.tif")),
        "has the name of",
    ),
}
LINES: dict[str, tuple[Break, str]] = {
    "no file": (lambda r: (r / "lines.gpkg").unlink(), "file of lines"),
    "two files": (lambda r: shutil.copy(r / "lines.gpkg", r / "other.gpkg"), "other.gpkg"),
    "empty file of lines": (lambda r: (r / "lines.gpkg").write_bytes(b""), "lines.gpkg"),
    "text in place of lines": (lambda r: (r / "lines.gpkg").write_text("no lines"), "lines.gpkg"),
    "cut file of lines": (lambda r: cut(r / "lines.gpkg", 0.3), "lines.gpkg"),
    "no rows": (lambda r: lines(r, []), "lines.gpkg"),
    "no CRS of the lines": (
        lambda r: lines(r, [line(n) for n in range(4)], crs=None),
        "lines.gpkg",
    ),
    "missing column": (
        lambda r: lines(r, [line(n) for n in range(4)], column="scene"),
        "source_file",
    ),
    "null geometries": (lambda r: lines(r, [None] * 4), "lines.gpkg"),
    "some null geometries": (lambda r: lines(r, [*[line(n) for n in range(4)], None]), "fine"),
    "empty geometries": (lambda r: lines(r, [LineString()] * 4), "lines.gpkg"),
    "lines of no length": (
        lambda r: lines(r, [LineString([place(n) @ (50, 50)] * 2) for n in range(4)]),
        "lines.gpkg",
    ),
    "points": (lambda r: lines(r, [Point(place(n) @ (50, 50)) for n in range(4)]), "Point"),
    "many points": (
        lambda r: lines(r, [MultiPoint([place(n) @ (50, 50), place(n) @ (60, 60)]) for n in range(4)]),
        "Point",
    ),
    "a vertex that is not a number": (
        lambda r: lines(r, [LineString([(0, 0), (np.nan, np.nan)]), *[line(n) for n in range(1, 4)]]),
        "lines.gpkg",
    ),
    "heights": (lambda r: lines(r, [force_3d(line(n), 7.0) for n in range(4)]), "fine"),
    "mixed kinds": (
        lambda r: lines(
            r,
            [
                line(0),
                MultiLineString([line(1)]),
                Polygon([place(2) @ c for c in ((30, 20), (120, 30), (60, 130))]),
                force_3d(line(3)),
            ],
        ),
        "fine",
    ),
    "a self-crossing polygon": (
        lambda r: lines(
            r,
            [Polygon([place(n) @ c for c in ((30, 20), (120, 130), (120, 20), (30, 130))]) for n in range(4)],
        ),
        "fine",
    ),
    "another CRS": (lambda r: moved(r, 4326), "fine"),
    "the wrong hemisphere": (lambda r: lines(r, [line(n) for n in range(4)], crs=3413), "lines.gpkg"),
    "degrees called metres": (
        lambda r: lines(r, [LineString([(-110, -74), (-109, -75)])] * 4),
        "lines.gpkg",
    ),
    "other scenes' names": (renamed, "lines.gpkg"),
}
CARDS: dict[str, tuple[Break, str]] = {
    "unknown key": (lambda r: card(r, more="colour: blue\n"), "colour"),
    "no YAML": (lambda r: (r.parent / "card.yaml").write_text("name: [\n"), "card.yaml"),
    "an empty card": (lambda r: (r.parent / "card.yaml").write_text(""), "card.yaml"),
    "a Python object": (
        lambda r: (r.parent / "card.yaml").write_text("name: !!python/object/apply:os.system ['true']\n"),
        "card.yaml",
    ),
    "missing root": (lambda r: (card(r), shutil.rmtree(r)), "not a folder"),
    "negative posting": (lambda r: card(r, more="posting_m: -100\n"), "posting_m"),
    "another posting than the scenes'": (lambda r: card(r, more="posting_m: 50\n"), "posting"),
    "another kind than the bands": (lambda r: card(r, ", bands: complex"), "layout.bands"),
    "no raster matches": (
        lambda r: (card(r), shutil.move(r / "DInSAR", r / "elsewhere")),
        "no raster matches",
    ),
    "splits that do not sum to 1": (lambda r: card(r, more="split: {train: 0.9}\n"), "sum to 1"),
    "a region that is not there": (
        lambda r: card(r, more="split: {rule: region, regions: [{split: test, scenes: [x*]}]}\n"),
        "x*",
    ),
    "a column that is not there": (
        lambda r: card(r, more="split: {rule: column, column: dataset}\n"),
        "dataset",
    ),
    "soft labels without a width": (lambda r: card(r, more="label: soft\n"), "label_width_m"),
}


def attempt(break_it: Break, says: str) -> tuple[bool, str]:
    """Try one case in a folder of its own; return whether it is handled, and what was printed."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        root = Path(folder) / "data"
        good(root)
        with warnings.catch_warnings(action="ignore"):
            break_it(root)
        data = Path("card.yaml") if Path("card.yaml").exists() else Path("data")
        out, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            code = main(["prepare", "--data", str(data), "--study", "study"])
        told = errors.getvalue().strip()
        if says == "fine":
            return code == 0 and not told, told
        one_line = told.startswith("error: ") and "\n" not in told
        return code == 2 and one_line and says in told and not Path("study").exists(), told


def run() -> int:
    """Try all cases, print a row for each and the count."""
    os.environ.setdefault("COLUMNS", "150")
    table = Table("", "case", "handled", "what is told")
    handled = total = 0
    for group, cases in (("raster", RASTERS), ("lines", LINES), ("card", CARDS)):
        for name, (break_it, says) in cases.items():
            try:
                is_handled, told = attempt(break_it, says)
            except Exception as error:  # noqa: BLE001  a case that is not handled must not end the others
                is_handled, told = False, f"{type(error).__name__}: {error}"
            handled, total = handled + is_handled, total + 1
            table.add_row(group, name, "yes" if is_handled else "NO", told[:110] or "runs through")
    console = Console()
    console.print(table, highlight=False, markup=False)
    console.print(f"{handled} of {total} handled")
    return 0 if handled == total else 1


if __name__ == "__main__":
    sys.exit(run())
