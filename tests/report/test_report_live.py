"""The page of a running study: it is there, is not written too often, and never stops the work."""

import io
import subprocess
import sys
import threading
import time
from itertools import pairwise

import pytest
from rich.console import Console
from synthetic_study import running

from glsweep.report.live import LivePage, write_live_page
from glsweep.sweep.records import Ended, Ledger, SweepRecords, read_records


@pytest.fixture
def begun(reported, tmp_path):
    return running(reported, tmp_path / "running")


def wait_until(happened, *, seconds=20.0):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def console():
    return Console(file=io.StringIO(), width=300)


def test_the_page_says_what_is_over_what_it_cost_and_what_is_still_missing(begun):
    study, terms = begun
    write_live_page(study, "sweep", terms)
    page, records = study.report_html.read_text(), read_records(study.ledger_jsonl)
    over = sum(record.outcome is not None for record in records.trials.values())
    hours = sum(record.trained_s for record in records.trials.values()) / 3600
    assert f"{over} of 200 over" in page
    assert f"{hours:.2f} CPU hours" in page
    assert "about " in page
    assert "The report then takes the place of" in page


def test_a_listener_keeps_the_page_until_the_report_begins(begun):
    study, terms = begun
    study.report_html.unlink()
    records = SweepRecords()
    events = list(Ledger(study.ledger_jsonl).read())
    with LivePage(study, terms, console(), interval_s=0.05) as live:
        live.begin("prepare")
        assert not study.report_html.exists()
        live.begin("sweep")
        live.catch_up(records)
        for event in events:
            record = records.apply(event)
            if record is not None:
                live.on_event(event, record)
        last = next(event for event in reversed(events) if isinstance(event, Ended)).trial_id
        wait_until(lambda: study.report_html.exists() and last in study.report_html.read_text())
        assert "Running: sweep" in study.report_html.read_text()
        live.begin("retrain")
        wait_until(lambda: "Running: retrain" in study.report_html.read_text())
        live.begin("report")
        study.report_html.write_text("the report")
    assert study.report_html.read_text() == "the report"
    assert not [thread for thread in threading.enumerate() if thread.name == "live page"]


def test_an_interrupted_study_says_so_and_its_page_rests(begun):
    study, terms = begun
    with pytest.raises(KeyboardInterrupt), LivePage(study, terms, console()) as live:
        live.begin("sweep")
        raise KeyboardInterrupt
    page = study.report_html.read_text()
    assert "Interrupted in sweep" in page
    assert "data-live=" not in page


def test_pages_are_not_written_more_often_than_asked(begun):
    study, terms = begun
    written = {study.report_html.stat().st_mtime_ns}
    with LivePage(study, terms, console(), interval_s=0.3) as live:
        live.begin("sweep")
        end = time.monotonic() + 1.2
        while time.monotonic() < end:
            live.on_event(None, None)
            written.add(study.report_html.stat().st_mtime_ns)
            time.sleep(0.005)
    pages = sorted(written)[1:]  # the first is the report's
    assert 1 <= len(pages) <= 4
    assert all(later - earlier > 0.2e9 for earlier, later in pairwise(pages))


def test_a_page_that_cannot_be_written_is_told_once_and_stops_nothing(begun):
    study, terms = begun
    study.data_json.unlink()
    told = console()
    with LivePage(study, terms, told, interval_s=0.01) as live:
        live.begin("sweep")
        wait_until(lambda: "cannot be written" in told.file.getvalue())
        time.sleep(0.2)
    assert told.file.getvalue().count("cannot be written") == 1


def test_the_page_needs_neither_plotly_nor_optuna_in_the_process_that_sweeps():
    modules = "sys, glsweep.report.live, glsweep.report.trials"
    code = f"import {modules}; print({{'plotly', 'optuna'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
