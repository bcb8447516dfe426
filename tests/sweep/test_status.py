"""`status` and `replay` as a user meets them: beside a study that runs, that died, and that is complete."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import psutil
import pytest
from conftest import Start
from filelock import FileLock
from made_configs import study_config
from PIL import Image

from glsweep.config.space import Asha
from glsweep.run import main
from glsweep.study import Study, create_study, open_study
from glsweep.sweep.ledger import Ledger
from glsweep.sweep.status import is_locked, read_status
from glsweep.sweep.stopping_rules import rule_name


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What a command prints that ends well."""
    assert main([str(argument) for argument in arguments]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    return printed.out


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The one line of a command that is refused."""
    assert main([str(argument) for argument in arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err


def everything(study: Study) -> dict[Path, bytes]:
    """Every file of a study; what lies in the lock is of no interest."""
    files = (path for path in study.directory.rglob("*") if path.is_file() and path != study.lock)
    return {path: path.read_bytes() for path in files}


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


@pytest.mark.ray
@pytest.mark.slow
def test_a_study_is_seen_while_it_runs_and_after_it_was_killed(
    capsys: pytest.CaptureFixture[str], start_study: Start, tmp_path: Path
) -> None:
    process = start_study(tmp_path / "smoke")
    try:
        study = wait_until_it_trains(process, tmp_path / "smoke")
        printed = told(capsys, "status", study.directory)
        assert f"study {study.directory}: running since " in printed
        assert "last event" in printed
        assert "prepare   done in" in printed
        assert "sweep     running" in printed
        assert "retrain   to come" in printed
        assert " of 6 trials over" in printed
        assert "U-Net++ 64" in printed
    finally:
        workers = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    # They learn of it a moment later, and may be writing a checkpoint.
    assert psutil.wait_procs(workers, timeout=60)[1] == []
    with study.ledger_jsonl.open("ab") as file:
        file.write(b'{"event":"epo')
    before = everything(study)
    printed = told(capsys, "status", study.directory)
    assert "not running; " in printed
    assert "sweep     not done" in printed
    assert everything(study) == before, "a reader must change nothing"
    status = read_status(study)
    assert all(record.node is None for record in status.parts[0].records.trials.values())


def wait_until_it_trains(process: "subprocess.Popen[str]", directory: Path) -> Study:
    """Wait until an epoch was reported, looking all the while at how the study stands."""
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        assert process.poll() is None, "ended too soon"
        if (directory / "study.yaml").is_file():
            study = open_study(directory)
            parts = read_status(study).parts
            if parts and parts[0].records.epochs:
                return study
        time.sleep(0.2)
    pytest.fail("no epoch within the time")


@pytest.mark.ray
@pytest.mark.slow
def test_a_complete_study_shows_sweep_and_retraining(
    capsys: pytest.CaptureFixture[str], undisturbed: tuple[Study, str]
) -> None:
    study, _ = undisturbed
    printed = told(capsys, "status", study.directory)
    assert f"study {study.directory}: complete" in printed
    assert "6 of 6 trials over" in printed
    assert "Retraining of the winners, best by val_loss" in printed
    assert "3 of 3 trials over" in printed
    assert "left" not in printed


@pytest.mark.ray
@pytest.mark.slow
def test_the_rule_of_a_real_sweep_is_replayed_as_it_was(
    capsys: pytest.CaptureFixture[str], undisturbed: tuple[Study, str]
) -> None:
    study, _ = undisturbed
    own = rule_name(study.config.space.search.scheduler)
    assert study.config.space.search.scheduler == Asha(grace_epochs=1, reduction_factor=2)
    printed = told(capsys, "replay", study.directory, "--scheduler", own, "asha:1:3", "--orders", "4")
    assert f"{own} *" in printed
    plays = pd.read_csv(study.replay / "replay.csv")
    assert sorted(plays["order"].unique()) == [0, 1, 2, 3, 4]
    as_it_was = plays[(plays["rule"] == own) & (plays["order"] == 0)]
    trials = pd.read_csv(study.trials_csv)
    assert as_it_was["epochs"].sum() == trials["epochs"].sum()
    assert (as_it_was["unknown"] == 0).all()
    assert (as_it_was["regret"] == 0).all()
    with Image.open(study.replay / "replay.png") as picture:
        assert picture.width > 1000
    assert study.record("sweep") == open_study(study.directory).record("sweep")


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
    study.finish("sweep", 1.0, {})
    message = refused(capsys, "replay", study.directory, "--scheduler", "none")
    assert "too little is known of none, under which up to 3 of 4 trials would have trained on" in message
    assert "scheduler: {name: none}" in message
    printed = told(capsys, "replay", study.directory, "--orders", "0")
    assert "not shown: too little is known of" in printed
    assert "asha:1:2 *" in printed
    assert "--orders -1: must not be negative" in refused(capsys, "replay", study.directory, "--orders=-1")
    assert len(list(Ledger(study.ledger_jsonl).read())) > 10


@contextmanager
def read_only(study: Study, folder: Path) -> Iterator[Path]:
    """The study as on a disk that was mounted read-only; the test is skipped where that cannot be had."""
    folder.mkdir()
    for command in (["--bind", str(study.directory), str(folder)], ["-o", "remount,bind,ro", str(folder)]):
        if subprocess.run(["mount", *command], capture_output=True, check=False).returncode:
            pytest.skip("only root can mount a folder read-only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.ray
@pytest.mark.slow
def test_an_archived_study_is_looked_at_replayed_reported_and_drawn_with(
    capsys: pytest.CaptureFixture[str], undisturbed: tuple[Study, str], tmp_path: Path
) -> None:
    study, _ = undisturbed
    before = everything(study)
    with read_only(study, tmp_path / "archive") as archive:
        assert "complete" in told(capsys, "status", archive)
        printed = told(capsys, "replay", archive, "--orders", "0", "--scheduler", "asha:1:2")
        assert "asha:1:2 *" in printed
        assert f"rows and figure were not written to {archive / 'replay'}: Read-only file system" in printed
        told(capsys, "report", "--study", archive, "--out", tmp_path / "report")
        member = archive / "members" / "unet-64"
        told(capsys, "predict", "--model", member, "--scene", scene_of(study), "--out", tmp_path / "lines")
        for command in (("track", archive), ("report", "--study", archive), ("--study", archive)):
            code = main([str(word) for word in command])
            message = capsys.readouterr().err
            assert (code, message.count("\n")) == (2, 1)
            assert f"{archive}: cannot be written to (Read-only file system); copy it" in message
    assert everything(study) == before
    written = {path.name for path in (tmp_path / "report").iterdir()}
    assert written == {"report.html", "figures", "table.csv", "table.json", "lines.csv", "lines.json"}
    assert len(list((tmp_path / "report" / "figures").iterdir())) == len(list(study.figures.iterdir()))
    assert len(list((tmp_path / "lines").iterdir())) == 5


def scene_of(study: Study) -> Path:
    return min((study.scenes / "DInSAR").glob("*.tif"))


def test_the_lock_of_an_archived_study_is_looked_at_without_writing(tmp_path: Path) -> None:
    study = create_study(tmp_path / "new", study_config())
    with FileLock(study.lock), read_only(study, tmp_path / "archive") as archive:
        assert is_locked(open_study(archive))
    with read_only(study, tmp_path / "later") as archive:
        assert is_locked(open_study(archive)) is False


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
