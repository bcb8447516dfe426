"""Kind 4: where a raster lies, and whether its metres are metres on the ground."""

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
from affine import Affine
from rasterio.crs import CRS
from shapely import LineString, MultiLineString

from bad_cases.case import (
    SIDE,
    Cases,
    line,
    lines,
    lines_of_all,
    parts,
    place,
    raster,
    refused,
    right,
    scenes_are,
    table_has,
    values,
)

REAL, IMAGINARY = parts()


def moved(root: Path, epsg: int | str, x: float, y: float, posting: float = 100) -> None:
    """Write the scene anew on another map."""
    crs = CRS.from_user_input(epsg)
    raster(root, REAL, IMAGINARY, crs=crs, transform=Affine(posting, 0, x, 0, -posting, y))


def placed(root: Path, *transform: float) -> None:
    """Write the scene anew with another transform of the polar map."""
    raster(root, REAL, IMAGINARY, transform=Affine(*transform))


def upside_down(root: Path) -> None:
    """Write the scene anew with its southern row first, where it was."""
    transform = place() @ Affine.translation(0, SIDE) @ Affine.scale(1, -1)
    raster(root, REAL[::-1], IMAGINARY[::-1], transform=transform)


def upside_down_is_right(folder: Path, _told: str) -> str:
    """Compare with the rows in the file's order."""
    return scenes_are(folder, {n: values(n)[:: -1 if n == 1 else 1] for n in range(4)})


def utm(root: Path) -> None:
    """Move the scene and its line to the UTM zone in which they lie."""
    table = gpd.GeoSeries([line()], crs=3031).to_crs(32710)
    west, _, _, north = table.total_bounds
    transform = Affine(100, 0, west - 3000, 0, -100, north + 500)
    raster(root, REAL, IMAGINARY, crs=CRS.from_epsg(32710), transform=transform)
    ours = LineString([transform @ corner for corner in ((40, 5), (80, 70), (120, SIDE - 5))])
    there = gpd.GeoSeries([ours], crs=32710).to_crs(3031)[0]
    lines(root, [line(0), there, line(2), line(3)])


def long_line(points: int = 2) -> LineString:
    """Return a line along a parallel, in degrees."""
    return LineString([(west, -72.0) for west in np.linspace(-110, -100, points)])


def pair(root: Path, one: Any, other: Any, crs: int = 4326, other_crs: int = 4326) -> None:
    """Write two files of lines to be compared."""
    gpd.GeoSeries([one], crs=4326).to_crs(crs).to_file(root / "a.gpkg")
    gpd.GeoSeries([other], crs=4326).to_crs(other_crs).to_file(root / "b.gpkg")


DENSE = long_line(4001)
COMPARE = "compare data/a.gpkg data/b.gpkg --table table.csv"
LONG_KM = 345.04
"""Of the parallel: 10 degrees at 72 south on WGS 84."""

CASES: Cases = {
    "no CRS": refused(lambda r: raster(r, REAL, IMAGINARY, crs=None), "s1", "CRS"),
    "no geotransform": refused(
        lambda r: raster(r, REAL, IMAGINARY, transform=Affine.identity()), "s1", "geotransform"
    ),
    "degrees": refused(lambda r: moved(r, 4326, -110, -75, 0.001), "s1", "not projected"),
    "US survey feet": refused(lambda r: moved(r, 2263, 1e6, 2e5), "s1", "foot"),
    "web Mercator": refused(lambda r: moved(r, 3857, -1.2e7, -1.2e7), "s1", "3857"),
    "world Mercator": refused(lambda r: moved(r, 3395, -1.2e7, -1.1e7), "s1"),
    "Mercator at 20 degrees": refused(lambda r: moved(r, 3857, 1e6, -2.3e6), "s1"),
    "the other pole's map": refused(lambda r: moved(r, 3413, -1.4e7, -1e7), "s1"),
    "a far UTM zone": refused(lambda r: moved(r, 32633, 4e6, 1e6), "s1"),
    "plate carree": refused(lambda r: moved(r, 4087, -1.2e7, -8.2e6), "s1"),
    "Mollweide": refused(lambda r: moved(r, "ESRI:54009", -6e6, -8e6), "s1"),
    "a place that is none": refused(lambda r: moved(r, 3857, 1e9, 1e9), "s1"),
    "its own UTM zone": right(utm),
    "the southern row first": right(upside_down, truth=upside_down_is_right),
    "oblong pixels": refused(lambda r: placed(r, 100, 0, -1.36e6, 0, -50, -1e6), "s1", "not square"),
    "sheared pixels": refused(lambda r: placed(r, 100, 60, -1.36e6, 0, -100, -1e6), "s1"),
    "a posting of 1 mm": refused(lambda r: placed(r, 1e-3, 0, -1.36e6, 0, -1e-3, -1e6), "s1", "posting"),
    "a posting of 1,000 km": refused(lambda r: placed(r, 1e6, 0, -1.36e6, 0, -1e6, -1e6), "posting"),
    "another posting than the others'": refused(
        lambda r: placed(r, 50, 0, -1.36e6, 0, -50, -1e6), "s1", "posting"
    ),
    "lines in degrees": right(
        lambda r: (
            (r / "lines.gpkg").unlink(),
            gpd.GeoDataFrame({"source_file": [f"s{n}" for n in range(4)]}, geometry=lines_of_all(), crs=3031)
            .to_crs(4326)
            .to_file(r / "lines.gpkg"),
        )
    ),
    "lines of the wrong hemisphere": refused(lambda r: lines(r, lines_of_all(), crs=3413), "lines.gpkg"),
    "degrees called metres": refused(
        lambda r: lines(r, [LineString([(-110, -74), (-109, -75)])] * 4), "lines.gpkg"
    ),
    "lines compared on two maps": right(
        lambda r: pair(r, DENSE, DENSE, 3031, 32713),
        command=COMPARE,
        truth=table_has(lines_km=LONG_KM, reference_km=LONG_KM, mean_m=0),
    ),
    "lines compared on Mercator's map": right(
        lambda r: pair(r, DENSE, DENSE, 3857, 3031),
        command=COMPARE,
        truth=table_has(lines_km=LONG_KM, reference_km=LONG_KM, mean_m=0),
    ),
    "few vertices in degrees": right(
        lambda r: pair(r, long_line(), DENSE),
        command=COMPARE,
        truth=table_has(lines_km=LONG_KM, mean_m=0),
    ),
    "lines across the antimeridian": right(
        lambda r: pair(
            r,
            LineString([(179.0, -78), (181.0, -78)]),
            MultiLineString([[(179.0, -78), (180.0, -78)], [(-180.0, -78), (-179.0, -78)]]),
        ),
        command=COMPARE,
        truth=table_has(lines_km=46.5, mean_m=0),
    ),
}
