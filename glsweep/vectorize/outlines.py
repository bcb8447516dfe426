"""Where a probability reaches a threshold: polygons with holes, found tile by tile."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import shapely
from scipy.ndimage import binary_dilation
from shapely import LineString, Polygon
from skimage.measure import find_contours

Values = npt.NDArray[np.float64]


def points_along(line: LineString, at: Values) -> Values:
    """Return the points, (N, 2), at distances `at`, (N,), from the line's beginning.

    As `shapely.line_interpolate_point`, which walks the line anew for each of them.
    """
    vertices = shapely.get_coordinates(line)
    passed = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(vertices, axis=0).T))])
    return np.column_stack([np.interp(at, passed, axis) for axis in vertices.T])


# --- A probability that is read in tiles, so that any scene fits the memory

Floats = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]

TILE_PX = 1024


class Tile(NamedTuple):
    """A rectangle of pixels: its upper left one and its size."""

    row: int
    col: int
    rows: int
    cols: int


class ProbabilityGrid(Protocol):
    """Probabilities of a scene, NaN where there is no data."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""

    def read(self, tile: Tile) -> Floats:
        """Return one band a network, (members, rows, cols), of a rectangle within the scene."""


def tiles(shape: tuple[int, int], size_px: int = TILE_PX) -> Iterator[Tile]:
    """Divide a scene into rectangles of at most `size_px`."""
    for row in range(0, shape[0], size_px):
        for col in range(0, shape[1], size_px):
            yield Tile(row, col, min(size_px, shape[0] - row), min(size_px, shape[1] - col))


def read_around(grid: ProbabilityGrid, tile: Tile, margin_px: int) -> Floats:
    """Read a rectangle with a margin, which repeats the scene's last pixels where it leaves the scene.

    Returns
    -------
    float32 array (members, rows + 2 margin_px, cols + 2 margin_px)
        0 where there is no data: no line is seen there.
    """
    rows, cols = grid.shape
    top, left = max(0, tile.row - margin_px), max(0, tile.col - margin_px)
    bottom = min(rows, tile.row + tile.rows + margin_px)
    right = min(cols, tile.col + tile.cols + margin_px)
    values = np.nan_to_num(grid.read(Tile(top, left, bottom - top, right - left)), nan=0.0)
    before = (top - tile.row + margin_px, left - tile.col + margin_px)
    after = (tile.row + tile.rows + margin_px - bottom, tile.col + tile.cols + margin_px - right)
    padding = ((0, 0), (before[0], after[0]), (before[1], after[1]))
    # Most tiles of a large scene have nothing to pad, and need no copy.
    return np.pad(values, padding, mode="edge") if any(map(any, padding)) else values


def read_tiles(
    grid: ProbabilityGrid, points: Points, margin_px: int
) -> Iterator[tuple[npt.NDArray[np.bool_], Floats, Points]]:
    """Read what lies around points, tile by tile.

    Parameters
    ----------
    grid : ProbabilityGrid
        The probability.
    points : float64 array (N, 2)
        (col, row) from the scene's corner.
    margin_px : int
        How far around each of them.

    Yields
    ------
    tuple
        Which points lie in a tile, (N,); it with its margin, see `read_around`; and its corner (col, row).
    """
    col, row = points.T
    for tile in tiles(grid.shape):
        here = (row >= tile.row) & (row < tile.row + tile.rows)
        here &= (col >= tile.col) & (col < tile.col + tile.cols)
        if here.any():
            corner = np.array([tile.col - margin_px, tile.row - margin_px], np.float64)
            yield here, read_around(grid, tile, margin_px), corner


