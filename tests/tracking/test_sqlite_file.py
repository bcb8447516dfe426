"""A SQLite store is whole or is made whole, whatever a process left that was killed while it made it."""

import shlex
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import alembic.command
import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented import Reader, assert_mirrors, journal_of, planned, play
from mlflow import MlflowClient
from mlflow.store.db.utils import _get_alembic_config
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine

from glsweep.sweep.mirror import track_study
from glsweep.tracking.address import (
    StoreError,
    browse_command,
    sqlite_path,
    sqlite_uri,
    tracking_uri,
    trials_page,
    without_password,
)
from glsweep.tracking.runs import RunState
from glsweep.tracking.sqlite_file import store_made_ready
from glsweep.tracking.store import connect
from glsweep.tracking.tracker import Tracker

TRIALS = [planned(index) for index in range(2)]
STRANGE = ["what?", "a 'quoted' \"day\"", "50%25", "%41", "a#1 & b=2;c", "été 氷", "[x]*$HOME", "a:b@c"]
DAMAGES = ["no_database", "half_migrated", "newer", "a_table_gone", "something_else"]
ANY_NAME = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: name.strip(".") and len(name.encode()) < 200
)

Snapshot = tuple[bytes, bytes | None]


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> list[Snapshot]:
    """MLflow's file, and the journal beside it, after each statement with which MLflow makes it."""
    path = tmp_path_factory.mktemp("made") / "mlflow.db"
    found: dict[Snapshot, None] = {}

    def look(*_arguments: object) -> None:
        journal = path.with_name("mlflow.db-journal")
        if path.exists():
            found[path.read_bytes(), journal.read_bytes() if journal.exists() else None] = None

    event.listen(Engine, "after_cursor_execute", look)
    try:
        SqlAlchemyStore(f"sqlite:///{path}", "file:///nowhere").engine.dispose()
    finally:
        event.remove(Engine, "after_cursor_execute", look)
    return list(found)


def dumped(path: Path) -> str:
    with closing(sqlite3.connect(path)) as database:
        return "\n".join(database.iterdump())


