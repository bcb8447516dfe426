"""Winners by the figure that was asked for, and checkpoints that are whole."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from sweeps import figures, journal_at, planned, run

from glsweep.config.space import NoStopping
from glsweep.sweep.checkpoints import CHECKPOINT_FILE, CheckpointFolder
from glsweep.sweep.forecast import seconds_left
from glsweep.sweep.winners import winners


def played(tmp_path: Path, curves: dict[str, list[float]]):  # type: ignore[no-untyped-def]
    epochs = max(map(len, curves.values()))
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=epochs, stopping=NoStopping())
    return run(journal, [planned(int(name)) for name in curves], curves, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("figure", "expected"), [("relaxed_f1", "0002"), ("val_loss", "0002"), ("dice", "0002")]
)
def test_the_winner_has_the_best_epoch_of_all(tmp_path: Path, figure: str, expected: str) -> None:
    records = played(tmp_path, {"0000": [0.1, 0.5], "0001": [0.4, 0.3], "0002": [0.6, 0.2]})
    won = winners(records, figure)["unet-128"]  # type: ignore[arg-type]
    assert (won["trial_id"], won["epoch"]) == (expected, 1)


def test_the_first_of_equals_wins(tmp_path: Path) -> None:
    records = played(tmp_path, {"0000": [0.1], "0001": [0.5], "0002": [0.5]})
    assert winners(records, "relaxed_f1")["unet-128"]["trial_id"] == "0001"


def test_a_stopped_trial_cannot_win(tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=3)
    for index in range(2):
        journal.start(planned(index))
    for epoch in (1, 2, 3):
        journal.report("0000", epoch, figures(0.2), last=epoch == 3)
    journal.report("0001", 1, figures(0.1), last=False)
    assert journal.records.trials["0001"].outcome == "stopped"
    assert winners(journal.records, "relaxed_f1")["unet-128"]["trial_id"] == "0000"


def checkpoint(folder: Path, attempt: int, number: int, value: float) -> Path:
    path = folder / f"attempt-{attempt:03d}" / "0000" / f"checkpoint_{number:06d}" / CHECKPOINT_FILE
    path.parent.mkdir(parents=True)
    save_file({"weights": torch.full((100,), value)}, path)
    return path


def test_the_newest_whole_checkpoint_is_found_over_all_attempts(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    assert folder.newest("0000") is None
    assert folder.next_attempt() == "attempt-000"
    checkpoint(tmp_path, 0, 7, 1.0)
    whole = checkpoint(tmp_path, 1, 2, 2.0)
    cut_off = checkpoint(tmp_path, 1, 3, 3.0)
    cut_off.write_bytes(cut_off.read_bytes()[:-50])
    assert folder.newest("0000") == whole
    assert folder.newest("0001") is None
    assert folder.next_attempt() == "attempt-002"


def test_the_forecast_is_exact_when_trials_are_alike(tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=4, stopping=NoStopping())
    trials = [planned(index) for index in range(6)]
    curves = {trial.trial_id: [0.5] * 4 for trial in trials}
    records = run(journal, trials[:2], curves, np.random.default_rng(0))
    # Eight epochs of a second each took four seconds side by side; sixteen are left.
    assert seconds_left(trials, records, epochs=4, elapsed_s=4.0, trained_s=8.0) == pytest.approx(8.0)
    assert (
        seconds_left(
            trials, journal_at(tmp_path / "none", epochs=4).records, epochs=4, elapsed_s=1, trained_s=0
        )
        is None
    )
