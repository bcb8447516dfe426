"""Lines as pixels: drawn from vectors, widened for training, read from masks and traced back to lines."""

import fnmatch
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.features import rasterize
from scipy.ndimage import distance_transform_edt
from shapely import LineString, MultiPolygon
from skimage.draw import line as bresenham_pixels
from skimage.morphology import skeletonize

from glsweep.config.data_card import LabelRule, LineRule
from glsweep.errors import DataError
from glsweep.scenes import FULL, UNSURE
from glsweep.scenes.formats.gdal import open_with_gdal
from glsweep.scenes.raster import RasterHeader, SquareGrid, crs_name, has_place


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
    return LineRows(lines, shape, transform, rule).rows(0, shape[0])


BLOCK_PX = 2**23
"""Pixels of a scene that lines are drawn on at once."""
MARGIN_ROWS = 2
"""Above and below a block: where GDAL cuts a line, it may draw its pixels otherwise."""


class LineRows:
    """Lines that are drawn some rows at a time; parameters are those of `line_mask`.

    Blocks of rows are always the same ones, whichever rows are wanted: of a line that passes through the
    corner of a pixel exactly, GDAL draws one neighbour or another, depending on where a block begins.
    """

    def __init__(
        self, lines: Sequence[LineString], shape: tuple[int, int], transform: Affine, rule: LineRule
    ) -> None:
        self._shape, self._rule = shape, rule
        self._height = max(1, BLOCK_PX // max(1, shape[1]))
        self._parts = np.array(_in_pixels(lines, shape, transform), dtype=object)
        _, self._first, _, self._last = shapely.bounds(self._parts).reshape(-1, 4).T
        self._drawn: tuple[int, npt.NDArray[np.uint8]] | None = None

    def rows(self, top: int, bottom: int) -> npt.NDArray[np.uint8]:
        """Return the rows from `top` to before `bottom`, those that there are: 1 on a line, 0 elsewhere."""
        starts = range(top - top % self._height, min(bottom, self._shape[0]), self._height)
        parts = [self._block(start)[max(0, top - start) : max(0, bottom - start)] for start in starts]
        return np.concatenate([np.zeros((0, self._shape[1]), np.uint8), *parts])

    def _block(self, start: int) -> npt.NDArray[np.uint8]:
        if self._drawn is None or self._drawn[0] != start:
            self._drawn = start, self._draw(start, min(start + self._height, self._shape[0]))
        return self._drawn[1]

    def _draw(self, top: int, bottom: int) -> npt.NDArray[np.uint8]:
        low, high = max(0, top - MARGIN_ROWS), min(self._shape[0], bottom + MARGIN_ROWS)
        mask = np.zeros((high - low, self._shape[1]), dtype=np.uint8)
        parts = self._parts[(self._last >= low - 1) & (self._first <= high + 1)]
        moved = parts if low == 0 else shapely.transform(parts, lambda xy: xy - (0, low))
        if self._rule == "bresenham":
            for part in moved:
                _draw_bresenham(mask, part)
        elif len(moved):
            rasterize([(part, 1) for part in moved], out=mask, all_touched=True)
        return mask[top - low : bottom - low]


class KeptRows:
    """A mask that is held as a whole, since it was given as one, (rows, cols)."""

    def __init__(self, mask: npt.NDArray[np.uint8]) -> None:
        self._mask = mask

    def rows(self, top: int, bottom: int) -> npt.NDArray[np.uint8]:
        """Return the rows from `top` to before `bottom`."""
        return self._mask[top:bottom]


class ZoneRows:
    """Which ice floats, drawn some rows at a time: 0 where a pixel's centre is on grounded ice, else 1.

    Parameters
    ----------
    grounded : MultiPolygon
        In map coordinates.
    shape : tuple of int
        Rows and columns.
    transform : Affine
        From (col, row) pixel corners to map coordinates.
    """

    def __init__(self, grounded: MultiPolygon, shape: tuple[int, int], transform: Affine) -> None:
        to_pixels = ~transform
        moved = shapely.transform(grounded, lambda xy: np.column_stack(to_pixels @ (xy[:, 0], xy[:, 1])))
        self._shape, self._grounded = shape, shapely.clip_by_rect(moved, -1, -1, shape[1] + 1, shape[0] + 1)

    def rows(self, top: int, bottom: int) -> npt.NDArray[np.uint8]:
        """Return the rows from `top` to before `bottom`, those that there are."""
        zone = np.ones((max(0, min(bottom, self._shape[0]) - top), self._shape[1]), np.uint8)
        if zone.size and not self._grounded.is_empty:
            rasterize([(self._grounded, 0)], out=zone, transform=Affine.translation(0, top))
        return zone


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


# --- Training targets that are wider or softer than the line


def training_target(
    mask: npt.NDArray[np.uint8], rule: LabelRule, width_m: float, posting_m: float
) -> npt.NDArray[np.uint8]:
    """Return a line's neighbourhood as a target for training; the line itself is what is scored.

    Parameters
    ----------
    mask : uint8 array (rows, cols)
        1 on the line, 0 elsewhere.
    rule : {"buffered", "soft"}
        `buffered`: 1 within `width_m` of a line pixel's centre. `soft`: exp(-d^2 / 2 width_m^2) at
        the distance d, a label smoothed across the line.
    width_m : float
        Reach of the buffer, or standard deviation of the smoothing, in metres.
    posting_m : float
        Side of a pixel in metres.

    Returns
    -------
    uint8 array (rows, cols)
        `FULL` for 1.
    """
    if not mask.any():
        return np.zeros(mask.shape, np.uint8)
    distance_m = np.asarray(distance_transform_edt(mask == 0)) * posting_m
    share = distance_m <= width_m if rule == "buffered" else np.exp(-(distance_m**2) / (2 * width_m**2))
    return np.asarray(np.rint(FULL * share), np.uint8)


def squared_distance(mask: npt.NDArray[np.uint8], farthest_px2: int) -> npt.NDArray[np.int16]:
    """Return each pixel's squared distance from the nearest line pixel, a whole number of pixels.

    Parameters
    ----------
    mask : uint8 array (rows, cols)
        1 on the line, 0 elsewhere.
    farthest_px2 : int
        The largest value, and that of all pixels where there is no line.

    Returns
    -------
    int16 array (rows, cols)
    """
    if not mask.any():
        return np.full(mask.shape, farthest_px2, np.int16)
    squared = np.square(np.asarray(distance_transform_edt(mask == 0)))
    return np.asarray(np.rint(np.minimum(squared, farthest_px2)), np.int16)


def mark_unsure(
    target: npt.NDArray[np.uint8], unsure: npt.NDArray[np.uint8], within_m: float, posting_m: float
) -> npt.NDArray[np.uint8]:
    """Return a target that is `UNSURE` near where a line may run, but for what it knows to be line.

    Parameters
    ----------
    target : uint8 array (rows, cols)
        `FULL` on a line, 0 elsewhere, or in between.
    unsure : uint8 array (rows, cols)
        1 where a line may run.
    within_m : float
        How far from there nobody can tell, in metres.
    posting_m : float
        Side of a pixel in metres.
    """
    if not unsure.any():
        return target
    near = np.asarray(distance_transform_edt(unsure == 0)) * posting_m <= within_m
    return np.where(near & (target == 0), np.uint8(UNSURE), target)


# --- Lines that come as masks, and the lines that run through them

NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))
MOST_LINE_SHARE = 0.5
SAME_PLACE_PX = 0.1
"""So far apart may the corners of a mask and its scene lie."""


