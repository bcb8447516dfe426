"""Where MLflow looks for the artifacts of a store without a server: beside a SQLite file, or in the study.

MLflow keeps absolute addresses in its tables. After a move it would not find what came along, and
would write to the old place; here its tables are told of the new one.
"""

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import ColumnClause, Connection, String, column, func, literal, or_, table, update

ARTIFACTS = "mlartifacts"
"""The name of every folder in which a study lets MLflow keep artifacts."""
LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""The tables and columns in which MLflow keeps addresses of artifacts."""


def bring_home(connection: Connection, locations: Iterable[str], here: Path, *, always: bool) -> None:
    """Let a store look for its artifacts in `here`, as part of the connection's transaction.

    Parameters
    ----------
    connection : Connection
        To a database with MLflow's tables.
    locations : iterable of str
        Those of the experiments that are ours to move.
    here : Path
        Where their artifacts lie now.
    always : bool
        Whether a copy of the artifacts at the old place is somebody else's. Without it, the
        store goes on there for as long as they are there.
    """
    folders = {folder for location in locations if (folder := _folder(location)) is not None}
    for old in sorted(folders - {here.as_uri()}):
        if always or not Path(unquote(urlsplit(old).path)).exists():
            _replace_beginning(connection, old, here.as_uri())


def _replace_beginning(connection: Connection, old: str, new: str) -> None:
    for name, of in LOCATIONS:
        location: ColumnClause[str] = column(of, String)
        is_within = func.substr(location, 1, len(old) + 1) == f"{old}/"
        statement = update(table(name, location)).where(or_(location == old, is_within))
        rest = func.substr(location, len(old) + 1)
        connection.execute(statement.values({of: literal(new).concat(rest)}))


def _folder(location: str) -> str | None:
    """Return the folder of artifacts within which a location lies, as a URI."""
    before, found, after = location.rpartition(f"/{ARTIFACTS}")
    return before + found if found and after[:1] in ("", "/") and location.startswith("file:") else None
