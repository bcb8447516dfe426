"""The store of checkpoints: the newest whole one of each trial."""

import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from glsweep.errors import ResourceError
from glsweep.sweep.checkpoints import CHECKPOINT_FILE, CheckpointStore, StorageError


def save(store: CheckpointStore, trial_id: str, value: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "any.safetensors"
        save_file({"weights": torch.full((100,), value)}, file)
        store.save(trial_id, file)


def value_of(store: CheckpointStore, trial_id: str) -> float | None:
    with store.newest(trial_id) as checkpoint:
        return None if checkpoint is None else float(load_file(checkpoint)["weights"][0])


def test_the_newest_checkpoint_of_each_trial_is_kept_until_it_is_discarded(tmp_path: Path) -> None:
    store = CheckpointStore(str(tmp_path / "a folder" / "100% #1"))
    for value in (1.0, 2.0):
        save(store, "0000", value)
    save(store, "0001", 3.0)
    assert [value_of(store, name) for name in ("0000", "0001", "0002")] == [2.0, 3.0, None]
    store.discard("0000")
    store.discard("0002")
    assert [value_of(store, name) for name in ("0000", "0001")] == [None, 3.0]
    store.clear()
    assert not Path(store.root).exists()
    store.clear()


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_checkpoint_that_was_cut_short_is_passed_over(share: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store, kept = CheckpointStore(folder), Path(folder) / "0000" / CHECKPOINT_FILE
        save(store, "0000", 1.0)
        kept.write_bytes(kept.read_bytes()[: int(share * kept.stat().st_size)])
        assert value_of(store, "0000") is None


def test_a_store_that_cannot_be_written_or_read_is_told_from_one_without_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = CheckpointStore(str(tmp_path / "file" / "checkpoints"))
    with pytest.raises(StorageError, match=r"file/checkpoints: cannot be written \(.*Not a directory"):
        save(store, "0000", 1.0)
    with pytest.raises(StorageError, match=r"file/checkpoints: cannot be read \(.*Not a directory"):
        value_of(store, "0000")


def test_a_root_that_is_no_folder_and_no_uri_is_refused() -> None:
    with pytest.raises(ResourceError, match="storage gopher://x: is no folder and no URI"):
        save(CheckpointStore("gopher://x"), "0000", 1.0)
