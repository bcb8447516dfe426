"""Patches of the study layout, `<scene>_x<col>_y<row>_s<size>.npz`, put together to scenes again."""

import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glsweep.errors import DataError
from glsweep.scenes.raster import RasterHeader, unplaced_header
from glsweep.scenes.reading import Reading
from glsweep.scenes.source import Window

NAME = re.compile(r"^(?P<scene>.+)_x(?P<col>\d+)_y(?P<row>\d+)_s(?P<size>\d+)$")


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
    """A scene of which there are patches alone; between them it holds no data.

    `path` is the first patch's, `scene` the scene's name.
    """

    scene: str = ""
    patches: tuple[NpzPatch, ...] = ()

    def check_sample(self) -> None:
        """Make sure that the first patch can be read."""
        self.patches[0].read("image")

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
            image = np.nan_to_num(patch.read("image").astype(np.float32), posinf=0.0, neginf=0.0)
            part = (image[0] + 1j * image[1])[there]
            old = joined[here]
            both = (old != 0) & (part != 0)
            if (np.abs(old - part)[both] > 1e-3 * np.abs(part)[both]).any():
                raise DataError(
                    f"{patch.path}: differs from another patch of {self.scene} where the two overlap; "
                    "they are not of one scene, rename them"
                )
            joined[here] = np.where(part == 0, old, part)
        return joined

    def read_mask(self) -> npt.NDArray[np.uint8]:
        """Read the lines of all patches, uint8 (rows, cols), 1 on a line."""
        mask = np.zeros(self.shape, np.uint8)
        for patch, here, there in self._touching(Window(0, 0, *self.shape)):
            mask[here] |= patch.read("mask")[0][there] > 0
        return mask

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


def read_npz_headers(paths: Sequence[Path], posting_m: float | None) -> list[NpzHeader]:
    """Group patches by scene; no pixels are read.

    Raises
    ------
    DataError
        When a file's name does not say where its patch lies, or no posting is given.
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
        row, col, size_px = (int(match[key]) for key in ("row", "col", "size"))
        scenes.setdefault(match["scene"], []).append(NpzPatch(path, row, col, size_px))
    return [_header(name, patches, posting_m) for name, patches in sorted(scenes.items())]


def _header(name: str, patches: list[NpzPatch], posting_m: float) -> NpzHeader:
    shape = max(p.row + p.size_px for p in patches), max(p.col + p.size_px for p in patches)
    base = unplaced_header(patches[0].path, shape, posting_m, Reading(()))
    header = NpzHeader(base.path, base.shape, base.transform, base.crs, base.reading, is_placed=False)
    return replace(header, scene=name, patches=tuple(patches))


def _box(origin: Window | NpzPatch, top: int, left: int, bottom: int, right: int) -> tuple[slice, slice]:
    return (
        slice(top - origin.row, bottom - origin.row),
        slice(left - origin.col, right - origin.col),
    )
