"""Disks that are full, read-only or no folder: one clear line, and the same sweep goes on later."""

import os
from pathlib import Path

import pytest
from disks import fill, make_room, remount, small_disk
from disturbed_workers import train_in_one_thread
from small_trials import ARRAYS, TRIALS, AtEpoch, job, results

from glsweep.errors import ResourceError
from glsweep.sweep.engine import Job, run_trials

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.usefixtures("ray")]


def one_by_one(folder: Path, storage: Path) -> Job:
    """The small trials one after another in one worker, since each worker takes seconds to start."""
    return job(folder, TRIALS, storage=storage, trainable=train_in_one_thread, cpus=os.cpu_count() or 1)


def told(error: pytest.ExceptionInfo[ResourceError]) -> str:
    line = str(error.value)
    assert "\n" not in line
    assert "the same command" in line
    return line


def test_a_sweep_whose_storage_is_full_halts_and_goes_on_once_there_is_room(
    undisturbed: dict[str, object], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", "32m") as disk:
        planned = one_by_one(tmp_path, disk / "checkpoints")
        with pytest.raises(ResourceError, match="No space left on device") as error:
            # More than once: an older checkpoint that is removed after the first time makes room again.
            full = [
                AtEpoch(trial, epoch, lambda: fill(disk)) for trial in ("0000", "0001") for epoch in (1, 2)
            ]
            run_trials(planned, ARRAYS, full)
        assert str(disk) in told(error)
        make_room(disk)
        assert results(run_trials(planned, ARRAYS, [])) == undisturbed


def test_a_sweep_whose_ledger_cannot_be_written_halts_and_goes_on_once_there_is_room(
    undisturbed: dict[str, object], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", "1m") as disk:
        planned = one_by_one(disk, tmp_path / "checkpoints")
        with pytest.raises(ResourceError, match="No space left on device") as error:
            run_trials(planned, ARRAYS, [AtEpoch("0000", 2, lambda: fill(disk))])
        assert str(planned.ledger_jsonl) in told(error)
        make_room(disk)
        assert results(run_trials(planned, ARRAYS, [])) == undisturbed


def test_a_storage_that_turns_read_only_halts_the_sweep(
    undisturbed: dict[str, object], tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", "32m") as disk:
        planned = one_by_one(tmp_path, disk / "checkpoints")
        with pytest.raises(ResourceError, match="Read-only file system") as error:
            run_trials(planned, ARRAYS, [AtEpoch("0000", 2, lambda: remount(disk, "ro"))])
        assert str(disk) in told(error)
        remount(disk, "rw")
        assert results(run_trials(planned, ARRAYS, [])) == undisturbed


def test_a_storage_that_is_no_folder_halts_the_sweep(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError, match="Not a directory") as error:
        run_trials(one_by_one(tmp_path, tmp_path / "file" / "checkpoints"), ARRAYS, [])
    assert str(tmp_path / "file") in told(error)
