"""What workers run here in place of `train_cohort`; it imports no more than they need, since each does so."""

import os
import resource
from pathlib import Path

from glsweep.sweep.checkpoints import CheckpointStore
from glsweep.sweep.tune import train_cohort

SAVES = "saves.txt"
FEW_BYTES = 160 * 2**20
"""Enough for some patches of a batch, and by far not for all."""


class CountingStore(CheckpointStore):
    def save(self, trial_id: str, file: Path, *, keeps_earlier: bool = False) -> None:
        super().save(trial_id, file, keeps_earlier=keeps_earlier)
        with (Path(self.root).parent / SAVES).open("a") as saves:
            saves.write(f"{trial_id}\n")


def train_and_count(config: dict, *, checkpoints: CheckpointStore, **rest: object) -> None:
    """`train_cohort`, with a line in a file beside the checkpoints for each one that is written."""
    train_cohort(config, checkpoints=CountingStore(checkpoints.root), **rest)  # type: ignore[arg-type]


def train_in_one_thread(config: dict, *, cpus: float, **rest: object) -> None:
    """`train_cohort`, however many `cpus` the trial holds.

    Several threads that wait for each other on cores that other processes use as well take minutes for what
    one does in seconds, and they round otherwise.
    """
    train_cohort(config, cpus=1, **rest)  # type: ignore[arg-type]


def die(config: dict, **rest: object) -> None:
    """A trial that takes its worker with it, but for the first."""
    if config["cohort"]["trials"][0]["index"] == 0:
        train_and_count(config, **rest)  # type: ignore[arg-type]
    else:
        os._exit(1)


class DyingStore(CountingStore):
    """A store whose process dies once, when only one trial of a cohort has saved its second epoch."""

    def save(self, trial_id: str, file: Path, *, keeps_earlier: bool = False) -> None:
        super().save(trial_id, file, keeps_earlier=keeps_earlier)
        if (Path(self.root).parent / SAVES).read_text().split() == ["0000", "0001", "0002", "0000"]:
            os._exit(1)


def die_between_two_saves(config: dict, *, checkpoints: CheckpointStore, **rest: object) -> None:
    train_cohort(config, checkpoints=DyingStore(checkpoints.root), **rest)  # type: ignore[arg-type]


def data_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))


def train_in_little_memory(config: dict, **rest: object) -> None:
    """`train_in_one_thread`; the second trial may take few bytes more than the process already has."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = data_bytes() + FEW_BYTES if config["cohort"]["trials"][0]["index"] == 1 else most
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
    try:
        train_in_one_thread(config, **rest)  # type: ignore[arg-type]
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