def mask_path(root: Path, raster: Path, rasters: str, masks: str) -> Path | None:
    """Return the mask that belongs to `raster`, or None if there is none.

    Parameters
    ----------
    root, raster : Path
        The folder that both patterns start from, and a scene's file.
    rasters, masks : str
        Patterns with one `*` in the file's name each; that of `masks` stands for what that of
        `rasters` stands for, or for the raster's whole stem.
    """
    pattern = re.compile(fnmatch.translate(Path(rasters).name).replace(".*", "(.*)", 1), re.IGNORECASE)
    match = pattern.match(raster.name)
    for text in (*(match.groups() if match else ()), raster.stem):
        candidate = root / masks.replace("*", text, 1)
        for suffix in (candidate.suffix, candidate.suffix.upper(), candidate.suffix.lower()):
            if candidate.with_suffix(suffix).is_file():
                return candidate.with_suffix(suffix)
    return None


def read_mask(path: Path, scene: RasterHeader) -> npt.NDArray[np.uint8]:
    """Read the mask of a scene: uint8 (rows, cols), 1 on the line; what it tags as no data is no line.

    Raises
    ------
    DataError
        When it cannot be read, has another shape or place than the scene, bands that differ, or holds no
        line but areas or more than one value besides 0.
    """
    with open_with_gdal(path) as dataset:
        if dataset.shape != scene.shape:
            raise DataError(
                f"{path}: is {dataset.shape[0]} x {dataset.shape[1]} pixels, its scene {scene.shape[0]} x "
                f"{scene.shape[1]}; cut both alike"
            )
        _check_place(path, dataset, scene)
        colours = zip(dataset.indexes, dataset.colorinterp, strict=True)
        bands = dataset.read([number for number, colour in colours if colour != ColorInterp.alpha])
        values = np.where(dataset.read_masks(1) > 0, bands[0], 0)
    if any((band != bands[0]).any() for band in bands[1:]):
        raise DataError(
            f"{path}: its {len(bands)} bands differ; a mask has one, write that of the line alone"
        )
    return on_line(values, values.size, path)


