"""What a scene's name and tags say: its dates, its radar, and which table row means it.

Dates are read in these forms:

| form | example | written by |
|---|---|---|
| YYYYMMDD | `20180105`, `20180105T081143`, `20180105_081143` | Sentinel-1, HyP3, NISAR, COSMO-SkyMed |
| YYYY-MM-DD | `2018-01-05`, `2018_01_05`, `2018.01.05`, `2018/01/05` | ISO 8601, and folders named after it |
| DDMonYYYY | `05Jan2018`, `05JAN2018`, `05-Jan-2018` | SNAP |
| DDMMYYYY | `20012018` | people; only where no YYYYMMDD is possible |
| YYMMDD | `960112_960113` | old ERS pairs; only where no other order of the digits is possible |

Eight digits that are a date as YYYYMMDD are one. Those that are none may be DDMMYYYY, but only if all
of them in the name are valid as such: of `01202018_02012018`, the American order, neither is read.
A time of day, with or without its offset from UTC, belongs to the date before it and changes no day.
Six digits may be a time, an orbit or a date in any order. They are read in pairs joined by `_` or
`-`, where the name has no other date, and where neither DDMMYY nor MMDDYY can be meant: so of the
1990s, and hardly later. `180105_180111` is not read; write the century.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise, product
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from glsweep.scenes.formats.gdal import open_with_gdal
from glsweep.scenes.products import RASTER_SUFFIXES
from glsweep.scenes.raster import RasterHeader

FIRST_YEAR, LAST_YEAR = 1990, 2099
LONGEST_PAIR_DAYS = 2 * 366
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = r"\d\d:\d\d (?: :\d\d (?: [.,]\d+ )? )?"
_SHORT_CLOCK = r"(?: [01]\d | 2[0-3] ) [0-5]\d [0-5]\d"
_OFFSET = r"(?: [Zz] | [ ]?(?:UTC|GMT) | [+-] (?: 0\d | 1[0-4] ) (?: :?[0-5]\d | (?![0-9A-Za-z-]) ) )?"
_TIME = rf"(?: [Tt ]{_CLOCK} | [Tt]\d{{4}} (?:\d\d)? ) {_OFFSET}"
_TOKEN = re.compile(
    rf"""
    (?<!\d) (?:
        (?P<iso> (?:19|20)\d\d (?P<between>[-_./]) \d\d (?P=between) \d\d )
        (?: {_TIME} )?
      | (?P<eight> \d{{8}} )
        (?: {_TIME} | {_SHORT_CLOCK} | [-_](?P<six>{_SHORT_CLOCK}) )?
      | (?P<named> \d{{1,2}} [-_. ]? (?:{"|".join(_MONTHS)}) [-_. ]? (?:19|20)\d\d )
    ) (?!\d)
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_SIX = re.compile(r"(?<![0-9A-Za-z])\d{6}(?:[-_]\d{6})+(?![0-9A-Za-z])", re.ASCII)
_BETWEEN = re.compile(r"[\s_,;|/+-]*")


def dates_in(name: str) -> list[date]:
    """Return the dates in a name, in its order and as often as they stand there.

    Parameters
    ----------
    name : str
        A scene's name, or what a column says of its dates.

    Returns
    -------
    list of date
        Valid days of 1990 to 2099; empty where there is none.
    """
    return [day for day, _ in _dates_with_spans(name)]


def only_dates(text: str) -> list[date]:
    """Return the dates of a text that says nothing else, such as `20180105 2018-01-11`; else none."""
    found = _dates_with_spans(text)
    edges = [0, *(edge for _, span in found for edge in span), len(text)]
    between = (text[start:end] for start, end in list(pairwise(edges))[::2])
    return [day for day, _ in found] if all(_BETWEEN.fullmatch(part) for part in between) else []


def with_iso_dates(text: str) -> str:
    """Return a text with each date written as `2018-01-05`, and words separated by one underscore."""
    found = _dates_with_spans(text)
    for day, (start, end) in reversed(found):
        text = f"{text[:start]}{day.isoformat()}{text[end:]}"
    return re.sub(r"[\W_]+", "_", text)


def _dates_with_spans(name: str) -> list[tuple[date, tuple[int, int]]]:
    """Return each date with the span of the text that says it."""
    matches = list(_TOKEN.finditer(name))
    undecided = [m["eight"] for m in matches if m["eight"] and not _day(m["eight"], "%Y%m%d")]
    day_first = all(_day(digits, "%d%m%Y") for digits in undecided)
    found = [(day, _span(match, day)) for match in matches if (day := _parse(match, day_first=day_first))]
    return found or _dates_of_six_digits(name)


