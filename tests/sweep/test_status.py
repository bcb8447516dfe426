"""`status` and `replay` as a user meets them, of studies that were not run in full."""

from pathlib import Path

import pytest
from filelock import FileLock
from made_configs import study_config
from small_study import told

from glsweep.run import main
from glsweep.study import create_study
from glsweep.study.artifacts import StageSummary
from glsweep.sweep.records import Ledger
from glsweep.sweep.status import is_locked


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line of a command that is refused."""
    assert main([str(argument) for argument in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


def test_a_folder_that_is_no_study_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert f"{tmp_path}: is not a study" in refused(capsys, "status", tmp_path)
    assert f"{tmp_path}: is not a study" in refused(capsys, "replay", tmp_path)


def test_a_study_that_was_never_run_has_all_stages_to_come(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = create_study(tmp_path / "new", study_config())
    printed = told(capsys, "status", study.directory)
    assert f"not running; `python -m glsweep.run --study {study.directory}` continues it" in printed
    assert printed.count("to come") == 6
    assert not study.lock.exists()


def test_a_study_before_its_sweep_cannot_be_replayed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = create_study(tmp_path / "new", study_config())
    assert "stage `sweep` has not been run" in refused(capsys, "replay", study.directory)


def test_whoever_holds_the_lock_is_seen_and_not_disturbed(tmp_path: Path) -> None:
    study = create_study(tmp_path / "new", study_config())
    with FileLock(study.lock):
        assert is_locked(study)
        assert is_locked(study)
    assert not is_locked(study)
    assert study.lock.exists()


def test_a_sweep_that_says_too_little_about_every_rule_is_told(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from sweeps import journal_at, planned

    study = create_study(tmp_path / "cut", study_config(search__epochs=4))
    study.sweep.mkdir()
    journal = journal_at(study.ledger_jsonl, epochs=4, stopping=study.config.space.search.scheduler)
    for index, values in enumerate(([0.9, 0.9, 0.9, 0.9], [0.1], [0.1], [0.1])):
        journal.start(planned(index))
        for epoch, value in enumerate(values, start=1):
            figures = {"relaxed_f1": value, "dice": value, "val_loss": value, "epoch_s": 1.0}
            journal.report(planned(index).trial_id, epoch, figures, last=epoch == 4)
    study.finish("sweep", 1.0, StageSummary())
    message = refused(capsys, "replay", study.directory, "--scheduler", "none")
    assert "too little is known of none, under which up to 3 of 4 trials would have trained on" in message
    assert "scheduler: {name: none}" in message
    printed = told(capsys, "replay", study.directory, "--orders", "0")
    assert "not shown: too little is known of" in printed
    assert "asha:1:2 *" in printed
    assert "--orders -1: must not be negative" in refused(capsys, "replay", study.directory, "--orders=-1")
    assert len(list(Ledger(study.ledger_jsonl).read())) > 10


@pytest.mark.parametrize("others", [(), ("--seed", "1"), ("--data", "card.yaml"), ("--address", "auto")])
def test_a_report_elsewhere_is_of_a_study_and_takes_nothing_else(
    capsys: pytest.CaptureFixture[str], others: tuple[str, ...], tmp_path: Path
) -> None:
    study = ("--study", tmp_path / "study") if others else ()
    message = refused(capsys, "report", "--out", tmp_path / "out", *study, *others)
    assert "--out: goes with --study and no other option" in message


def test_a_report_elsewhere_replaces_nothing_and_needs_an_evaluated_study(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    study = create_study(tmp_path / "new", study_config())
    message = refused(capsys, "report", "--study", study.directory, "--out", study.directory)
    assert f"--out {study.directory}: is not empty; name a new folder" in message
    message = refused(capsys, "report", "--study", study.directory, "--out", tmp_path / "out")
    assert "stage `evaluate` has not been run" in message
    assert not (tmp_path / "out").exists()