def on_line(values: npt.NDArray[Any], size_px: int, path: Path) -> npt.NDArray[np.uint8]:
    """Return 1 where a mask holds its one value, and 0 where it holds 0 or is not a number.

    Parameters
    ----------
    values : array (rows, cols)
        What the mask holds.
    size_px : int
        Pixels that it covers.
    path : Path
        For messages.

    Raises
    ------
    DataError
        When it holds more than one value besides 0, one below 0, or covers more than half with it.
    """
    finite = np.nan_to_num(values)
    kinds = np.unique(finite)
    if len(kinds) > 2 or (len(kinds) == 2 and kinds[0] != 0):
        shown = ", ".join(f"{kind:g}" for kind in kinds[:5])
        raise DataError(f"{path}: holds the values {shown}; a mask has 0 and one other, such as 255")
    mask = np.asarray(finite != 0, dtype=np.uint8)
    share = np.count_nonzero(mask) / size_px
    if share > MOST_LINE_SHARE:
        raise DataError(
            f"{path}: holds {kinds[-1]:g} in {share:.0%} of its pixels, which is no line: it may be "
            "inverted, or the area within the line; write 0 where there is no line"
        )
    return mask


def _check_place(path: Path, mask: SquareGrid, scene: RasterHeader) -> None:
    """Make sure that a mask which says where it lies does so where its scene does."""
    if mask.crs is None or not (scene.is_placed and has_place(mask)):
        return
    rows, cols = scene.shape
    ends = [(0, 0), (cols, 0), (0, rows), (cols, rows)]
    expected = np.array([scene.transform @ end for end in ends])
    found = np.array([mask.transform @ end for end in ends])
    if mask.crs != scene.crs:
        # One CRS is written in many ways: what counts is where the corners lie.
        own, other = (pyproj.CRS.from_wkt(str(crs.to_wkt())) for crs in (mask.crs, scene.crs))
        try:
            to_scene = pyproj.Transformer.from_crs(own, other, always_xy=True)
            found = np.column_stack(to_scene.transform(*found.T))
        except pyproj.exceptions.ProjError:
            found = np.full_like(expected, np.inf)  # nothing leads from one to the other
    off_px = np.linalg.norm(found - expected, axis=1).max() / scene.posting_m
    if not off_px <= SAME_PLACE_PX:
        raise DataError(
            f"{path}: lies elsewhere than its scene {scene.path.name} "
            f"({_place_text(mask.transform, mask.crs)}, the scene "
            f"{_place_text(scene.transform, scene.crs)}); cut both alike"
        )


def _place_text(transform: Affine, crs: CRS) -> str:
    corner, steps = f"{transform.c:g}, {transform.f:g}", f"{transform.a:g}, {transform.e:g}"
    return f"from {corner} on in steps of {steps} in {crs_name(crs)}"


def lines_through(mask: npt.NDArray[np.uint8], transform: Affine) -> tuple[LineString, ...]:
    """Return lines through the middle of a mask, from pixel centre to pixel centre, on the map.

    A diagonal is left out where two straight steps lead the same way, so that lengths are right to
    a few per cent.
    """
    skeleton = np.pad(skeletonize(mask > 0), 1)  # type: ignore[no-untyped-call]
    steps = []
    for down, across in NEIGHBOURS:
        beyond = np.roll(skeleton, (-down, -across), axis=(0, 1))
        pairs = skeleton & beyond
        if down and across:
            pairs &= ~np.roll(skeleton, -down, axis=0) & ~np.roll(skeleton, -across, axis=1)
        row, col = np.nonzero(pairs)
        steps.append(np.column_stack([col, row, col + across, row + down]))
    ends = (np.concatenate(steps).reshape(-1, 2) - 0.5).astype(np.float64)  # pixel centres, without the rim
    x, y = (
        (transform.c + transform.a * ends[:, 0] + transform.b * ends[:, 1]),
        (transform.f + transform.d * ends[:, 0] + transform.e * ends[:, 1]),
    )
    on_map = np.column_stack([x, y]).reshape(-1, 2, 2)
    merged = shapely.line_merge(shapely.multilinestrings(shapely.linestrings(on_map)))
    return tuple(shapely.get_parts(merged))
