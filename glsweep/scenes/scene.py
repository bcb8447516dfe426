"""A scene: one double-difference interferogram and its lines, in memory and on disk."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from affine import Affine
from rasterio.crs import CRS
from shapely import LineString, MultiPolygon, Polygon

from glsweep.config.data_card import LineRule, SplitName
from glsweep.errors import DataError
from glsweep.geodesy import lengths_m
from glsweep.scenes.masks import KeptRows, LineRows, read_mask
from glsweep.scenes.npz_scene import NpzHeader
from glsweep.scenes.raster import RasterHeader
from glsweep.scenes.source import Window


@dataclass(frozen=True)
class Scene:
    """One interferogram with its grounding lines.

    Attributes
    ----------
    name : str
        The raster file's stem, which joins it to its lines.
    interferogram : complex64 array (rows, cols)
        Wrapped phase as angle; 0 where there is no data.
    transform : Affine
        From (col, row) pixel corners to map coordinates, in metres.
    crs : CRS
        Projected coordinate reference system.
    lines : tuple of LineString
        Grounding lines in `crs`; empty when none was drawn.
    unsure : tuple of LineString
        Where a line may run, but nobody can tell.
    second_analyst : tuple of LineString or None
        Another analyst's lines in `crs`; None where no other has looked.
    grounded : bool array (rows, cols) or None
        Where ice is landward of the line, before the hand's wobble; None where nobody says.
    """

    name: str
    interferogram: npt.NDArray[np.complex64]
    transform: Affine
    crs: CRS
    lines: tuple[LineString, ...] = ()
    unsure: tuple[LineString, ...] = ()
    second_analyst: tuple[LineString, ...] | None = None
    grounded: npt.NDArray[np.bool_] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, cols = self.interferogram.shape
        return rows, cols

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """Pixels that hold data, (rows, cols)."""
        return np.asarray(self.interferogram != 0)

    @property
    def posting_m(self) -> float:
        """Side of a pixel in metres; the reader has made sure that pixels are square."""
        return float(np.hypot(self.transform.a, self.transform.d))

    def ground(self, row: int, col: int, rows: int, cols: int) -> Polygon:
        """Return the window's outline in map coordinates."""
        corners = [(col, row), (col + cols, row), (col + cols, row + rows), (col, row + rows)]
        return Polygon([self.transform @ corner for corner in corners])


# --- A scene on disk, whose pixels are read only when needed

STRIP_PX = 2**23
"""Pixels that are read at once where a whole scene might not fit the memory."""


def row_strips(rows: int, cols: int, *, least_rows: int = 1, most_px: int = STRIP_PX) -> Iterator[Window]:
    """Yield strips of rows, from the top down, of at most so many pixels but at least so many rows."""
    height = max(least_rows, most_px // max(1, cols))
    for top in range(0, rows, height):
        yield Window(top, 0, min(height, rows - top), cols)


@dataclass(frozen=True)
class SceneEntry:
    """One scene on disk, with its lines but without its pixels.

    Attributes
    ----------
    header : RasterHeader
        The raster.
    lines : tuple of LineString
        Lines in the raster's CRS; they may reach beyond its footprint.
    rows_without_geometry : int
        Rows of the line file that name this scene and hold no line.
    has_row : bool
        Whether the line file names this scene at all.
    data_set : str
        Name of the data card that the scene is from.
    test_only : bool
        Whether the scene must not be trained on.
    group : str or None
        Scenes of one group stay in one split, such as the tiles of one interferogram.
    split : str or None
        The split that the file of lines names, where the card names its column.
    prefix : str
        Put before the scene's name where several data sets are joined.
    mask_path : Path or None
        The mask that holds the lines, where they come as a raster.
    unsure : tuple of LineString
        Where a line may run, but nobody can tell, in the raster's CRS.
    unsure_within_m : float
        How far from there nobody can tell.
    second_analyst : tuple of LineString or None
        Another analyst's lines, in the raster's CRS; None where no other has looked at the scene.
    grounded : MultiPolygon or None
        Where ice is grounded, in the raster's CRS; None where nobody says.
    """

    header: RasterHeader
    lines: tuple[LineString, ...]
    rows_without_geometry: int
    has_row: bool
    data_set: str = ""
    test_only: bool = False
    group: str | None = None
    split: SplitName | None = None
    prefix: str = ""
    mask_path: Path | None = None
    unsure: tuple[LineString, ...] = ()
    unsure_within_m: float = 0.0
    second_analyst: tuple[LineString, ...] | None = None
    grounded: MultiPolygon | None = None

    @property
    def name(self) -> str:
        """The raster's stem, after the data set's name where several are joined."""
        return self.prefix + self.header.name

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.header.shape

    @property
    def posting_m(self) -> float:
        """Side of a pixel in metres."""
        return self.header.posting_m

    @property
    def map_crs(self) -> pyproj.CRS | None:
        """The scene's map, by which lengths are measured; None where its place on Earth is unknown."""
        return pyproj.CRS.from_wkt(self.header.crs.to_wkt()) if self.header.is_placed else None

    @property
    def line_km(self) -> float:
        """Length of line within the footprint, in kilometres on the ground."""
        within = shapely.get_parts(shapely.intersection(list(self.lines), self.ground()))
        return float(lengths_m(within[shapely.length(within) > 0], self.map_crs).sum()) / 1000

    def ground(self) -> Polygon:
        """Return the whole footprint in the scene's own CRS."""
        return self.header.footprint

    def read_pixels(self, window: Window | None = None) -> npt.NDArray[np.complex64]:
        """Read one window, or the whole, as complex64 (rows, cols); 0 where there is no data."""
        return self.header.read(window)

    def valid(self) -> npt.NDArray[np.bool_]:
        """Return the pixels that hold data, (rows, cols), without holding all values at once.

        Raises
        ------
        DataError
            When there is none, or the raster cannot be read.
        """
        return np.concatenate([valid for _, valid in self.valid_strips()])

    def valid_strips(self, most_px: int = STRIP_PX) -> Iterator[tuple[Window, npt.NDArray[np.bool_]]]:
        """Yield strips of rows, of at most so many pixels, each with where it holds data.

        Raises
        ------
        DataError
            When none does, or the raster cannot be read.
        """
        found = False
        for strip in row_strips(*self.shape, most_px=most_px):
            valid = self.read_pixels(strip) != 0
            found = found or bool(valid.any())
            yield strip, valid
        if not found:
            pixels = math.prod(self.shape)
            raise DataError(f"{self.header.path}: all {pixels} pixels are without data; remove the file")

    def line_mask(self, rule: LineRule) -> npt.NDArray[np.uint8]:
        """Return 1 on the line and 0 elsewhere, (rows, cols); a given mask is used as it is."""
        return self.line_rows(rule).rows(0, self.shape[0])

    def line_rows(self, rule: LineRule) -> LineRows | KeptRows:
        """Return what draws `line_mask` some rows at a time."""
        if isinstance(self.header, NpzHeader):
            return KeptRows(self.header.read_mask())
        if self.mask_path is not None:
            return KeptRows(read_mask(self.mask_path, self.header))
        return LineRows(self.lines, self.shape, self.header.transform, rule)

    def read(self) -> Scene:
        """Read the pixels.

        Raises
        ------
        DataError
            When the raster cannot be read or holds no data.
        """
        interferogram = self.read_pixels()
        return Scene(
            self.name,
            interferogram,
            self.header.transform,
            self.header.crs,
            self.lines,
            self.unsure,
            self.second_analyst,
        )
