"""What MLflow holds of a sweep follows from the ledger, whatever happens on the way."""

import copy
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from invented import Reader, assert_mirrors, figures, journal_of, planned, play, write_winners

from glsweep.search.plan import PlannedTrial
from glsweep.study.artifacts import ReportSummary
from glsweep.sweep.mirror import MlflowMirror, mirrored, send_trial, track_study
from glsweep.tracking.tracker import Tracker

TRIALS = [planned(index) for index in range(12)]


def printed(console) -> str:
    return console.file.getvalue()


def test_every_trial_ends_as_in_the_ledger(study, console):
    with mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        for _ in play(journal, TRIALS):
            pass
        journal.start(planned(12))
        journal.fail("0012-abcd", "CUDA out of memory")
        write_winners(study, TRIALS[-1])
    assert_mirrors(study, journal)
    reader = Reader(study)
    sweep, trials = reader.run("sweep"), reader.trials()
    assert sweep.info.status == "FINISHED"
    assert sweep.data.metrics == {f"best_relaxed_f1.{TRIALS[-1].stratum.key}": 0.5}
    assert trials["0012-abcd"].data.tags["glsweep.reason"] == "CUDA out of memory"
    assert {"KILLED", "FINISHED", "FAILED"} == {run.info.status for run in trials.values()}
    assert printed(console) == ""


def test_a_trial_costs_few_calls(study, console):
    with mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        for _ in play(journal, TRIALS):
            pass
    assert mirror.calls <= 4 * len(TRIALS) + 12


def test_the_run_of_the_sweep_tells_where_it_comes_from(study, console):
    with mirrored(study, console) as mirror:
        journal_of(study, mirror)
    reader = Reader(study)
    sweep = reader.run("sweep")
    assert reader.artifacts(sweep) == {"study.yaml"}
    assert sweep.data.params["sampler"] == "grid"
    assert sweep.data.tags["glsweep.space"] == "tiny"
    tags = sweep.data.tags
    for name in ("glsweep", "python", "torch", "ray", "mlflow", "optuna"):
        assert tags[f"glsweep.version.{name}"]
    assert int(tags["glsweep.machine.cpus"]) > 0
    assert tags["glsweep.data_card"] == study.config.card.content_hash()


def test_a_replicate_is_linked_to_its_configuration(study, console):
    first = planned(0)
    second = PlannedTrial.model_validate({**dict(first), "trial_id": "0000-abcd-r1", "replicate": 1})
    with mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        for trial in (first, second):
            for _ in play(journal, [trial]):
                pass
    run = Reader(study).trials()["0000-abcd-r1"]
    assert run.data.tags["glsweep.configuration"] == "0000-abcd"
    assert run.data.tags["glsweep.replicate"] == "1"


def test_an_interrupted_sweep_leaves_no_run_running_and_goes_on_in_the_same_runs(study, console):
    with pytest.raises(KeyboardInterrupt), mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        for number, _ in enumerate(play(journal, TRIALS[:3])):
            if number == 10:
                raise KeyboardInterrupt
    assert_mirrors(study, journal)
    sweep = Reader(study).run("sweep")
    assert (sweep.info.status, sweep.data.tags["glsweep.outcome"]) == ("KILLED", "interrupted")

    with mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        for _ in play(journal, TRIALS[:3], first_epoch=4):
            pass
    assert_mirrors(study, journal)
    assert Reader(study).run("sweep").info.status == "FINISHED"


