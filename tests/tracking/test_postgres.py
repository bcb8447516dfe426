"""The same in PostgreSQL, where this machine has it: runs, an interruption, and the registry."""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from invented import Reader, assert_mirrors, journal_of, planned, play, write_winners
from made_members import write_member, write_patches
from servers import PostgresServer, postgres_programs

from glsweep.register import register_members
from glsweep.study import open_study
from glsweep.sweep.mirror import mirrored, track_study

pytestmark = pytest.mark.slow
TRIALS = [planned(index) for index in range(6)]


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    pytest.importorskip("psycopg2", reason="psycopg2 is not installed")
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL (initdb, pg_ctl) is not installed")
    with tempfile.TemporaryDirectory() as folder, PostgresServer(programs, Path(folder)) as server:
        yield server


def test_studies_that_begin_at_once_on_a_new_database_end_up_in_it_and_may_be_moved(
    postgres, make_study, monkeypatch, tmp_path
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", postgres.uri)
    studies = [make_study(f"study-{number}", name=f"name-{number}") for number in range(3)]
    with ThreadPoolExecutor(len(studies)) as pool:
        list(pool.map(track_study_with_a_trial, studies))
    assert [len(Reader(study).runs("trial")) for study in studies] == [1, 1, 1]
    studies[0].directory.rename(tmp_path / "moved")
    moved = open_study(tmp_path / "moved")
    track_study(moved)
    sweep, other = Reader(moved).run("sweep"), Reader(studies[1]).run("sweep")
    assert sweep.info.artifact_uri.startswith((tmp_path / "moved" / "mlartifacts").as_uri())
    assert other.info.artifact_uri.startswith(studies[1].mlflow_artifacts.as_uri())
    assert Reader(moved).artifacts(sweep) == {"study.yaml"}


def track_study_with_a_trial(study) -> None:
    list(play(journal_of(study), TRIALS[:1]))
    track_study(study)


def test_a_sweep_its_resumption_and_its_members_are_kept_in_postgresql(
    postgres, make_study, console, monkeypatch
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", postgres.uri)
    study = make_study()
    with pytest.raises(KeyboardInterrupt), mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        for number, _ in enumerate(play(journal, TRIALS)):
            if number == 20:
                raise KeyboardInterrupt
    assert_mirrors(study, journal)
    with mirrored(study, console) as mirror:
        journal = journal_of(study, mirror)
        list(play(journal, TRIALS, first_epoch=4))
        write_winners(study, TRIALS[-1])
    assert_mirrors(study, journal)
    write_patches(study)
    write_member(study, seed=1)
    assert register_members(study)["unet-64"].is_champion
    assert track_study(study).trials == len(TRIALS)
    assert_mirrors(study, journal)
    assert Reader(study).run("member").info.status == "FINISHED"
    assert not study.mlflow_db.stat().st_mtime > study.ledger_jsonl.stat().st_mtime
