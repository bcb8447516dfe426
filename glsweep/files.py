"""Whole files or none: write beside the target, then rename."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


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
    beside = folder / target.name
    try:
        yield beside
        if target.is_dir() and beside.exists():
            # Renamed, not removed: a process killed while it removes leaves half a folder.
            target.replace(folder / f"{target.name}.old")
        beside.replace(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_text(target: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with replacing(target) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(target: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all; NaN is refused."""
    write_text(target, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read one JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
