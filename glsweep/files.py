"""Files written whole or not at all, and checks of where results go."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glsweep.errors import ConfigError


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary path beside `target` that takes its place when the block ends well.

    The suffix is kept, since format drivers look at it. Works for a file and for a folder
    (make the folder at the yielded path). After an exception `target` is as it was.

    Parameters
    ----------
    target : Path
        The file or folder to be replaced; its parent is made if missing.

    Yields
    ------
    Path
        A path that does not exist yet, on the same file system as `target`.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    temporary = folder / target.name
    try:
        yield temporary
        if target.is_dir() and temporary.exists():
            # Renamed, not removed: a process killed while it removes leaves half a folder.
            target.replace(folder / f"{target.name}.old")
        temporary.replace(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_text(target: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with replacing(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(target: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all; NaN is refused."""
    write_text(target, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read one JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


# --- Checks before any work is done, of where its results go


def check_output_folder(option: str, path: Path) -> None:
    """Make sure that a folder is there, or can be made.

    Parameters
    ----------
    option : str
        The option that names it, such as `--out`.
    path : Path
        The folder.

    Raises
    ------
    ConfigError
        When a file is in its place or in that of a folder above it, or nothing may be written there.
    """
    if path.is_file():
        raise ConfigError(f"{option} {path}: is a file, and results go into a folder; name another")
    _check_above(option, path, path)


def check_output_file(option: str, path: Path, inputs: Iterable[Path] = ()) -> None:
    """Make sure that a file can be written; one that is there will be replaced.

    Raises
    ------
    ConfigError
        When it is a folder or one of the inputs, a file is in the place of a folder above it, or nothing may
        be written there.
    """
    if path.is_dir():
        raise ConfigError(f"{option} {path}: is a folder, and the result is one file; name a file in it")
    if path.exists() and any(source.exists() and path.samefile(source) for source in inputs):
        raise ConfigError(f"{option} {path}: is the file of lines itself; name another")
    _check_above(option, path, path.parent)


def check_output_storage(option: str, storage: str | None) -> None:
    """Make sure the same of a storage that may also be an address such as `s3://bucket/folder`.

    Raises
    ------
    ConfigError
        As `check_output_folder`.
    """
    if storage is not None and "://" not in storage:
        check_output_folder(option, Path(storage))


def _check_above(option: str, path: Path, folder: Path) -> None:
    """Make sure that the folder, or the nearest one above it that exists, can be written to."""
    nearest = next(
        above for above in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(above)
    )
    if nearest.is_symlink() and not nearest.exists():
        raise ConfigError(
            f"{option} {path}: {nearest} is a link to nothing; remove it or name another folder"
        )
    if not nearest.is_dir():
        raise ConfigError(f"{option} {path}: {nearest} is a file, so no folder can be below it; name another")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ConfigError(f"{option} {path}: nothing may be written to {nearest}; name another folder")
