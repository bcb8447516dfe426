"""The dates in the name of a scene, in the forms that processors and archives write them.

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
from datetime import date, datetime
from itertools import pairwise

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
    return [day for day, _ in _found(name)]


def only_dates(text: str) -> list[date]:
    """Return the dates of a text that says nothing else, such as `20180105 2018-01-11`; else none."""
    found = _found(text)
    edges = [0, *(edge for _, span in found for edge in span), len(text)]
    between = (text[start:end] for start, end in list(pairwise(edges))[::2])
    return [day for day, _ in found] if all(_BETWEEN.fullmatch(part) for part in between) else []


def with_dates_alike(text: str) -> str:
    """Return a text with each of its dates as `2018-01-05`, and one underscore for all that parts words."""
    found = _found(text)
    for day, (start, end) in reversed(found):
        text = f"{text[:start]}{day.isoformat()}{text[end:]}"
    return re.sub(r"[\W_]+", "_", text)


def _found(name: str) -> list[tuple[date, tuple[int, int]]]:
    """Return each date with the span of the text that says it."""
    matches = list(_TOKEN.finditer(name))
    undecided = [m["eight"] for m in matches if m["eight"] and not _day(m["eight"], "%Y%m%d")]
    day_first = all(_day(digits, "%d%m%Y") for digits in undecided)
    found = [(day, _span(match, day)) for match in matches if (day := _read(match, day_first=day_first))]
    return found or _of_six_digits(name)


def _read(match: re.Match[str], *, day_first: bool) -> date | None:
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


def _of_six_digits(name: str) -> list[tuple[date, tuple[int, int]]]:
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
