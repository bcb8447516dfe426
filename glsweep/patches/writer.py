"""Patches of one size, cut from scenes into arrays on disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from glsweep.config.data_card import DataCard
from glsweep.config.split import SPLITS
from glsweep.files import write_json
from glsweep.patches.index import counts_by_split
from glsweep.scenes.labels import training_target
from glsweep.scenes.scene_entry import BAND_PX, SceneEntry
from glsweep.scenes.source import Window

Bytes = npt.NDArray[np.uint8]


class Labels(NamedTuple):
    """A scene's line as it is scored, and as it is trained on where that differs: (rows, cols)."""

    mask: Bytes
    target: Bytes | None


def scene_labels(entry: SceneEntry, card: DataCard) -> Labels:
    """Draw a scene's line by the card's rule."""
    mask = entry.line_mask(card.line_rule)
    if card.label_width_m is None:
        return Labels(mask, None)
    return Labels(mask, training_target(mask, card.label, card.label_width_m, entry.posting_m))


class PatchWriter:
    """Writes the patches of one size below a folder, with an index for each split.

    Parameters
    ----------
    folder : Path
        Is there and empty.
    index : DataFrame
        As `draw_index` returns it.
    size_px : int
        Side of a patch.
    card : DataCard
        Says whether there is a training target beside the mask.
    """

    def __init__(self, folder: Path, index: pd.DataFrame, size_px: int, card: DataCard) -> None:
        self.size_px = size_px
        self._folder = folder
        self._index = index
        self._parts: dict[str, pd.DataFrame] = {}
        self._arrays: dict[tuple[str, str], Any] = {}
        self._power, self._valid_px = 0.0, 0
        kinds = {"image": np.float32, "mask": np.uint8}
        if card.label_width_m is not None:
            kinds["target"] = np.uint8
        for split in SPLITS:
            (folder / split).mkdir(parents=True)
            part = index[index["split"] == split].drop(columns="split").reset_index(drop=True)
            part.to_csv(folder / split / "index.csv", index=False)
            self._parts[split] = part
            for kind, dtype in kinds.items():
                planes = (2,) if kind == "image" else ()
                self._arrays[split, kind] = np.lib.format.open_memmap(
                    folder / split / f"{kind}.npy",
                    mode="w+",
                    dtype=np.dtype(dtype),
                    shape=(len(part), *planes, size_px, size_px),
                )

    def cut(self, entry: SceneEntry, labels: Labels) -> None:
        """Copy the scene's windows; no line where there is no data."""
        size = self.size_px
        for split, part in self._parts.items():
            for band, windows in _by_band(part[part["scene"] == entry.name], entry.shape, size):
                pixels = entry.read_pixels(band)
                for number, row, col in zip(windows.index, windows["row"], windows["col"], strict=True):
                    window = pixels[row - band.row :, col:][:size, :size]
                    valid = window != 0
                    self._arrays[split, "image"][number] = np.stack([window.real, window.imag])
                    for kind, label in zip(Labels._fields, labels, strict=True):
                        if label is not None:
                            self._arrays[split, kind][number] = label[row:, col:][:size, :size] * valid
                    if split == "train":
                        self._power += float(np.square(np.abs(window), dtype=np.float64).sum())
                        self._valid_px += int(valid.sum())

    def finish(self, posting_m: float, content_hash: str) -> None:
        """Flush the arrays and write what must be known to use them."""
        for array in self._arrays.values():
            array.flush()
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


def _by_band(
    windows: pd.DataFrame, shape: tuple[int, int], size_px: int
) -> Iterator[tuple[Window, pd.DataFrame]]:
    """Yield bands of rows that fit the memory, each with the windows that lie within it."""
    rows, cols = shape
    height = max(size_px, BAND_PX // cols)
    windows = windows.sort_values("row", kind="stable")
    while len(windows):
        top = int(windows["row"].iloc[0])
        within = windows[windows["row"] + size_px <= top + height]
        yield Window(top, 0, min(height, rows - top), cols), within
        windows = windows.iloc[len(within) :]
