"""Lines that come as rasters: a mask beside each scene, and the line that runs through it."""

import fnmatch
import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyproj
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from shapely import LineString
from skimage.morphology import skeletonize

from glsweep.errors import DataError
from glsweep.scenes.raster import RasterHeader
from glsweep.scenes.raster_checks import Grid, has_place
from glsweep.scenes.source import opened

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
    with opened(path) as dataset:
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
    known = np.nan_to_num(values)
    kinds = np.unique(known)
    if len(kinds) > 2 or (len(kinds) == 2 and kinds[0] != 0):
        shown = ", ".join(f"{kind:g}" for kind in kinds[:5])
        raise DataError(f"{path}: holds the values {shown}; a mask has 0 and one other, such as 255")
    mask = np.asarray(known != 0, dtype=np.uint8)
    share = np.count_nonzero(mask) / size_px
    if share > MOST_LINE_SHARE:
        raise DataError(
            f"{path}: holds {kinds[-1]:g} in {share:.0%} of its pixels, which is no line: it may be "
            "inverted, or the area within the line; write 0 where there is no line"
        )
    return mask


def _check_place(path: Path, mask: Grid, scene: RasterHeader) -> None:
    """Make sure that a mask which says where it lies does so where its scene does."""
    if mask.crs is None or not (scene.is_placed and has_place(mask)):
        return
    rows, cols = scene.shape
    ends = [(0, 0), (cols, 0), (0, rows), (cols, rows)]
    wanted = np.array([scene.transform @ end for end in ends])
    found = np.array([mask.transform @ end for end in ends])
    if mask.crs != scene.crs:
        # One CRS is written in many ways: what counts is where the corners lie.
        own, other = (pyproj.CRS.from_wkt(str(crs.to_wkt())) for crs in (mask.crs, scene.crs))
        try:
            to_scene = pyproj.Transformer.from_crs(own, other, always_xy=True)
            found = np.column_stack(to_scene.transform(*found.T))
        except pyproj.exceptions.ProjError:
            found = np.full_like(wanted, np.inf)  # nothing leads from one to the other
    off_px = np.linalg.norm(found - wanted, axis=1).max() / scene.posting_m
    if not off_px <= SAME_PLACE_PX:
        raise DataError(
            f"{path}: lies elsewhere than its scene {scene.path.name} "
            f"({_told_place(mask.transform, mask.crs)}, the scene "
            f"{_told_place(scene.transform, scene.crs)}); cut both alike"
        )


def _told_place(transform: Affine, crs: CRS) -> str:
    name = " ".join(str(crs.to_string()).split())[:60]
    return f"from {transform.c:g}, {transform.f:g} on in steps of {transform.a:g}, {transform.e:g} in {name}"


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
