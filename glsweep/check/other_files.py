"""What lies beside the rasters of a folder that no study can use as it is."""

from collections.abc import Collection, Iterator
from pathlib import Path

from glsweep.config.card_files import LINE_SUFFIXES
from glsweep.errors import DataError
from glsweep.report.words import counted
from glsweep.scenes.lines import read_lines

BELONGING = (".shx", ".dbf", ".prj", ".cpg", ".qix", ".sbn", ".sbx", ".qmd", ".xml", ".ovr", ".msk", ".tfw")
"""Suffixes of files that are parts of others."""


def other_files(folder: Path, known: Collection[Path]) -> Iterator[str]:
    """Yield what each file of a folder is, those that are known, hidden or parts of others aside."""
    for path in sorted(folder.iterdir()):
        is_part = path.suffix.lower() in BELONGING or path.name.startswith(".")
        if path.is_file() and path not in known and not is_part:
            yield f"{path.name}: {_what_is(path)}"


def _what_is(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in LINE_SUFFIXES:
        try:
            file = read_lines(path, None)
        except DataError as error:
            return f"refused as lines: {str(error).removeprefix(f'{path}: ')}"
        return f"{counted(sum(file.rows_by_scene.values()), 'row')} of lines in {file.crs.name}"
    if suffix in (".yaml", ".yml"):
        return "perhaps a data card; check it by its own name"
    if suffix == ".npz":
        return "perhaps patches; they need a data card with `rasters: '*.npz'` (datasets/README.md)"
    return "no scene and no lines; not used"
