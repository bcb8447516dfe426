"""A raster's outline in degrees, and probabilities as rasters: written in strips, read in tiles."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyproj
import rasterio
import rasterio.shutil
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window
from shapely import MultiPolygon, Polygon

from glsweep.files import replacing

POINTS_A_SIDE = 32
"""Of the longest side at first: what is straight on the map is curved in degrees."""
INEXACT_PX = 0.25
MOST_HALVINGS = 12
DEGREES = 4326


class GeoJsonOutline(NamedTuple):
    """An outline in degrees (EPSG:4326, longitude first).

    Attributes
    ----------
    geometry : Polygon or MultiPolygon
        A Polygon, or a MultiPolygon where the antimeridian cuts it (RFC 7946, 3.1.9).
    bbox : list of float
        West, south, east, north; west is greater than east across the antimeridian (RFC 7946, 5.2).
    """

    geometry: Polygon | MultiPolygon
    bbox: list[float]


def geojson_outline(shape: tuple[int, int], transform: Affine, crs: CRS) -> GeoJsonOutline | None:
    """Return the outline of a raster's pixels; None where a part of it has no place on Earth."""
    rows, cols = shape
    corners = [transform @ corner for corner in [(0, 0), (cols, 0), (cols, rows), (0, rows)]]
    to_degrees = pyproj.Transformer.from_crs(pyproj.CRS.from_wkt(crs.to_wkt()), DEGREES, always_xy=True)
    posting = abs(transform.determinant) ** 0.5
    outline, pole_within = _around_poles(Polygon(corners), to_degrees, posting)
    dense = shapely.segmentize(outline, max(rows, cols) * posting / POINTS_A_SIDE)
    on_map = _dense_enough(shapely.get_coordinates(dense.exterior), to_degrees, posting)
    degrees = np.column_stack(to_degrees.transform(*on_map.T))
    # Some maps go around the Earth again and again: what comes back elsewhere has no place on it.
    again = np.column_stack(to_degrees.transform(degrees[:, 0], degrees[:, 1], direction="INVERSE"))
    if not (np.hypot(*(again - on_map).T) < posting).all():
        return None
    ring = np.column_stack([np.unwrap(degrees[:, 0], period=360), degrees[:, 1]])
    if pole_within is not None:
        ring = np.vstack([ring, [[ring[-1, 0], pole_within], [ring[0, 0], pole_within]]])
    else:
        # The last point is the first one but for its rounding, which would make a spike.
        ring = ring[:-1]
    parts = _cut(Polygon(ring))
    west, south, east, north = shapely.bounds(shapely.union_all(parts)).tolist()
    if pole_within is None and len(parts) > 1:
        west, east = (_wrapped(float(edge)) for edge in (ring[:, 0].min(), ring[:, 0].max()))
    # Around a pole the two sides of the cut are one polygon again.
    merged = shapely.get_parts(shapely.union_all(parts))
    oriented = [shapely.geometry.polygon.orient(part) for part in merged]
    geometry = oriented[0] if len(oriented) == 1 else MultiPolygon(oriented)
    return GeoJsonOutline(geometry, [west, south, east, north])


def _dense_enough(
    on_map: npt.NDArray[np.float64], to_degrees: pyproj.Transformer, posting: float
) -> npt.NDArray[np.float64]:
    """Halve pieces longer than a pixel until their middle in degrees is their middle on the map."""
    for _ in range(MOST_HALVINGS):
        longitude, latitude = to_degrees.transform(*on_map.T)
        if not np.isfinite([longitude, latitude]).all():
            break
        ring = np.column_stack([np.unwrap(longitude, period=360), latitude])
        halfway = (ring[1:] + ring[:-1]) / 2
        straight = to_degrees.transform(halfway[:, 0], halfway[:, 1], direction="INVERSE")
        middle = (on_map[1:] + on_map[:-1]) / 2
        is_inexact = np.hypot(*(np.column_stack(straight) - middle).T) > INEXACT_PX * posting
        is_inexact &= np.hypot(*np.diff(on_map, axis=0).T) > posting
        if not is_inexact.any():
            break
        on_map = np.insert(on_map, np.flatnonzero(is_inexact) + 1, middle[is_inexact], axis=0)
    return on_map


