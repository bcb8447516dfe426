"""Patches on disk, one folder a patch size: written once, memory-mapped for training."""

import hashlib
import json
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from glsweep.config.data_card import SPLITS, DataCard, SplitName
from glsweep.errors import StudyError
from glsweep.files import replacing
from glsweep.patches import FARTHEST_PX2, PatchArrays
from glsweep.patches.held_masks import PIXELS_AT_ONCE
from glsweep.patches.index import counts_by_split
from glsweep.progress import track
from glsweep.randomness import seed_for
from glsweep.scenes import FULL, WIDTHS_REACHED
from glsweep.scenes.masks import LineRows, ZoneRows, mark_unsure, squared_distance, training_target
from glsweep.scenes.scene import SceneEntry
from glsweep.scenes.source import Window
from glsweep.study import Study
from glsweep.study.artifacts import PatchMeta, TrainedOn, read_artifact, write_artifact

META = "meta.json"
"""Its presence says that the folder of patches is complete."""

Bytes = npt.NDArray[np.uint8]


class Labels(NamedTuple):
    """Rows of what a store holds of a scene's line, (rows, cols); see `PatchArrays`."""

    mask: Bytes
    target: Bytes | None = None
    distance_px2: npt.NDArray[np.int16] | None = None
    thin: Bytes | None = None
    zone: Bytes | None = None


class SceneLabels:
    """A scene's line by the card's rule, drawn some rows at a time.

    Parameters
    ----------
    entry : SceneEntry
        The scene.
    card : DataCard
        Says how its line is drawn.
    of_trials : bool
        Whether trials have labels of their own, which follow from the distance and the thin line.
    """

    def __init__(self, entry: SceneEntry, card: DataCard, *, of_trials: bool = False) -> None:
        self._card, self._posting_m, self._within_m = card, entry.posting_m, entry.unsure_within_m
        self._shape, self._of_trials = entry.shape, of_trials
        self._line = entry.line_rows(card.line_rule)
        self._thin = entry.line_rows("bresenham")
        self._unsure = LineRows(entry.unsure, entry.shape, entry.header.transform, "all_touched")
        self._zones = (
            ZoneRows(entry.grounded, entry.shape, entry.header.transform)
            if card.has_zones and entry.grounded is not None
            else None
        )

    def rows(self, top: int, bottom: int) -> Labels:
        """Return the rows from `top` to before `bottom`."""
        labels = Labels(self._line.rows(top, bottom))
        if has_target(self._card):
            labels = labels._replace(target=self._target(top, bottom))
        if self._of_trials:
            labels = labels._replace(
                distance_px2=self._distance_px2(top, bottom), thin=self._thin_target(top, bottom)
            )
        if self._zones is not None:
            labels = labels._replace(zone=self._zones.rows(top, bottom))
        return labels

    def _target(self, top: int, bottom: int) -> Bytes:
        width_m = self._card.label_width_m or 0.0
        low, high = self._around(top, bottom, max(WIDTHS_REACHED * width_m, self._within_m) / self._posting_m)
        around = self._line.rows(low, high)
        target = (
            around * np.uint8(FULL)
            if self._card.label_width_m is None
            else training_target(around, self._card.label, width_m, self._posting_m)
        )
        return self._marked(target, low, high)[top - low : bottom - low]

    def _thin_target(self, top: int, bottom: int) -> Bytes:
        low, high = self._around(top, bottom, self._within_m / self._posting_m)
        return self._marked(self._thin.rows(low, high) * np.uint8(FULL), low, high)[top - low : bottom - low]

    def _distance_px2(self, top: int, bottom: int) -> npt.NDArray[np.int16]:
        low, high = self._around(top, bottom, math.sqrt(FARTHEST_PX2))
        return squared_distance(self._line.rows(low, high), FARTHEST_PX2)[top - low : bottom - low]

    def _around(self, top: int, bottom: int, reach_px: float) -> tuple[int, int]:
        """Return the rows from which a line reaches into those from `top` to before `bottom`."""
        margin = math.ceil(reach_px) + 1
        return max(0, top - margin), min(self._shape[0], bottom + margin)

    def _marked(self, target: Bytes, low: int, high: int) -> Bytes:
        return mark_unsure(target, self._unsure.rows(low, high), self._within_m, self._posting_m)


def has_target(card: DataCard) -> bool:
    """Whether what is trained on differs from the line as it is scored."""
    is_corrected = any(part.layout.is_corrected for part in card.data_sets)
    return card.label_width_m is not None or card.layout.unsure is not None or is_corrected


