"""A real MLflow server that goes away: training does not wait, and nothing is lost."""

import statistics
import time

import pytest
from invented import Reader, assert_mirrors, journal_of, planned, play, write_winners

from glsweep.sweep.mirror import mirrored, track_study
from glsweep.tracking.address import StoreError, carry_on_without_store
from glsweep.tracking.tracker import track_members

TRIALS = [planned(index) for index in range(12)]


def test_a_server_that_is_killed_and_comes_back_misses_nothing(server, make_study, console):
    study = make_study(name="killed-server")
    heard_s = []
    with mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        for number, _ in enumerate(play(journal, TRIALS)):
            if number == 20:
                while mirror.calls < 15:  # the server is killed while it is spoken to
                    time.sleep(0.01)
                server.kill()
                killed_s = time.monotonic()
            if number > 20:
                time.sleep(0.05)
                started_s = time.perf_counter()
                mirror.on_event(None, journal.records.trials[TRIALS[number % 12].trial_id])
                heard_s.append(time.perf_counter() - started_s)
        time.sleep(max(0.0, 3.0 - (time.monotonic() - killed_s)))
        assert console.file.getvalue().count("training goes on") == 1
        server.start()
        write_winners(study, TRIALS[-1])
    assert statistics.median(heard_s) < 0.005
    assert_mirrors(study, journal)
    assert Reader(study).run("sweep").info.status == "FINISHED"
    assert "answers again" in console.file.getvalue()
    assert "wait;" not in console.file.getvalue()


def test_a_server_that_is_away_for_the_whole_sweep_is_sent_everything_later(server, make_study, console):
    study = make_study(name="absent-server")
    server.kill()
    try:
        started_s = time.monotonic()
        with mirrored(study, console) as mirror:
            journal = journal_of(study, mirror)
            list(play(journal, TRIALS))
            write_winners(study, TRIALS[-1])
        assert time.monotonic() - started_s < 10
        command = f"`python -m glsweep.run track {study.directory}`"
        assert f"13 runs wait; {command} sends them" in console.file.getvalue()
        with carry_on_without_store(study, console):
            track_members(study)
        assert f"{command} sends what is held back" in console.file.getvalue()
        with pytest.raises(StoreError, match="refused"):
            track_study(study)
    finally:
        server.start()
    track_study(study)
    assert_mirrors(study, journal)
    assert Reader(study).run("sweep").info.status == "FINISHED"
    assert Reader(study).artifacts(Reader(study).run("sweep")) == {"study.yaml"}
    assert track_study(study).calls <= 2