def _around_poles(
    outline: Polygon, to_degrees: pyproj.Transformer, posting: float
) -> tuple[Polygon, float | None]:
    """Return an outline that passes no pole closer than a pixel, and the latitude of a pole within."""
    for latitude in (-90.0, 90.0):
        x, y = to_degrees.transform(0, latitude, direction="INVERSE")
        if not np.isfinite([x, y]).all():
            continue
        pole = shapely.Point(x, y)
        if outline.exterior.distance(pole) < posting:
            # At the pole itself there is no longitude.
            rest = shapely.get_parts(outline.difference(pole.buffer(posting)))
            return max(rest, key=lambda part: part.area), None
        if outline.contains(pole):
            return outline, latitude
    return outline, None


def _cut(polygon: Polygon) -> list[Polygon]:
    """Cut a polygon with unwrapped longitudes at each antimeridian, and move the pieces to -180 to 180."""
    first, last = (int((bound + 180) // 360) for bound in (polygon.bounds[0], polygon.bounds[2]))
    pieces = []
    for turn in range(first, last + 1):
        piece = polygon.intersection(shapely.box(360 * turn - 180, -90, 360 * turn + 180, 90))
        moved = shapely.transform(piece, lambda xy, turn=turn: xy - [360 * turn, 0])
        pieces += [part for part in shapely.get_parts(moved) if part.area > 0]
    return pieces


def _wrapped(longitude: float) -> float:
    return (longitude + 180) % 360 - 180


# --- Probabilities as rasters

BLOCK_PX = 512
LONG_NAMES = {
    "probability": "probability of a grounding line, mean of the members",
    "spread": "standard deviation of the members' probabilities",
}
"""The bands of the file that is written, in their order."""

Floats = npt.NDArray[np.float32]


class ProbabilityRaster:
    """A scene's probability on disk, one band a network, NaN where there is no data.

    Parameters
    ----------
    dataset : rasterio dataset
        Open for reading and writing.
    """

    def __init__(self, dataset: rasterio.io.DatasetWriter) -> None:
        self._dataset = dataset

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self._dataset.shape
        return rows, cols

    @property
    def transform(self) -> Affine:
        """From (col, row) pixel corners to map coordinates."""
        transform: Affine = self._dataset.transform
        return transform

    @property
    def map_crs(self) -> pyproj.CRS:
        """The map's coordinate reference system."""
        return pyproj.CRS.from_wkt(self._dataset.crs.to_wkt())

    @property
    def tags(self) -> dict[str, str]:
        """What the file says of itself, by names in capitals."""
        return {str(key).upper(): str(value) for key, value in self._dataset.tags().items()}

    @property
    def bands(self) -> int:
        """How many there are."""
        count: int = self._dataset.count
        return count

    def first_band(self) -> Floats:
        """Return the first band, (rows, cols), NaN where there is no data."""
        values: Floats = self._dataset.read(1)
        return values

    def write(self, row: int, probability: Floats, has_data: npt.NDArray[np.bool_]) -> None:
        """Write whole rows, (members, rows, cols), the first of them at `row`."""
        values = np.where(has_data, probability, np.nan).astype(np.float32)
        self._dataset.write(values, window=Window(0, row, values.shape[2], values.shape[1]))

    def read(self, tile: Sequence[int]) -> Floats:
        """Return a rectangle (row, col, rows, cols) of all bands, NaN where there is no data."""
        row, col, rows, cols = tile
        values: Floats = self._dataset.read(window=Window(col, row, cols, rows))
        return values

    def read_coarsely(self, longest_px: int) -> Floats:
        """Return the mean over the bands, (rows, cols) of `longest_px` at most, NaN without data."""
        scale = min(1.0, longest_px / max(self.shape))
        shape = tuple(max(1, round(side * scale)) for side in self.shape)
        values = self._dataset.read(out_shape=(self._dataset.count, *shape))
        return np.asarray(values.mean(axis=0), dtype=np.float32)

    def write_cog(self, path: Path, tags: Mapping[str, str]) -> None:
        """Write a cloud-optimised GeoTIFF: the members' mean and, of several, their spread.

        Whole or not at all, with overviews; NaN where there is no data. Bands are described in
        the words of the CF conventions; `tags` say where the file comes from.
        """
        with replacing(path) as temporary:
            if self._dataset.count == 1:
                _copy(self._dataset, temporary, tags)
            else:
                with self._statistics() as statistics:
                    _copy(statistics, temporary, tags)

    @contextmanager
    def _statistics(self) -> Iterator[rasterio.io.DatasetWriter]:
        """Yield a temporary raster of two bands: the members' mean and standard deviation."""
        path = Path(self._dataset.name).with_name("statistics.tif")
        with rasterio.open(path, "w+", **{**self._dataset.profile, "count": 2}) as statistics:
            for _, window in statistics.block_windows(1):
                bands = self._dataset.read(window=window)
                statistics.write(np.stack([bands.mean(axis=0), bands.std(axis=0)]), window=window)
            yield statistics
        path.unlink()


class OneBand:
    """One band of a raster of probabilities, as a raster by itself.

    Parameters
    ----------
    raster : ProbabilityRaster
        The whole.
    band : int
        Its number, from 0.
    """

    def __init__(self, raster: ProbabilityRaster, band: int) -> None:
        self._raster, self._band = raster, band

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self._raster.shape

    def read(self, tile: Sequence[int]) -> Floats:
        """Return a rectangle (row, col, rows, cols) of the band, (1, rows, cols), NaN without data."""
        return self._raster.read(tile)[self._band : self._band + 1]


def _copy(source: rasterio.io.DatasetWriter, target: Path, tags: Mapping[str, str]) -> None:
    source.descriptions = tuple(LONG_NAMES)[: source.count]
    source.units = ("1",) * source.count
    for band, long_name in zip(source.indexes, LONG_NAMES.values(), strict=False):
        source.update_tags(band, long_name=long_name, units="1")
    source.update_tags(**tags)
    rasterio.shutil.copy(
        source,
        target,
        driver="COG",
        compress="deflate",
        predictor="YES",
        blocksize=BLOCK_PX,
        overview_resampling="average",
        num_threads="ALL_CPUS",
    )


@contextmanager
def open_probability(path: Path) -> Iterator[ProbabilityRaster]:
    """Open a probability that was written before."""
    with rasterio.open(path) as dataset:
        yield ProbabilityRaster(dataset)


@contextmanager
def temporary_probability(
    folder: Path, shape: tuple[int, int], transform: Affine, crs: CRS, *, members: int
) -> Iterator[ProbabilityRaster]:
    """Yield an empty raster in `folder`, which is removed when the block ends.

    Parameters
    ----------
    folder : Path
        Where there is room for `members` x rows x cols x 4 bytes.
    shape : tuple of int
        Rows and columns.
    transform : Affine
        From (col, row) pixel corners to map coordinates.
    crs : CRS
        The map's.
    members : int
        Number of bands.
    """
    path = folder / "members.tif"
    profile = {
        "driver": "GTiff",
        "width": shape[1],
        "height": shape[0],
        "count": members,
        "dtype": "float32",
        "nodata": np.nan,
        "crs": crs,
        "transform": transform,
        "tiled": True,
        "blockxsize": BLOCK_PX,
        "blockysize": BLOCK_PX,
        "bigtiff": "if_safer",
    }
    with rasterio.open(path, "w+", **profile) as dataset:
        yield ProbabilityRaster(dataset)
    path.unlink()