class PatchWriter:
    """Writes the patches of one size below a folder, with an index for each split.

    Parameters
    ----------
    folder : Path
        An empty folder.
    index : DataFrame
        As `draw_index` returns it.
    size_px : int
        Side of a patch.
    card : DataCard
        Says whether there is a training target beside the mask.
    of_trials : bool
        See `SceneLabels`.
    """

    def __init__(
        self, folder: Path, index: pd.DataFrame, size_px: int, card: DataCard, *, of_trials: bool = False
    ) -> None:
        self.size_px = size_px
        self._folder = folder
        self._index = index
        self._parts: dict[str, pd.DataFrame] = {}
        self._arrays: dict[tuple[str, str], Any] = {}
        self._power, self._valid_px = 0.0, 0
        kinds: dict[str, type[np.generic]] = {"image": np.float32, "mask": np.uint8}
        if has_target(card):
            kinds["target"] = np.uint8
        if of_trials:
            kinds |= {"distance_px2": np.int16, "thin": np.uint8}
        if card.has_zones:
            kinds["zone"] = np.uint8
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

    def cut(self, entry: SceneEntry, labels: SceneLabels) -> None:
        """Copy the scene's windows; no line where there is no data."""
        size = self.size_px
        for split, part in self._parts.items():
            for strip, windows in _by_strip(part[part["scene"] == entry.name], entry.shape, size):
                pixels = entry.read_pixels(strip)
                drawn = labels.rows(strip.row, strip.row + strip.rows)
                for number, row, col in zip(
                    windows.index, windows["row"] - strip.row, windows["col"], strict=True
                ):
                    window = pixels[row:, col:][:size, :size]
                    valid = window != 0
                    self._arrays[split, "image"][number] = np.stack([window.real, window.imag])
                    for kind, label in zip(Labels._fields, drawn, strict=True):
                        if label is not None:
                            blank = FARTHEST_PX2 if kind == "distance_px2" else 0
                            cropped = label[row:, col:][:size, :size]
                            self._arrays[split, kind][number] = np.where(valid, cropped, blank)
                    if split == "train":
                        self._power += float(np.square(np.abs(window), dtype=np.float64).sum())
                        self._valid_px += int(valid.sum())

    def finish(self, posting_m: float, content_hash: str) -> None:
        """Flush the arrays and write the metadata that their use needs."""
        for array in self._arrays.values():
            array.flush()
        meta = PatchMeta(
            posting_m=posting_m,
            amplitude_scale=float(np.sqrt(self._power / self._valid_px)),
            size_px=self.size_px,
            hash=content_hash,
            counts=counts_by_split(self._index),
        )
        write_artifact(self._folder / META, meta)


