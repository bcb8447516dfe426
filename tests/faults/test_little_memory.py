"""A worker without memory for a batch: the trial is trained in smaller parts, and says so."""

import os
import resource
from pathlib import Path

import pytest
from small_trials import job, patches, trial

from glsweep.doctor.connection import connected
from glsweep.sweep.engine import run_trials
from glsweep.sweep.tune import train_cohort

pytestmark = [pytest.mark.ray, pytest.mark.slow]

BATCH, FEW, SIZE_PX = 48, 2, 128
FEW_BYTES = 160 * 2**20
"""Enough for some patches of a batch, and by far not for all."""


def data_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmData:"))


def train_in_little_memory(config: dict, *, cpus: float, **rest: object) -> None:
    """`train_cohort`; the second trial may take few bytes more than the process already has.

    In one thread, however many `cpus` the trial holds: several that wait for each other on cores that other
    processes use as well take minutes for what one does in seconds.
    """
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    limit = data_bytes() + FEW_BYTES if config["cohort"]["trials"][0]["index"] == 1 else most
    resource.setrlimit(resource.RLIMIT_DATA, (limit, most))
    try:
        train_cohort(config, cpus=1, **rest)  # type: ignore[arg-type]
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def test_a_trial_without_memory_for_a_batch_is_trained_in_parts_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    # The first one's batch is small, since a process keeps what it once had for its next use.
    trials = [
        trial(index, patch_size_px=SIZE_PX, base_width=8, batch_size=BATCH if index else FEW)
        for index in range(3)
    ]
    arrays = {SIZE_PX: (patches(BATCH, size_px=SIZE_PX), patches(4, 1, SIZE_PX))}
    # One after another in one process, whose libraries the first one loads.
    planned = job(tmp_path, trials, trainable=train_in_little_memory, cpus=os.cpu_count() or 1)
    with connected(None):
        records = run_trials(planned, arrays, []).trials
    assert [record.reason for record in records.values()] == [""] * 3
    assert [record.outcome in ("completed", "stopped") for record in records.values()] == [True] * 3
    parts = {name: {figures["micro_batch"] for figures in r.epochs.values()} for name, r in records.items()}
    assert (parts["0000"], parts["0002"]) == ({FEW}, {BATCH})
    assert max(parts["0001"]) < BATCH
