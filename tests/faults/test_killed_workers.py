"""Workers that die: their trials go on from their checkpoints, as if nothing had happened."""

import os
import threading
from collections import Counter
from pathlib import Path

import pytest
from disturbed_workers import SAVES, die, die_between_two_saves, train_and_count
from processes import kill, workers
from small_trials import ARRAYS, EPOCHS, TRIALS, AtEpoch, job, results, trial

from glsweep.sweep.engine import run_trials
from glsweep.sweep.records import SweepRecords

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


@pytest.mark.usefixtures("ray")
def test_a_trial_whose_worker_dies_again_and_again_fails_with_its_reason(tmp_path: Path) -> None:
    records = run_trials(job(tmp_path, [trial(0), trial(1)], trainable=die), ARRAYS, []).trials
    assert (records["0000"].outcome, len(records["0000"].epochs)) == ("completed", EPOCHS)
    assert (records["0001"].outcome, records["0001"].crashes_in_all) == ("failed", 3)
    assert "worker process has died" in records["0001"].reason


@pytest.fixture(scope="module")
def quiet(ray: None, tmp_path_factory: pytest.TempPathFactory) -> SweepRecords:
    """A cohort to which nothing happens."""
    return run_trials(job(tmp_path_factory.mktemp("quiet"), TRIALS, cohort=3), ARRAYS, [])


def test_a_cohort_whose_worker_dies_goes_on_together_and_to_the_last_bit_as_it_would_have(
    quiet: SweepRecords, tmp_path: Path
) -> None:
    killed = job(tmp_path / "killed", TRIALS, cohort=3, trainable=train_and_count)
    torn = job(tmp_path / "torn", TRIALS, cohort=3, trainable=die_between_two_saves)
    for disturbed, listeners in ((killed, [AtEpoch("0001", 1, kill_in_mid_epoch)]), (torn, [])):
        records = run_trials(disturbed, ARRAYS, listeners)
        assert results(records) == results(quiet)
        assert [record.crashes_in_all for record in records.trials.values()] == [1, 1, 1]
    saves = Counter((tmp_path / "torn" / SAVES).read_text().split())
    assert saves["0000"] == records.trials["0000"].reached + 1, "it did not go back to where the others were"


def test_trials_of_a_cohort_come_to_what_they_come_to_alone(
    undisturbed: dict[str, object], quiet: SweepRecords
) -> None:
    for name, (_, _, epochs) in undisturbed.items():  # type: ignore[misc]
        first, alone = quiet.trials[name].epochs[1], epochs[1]
        assert first["train_loss"] == pytest.approx(alone["train_loss"], rel=2e-2)
        assert first["val_loss"] == pytest.approx(alone["val_loss"], rel=2e-2)
