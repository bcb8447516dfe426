"""Patches on disk, one folder a patch size, memory-mapped by those who train on them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from glsweep.config.data_card import LineRule
from glsweep.config.split import SPLITS, SplitName
from glsweep.errors import StudyError
from glsweep.files import read_json, replacing, write_json
from glsweep.patches.arrays import PatchArrays
from glsweep.patches.index import counts_by_split
from glsweep.scenes.rasterize import line_mask
from glsweep.scenes.scene_entry import SceneEntry
from glsweep.study import Study

FloatMap = np.memmap[Any, np.dtype[np.float32]]
ByteMap = np.memmap[Any, np.dtype[np.uint8]]
FORMAT = 1
"""Raised when stores made before can no longer be used."""


@dataclass(frozen=True)
class PatchStore:
    """The patches of one size."""

    folder: Path
    size_px: int
    posting_m: float
    amplitude_scale: float

    def arrays(self, split: SplitName) -> PatchArrays:
        """Return a split's patches as read-only memory maps."""
        image, mask = (
            np.load(self.folder / split / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("image", "mask")
        )
        return PatchArrays(image, mask, self.posting_m, self.amplitude_scale)

    def index(self, split: SplitName) -> pd.DataFrame:
        """Return a split's rows in the arrays' order: scene, row, col, has_line, valid_share."""
        return pd.read_csv(self.folder / split / "index.csv", dtype={"scene": str}, keep_default_na=False)


def store_folder(study: Study, size_px: int) -> Path:
    """Name a size's folder after everything that decides what is in it."""
    return study.patches / f"s{size_px}-{_content_hash(study, size_px)}"


def is_stored(study: Study, size_px: int) -> bool:
    """Whether the patches of one size are there; a folder is written as a whole."""
    return (store_folder(study, size_px) / "meta.json").is_file()


def open_patches(study: Study, size_px: int) -> PatchStore:
    """Open the patches of one size.

    Raises
    ------
    StudyError
        When they have not been prepared.
    """
    folder = store_folder(study, size_px)
    if not is_stored(study, size_px):
        raise StudyError(
            f"{folder}: no patches of {size_px} px; "
            f"run `python -m glsweep.run prepare --study {study.directory}` first"
        )
    meta = read_json(folder / "meta.json")
    return PatchStore(folder, meta["size_px"], meta["posting_m"], meta["amplitude_scale"])


def write_stores(
    study: Study, entries: Sequence[SceneEntry], indices: Mapping[int, pd.DataFrame], posting_m: float
) -> None:
    """Cut the patches of several sizes; each scene is read once, and one scene is held at a time.

    Parameters
    ----------
    study : Study
        Whose folder takes the stores.
    entries : sequence of SceneEntry
        The scenes that the indices name.
    indices : mapping of int to DataFrame
        By size, as `draw_index` returns them.
    posting_m : float
        Side of a pixel in metres.
    """
    if not indices:
        return
    with ExitStack() as stack:
        writers = [
            _Writer(stack.enter_context(replacing(store_folder(study, size_px))), index, size_px)
            for size_px, index in indices.items()
        ]
        for entry in entries:
            image, mask = _pixels(entry, study.config.card.line_rule)
            for writer in writers:
                writer.cut(entry.name, image, mask)
        for writer in writers:
            writer.finish(posting_m, _content_hash(study, writer.size_px))


class _Writer:
    """Writes the patches of one size below a folder."""

    def __init__(self, folder: Path, index: pd.DataFrame, size_px: int) -> None:
        self.size_px = size_px
        self._folder = folder
        self._index = index
        self._parts: dict[str, pd.DataFrame] = {}
        self._images: dict[str, FloatMap] = {}
        self._masks: dict[str, ByteMap] = {}
        self._power, self._valid_px = 0.0, 0
        for name in SPLITS:
            (folder / name).mkdir(parents=True)
            part = index[index["split"] == name].drop(columns="split").reset_index(drop=True)
            part.to_csv(folder / name / "index.csv", index=False)
            self._parts[name] = part
            self._images[name] = self._created(name, "image", np.float32, (len(part), 2, size_px, size_px))
            self._masks[name] = self._created(name, "mask", np.uint8, (len(part), size_px, size_px))

    def _created(self, split: str, name: str, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> Any:
        path = self._folder / split / f"{name}.npy"
        return np.lib.format.open_memmap(path, mode="w+", dtype=np.dtype(dtype), shape=shape)

    def cut(self, scene: str, image: npt.NDArray[np.float32], mask: npt.NDArray[np.uint8]) -> None:
        """Copy the scene's windows out of `image` (2, rows, cols) and `mask` (rows, cols)."""
        for name, part in self._parts.items():
            rows = part[part["scene"] == scene]
            for number, row, col in zip(rows.index, rows["row"], rows["col"], strict=True):
                window = np.s_[..., row : row + self.size_px, col : col + self.size_px]
                self._images[name][number] = image[window]
                self._masks[name][number] = mask[window]
                if name == "train":
                    self._power += float(np.square(image[window], dtype=np.float64).sum())
                    self._valid_px += int(image[window].any(axis=0).sum())

    def finish(self, posting_m: float, content_hash: str) -> None:
        """Flush the arrays and write what must be known to use them."""
        for image, mask in zip(self._images.values(), self._masks.values(), strict=True):
            image.flush()
            mask.flush()
        write_json(
            self._folder / "meta.json",
            {
                "posting_m": posting_m,
                "amplitude_scale": float(np.sqrt(self._power / self._valid_px)),
                "size_px": self.size_px,
                "hash": content_hash,
                "counts": counts_by_split(self._index),
            },
        )


def _pixels(entry: SceneEntry, rule: LineRule) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Read a scene as image (2, rows, cols) and mask (rows, cols); no line where there is no data."""
    scene = entry.read()
    mask = line_mask(scene.lines, scene.shape, scene.transform, rule) * scene.valid
    return np.stack([scene.interferogram.real, scene.interferogram.imag]), mask.astype(np.uint8)


def _content_hash(study: Study, size_px: int) -> str:
    config = study.config
    settings = [config.card.model_dump(mode="json"), config.space.patches.model_dump(mode="json")]
    text = json.dumps([FORMAT, *settings, size_px, config.seed], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
