"""What the cells of a table say, the scenes that they name, and why two sets of names do not meet."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import product
from pathlib import PureWindowsPath
from typing import Any

import numpy as np
import pandas as pd

from glsweep.config.products import RASTER_SUFFIXES
from glsweep.scenes.dates import dates_in, with_dates_alike

_OF_RASTERS = "hdf safe zip jp2 dat bin npz"
_OF_LINES = "gpkg shp geojson json fgb dbf gml kml kmz gdb parquet"
FILE_SUFFIXES = frozenset(
    [*RASTER_SUFFIXES, *(f".{suffix}" for names in (_OF_RASTERS, _OF_LINES) for suffix in names.split())]
)
"""Of files that hold a scene or its lines, in lower case."""
EMPTY_TEXTS = frozenset({"", "nan", "nat", "<na>"})
"""What programs write of a value that is not there, in lower case."""

_INTEGRAL = re.compile(r"[+-]?[0-9]+\.0+")
_MIDNIGHT = re.compile(r"([0-9]{4})[-/]([0-9]{2})[-/]([0-9]{2})[T ]00:00(:00(\.0+)?)?(Z|[+-]00:?00)?")
_LEADING_ZEROS = re.compile(r"(?<![0-9])0+(?=[0-9])")
LEAST_SHARED = 3
"""Letters of a name that must be in another before the rest counts as added to it."""
MOST_COMPARED = 200


def cell_text(value: Any) -> str:
    """Return what a cell says, whatever its type; "" where it says nothing.

    Integers, integral floats and texts of either are one value (`1`); a day has no time (`2018-01-05`),
    nor has a midnight. Letters are composed (Unicode NFC), blanks around them are gone.
    """
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return ""
    if isinstance(value, np.datetime64):
        value = pd.Timestamp(value)
    if isinstance(value, date):
        value = value.isoformat()
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    text = unicodedata.normalize("NFC", str(value)).strip()
    if _INTEGRAL.fullmatch(text):
        return str(int(text.partition(".")[0]))
    if (midnight := _MIDNIGHT.fullmatch(text)) is not None:
        return "-".join(midnight.groups()[:3])
    return "" if text.lower() in EMPTY_TEXTS else text


def scene_name(value: Any) -> str:
    """Return the scene that a cell names, without folder and suffix; "" where it names none.

    A name may hold dots that begin no suffix: `S1.2018-01.shp` is scene `S1.2018-01`.
    """
    # PureWindowsPath splits at both kinds of slash.
    name = PureWindowsPath(cell_text(value))
    while name.suffix.lower() in FILE_SUFFIXES:
        name = name.with_suffix("")
    return cell_text(name.name)


def group_name(value: Any) -> str:
    """Return the value by which rows are told apart: a file's name is its scene, all else stays whole."""
    text = cell_text(value)
    is_file = PureWindowsPath(text).suffix.lower() in FILE_SUFFIXES
    return scene_name(text) if is_file else text


@dataclass(frozen=True)
class Difference:
    """What stands between names of one set and those of another.

    Attributes
    ----------
    one, other : str
        An example of both.
    told : str
        The difference, and how to mend it.
    """

    one: str
    other: str
    told: str


def difference_of(ones: Iterable[str], others: Iterable[str], column: str = "") -> Difference | None:
    """Return how most of `others` differ from `ones`, or None where they have nothing in common.

    Parameters
    ----------
    ones, others : iterable of str
        Names, such as those of scenes, and those of a column; none is in both.
    column : str
        The column of `others`, for the remedy.
    """
    compared = product(*(sorted(filter(None, set(names)))[:MOST_COMPARED] for names in (ones, others)))
    found: dict[str, tuple[str, str]] = {}
    count = Counter[str]()
    for one, other in compared:
        told = _difference(one, other, column or "the column")
        if told:
            found.setdefault(told, (one, other))
            count[told] += 1
    if not count:
        return None
    (told, _), *_ = count.most_common(1)
    return Difference(*found[told], told)


def _difference(one: str, other: str, column: str) -> str:
    if one.casefold() == other.casefold():
        return (
            f"they differ in upper and lower case alone; spell both alike (in QGIS's field calculator "
            f'lower("{column}") or upper("{column}"), or rename the files)'
        )
    if _is_misread(other) == one or _is_misread(one) == other:
        return "one of them is UTF-8 that was read as Latin-1; write UTF-8 into the .cpg file beside the .shp"
    for shorter, longer, where in ((one, other, column), (other, one, "the other")):
        before, shared, after = longer.casefold().partition(shorter.casefold())
        if not shared or len(shared) < LEAST_SHARED:
            continue
        # "10" is not "1" with something added: names are parted by what is no letter and no digit.
        if (before and before[-1].isalnum()) or (after and after[0].isalnum()):
            continue
        start, end = len(before), len(before) + len(shared)
        added = [part for part in (longer[:start], longer[end:]) if part]
        return _added(added, where, column)
    if _LEADING_ZEROS.sub("", one) == _LEADING_ZEROS.sub("", other):
        return _zeros(one, other, column)
    if dates_in(one) and with_dates_alike(one) == with_dates_alike(other):
        return "they write the same dates in another form; write both alike in the column or the files' names"
    return ""


def _zeros(one: str, other: str, column: str) -> str:
    told = "they differ in leading zeros alone, which a number does not keep"
    if other.isdigit() and len(other) < len(one):
        mended = f"lpad(\"{column}\", {len(one)}, '0')"
        return f"{told}; write the column as text with them (in QGIS's field calculator {mended})"
    return f"{told}; write both alike as text, or rename the files"


def _added(parts: list[str], where: str, column: str) -> str:
    told = " and ".join(repr(part) for part in parts)
    if where != column:
        return f"the column lacks {told}; add it there, or rename the files"
    mended = f'"{column}"'
    for part in parts:
        mended = f"replace({mended}, {part!r}, '')"
    return f"the column adds {told}; take it out (in QGIS's field calculator {mended}), or rename the files"


def _is_misread(text: str) -> str:
    """Return what a text was before its UTF-8 was read as Latin-1; "" where it was not."""
    try:
        return unicodedata.normalize("NFC", text.encode("latin-1").decode("utf-8"))
    except UnicodeError:
        return ""
