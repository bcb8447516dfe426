"""Lines into pixels, by the rule that the data card names."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from rasterio.features import rasterize
from shapely import LineString
from skimage.draw import line as bresenham_pixels

from glsweep.config.data_card import LineRule


def line_mask(
    lines: Sequence[LineString], shape: tuple[int, int], transform: Affine, rule: LineRule
) -> npt.NDArray[np.uint8]:
    """Draw lines one pixel wide; what lies outside the scene is cut off.

    Parameters
    ----------
    lines : sequence of LineString
        In map coordinates.
    shape : tuple of int
        Rows and columns.
    transform : Affine
        From (col, row) pixel corners to map coordinates.
    rule : {"all_touched", "bresenham"}
        Every pixel that a line crosses (4-connected), or the pixels of Bresenham's algorithm
        between the pixels that hold the vertices (8-connected, thinner).

    Returns
    -------
    uint8 array (rows, cols)
        1 on a line, 0 elsewhere.
    """
    mask = np.zeros(shape, dtype=np.uint8)
    parts = _in_pixels(lines, shape, transform)
    if not parts:
        return mask
    if rule == "all_touched":
        rasterize([(part, 1) for part in parts], out=mask, all_touched=True)
        return mask
    for part in parts:
        _draw_bresenham(mask, part)
    return mask


def _in_pixels(lines: Sequence[LineString], shape: tuple[int, int], transform: Affine) -> list[LineString]:
    """Lines in (col, row) pixel coordinates, cut a little outside the scene.

    Cutting first makes the cost independent of how far lines reach; the margin keeps the ends of
    the cut out of sight.
    """
    rows, cols = shape
    to_pixels = ~transform
    moved = [
        shapely.transform(one, lambda xy: np.column_stack(to_pixels @ (xy[:, 0], xy[:, 1]))) for one in lines
    ]
    cut = shapely.clip_by_rect(np.asarray(moved, dtype=object), -1, -1, cols + 1, rows + 1)
    parts = shapely.get_parts(shapely.get_parts(cut))
    return [part for part in parts if part.geom_type == "LineString" and part.length > 0]


def _draw_bresenham(mask: npt.NDArray[np.uint8], part: LineString) -> None:
    vertices = np.floor(shapely.get_coordinates(part)).astype(int)
    for (col, row), (next_col, next_row) in pairwise(vertices):
        rows, cols = bresenham_pixels(row, col, next_row, next_col)  # type: ignore[no-untyped-call]
        inside = (rows >= 0) & (rows < mask.shape[0]) & (cols >= 0) & (cols < mask.shape[1])
        mask[rows[inside], cols[inside]] = 1
