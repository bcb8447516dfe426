"""Workers that die: their trials go on from their checkpoints, as if nothing had happened."""

import os
import threading
from collections import Counter
from pathlib import Path

import pytest
from processes import kill, workers
from small_trials import (
    ARRAYS,
    EPOCHS,
    SAVES,
    TRIALS,
    AtEpoch,
    job,
    results,
    train_and_count,
    trial,
)

from glsweep.sweep.engine import run_trials

pytestmark = [pytest.mark.ray, pytest.mark.slow]


def kill_in_mid_epoch() -> None:
    """Kill every worker, a little after a report: the next epoch has begun."""
    found = workers(os.getpid())
    assert found
    threading.Timer(0.05, kill, [found]).start()


@pytest.mark.usefixtures("ray")
def test_a_worker_killed_in_mid_epoch_loses_no_epoch_and_changes_no_figure(
    undisturbed: dict[str, object], tmp_path: Path
) -> None:
    disturbed = job(tmp_path, TRIALS, trainable=train_and_count)
    records = run_trials(disturbed, ARRAYS, [AtEpoch("0000", 2, kill_in_mid_epoch)])
    assert results(records) == undisturbed
    assert records.trials["0000"].crashes_in_all == 1
    saves = Counter((tmp_path / SAVES).read_text().split())
    assert saves == {name: record.reached for name, record in records.trials.items()}


def die(config: dict, **rest: object) -> None:
    """A trial that takes its worker with it, but for the first."""
    if config["trial"]["index"] == 0:
        train_and_count(config, **rest)  # type: ignore[arg-type]
    else:
        os._exit(1)


@pytest.mark.usefixtures("ray")
def test_a_trial_whose_worker_dies_again_and_again_fails_with_its_reason(tmp_path: Path) -> None:
    records = run_trials(job(tmp_path, [trial(0), trial(1)], trainable=die), ARRAYS, []).trials
    assert (records["0000"].outcome, len(records["0000"].epochs)) == ("completed", EPOCHS)
    assert (records["0001"].outcome, records["0001"].crashes_in_all) == ("failed", 3)
    assert "worker process has died" in records["0001"].reason
