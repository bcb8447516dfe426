"""Scenes put together again from patches `<scene>_x<col>_y<row>_s<size>.npz`, the study's layout."""

import math
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glsweep.config.bands import NoData
from glsweep.errors import DataError
from glsweep.scenes.masks import on_line
from glsweep.scenes.npz_bands import BandRoles, decide_roles, find_fault, pixels_with_data, to_complex
from glsweep.scenes.raster import RasterHeader, unplaced_header
from glsweep.scenes.reading import Reading
from glsweep.scenes.source import Window

NAME = re.compile(r"^(?:NOISY)?(?P<scene>.+)_x(?P<x>\d+)_y(?P<y>\d+)_s(?P<size>\d+)$")
"""The study puts NOISY before the names of patches without a line; they are of the same scenes."""
SAME_SHARE = 5e-3
"""Relative difference up to which pixels of two patches are the same, since float16 rounds a phase."""
MOST_PATCHES, MOST_PAIRS, ENOUGH_PX = 400, 12, 64
"""Of each scene, when the patches' places are tested: patches, pairs that overlap, and pixels of each."""


@dataclass(frozen=True)
class NpzPatch:
    """One file: where its patch lies in the scene."""

    path: Path
    row: int
    col: int
    size_px: int

    def read(self, name: str) -> npt.NDArray[Any]:
        """Read `image` (2, size, size) or `mask` (1, size, size).

        Raises
        ------
        DataError
            When the file cannot be read without unpickling, or the array has another shape.
        """
        try:
            with np.load(self.path, allow_pickle=False) as arrays:
                array = arrays[name]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            reason = " ".join(str(error).split())
            raise DataError(f"{self.path}: cannot be read as a patch ({reason}); obtain it again") from error
        shape = (2 if name == "image" else 1, self.size_px, self.size_px)
        if array.shape != shape or array.dtype.kind not in "fuib":
            raise DataError(
                f"{self.path}: `{name}` is {array.dtype} of shape {array.shape}, its name says {shape}; "
                "write it anew"
            )
        return np.asarray(array)


@dataclass(frozen=True)
class NpzHeader(RasterHeader):
    """A scene that is stored as patches only; between them it holds no data.

    `path` is the first patch's, `scene` the scene's name, `roles` what the bands of the whole data
    set's patches are, `nodata` what stands for no data in them.
    """

    scene: str = ""
    patches: tuple[NpzPatch, ...] = ()
    roles: BandRoles = BandRoles("real", "imaginary")  # noqa: RUF009 (a tuple)
    nodata: NoData = None

    @property
    def name(self) -> str:
        """The scene's name."""
        return self.scene

    def read(self, window: Window | None = None) -> npt.NDArray[np.complex64]:
        """Read the pixels of a window from the patches that it touches, complex64 (rows, cols).

        Raises
        ------
        DataError
            When a patch cannot be read, or two patches differ where they overlap.
        """
        window = window or Window(0, 0, *self.shape)
        joined = np.zeros((window.rows, window.cols), np.complex64)
        for patch, here, there in self._touching(window):
            part = self._signal(patch)[there]
            old = joined[here]
            both = (old != 0) & (part != 0)
            if (np.abs(old - part)[both] > SAME_SHARE * np.abs(part)[both]).any():
                raise DataError(
                    f"{patch.path}: differs from another patch of {self.scene} where the two overlap; "
                    "they are not of one scene, rename them"
                )
            joined[here] = np.where(part == 0, old, part)
        return joined

    def _signal(self, patch: NpzPatch) -> npt.NDArray[np.complex64]:
        image = patch.read("image")
        first, second = pixels_with_data(image, self.nodata)
        fault = find_fault(first, second, self.roles)
        if fault:
            raise DataError(
                f"{patch.path}: {fault}, though patches of this data set hold {self.roles.as_text}; take "
                "out those of another kind, or say what they hold as layout.bands in the data card"
            )
        return to_complex(image, self.roles, patch.path, self.nodata)

    def read_mask(self) -> npt.NDArray[np.uint8]:
        """Read the lines of all patches, uint8 (rows, cols), 1 on a line.

        Raises
        ------
        DataError
            When a patch cannot be read, or they hold more than one value besides 0 or no line but areas.
        """
        values = np.zeros(self.shape, np.float32)
        is_covered = np.zeros(self.shape, np.bool_)
        for patch, here, there in self._touching(Window(0, 0, *self.shape)):
            part = np.nan_to_num(patch.read("mask")[0][there].astype(np.float32))
            values[here] = np.where(part != 0, part, values[here])
            is_covered[here] = True
        return on_line(values, int(is_covered.sum()), self.path)

    def _touching(
        self, window: Window
    ) -> Iterator[tuple[NpzPatch, tuple[slice, slice], tuple[slice, slice]]]:
        """Yield each patch that touches the window, and where they meet in the window and in the patch."""
        for patch in self.patches:
            top, left = max(patch.row, window.row), max(patch.col, window.col)
            bottom = min(patch.row + patch.size_px, window.row + window.rows)
            right = min(patch.col + patch.size_px, window.col + window.cols)
            if top < bottom and left < right:
                yield patch, _box(window, top, left, bottom, right), _box(patch, top, left, bottom, right)