def experiments(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT count(*) FROM experiments").fetchone()[0]


@pytest.mark.usefixtures("made_at_once")
def test_a_making_that_was_cut_off_at_any_statement_is_begun_anew(tmp_path, stages):
    assert len(stages) > 300
    for number, snapshot in enumerate(stages[3:-4:11]):
        path = tmp_path / str(number) / "mlflow.db"
        path.parent.mkdir()
        path.write_bytes(snapshot[0])
        if snapshot[1] is not None:
            path.with_name("mlflow.db-journal").write_bytes(snapshot[1])
        for is_own in (False, True):  # a user's store too: nobody has written into it yet
            with store_made_ready(sqlite_uri(path), path, is_own=is_own):
                assert experiments(path) == 1
        assert {file.name for file in path.parent.iterdir()} <= {"mlflow.db", ".mlflow.db.lock"}


def test_the_same_command_makes_without_a_word_what_was_cut_off(study, stages, tmp_path):
    study.mlflow_db.write_bytes(stages[len(stages) // 2][0])
    journal = journal_of(study)
    list(play(journal, TRIALS))
    done = subprocess.run(
        [sys.executable, "-m", "glsweep.run", "track", str(study.directory)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert done.stdout.strip() == f"sqlite:///{study.mlflow_db}: 2 trials are up to date"
    assert done.stderr == ""
    assert_mirrors(study, journal)
    assert "mlruns" not in dumped(study.mlflow_db), "the default experiment lies in the working folder"


@pytest.mark.usefixtures("made_at_once")
@pytest.mark.parametrize("damage", ["torn", *DAMAGES])
def test_a_damaged_store_of_the_study_is_put_aside_and_sent_everything_again(study, damage, capsys):
    journal = journal_of(study)
    list(play(journal, TRIALS))
    track_study(study)
    spoil(study.mlflow_db, damage)
    spoilt = study.mlflow_db.read_bytes()
    track_study(study)
    assert_mirrors(study, journal)
    assert study.mlflow_db.with_name("mlflow.db.broken-1").read_bytes() == spoilt
    told = [line for line in capsys.readouterr().err.splitlines() if "INFO mlflow" not in line]
    assert len(told) == 1
    assert "put aside as mlflow.db.broken-1" in told[0]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_store_of_a_user_is_named_and_never_touched(study, tmp_path, monkeypatch, damage):
    Tracker.open(study)
    shared = tmp_path / "shared.db"
    shutil.copy(study.mlflow_db, shared)
    spoil(shared, damage)
    before = shared.read_bytes()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_uri(shared))
    with pytest.raises(StoreError, match=r"shared\.db: .*move it away") as caught:
        Tracker.open(study)
    assert "\n" not in str(caught.value)
    assert shared.read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} == {"study", "shared.db", ".shared.db.lock"}


def test_an_older_store_of_a_user_is_migrated_and_kept_as_it_was(study, tmp_path, monkeypatch):
    Tracker.open(study)
    shared = tmp_path / "shared.db"
    shutil.copy(study.mlflow_db, shared)
    engine = create_engine(f"sqlite:///{shared}")
    config = _get_alembic_config("")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.downgrade(config, "-1")
    engine.dispose()
    before = dumped(shared)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_uri(shared))
    track_study_with_a_trial(study)
    assert len(Reader(study).trials()) == 1
    assert dumped(tmp_path / "shared.db.before-migration-1") == before


def spoil(path: Path, damage: str) -> None:
    if damage == "no_database":
        path.write_bytes(b"no database" * 1000)
        return
    if damage == "torn":
        whole = path.read_bytes()
        path.write_bytes(whole[:8192] + bytes(len(whole) // 2 - 8192))
        return
    with closing(sqlite3.connect(path)) as database, database:
        if damage == "half_migrated":  # the table of a later schema is there already
            database.execute("UPDATE alembic_version SET version_num = 'c1d2e3f4a5b6'")
        if damage == "newer":
            database.execute("UPDATE alembic_version SET version_num = 'of_the_future'")
        if damage == "a_table_gone":
            database.execute("DROP TABLE latest_metrics")
        if damage == "something_else":
            for table in ("alembic_version", "experiments"):
                database.execute(f"DROP TABLE {table}")
            database.execute("CREATE TABLE recipes (name)")
            database.execute("INSERT INTO recipes VALUES ('soup')")


@pytest.mark.usefixtures("made_at_once")
def test_a_file_that_is_locked_is_not_taken_for_a_damaged_one(study, monkeypatch):
    monkeypatch.setattr("glsweep.tracking.sqlite_file.PATIENCE_S", 0.1)
    before = study.mlflow_db.read_bytes()
    with closing(sqlite3.connect(study.mlflow_db, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked"):
            Tracker.open(study)
        other.execute("ROLLBACK")
    assert study.mlflow_db.read_bytes() == before
    Tracker.open(study)


def test_studies_that_begin_at_once_on_one_new_store_all_end_up_in_it(make_study, tmp_path, monkeypatch):
    shared = tmp_path / "shared new.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{shared}")
    studies = [make_study(f"study-{number}", name=f"name-{number % 2}") for number in range(4)]

    def begin(study):
        Tracker.open(study).sync_sweep(RunState("sweep", "completed"))

    with ThreadPoolExecutor(len(studies)) as pool:
        list(pool.map(begin, studies))
    client = MlflowClient(f"sqlite:///{shared}")
    for name in ("name-0", "name-1"):
        experiment = client.get_experiment_by_name(name)
        assert len(client.search_runs([experiment.experiment_id])) == 2


@given(st.lists(ANY_NAME, min_size=1, max_size=3))
def test_a_path_comes_back_out_of_its_uri_whatever_it_is_called(names):
    path = Path("/no such folder", *names)
    uri = sqlite_uri(path)
    assert sqlite_path(uri) == path
    assert create_engine(uri).url.database == str(path)
    command = shlex.split(browse_command(uri))
    assert command[:3] == ["mlflow", "ui", "--backend-store-uri"]
    assert command[3] == uri or (command[3] == "$MLFLOW_TRACKING_URI" and uri != without_password(uri))


@pytest.mark.parametrize("name", STRANGE)
def test_a_study_of_any_name_has_its_store_and_its_artifacts_in_its_own_folder(make_study, tmp_path, name):
    study = make_study(name, name=name)
    before = set(tmp_path.iterdir())
    track_study_with_a_trial(study)
    reader = Reader(study)
    assert reader.artifacts(reader.run("sweep")) == {"study.yaml"}
    assert list(study.mlflow_artifacts.rglob("study.yaml"))
    assert set(tmp_path.iterdir()) == before
    assert sqlite_path(tracking_uri(study)) == study.mlflow_db


def track_study_with_a_trial(study) -> None:
    list(play(journal_of(study), TRIALS[:1]))
    track_study(study)


def test_a_password_is_never_shown():
    uri = "postgresql://me:secret@host/runs"
    assert browse_command(uri) == 'mlflow ui --backend-store-uri "$MLFLOW_TRACKING_URI" --host 127.0.0.1'
    page = trials_page("https://me:secret@host/mlflow/", "3", "abc", "iou@2")
    assert page.startswith("https://host/mlflow/#/experiments/3/runs?")


def test_the_page_is_that_of_the_studys_trials_best_first(study):
    store = connect(study)
    page = trials_page(store.uri, store.experiment_id, "abc", "relaxed_f1")
    address, _, query = page.partition("/#/")
    assert address == "http://127.0.0.1:5000"
    assert query.startswith(f"experiments/{store.experiment_id}/runs?")
    asked = parse_qs(urlsplit(query).query)
    assert asked["searchFilter"] == ["tags.`glsweep.study_id` = 'abc' and tags.`glsweep.kind` = 'trial'"]
    assert asked["orderByKey"] == ["metrics.`best_relaxed_f1`"]
    assert asked["orderByAsc"] == ["false"]