def _parse(match: re.Match[str], *, day_first: bool) -> date | None:
    if match["iso"]:
        return _day(match["iso"].replace(match["between"], ""), "%Y%m%d")
    if match["eight"]:
        return _day(match["eight"], "%Y%m%d") or (_day(match["eight"], "%d%m%Y") if day_first else None)
    day, month, year = re.findall(r"[0-9]+|[a-z]+", match["named"].lower())
    return _day(f"{int(day):02}{_MONTHS.index(month) + 1:02}{year}", "%d%m%Y")


def _span(match: re.Match[str], day: date) -> tuple[int, int]:
    """Return where a date and its time stand; six digits that may be a pair's other date are no time."""
    other = _day(match["six"], "%y%m%d") if match["six"] else None
    is_pair = other is not None and abs((other - day).days) <= LONGEST_PAIR_DAYS
    return match.span("eight") if is_pair else match.span()


def _dates_of_six_digits(name: str) -> list[tuple[date, tuple[int, int]]]:
    found = []
    for run in _SIX.finditer(name):
        digits = re.findall(r"[0-9]{6}", run[0])
        days = [_day(six, "%y%m%d") for six in digits]
        ambiguous = any(all(_day(six, order) for six in digits) for order in ("%d%m%y", "%m%d%y"))
        if ambiguous or not all(days):
            continue
        starts = [run.start() + 7 * number for number in range(len(digits))]
        found += [(day, (start, start + 6)) for day, start in zip(days, starts, strict=True) if day]
    return found


def _day(digits: str, order: str) -> date | None:
    """Return the day that digits in an order of `strptime` mean, or None where there is no such day."""
    try:
        day = datetime.strptime(digits, order).date()
    except ValueError:
        return None
    return day if FIRST_YEAR <= day.year <= LAST_YEAR else None


# --- Names in the cells of a table, and why two sets of names do not match

_OF_RASTERS = "hdf safe zip jp2 dat bin npz"
_OF_LINES = "gpkg shp geojson json fgb dbf gml kml kmz gdb parquet"
FILE_SUFFIXES = frozenset(
    [*RASTER_SUFFIXES, *(f".{suffix}" for names in (_OF_RASTERS, _OF_LINES) for suffix in names.split())]
)
"""Of files that hold a scene or its lines, in lower case."""
EMPTY_TEXTS = frozenset({"", "nan", "nat", "<na>"})
"""What programs write for a missing value, in lower case."""

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
    """Return the value by which rows are grouped: a file name without its suffix, all else unchanged."""
    text = cell_text(value)
    is_file = PureWindowsPath(text).suffix.lower() in FILE_SUFFIXES
    return scene_name(text) if is_file else text


@dataclass(frozen=True)
class NameMismatch:
    """How names of one set differ from those of another.

    Attributes
    ----------
    one, other : str
        An example of both.
    explanation : str
        The difference, and how to mend it.
    """

    one: str
    other: str
    explanation: str


def name_mismatch(ones: Iterable[str], others: Iterable[str], column: str = "") -> NameMismatch | None:
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
        explanation = _difference(one, other, column or "the column")
        if explanation:
            found.setdefault(explanation, (one, other))
            count[explanation] += 1
    if not count:
        return None
    (explanation, _), *_ = count.most_common(1)
    return NameMismatch(*found[explanation], explanation)


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
    if dates_in(one) and with_iso_dates(one) == with_iso_dates(other):
        return "they write the same dates in another form; write both alike in the column or the files' names"
    return ""


def _zeros(one: str, other: str, column: str) -> str:
    explanation = "they differ in leading zeros alone, which a number does not keep"
    if other.isdigit() and len(other) < len(one):
        mended = f"lpad(\"{column}\", {len(one)}, '0')"
        return f"{explanation}; write the column as text with them (in QGIS's field calculator {mended})"
    return f"{explanation}; write both alike as text, or rename the files"


def _added(parts: list[str], where: str, column: str) -> str:
    affix = " and ".join(repr(part) for part in parts)
    if where != column:
        return f"the column lacks {affix}; add it there, or rename the files"
    mended = f'"{column}"'
    for part in parts:
        mended = f"replace({mended}, {part!r}, '')"
    return f"the column adds {affix}; take it out (in QGIS's field calculator {mended}), or rename the files"


def _is_misread(text: str) -> str:
    """Return what a text was before its UTF-8 was read as Latin-1; "" where it was not."""
    try:
        return unicodedata.normalize("NFC", text.encode("latin-1").decode("utf-8"))
    except UnicodeError:
        return ""


# --- A scene's radar and dates, from its name and its tags


