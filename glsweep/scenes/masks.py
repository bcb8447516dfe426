"""Lines that come as rasters: a mask beside each scene, and the line that runs through it."""

import fnmatch
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import shapely
from affine import Affine
from shapely import LineString
from skimage.morphology import skeletonize

from glsweep.errors import DataError
from glsweep.scenes.source import opened

NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))


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


def read_mask(path: Path, shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Read a mask of a scene of that shape: uint8 (rows, cols), 1 on the line.

    Raises
    ------
    DataError
        When it cannot be read, has another shape, or holds more than one value besides 0.
    """
    with opened(path) as dataset:
        if dataset.shape != shape:
            raise DataError(
                f"{path}: is {dataset.shape[0]} x {dataset.shape[1]} pixels, its scene {shape[0]} x "
                f"{shape[1]}; cut both alike"
            )
        values = dataset.read(1)
    kinds = np.unique(values)
    if len(kinds) > 2 or (len(kinds) == 2 and kinds[0] != 0):
        shown = ", ".join(f"{kind:g}" for kind in kinds[:5])
        raise DataError(f"{path}: holds the values {shown}; a mask has 0 and one other, such as 255")
    return np.asarray(values != 0, dtype=np.uint8)


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
