"""Where a probability reaches a threshold: polygons with holes, between the pixels."""

import numpy as np
import numpy.typing as npt
import shapely
from shapely import Polygon
from skimage.measure import find_contours

from glsweep.vectorize.grid import Grid, Tile, read_around, tiles

BEYOND_PX = 1
"""How far outlines are drawn beyond the scene, so that their middle reaches its border."""
MARGIN_PX = 2
ROUNDING_PX = 2.0**-12
"""Vertices are put on a grid as fine as this: neighbouring tiles agree on it."""


def outlines(grid: Grid, tau: float, tile_px: int = 1024) -> list[Polygon]:
    """Return the ground on which the members' mean probability is `tau` or more.

    The outline lies between pixel centres, where the probability passes `tau` on a straight way
    from one to the next (marching squares, Lorensen & Cline 1987), so it is no staircase. Tiles are
    joined where they meet; how the scene is parted does not show.

    Parameters
    ----------
    grid : Grid
        The probability.
    tau : float
        The threshold.
    tile_px : int
        Side of the rectangles that are held at a time.

    Returns
    -------
    list of Polygon
        In (col, row) pixel coordinates, (0, 0) the upper left CORNER of the scene. At the scene's
        border they reach `BEYOND_PX` beyond it.
    """
    found: list[Polygon] = []
    for tile in tiles(grid.shape, tile_px):
        found += _in_tile(grid, tile, tau)
    joined = shapely.union_all(found, grid_size=ROUNDING_PX)
    return [part for part in shapely.get_parts(joined).tolist() if part.geom_type == "Polygon"]


def _in_tile(grid: Grid, tile: Tile, tau: float) -> list[Polygon]:
    rows, cols = grid.shape
    margin = BEYOND_PX + MARGIN_PX
    probability = read_around(grid, tile, margin).mean(axis=0)
    if not (probability >= tau).any():
        return []
    # A frame below every threshold closes each outline into a ring.
    framed = np.pad(probability, 1, constant_values=-1.0)
    # Pixels that touch at a corner are one, as the pixels of a line are.
    contours = find_contours(framed, tau, fully_connected="high")  # type: ignore[no-untyped-call]
    rings = [_ring(contour, tile, margin + 1) for contour in contours]
    area = shapely.build_area(shapely.GeometryCollection(rings))
    # Tiles meet at pixel centres, where both know the same values; the scene's own border lies beyond.
    left = tile.col + 0.5 if tile.col else -BEYOND_PX
    top = tile.row + 0.5 if tile.row else -BEYOND_PX
    right = tile.col + tile.cols + (0.5 if tile.col + tile.cols < cols else BEYOND_PX)
    bottom = tile.row + tile.rows + (0.5 if tile.row + tile.rows < rows else BEYOND_PX)
    cut = shapely.intersection(area, shapely.box(left, top, right, bottom), grid_size=ROUNDING_PX)
    return [part for part in shapely.get_parts(cut).tolist() if part.geom_type == "Polygon"]


def _ring(contour: npt.NDArray[np.float64], tile: Tile, margin: int) -> shapely.LinearRing:
    """Turn (row, col) of pixel centres in a tile with its margin into (col, row) of the scene's corners."""
    return shapely.LinearRing(contour[:, ::-1] + (tile.col - margin + 0.5, tile.row - margin + 0.5))