class Sensor(NamedTuple):
    """A radar, or several of one kind.

    Attributes
    ----------
    name : str
        As its mission is called.
    instrument : str
        As STAC calls it.
    wavelength_m : float
        Of its usual band.
    """

    name: str
    instrument: str
    wavelength_m: float

    @property
    def constellation(self) -> str:
        """Its mission as STAC calls it."""
        return self.name.lower()


# Abbreviations count only in capitals, as processors write them: in small letters they may be anything,
# such as somebody's scene `s1a`.
_WORDS: dict[Sensor, str] = {
    Sensor("Sentinel-1", "c-sar", 0.05546576): (
        r"S1[A-D]{1,2}|S1(?=-GUNW)|S1(?=_\d{6}_(?:IW|EW))|s1[a-d](?=-(?:iw|ew|s\d)-)|(?i:sentinel[-_]?1[a-d]?)"
    ),
    Sensor("COSMO-SkyMed", "sar-2000", 0.03122838): r"CSKS?[1-4]?|CSG[12]?|(?i:cosmo[-_]?skymed\d?)",
    Sensor("TerraSAR-X", "tsx-1", 0.03106658): r"TSX1?|TDX1?|TDM1?|(?i:terrasar[-_]?x)|(?i:tandem[-_]?x)",
    Sensor("PAZ", "paz-sar", 0.03106658): r"PAZ1?",
    Sensor("NISAR", "l-sar", 0.23840354): r"(?i:nisar)",
    Sensor("ERS", "ami", 0.05656461): r"ERS[-_]?[12]?|SAR_IM[SP]",
    Sensor("Envisat", "asar", 0.05623564): r"ASA_IM[SP]|ASAR|(?i:envisat)",
    Sensor("ALOS", "palsar", 0.23605707): r"(?:ALOS|PALSAR)(?![-_]?[2-4])[-_]?1?|ALPSRP\d*",
    Sensor("ALOS-2", "palsar-2", 0.24245249): r"ALOS[-_]?2\d*|PALSAR[-_]?2",
    Sensor("RADARSAT-1", "radarsat-1-sar", 0.05656461): r"RSAT1|(?i:radarsat[-_]?1)",
    Sensor("RADARSAT-2", "radarsat-2-sar", 0.05546576): r"RSAT2|(?i:radarsat[-_]?2)",
    Sensor("RCM", "rcm-sar", 0.05546576): r"RCM[1-3]?",
    Sensor("SAOCOM", "saocom-sar", 0.23513133): r"SAO1[AB]|(?i:saocom(?:[-_]?1[ab]?)?)",
    Sensor("ICEYE", "iceye-sar", 0.03106658): r"(?i:iceye)",
}
_SENSORS = [
    (re.compile(rf"(?<![A-Za-z0-9])(?:{words})(?![A-Za-z0-9])"), sensor) for sensor, words in _WORDS.items()
]
_TAGS = ("SENSOR", "PLATFORM", "MISSION", "SATELLITE", "MISSION_ID", "SPACECRAFT_NAME", "CONSTELLATION")
_WITH_TAGS = (".tif", ".tiff", ".vrt", ".img")


class Acquisition(NamedTuple):
    """What is known of how a scene came to be.

    Attributes
    ----------
    dates : tuple of date
        In the name's order, and as often as they stand there.
    sensor : Sensor or None
        None where it is not known.
    """

    dates: tuple[date, ...]
    sensor: Sensor | None

    @property
    def listed(self) -> str:
        """The dates between spaces, YYYYMMDD."""
        return " ".join(f"{day:%Y%m%d}" for day in self.dates)


def acquisition_of(header: RasterHeader) -> Acquisition:
    """Return what a scene's name says, or else the tags that `difference` and others write.

    Raises
    ------
    DataError
        When the file cannot be read.
    """
    tags = read_tags(header.path)
    dates = dates_in(header.name) or dates_in(tags.get("DATES", ""))
    return Acquisition(tuple(dates), sensor_of(header.name, tags))


def sensor_of(name: str, tags: Mapping[str, str]) -> Sensor | None:
    """Return the radar that a scene's name names, or else its tags; None where none or several do."""
    texts = [name, *(value for key, value in tags.items() if key.upper() in _TAGS)]
    for text in texts:
        found = [sensor for pattern, sensor in _SENSORS if pattern.search(text)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def read_tags(path: Path) -> dict[str, str]:
    """Return what a raster says of itself, by names in capitals; nothing of formats without tags.

    Raises
    ------
    DataError
        When it cannot be read.
    """
    if path.suffix.lower() not in _WITH_TAGS:
        return {}
    with open_with_gdal(path) as dataset:
        return {str(key).upper(): str(value) for key, value in dataset.tags().items()}
