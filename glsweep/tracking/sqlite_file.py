"""An MLflow store in one SQLite file: kept whole, of the current schema, and usable after a move.

MLflow keeps absolute paths in its tables. After a move it would not find its artifacts, and would write
to the old place; here its tables get the new one.

MLflow creates and migrates its tables in some seventy steps that cannot be undone: a process killed
between two of them leaves a file that MLflow never opens again, and two processes that begin at once
disturb each other. Here a file is created and migrated under a temporary name and a lock, and then
replaces the old one whole.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from alembic.script import ScriptDirectory
from filelock import FileLock
from mlflow.store.db import utils as schema
from mlflow.store.db.base_sql_model import Base
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as RegistryStore
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as TrackingStore
from rich.text import Text
from sqlalchemy import (
    ColumnClause,
    Connection,
    NullPool,
    String,
    column,
    create_engine,
    func,
    literal,
    or_,
    table,
    text,
    update,
)

from glsweep.files import replacing
from glsweep.output import open_console
from glsweep.tracking.address import StoreError, sqlite_uri

ARTIFACTS = "mlartifacts"
"""Name of the folder in which a study lets MLflow keep artifacts."""
LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""The tables and columns in which MLflow keeps paths of artifacts."""


def relocate_artifacts(connection: Connection, locations: Iterable[str], here: Path, *, always: bool) -> None:
    """Point a store to its artifacts in `here`, as part of the connection's transaction.

    Parameters
    ----------
    connection : Connection
        To a database with MLflow's tables.
    locations : iterable of str
        Artifact locations of the experiments that may be moved.
    here : Path
        Where their artifacts lie now.
    always : bool
        Whether to do so even if the artifacts still exist at the old place, such as when the study was
        copied. Without it, the store goes on using the old place while they exist.
    """
    folders = {folder for location in locations if (folder := _folder(location)) is not None}
    for old in sorted(folders - {here.as_uri()}):
        if always or not Path(unquote(urlsplit(old).path)).exists():
            _replace_prefix(connection, old, here.as_uri())


def _replace_prefix(connection: Connection, old: str, new: str) -> None:
    for name, column_name in LOCATIONS:
        location: ColumnClause[str] = column(column_name, String)
        is_within = func.substr(location, 1, len(old) + 1) == f"{old}/"
        statement = update(table(name, location)).where(or_(location == old, is_within))
        rest = func.substr(location, len(old) + 1)
        connection.execute(statement.values({column_name: literal(new).concat(rest)}))


def _folder(location: str) -> str | None:
    """Return the folder of artifacts within which a location lies, as a URI."""
    before, found, after = location.rpartition(f"/{ARTIFACTS}")
    return before + found if found and after[:1] in ("", "/") and location.startswith("file:") else None


# --- Making a file ready for use

PATIENCE_S = 120.0
"""How long another process may take to make or change the file."""
COMPANIONS = ("-journal", "-wal", "-shm")
"""Files that SQLite keeps beside its own, and would apply to another file of that name."""
FILLED_BY_MIGRATIONS = {"alembic_version", "sqlite_sequence", "workspaces"}
"""Tables in which the migrations themselves leave rows."""

Condition = Literal["new", "ready", "old", "newer", "damaged"]
"""`new`: no file, or none that holds anything; `old`: of an earlier schema, or half migrated."""


