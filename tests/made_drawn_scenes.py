"""Scenes with lines as if they had been drawn, without a network."""

from pathlib import Path

import pyproj
import rasterio
from affine import Affine
from made_input import NORTH_UP, POLAR
from shapely import LineString

from glsweep.prediction.products import as_table
from glsweep.prediction.provenance import Provenance
from glsweep.prediction.scene import PredictedScene
from glsweep.scenes.names import Acquisition, dates_in, sensor_of
from glsweep.scenes.raster import RasterHeader
from glsweep.vectorize import DrawnLine


def drawn_scene(
    name: str,
    lines: list[LineString],
    *,
    header: RasterHeader | None = None,
    transform: Affine = NORTH_UP,
    crs: rasterio.crs.CRS = POLAR,
    shape: tuple[int, int] = (150, 210),
    is_placed: bool = True,
) -> PredictedScene:
    """Return a scene, whose raster need not exist, with lines as long as they are on its map."""
    header = header or RasterHeader(Path(f"{name}.tif"), shape, transform, crs, is_placed=is_placed)
    acquisition = Acquisition(tuple(dates_in(name)), sensor_of(name, {}))
    drawn = [DrawnLine(line, line.length, 0.9, 200.0) for line in lines]
    nothing = [float("nan")] * len(lines)
    table = as_table(
        drawn,
        pyproj.CRS.from_wkt(header.crs.to_wkt()),
        Provenance(name, acquisition, ("member",), ("0123",), 0.5),
        None,
        spreads_m=nothing,
        hinges_m=nothing,
    )
    return PredictedScene(header, acquisition, drawn, table, Path(f"{name}-probability.tif"), [], drawn)
