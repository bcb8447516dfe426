"""A worker without memory for a batch: the trial is trained in smaller parts, and says so."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from disturbed_workers import train_in_little_memory
from small_trials import job, patches, trial

from glsweep.doctor.connection import connected
from glsweep.sweep.engine import run_trials

pytestmark = [pytest.mark.ray, pytest.mark.slow]

BATCH, FEW, SIZE_PX = 48, 2, 128


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
    planned = replace(planned, schedule=replace(planned.schedule, epochs=2))
    with connected(None):
        records = run_trials(planned, arrays, []).trials
    assert [record.reason for record in records.values()] == [""] * 3
    assert [record.outcome in ("completed", "stopped") for record in records.values()] == [True] * 3
    parts = {name: {figures["micro_batch"] for figures in r.epochs.values()} for name, r in records.items()}
    assert (parts["0000"], parts["0002"]) == ({FEW}, {BATCH})
    assert max(parts["0001"]) < BATCH