@contextmanager
def store_made_ready(uri: str, path: Path, *, is_own: bool) -> Iterator[None]:
    """Make a store usable, and keep other processes from doing the same within this block.

    Parameters
    ----------
    uri : str
        As it is passed to MLflow.
    path : Path
        The file that the URI names.
    is_own : bool
        Whether it is a study's own, which can be rebuilt from the study: if nothing else helps, it is
        put aside and created again. A user's file never is.

    Raises
    ------
    StoreError
        When a user's file cannot be used.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock"), timeout=PATIENCE_S):
        if _make_usable(path, is_own=is_own):
            _close_connections(uri)
        _relocate(path, path.parent / ARTIFACTS, always=is_own)
        yield


@contextmanager
def readable_store(path: Path) -> Iterator[str]:
    """Yield a URI under which a store can be read: of a copy, if its folder is read-only.

    Raises
    ------
    StoreError
        When the file is missing or cannot be used.
    """
    if not path.is_file():
        raise StoreError(f"{path}: is not there; name the `mlflow.db` of a study, or another store")
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        with store_made_ready(sqlite_uri(path), path, is_own=False):
            pass
        yield sqlite_uri(path)
        return
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / "mlflow.db"
        _copy(path, copy)
        _make_usable(copy, is_own=False)
        _relocate(copy, path.parent / ARTIFACTS, always=False)
        yield sqlite_uri(copy)


def _relocate(path: Path, here: Path, *, always: bool) -> None:
    engine = create_engine(sqlite_uri(path), poolclass=NullPool, connect_args={"timeout": PATIENCE_S})
    with engine.begin() as connection:
        found = connection.execute(text("SELECT artifact_location FROM experiments"))
        relocate_artifacts(connection, [str(location) for (location,) in found], here, always=always)


def _make_usable(path: Path, *, is_own: bool) -> bool:
    """Make a file usable; return whether it was replaced."""
    condition, reason = _inspect(path, thoroughly=is_own)
    if condition == "ready":
        return False
    if condition == "old":
        try:
            _upgrade(path, keep=not is_own)
        except Exception as error:
            first_line = str(error).strip().partition("\n")[0]
            condition, reason = "damaged", f"cannot be brought to today's schema ({first_line})"
            if not is_own:
                raise _unusable(path, reason) from error
        else:
            return True
    if condition != "new":
        if not is_own:
            raise _unusable(path, reason)
        _put_aside(path, reason)
    _make(path, is_own=is_own)
    return True


def _inspect(path: Path, *, thoroughly: bool) -> tuple[Condition, str]:
    """Return the condition of a file, with a reason; what a killed process had not committed is undone.

    An `OperationalError`, such as for a file that is locked or cannot be read, says nothing about its
    content, and is raised.
    """
    if not path.exists():
        return "new", ""
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE_S)) as database:
            names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            if thoroughly and (verdict := database.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                return "damaged", f"is damaged ({str(verdict).strip().splitlines()[-1]})"
            filled = {name for (name,) in names if database.execute(f'SELECT 1 FROM "{name}"').fetchone()}
            revisions = set()
            if "alembic_version" in filled:
                revisions = {row[0] for row in database.execute("SELECT version_num FROM alembic_version")}
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        return "damaged", f"is no SQLite file, or damaged ({error})"
    return _condition_by_tables({name for (name,) in names}, filled, revisions)


def _condition_by_tables(tables: set[str], filled: set[str], revisions: set[str]) -> tuple[Condition, str]:
    """Return the condition of a store by its tables, those that are not empty, and its schema revisions."""
    scripts = _migrations()
    if revisions == set(scripts.get_heads()) and tables >= set(Base.metadata.tables):
        return "ready", ""
    if not filled - FILLED_BY_MIGRATIONS:
        return "new", ""
    if "experiments" not in tables:
        return "damaged", "is a database of something else, or was cut off in a migration"
    if revisions - {script.revision for script in scripts.walk_revisions()}:
        return "newer", f"is of a newer MLflow (schema {', '.join(revisions)})"
    return "old", "is of an older MLflow"


@cache
def _migrations() -> ScriptDirectory:
    return ScriptDirectory.from_config(schema._get_alembic_config(""))


def _make(path: Path, *, is_own: bool) -> None:
    """Create an empty store, whole or not at all."""
    if is_own:
        _clear(path)
    for companion in _companions(path):
        companion.unlink(missing_ok=True)
    with replacing(path) as temporary:
        _write_empty(temporary, path.parent / ARTIFACTS)


def _write_empty(path: Path, artifacts: Path) -> None:
    # The default experiment's artifacts would otherwise be looked for in the working folder.
    TrackingStore(sqlite_uri(path), artifacts.as_uri()).engine.dispose()


def _upgrade(path: Path, *, keep: bool) -> None:
    """Bring a copy of a store to the current schema, and replace the store with it."""
    with replacing(path) as temporary:
        _copy(path, temporary)
        engine = schema.create_sqlalchemy_engine(sqlite_uri(temporary))
        try:
            schema._initialize_tables(engine)
        finally:
            engine.dispose()
        if _inspect(temporary, thoroughly=False)[0] != "ready":
            raise StoreError("tables of MLflow are missing")
        if keep:
            kept = _unused(path, "before-migration")
            with replacing(kept) as copy:
                _copy(path, copy)
            _print_notice(f"{path}: is of an older MLflow and is migrated; as it was, it is {kept.name}")


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)


def _put_aside(path: Path, reason: str) -> None:
    aside = _unused(path, "broken")
    path.rename(aside)
    _print_notice(f"{path}: {reason}; it was put aside as {aside.name}, and is made anew from the study")


def _unused(path: Path, word: str) -> Path:
    """Return a name beside `path` that no file has."""
    names = (path.with_name(f"{path.name}.{word}-{number}") for number in count(1))
    return next(name for name in names if not name.exists())


def _companions(path: Path) -> list[Path]:
    return [path.with_name(path.name + suffix) for suffix in COMPANIONS]


def _clear(path: Path) -> None:
    """Remove the temporary files of a process that was killed while it created `path`."""
    for leftover in path.parent.glob(f".{path.name}.*/"):
        shutil.rmtree(leftover, ignore_errors=True)


def _close_connections(uri: str) -> None:
    """Close the connections of this process to a file that was replaced, so that MLflow opens the new one."""
    for kind in (TrackingStore, RegistryStore):
        engine = kind._engine_map.get(uri)
        if engine is not None:
            engine.dispose()


def _unusable(path: Path, reason: str) -> StoreError:
    return StoreError(
        f"{path}: {reason}; put a sound copy in its place, or move it away: a new one is then made, "
        "and `track` sends it every run of a study"
    )


def _print_notice(line: str) -> None:
    open_console(stderr=True).print(Text(line, style="yellow"), soft_wrap=True)