def read_npz_headers(
    paths: Sequence[Path], posting_m: float | None, bands: str = "auto", nodata: NoData = None
) -> list[NpzHeader]:
    """Group patches by scene, and find out from some of them what all of them hold.

    Parameters
    ----------
    paths : sequence of Path
        All patches of a data set.
    posting_m : float or None
        Side of a pixel.
    bands : str
        What the data card says that their bands are; `npz` and `auto` leave it to the values.
    nodata : float, "as_tagged" or None
        What stands for no data in either band, see `NoData`.

    Raises
    ------
    DataError
        When a file's name does not say where its patch lies, no posting is given, or it is not clear
        what the patches hold.
    """
    if posting_m is None:
        raise DataError(f"{paths[0]}: npz patches do not tell their posting; add posting_m to the data card")
    scenes: dict[str, list[NpzPatch]] = {}
    for path in paths:
        match = NAME.match(path.stem)
        if match is None:
            raise DataError(
                f"{path}: its name does not say where the patch lies; rename it to "
                "<scene>_x<col>_y<row>_s<size>.npz"
            )
        row, col, size_px = (int(match[key]) for key in ("y", "x", "size"))
        scenes.setdefault(match["scene"], []).append(NpzPatch(path, row, col, size_px))
    if _are_transposed(scenes.values()):
        scenes = {name: [_transposed(patch) for patch in patches] for name, patches in scenes.items()}
    spread = _spread([patch for patches in scenes.values() for patch in patches])
    roles = decide_roles((patch.read("image") for patch in spread), bands, paths[0].parent, nodata)
    headers = [_header(name, patches, posting_m, roles) for name, patches in sorted(scenes.items())]
    return [replace(header, nodata=nodata) for header in headers]


def _header(name: str, patches: list[NpzPatch], posting_m: float, roles: BandRoles) -> NpzHeader:
    shape = max(p.row + p.size_px for p in patches), max(p.col + p.size_px for p in patches)
    base = unplaced_header(patches[0].path, shape, posting_m, Reading(()))
    header = NpzHeader(base.path, base.shape, base.transform, base.crs, base.reading, is_placed=False)
    return replace(header, scene=name, patches=tuple(patches), roles=roles)


def _spread(patches: Sequence[NpzPatch]) -> Iterator[NpzPatch]:
    """Yield all patches so that any number of the first ones is spread over the whole set."""
    stride = max(1, int(0.618 * len(patches)))
    while math.gcd(stride, len(patches)) > 1:
        stride += 1
    yield from (patches[number * stride % len(patches)] for number in range(len(patches)))


def _are_transposed(scenes: Iterable[list[NpzPatch]]) -> bool:
    """Whether x in the names is the row: it is where overlaps agree only if it is read so.

    The study's program writes the row after x, its text says the column.
    """
    agrees: dict[bool, list[bool]] = {False: [], True: []}
    for patches in scenes:
        for transposed, found in agrees.items():
            placed = [_transposed(patch) for patch in patches] if transposed else patches
            found += [_agree(*pair) for pair in _overlapping(placed)]
    return bool(agrees[True]) and all(agrees[True]) and not all(agrees[False])


def _transposed(patch: NpzPatch) -> NpzPatch:
    return replace(patch, row=patch.col, col=patch.row)


def _overlapping(patches: Sequence[NpzPatch]) -> list[tuple[NpzPatch, NpzPatch]]:
    """Return the pairs among some of a scene's patches that overlap most, but for those at one place."""
    some = patches[:: 1 + len(patches) // MOST_PATCHES]
    rows, cols, sizes = np.array([(p.row, p.col, p.size_px) for p in some]).T
    ends = [np.minimum.outer(start + sizes, start + sizes) for start in (rows, cols)]
    sides = [end - np.maximum.outer(start, start) for end, start in zip(ends, (rows, cols), strict=True)]
    shared = np.triu(np.clip(sides[0], 0, None) * np.clip(sides[1], 0, None), k=1)
    shared[np.equal.outer(rows, rows) & np.equal.outer(cols, cols)] = 0
    order = np.argsort(shared, axis=None)[::-1][:MOST_PAIRS]
    pairs = zip(*np.unravel_index(order, shared.shape), strict=True)
    return [(some[i], some[j]) for i, j in pairs if shared[i, j] >= ENOUGH_PX]


def _agree(one: NpzPatch, other: NpzPatch) -> bool:
    """Whether two patches hold the same where they overlap."""
    top, left = max(one.row, other.row), max(one.col, other.col)
    bottom, right = (
        min(p + one.size_px, q + other.size_px) for p, q in ((one.row, other.row), (one.col, other.col))
    )
    here, there = (
        np.nan_to_num(patch.read("image")[:, *_box(patch, top, left, bottom, right)].astype(np.float64))
        for patch in (one, other)
    )
    return bool(np.allclose(here, there, rtol=SAME_SHARE, atol=SAME_SHARE * np.abs(here).max()))


def _box(origin: Window | NpzPatch, top: int, left: int, bottom: int, right: int) -> tuple[slice, slice]:
    return (
        slice(top - origin.row, bottom - origin.row),
        slice(left - origin.col, right - origin.col),
    )