def at_edge_of_data(grid: ProbabilityGrid, points: Points) -> npt.NDArray[np.bool_]:
    """Return whether the pixel in which a point lies, or one beside it, holds no data or is beyond the scene.

    Parameters
    ----------
    grid : ProbabilityGrid
        The probability.
    points : float64 array (N, 2)
        (col, row) from the scene's corner; they may lie beyond the scene.

    Returns
    -------
    bool array (N,)
    """
    rows, cols = grid.shape
    col, row = np.floor(points).astype(np.int64).clip(0, (cols - 1, rows - 1)).T
    found = np.zeros(len(points), dtype=np.bool_)
    for tile in tiles(grid.shape):
        here = (row >= tile.row) & (row < tile.row + tile.rows)
        here &= (col >= tile.col) & (col < tile.col + tile.cols)
        if here.any():
            top, left = max(0, tile.row - 1), max(0, tile.col - 1)
            bottom, right = min(rows, tile.row + tile.rows + 1), min(cols, tile.col + tile.cols + 1)
            is_empty = np.isnan(grid.read(Tile(top, left, bottom - top, right - left))).any(axis=0)
            near_empty = binary_dilation(np.pad(is_empty, 1, constant_values=True), np.ones((3, 3), np.bool_))
            found[here] = near_empty[row[here] - top + 1, col[here] - left + 1]
    return found


# --- Outlines

BEYOND_PX = 1
"""How far outlines are drawn beyond the scene, so that their middle reaches its border."""
MARGIN_PX = 2
ROUNDING_PX = 2.0**-12
"""Vertices are put on a grid as fine as this: neighbouring tiles agree on it."""


def outlines(grid: ProbabilityGrid, tau: float, tile_px: int = TILE_PX) -> list[Polygon]:
    """Return the ground on which the members' mean probability is `tau` or more.

    The outline lies between pixel centres, where the probability passes `tau` on a straight way
    from one to the next (marching squares, Lorensen & Cline 1987), so it is no staircase. Tiles are
    joined where they meet; their size does not change the result.

    Parameters
    ----------
    grid : ProbabilityGrid
        The probability.
    tau : float
        The threshold.
    tile_px : int
        Side of the tiles, one of which is in memory at a time.

    Returns
    -------
    list of Polygon
        In (col, row) pixel coordinates, (0, 0) the upper left CORNER of the scene. At the scene's
        border they reach `BEYOND_PX` beyond it.
    """
    found: list[Polygon] = []
    for tile in tiles(grid.shape, tile_px):
        found += _outlines_in_tile(grid, tile, tau)
    joined = shapely.union_all(found, grid_size=ROUNDING_PX)
    return [part for part in shapely.get_parts(joined).tolist() if part.geom_type == "Polygon"]


def _outlines_in_tile(grid: ProbabilityGrid, tile: Tile, tau: float) -> list[Polygon]:
    rows, cols = grid.shape
    margin = BEYOND_PX + MARGIN_PX
    probability = read_around(grid, tile, margin).mean(axis=0)
    if not (probability >= tau).any():
        return []
    # A frame below every threshold closes each outline into a ring.
    framed = np.pad(probability, 1, constant_values=-1.0)
    # Pixels that touch at a corner are one, as the pixels of a line are.
    contours = find_contours(framed, tau, fully_connected="high")  # type: ignore[no-untyped-call]
    rings = [_to_scene_ring(contour, tile, margin + 1) for contour in contours]
    area = shapely.build_area(shapely.GeometryCollection(rings))
    # Tiles meet at pixel centres, where both know the same values; the scene's own border lies beyond.
    left = tile.col + 0.5 if tile.col else -BEYOND_PX
    top = tile.row + 0.5 if tile.row else -BEYOND_PX
    right = tile.col + tile.cols + (0.5 if tile.col + tile.cols < cols else BEYOND_PX)
    bottom = tile.row + tile.rows + (0.5 if tile.row + tile.rows < rows else BEYOND_PX)
    cut = shapely.intersection(area, shapely.box(left, top, right, bottom), grid_size=ROUNDING_PX)
    return [part for part in shapely.get_parts(cut).tolist() if part.geom_type == "Polygon"]


def _to_scene_ring(contour: npt.NDArray[np.float64], tile: Tile, margin: int) -> shapely.LinearRing:
    """Turn (row, col) of pixel centres in a tile with its margin into (col, row) of the scene's corners."""
    return shapely.LinearRing(contour[:, ::-1] + (tile.col - margin + 0.5, tile.row - margin + 0.5))
