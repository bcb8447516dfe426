"""Winners by the mean over seeds, and the table of all trials."""

import math
from pathlib import Path

import numpy as np
import pytest
from sweeps import figures, journal_at, planned, run

from glsweep.config.stopping import NoStopping
from glsweep.sweep.outcomes import trials_frame, winners
from glsweep.sweep.records import SweepRecords

EPOCHS = 2


def played(tmp_path: Path, curves: dict[str, list[float]]) -> SweepRecords:
    """A sweep of these curves, by index and, after a dash, by replicate: `0001-1`."""
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=EPOCHS, stopping=NoStopping())
    for name, curve in curves.items():
        index, _, replicate = name.partition("-")
        trial = planned(int(index))
        if replicate:
            trial = trial.replicated(int(replicate))
        journal.start(trial)
        for epoch, value in enumerate(curve, start=1):
            journal.report(trial.trial_id, epoch, figures(value), last=epoch == EPOCHS)
    return journal.records


@pytest.mark.parametrize("metric", ["relaxed_f1", "val_loss", "dice"])
def test_the_winner_has_the_best_epoch_of_all(tmp_path: Path, metric: str) -> None:
    records = played(tmp_path, {"0000": [0.1, 0.5], "0001": [0.4, 0.3], "0002": [0.6, 0.2]})
    won = winners(records, metric)["unet-128"]  # type: ignore[arg-type]
    assert (won.trial_id, won.epoch, won.replicates, won.spread) == ("0002", 1, 1, None)


def test_the_first_of_equals_wins(tmp_path: Path) -> None:
    records = played(tmp_path, {"0000": [0.1, 0.1], "0001": [0.5, 0.1], "0002": [0.5, 0.1]})
    assert winners(records, "relaxed_f1")["unet-128"].trial_id == "0001"


def test_seeds_are_averaged_and_a_lucky_one_does_not_win(tmp_path: Path) -> None:
    curves = {
        "0000": [0.9, 0.1],
        "0000-1": [0.3, 0.1],
        "0000-2": [0.3, 0.2],
        "0001": [0.5, 0.6],
        "0001-1": [0.7, 0.1],
        "0001-2": [0.1, 0.5],
    }
    won = winners(played(tmp_path, curves), "relaxed_f1")["unet-128"]
    assert won.trial_id == "0001"
    assert won.value == pytest.approx((0.6 + 0.7 + 0.5) / 3)
    assert won.spread == pytest.approx(np.std([0.6, 0.7, 0.5], ddof=1))
    assert won.replicates == 3
    # The member is trained with the seed of the first, which every configuration has.
    assert (won.seed, won.epoch) == (1, 2)


def test_only_seeds_that_ran_in_full_count(tmp_path: Path) -> None:
    records = played(tmp_path, {"0000": [0.4, 0.4], "0000-1": [0.9, math.nan], "0001": [0.5, math.nan]})
    won = winners(records, "relaxed_f1")["unet-128"]
    assert (won.trial_id, won.value, won.replicates, won.spread) == ("0000", 0.4, 1, None)


def test_a_stopped_trial_cannot_win(tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=3)
    for index in range(2):
        journal.start(planned(index))
    for epoch in (1, 2, 3):
        journal.report("0000", epoch, figures(0.2), last=epoch == 3)
    journal.report("0001", 1, figures(0.1), last=False)
    assert journal.records.trials["0001"].outcome == "stopped"
    assert winners(journal.records, "relaxed_f1")["unet-128"].trial_id == "0000"


def test_a_stratum_in_which_no_trial_ran_in_full_has_no_winner_and_costs_the_others_nothing(
    tmp_path: Path,
) -> None:
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=EPOCHS, stopping=NoStopping())
    for index, (architecture, curve) in enumerate([("unet", [0.5, math.nan]), ("unetpp", [0.2, 0.3])]):
        journal.start(planned(index, architecture))
        for epoch, value in enumerate(curve, start=1):
            journal.report(f"{index:04d}", epoch, figures(value), last=epoch == EPOCHS)
    assert list(winners(journal.records, "relaxed_f1")) == ["unetpp-128"]


def test_the_table_of_a_sweep_that_has_not_begun_has_all_its_columns_and_no_row() -> None:
    begun = trials_frame(SweepRecords(), "relaxed_f1")
    assert begun.empty
    assert {"trial_id", "learning_rate", "outcome", "reason"} <= set(begun.columns)


def test_the_table_has_a_row_for_each_seed(tmp_path: Path) -> None:
    curves = {"0001": [0.5, 0.6], "0000": [0.2, 0.4], "0001-1": [0.7, 0.1], "0000-1": [0.3, math.nan]}
    frame = trials_frame(played(tmp_path, curves), "relaxed_f1")
    assert list(frame["trial_id"]) == ["0000", "0000-r1", "0001", "0001-r1"]
    assert list(frame["configuration"]) == ["0000", "0000", "0001", "0001"]
    assert list(frame["replicate"]) == [0, 1, 0, 1]
    assert list(frame["best"]) == [0.4, 0.3, 0.6, 0.7]
    assert list(frame["outcome"]) == ["completed", "failed", "completed", "completed"]


def test_trials_of_a_whole_sweep_stand_in_the_plans_order(tmp_path: Path) -> None:
    trials = [planned(index) for index in range(5)]
    curves = {trial.trial_id: [0.5] * EPOCHS for trial in trials}
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=EPOCHS, stopping=NoStopping())
    frame = trials_frame(run(journal, trials, curves, np.random.default_rng(3)), "relaxed_f1")
    assert list(frame["index"]) == list(range(5))