KILLED = """
import io, os, signal, sys, time
from pathlib import Path
from invented import journal_of, planned, play
from rich.console import Console
from glsweep.study import open_study
from glsweep.study.artifacts import ReportSummary
from glsweep.sweep.mirror import MlflowMirror
study = open_study(Path(sys.argv[1]))
mirror = MlflowMirror(study, Console(file=io.StringIO()))
journal = journal_of(study, mirror)
list(play(journal, [planned(index) for index in range(4)], last_epoch=2))
mirror.start()
while mirror.calls < 12:
    time.sleep(0.05)
journal.fail(planned(0).trial_id, "this is in the ledger, and not in MLflow")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_driver_left_is_made_right_by_the_next(study, console):
    folder = Path(__file__).parent
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (folder, folder.parent)))}
    done = subprocess.run([sys.executable, "-c", KILLED, str(study.directory)], env=here, check=False)
    assert done.returncode == -signal.SIGKILL
    assert [run.info.status for run in Reader(study).runs("trial")] == ["RUNNING"] * 4
    with mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
    assert_mirrors(study, journal)
    assert journal.records.trials[TRIALS[0].trial_id].outcome == "failed"


def test_what_is_tracked_afterwards_equals_what_is_tracked_on_the_way(make_study, console):
    study = make_study("followed")
    with mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        for _ in play(journal, TRIALS):
            pass
        write_winners(study, TRIALS[-1])
    later = make_study("later")
    later.sweep.mkdir()
    for file in (study.ledger_jsonl, study.winners_json):
        (later.sweep / file.name).write_bytes(file.read_bytes())
    track_study(later)
    assert_mirrors(later, journal)
    first, second = Reader(study), Reader(later)
    for trial_id, run in first.trials().items():
        other = second.trials()[trial_id]
        assert comparable(run) == comparable(other)
        assert run.info.start_time == other.info.start_time
        assert run.info.end_time == other.info.end_time


def comparable(run):
    tags = {k: v for k, v in run.data.tags.items() if k not in ("mlflow.parentRunId", "glsweep.study_id")}
    return run.info.run_name, run.info.status, run.data.params, run.data.metrics, tags


def test_tracking_twice_changes_nothing(study):
    journal = journal_of(study)
    list(play(journal, TRIALS))
    write_winners(study, TRIALS[-1])
    track_study(study)
    assert_mirrors(study, journal)
    again = track_study(study)
    assert again.trials == len(TRIALS)
    assert again.calls <= 2
    assert_mirrors(study, journal)


def test_a_users_store_that_is_broken_stops_no_training_and_owes_everything(
    study, console, tmp_path, monkeypatch
):
    shared, good = tmp_path / "shared.db", study.mlflow_db.read_bytes()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{shared}")
    shared.write_bytes(b"no database" * 1000)
    started_s = time.monotonic()
    with mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        list(play(journal, TRIALS))
    assert time.monotonic() - started_s < 10
    assert printed(console).count("training goes on") == 1
    assert f"13 runs wait; `python -m glsweep.run track {study.directory}` sends them" in printed(console)
    assert shared.read_bytes() == b"no database" * 1000
    shared.write_bytes(good)
    track_study(study)
    assert_mirrors(study, journal)


@pytest.mark.filterwarnings("error")
def test_what_nobody_expects_is_one_line_and_the_thread_goes_on(study, console):
    with mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        list(play(journal, TRIALS, last_epoch=2))
        good = journal.records.trials[TRIALS[0].trial_id]
        mirror.on_event(None, replace(good, epochs={1: {"relaxed_f1": "not a number"}}))
        wait_until(lambda: "training goes on" in printed(console))
        wait_until(lambda: len(Reader(study).trials()) >= len(TRIALS) - 1)
        mirror.on_event(None, good)
        list(play(journal, TRIALS, first_epoch=3))
    assert_mirrors(study, journal)
    told = printed(console).strip().splitlines()
    assert len(told) == 2
    assert "TypeError: must be real number, not str" in told[0]
    assert "answers again" in told[1]


def test_another_store_in_the_midst_of_a_sweep_is_sent_everything(
    study, console, tmp_path, monkeypatch, empty_store
):
    with pytest.raises(KeyboardInterrupt), mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        list(play(journal, TRIALS[:3], last_epoch=3))
        raise KeyboardInterrupt
    other = tmp_path / "other.db"
    other.write_bytes(empty_store)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{other}")
    with mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        list(play(journal, TRIALS[:3], first_epoch=4))
    assert_mirrors(study, journal)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert track_study(study).trials == 3
    assert_mirrors(study, journal)


@pytest.mark.usefixtures("made_at_once")
def test_a_store_that_is_ruined_during_a_sweep_is_made_anew_and_sent_everything(study, console, capfd):
    with mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        list(play(journal, TRIALS[:3], last_epoch=3))
        wait_until(lambda: len(Reader(study).trials()) == 3)
        with closing(sqlite3.connect(study.mlflow_db)) as database, database:
            database.execute("DROP TABLE latest_metrics")
        list(play(journal, TRIALS[3:6]))
    assert_mirrors(study, journal)
    told = capfd.readouterr().err
    assert "Traceback" not in printed(console) + told
    assert "put aside as mlflow.db.broken-1" in told


def test_a_trial_that_goes_on_after_its_end_is_running_again(study, console):
    journal = journal_of(study)
    journal.start(TRIALS[0])
    journal.report(TRIALS[0].trial_id, 1, figures(0.5), last=True)
    journal.start(TRIALS[1])
    journal.fail(TRIALS[1].trial_id, "no memory")
    track_study(study)
    records = journal.records.trials
    tracker = Tracker.open(study)
    for trial, epochs in ((TRIALS[0], 4), (TRIALS[1], 2)):
        more = {epoch: figures(0.5 + epoch / 100) for epoch in range(2, epochs + 1)}
        now = replace(
            records[trial.trial_id],
            outcome=None,
            reason="",
            epochs=records[trial.trial_id].epochs | more,
            reported_unix_s=records[trial.trial_id].reported_unix_s | dict.fromkeys(more, time.time()),
        )
        send_trial(tracker, now, "relaxed_f1", is_running=True)
    first, second = (Reader(study).trials()[trial.trial_id] for trial in TRIALS[:2])
    assert {first.info.status, second.info.status} == {"RUNNING"}
    assert Reader(study).steps(first, "epoch") == [(n, float(n)) for n in (1, 2, 3, 4)]
    assert "glsweep.reason" not in second.data.tags


def test_hearing_costs_next_to_nothing(study, console):
    mirror = MlflowMirror(study, console)
    journal = journal_of(study)
    list(play(journal, TRIALS))
    record = copy.copy(journal.records.trials[TRIALS[0].trial_id])
    started_s = time.perf_counter()
    for _ in range(1000):
        mirror.on_event(None, record)
    assert time.perf_counter() - started_s < 0.1


def test_system_metrics_are_logged_when_mlflow_is_told_to(study, console, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING", "true")
    monkeypatch.setenv("MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL", "0.2")
    with mirrored(study, console) as mirror:
        journal_of(study, mirror)
        wait_until(lambda: "system/cpu_utilization_percentage" in Reader(study).run("sweep").data.metrics)
    assert Reader(study).run("sweep").info.status == "FINISHED"


def wait_until(condition, timeout_s=20):
    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            if condition():
                return
        except (ValueError, AttributeError):  # there is no run yet
            pass
        assert time.monotonic() < deadline_s
        time.sleep(0.1)


def test_the_description_of_the_sweep_is_its_verdict_unless_a_user_wrote_one(study, console):
    with mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        for _ in play(journal, TRIALS[:2]):
            pass
        write_winners(study, TRIALS[0])

    def described(headline: str) -> str:
        report = ReportSummary(
            report="report.html", figures=3, headlines=(headline,), cautions=("Little is known.",)
        )
        track_study(study, report)
        return Reader(study).run("sweep").data.tags.get("mlflow.note.content", "")

    first = described("128 px: U-Net is not told apart from U-Net++")
    assert first.startswith("**Verdict**. 128 px: U-Net is not told apart from U-Net++.")
    assert "- Little is known." in first
    assert "`report.html`" in first
    assert "128 px: U-Net draws the line best" in described("128 px: U-Net draws the line best")
    reader = Reader(study)
    reader.client.set_tag(reader.run("sweep").info.run_id, "mlflow.note.content", "Do not publish")
    assert described("128 px: nothing") == "Do not publish"