def _by_strip(
    windows: pd.DataFrame, shape: tuple[int, int], size_px: int
) -> Iterator[tuple[Window, pd.DataFrame]]:
    """Yield strips of rows that fit the memory, each with the windows that lie within it."""
    rows, cols = shape
    height = max(size_px, PIXELS_AT_ONCE // cols)
    windows = windows.sort_values("row", kind="stable")
    while len(windows):
        top = int(windows["row"].iloc[0])
        within = windows[windows["row"] + size_px <= top + height]
        yield Window(top, 0, min(height, rows - top), cols), within
        windows = windows.iloc[len(within) :]


# --- The stores of a study

FORMAT = 4
"""Incremented when stores made before can no longer be used."""


@dataclass(frozen=True)
class PatchStore:
    """The patches of one size. The order of training scenes follows from `seed`, the study's."""

    folder: Path
    size_px: int
    posting_m: float
    amplitude_scale: float
    seed: int

    def arrays(self, split: SplitName) -> PatchArrays:
        """Return a split's patches as read-only memory maps."""
        optional = {
            name: self._map(split, name)
            for name in ("target", "distance_px2", "thin", "zone")
            if (self.folder / split / f"{name}.npy").is_file()
        }
        image, mask = (self._map(split, name) for name in ("image", "mask"))
        scene = scene_places(self.index(split)["scene"], self.seed) if split == "train" else None
        return PatchArrays(image, mask, self.posting_m, self.amplitude_scale, scene=scene, **optional)

    @property
    def train_scenes(self) -> int:
        """How many scenes are trained on."""
        return int(self.index("train")["scene"].nunique())

    def _map(self, split: SplitName, name: str) -> npt.NDArray[Any]:
        loaded = np.load(self.folder / split / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return np.asanyarray(loaded)

    def index(self, split: SplitName) -> pd.DataFrame:
        """Return a split's rows in the arrays' order, with the columns of `draw_index`."""
        return pd.read_csv(self.folder / split / "index.csv", dtype={"scene": str}, keep_default_na=False)


def store_folder(study: Study, size_px: int) -> Path:
    """Name a size's folder after everything that decides what is in it."""
    return study.patches / f"s{size_px}-{_content_hash(study, size_px)}"


def is_stored(study: Study, size_px: int) -> bool:
    """Whether the patches of one size are there; a folder is written as a whole."""
    return (store_folder(study, size_px) / META).is_file()


def missing_sizes(study: Study, sizes_px: Iterable[int]) -> list[int]:
    """Return the sizes without patches: added ones, or those that were deleted to save space."""
    return [size_px for size_px in sizes_px if not is_stored(study, size_px)]


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
    meta = read_artifact(folder / META, PatchMeta)
    return PatchStore(folder, meta.size_px, meta.posting_m, meta.amplitude_scale, study.config.seed)


def scene_places(scenes: pd.Series, seed: int) -> npt.NDArray[np.int64]:
    """Return, for each patch, the place of its scene in the order in which `train_scenes` takes them.

    The order follows from the seed and from the scenes' names without that of their data set, which they
    get only when test data joins them; so a study that grows keeps it.
    """
    drawn = {name: seed_for(seed, "train_scenes", name.rpartition("/")[2]) for name in scenes.unique()}
    places = {name: place for place, name in enumerate(sorted(drawn, key=lambda name: (drawn[name], name)))}
    return scenes.map(places).to_numpy(dtype=np.int64)


def training_fingerprint(index: pd.DataFrame) -> str:
    """Return a fingerprint of the training and validation windows in `index`.

    Scenes count without the name of their data set, which they get only when test data joins them.
    """
    rows = index[index["split"].isin(["train", "val"])]
    scenes = rows["scene"].str.rpartition("/")[2]
    windows = sorted(zip(rows["split"], scenes, rows["row"], rows["col"], strict=True))
    return hashlib.sha256(repr([(s, n, int(r), int(c)) for s, n, r, c in windows]).encode()).hexdigest()[:16]


def record_training_windows(study: Study, sizes_px: Iterable[int]) -> None:
    """Record which windows the sweep trains on, for sizes without a record."""
    recorded = _recorded_fingerprints(study)
    for size_px in sizes_px:
        if size_px not in recorded:
            store = open_patches(study, size_px)
            splits: tuple[SplitName, ...] = ("train", "val")
            recorded[size_px] = training_fingerprint(
                pd.concat(store.index(s).assign(split=s) for s in splits)
            )
    write_artifact(study.trained_on_json, TrainedOn(fingerprints=recorded))


def check_training_windows(study: Study, indices: Mapping[int, pd.DataFrame]) -> None:
    """Raise `StudyError` where patches of a size differ from those that the sweep was trained on."""
    recorded = _recorded_fingerprints(study)
    for size_px, index in indices.items():
        drawn = training_fingerprint(index)
        if recorded.get(size_px, drawn) != drawn:
            raise StudyError(
                f"{study.directory}: its networks of {size_px} px were trained on other patches than these "
                "data would give, since they claim ground for test or need wider strips between blocks; "
                "leave out the further test data or patch sizes, or name another folder with --study"
            )


def remove_outdated_patches(study: Study, sizes_px: Iterable[int]) -> None:
    """Delete patches that were cut before the study was extended."""
    present = {store_folder(study, size_px) for size_px in sizes_px}
    for folder in study.patches.glob("s*-*"):
        if folder not in present:
            shutil.rmtree(folder)


def _recorded_fingerprints(study: Study) -> dict[int, str]:
    if not study.trained_on_json.is_file():
        return {}
    return dict(read_artifact(study.trained_on_json, TrainedOn).fingerprints)


def write_stores(
    study: Study, entries: Sequence[SceneEntry], indices: Mapping[int, pd.DataFrame], posting_m: float
) -> None:
    """Cut the patches of several sizes, one scene at a time and its pixels one strip at a time.

    Parameters
    ----------
    study : Study
        The stores go into its folder.
    entries : sequence of SceneEntry
        The scenes that the indices name.
    indices : mapping of int to DataFrame
        By size, as `draw_index` returns them.
    posting_m : float
        Side of a pixel in metres.
    """
    if not indices:
        return
    card, of_trials = study.config.card, bool(study.config.space.labels)
    with ExitStack() as stack:
        writers = [
            PatchWriter(
                stack.enter_context(replacing(store_folder(study, size_px))),
                index,
                size_px,
                card,
                of_trials=of_trials,
            )
            for size_px, index in indices.items()
        ]
        for entry in track(entries, "scenes", "cutting patches"):
            labels = SceneLabels(entry, card, of_trials=of_trials)
            for writer in writers:
                writer.cut(entry, labels)
        for writer in writers:
            writer.finish(posting_m, _content_hash(study, writer.size_px))


def _content_hash(study: Study, size_px: int) -> str:
    config = study.config
    settings = [config.card.content_hash(), config.space.patches.model_dump(mode="json")]
    # Not where no trial needs them: what was cut for older studies stays of use.
    settings += ["labels of trials"] * bool(config.space.labels)
    text = json.dumps([FORMAT, *settings, size_px, config.seed], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]
