"""The dates in the name of a scene, in the forms that processors and archives write them.

| form | example | written by |
|---|---|---|
| YYYYMMDD | `20180105`, `20180105T081143`, `20180105081143` | Sentinel-1, HyP3, NISAR, COSMO-SkyMed |
| YYYY-MM-DD | `2018-01-05`, `2018_01_05`, `2018.01.05` | ISO 8601, and folders named after it |
| DDMonYYYY | `05Jan2018`, `05JAN2018`, `05-Jan-2018` | SNAP |
| DDMMYYYY | `20012018` | people; only where no YYYYMMDD is possible |
| YYMMDD | `960112_960113` | old ERS pairs; only where no other order of the digits is possible |

Eight digits that are a date as YYYYMMDD are one. Those that are none may be DDMMYYYY, but only if all
of them in the name are valid as such: of `01202018_02012018`, the American order, neither is read.
Six digits may be a time, an orbit or a date in any order. They are read in pairs joined by `_` or
`-`, where the name has no other date, and where neither DDMMYY nor MMDDYY can be meant: so of the
1990s, and hardly later. `180105_180111` is not read; write the century.
"""

import re
from datetime import date, datetime
from itertools import pairwise

FIRST_YEAR, LAST_YEAR = 1990, 2099
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TOKEN = re.compile(
    r"""
    (?<!\d) (?:
        (?P<iso> (?:19|20)\d\d (?P<between>[-_.]) \d\d (?P=between) \d\d )
        (?: T\d\d:?\d\d (?: :?\d\d )? Z? | [ ]\d\d:\d\d (?: :\d\d )? )?
      | (?P<eight> \d{8} ) (?: [Tt]\d{4} (?:\d\d)? [Zz]? | (?:[01]\d|2[0-3])[0-5]\d[0-5]\d )?
      | (?P<named> \d{1,2} [-_. ]? (?:"""
    + "|".join(_MONTHS)
    + r""") [-_. ]? (?:19|20)\d\d )
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


def _found(name: str) -> list[tuple[date, tuple[int, int]]]:
    """Return each date with the span of the text that says it."""
    matches = list(_TOKEN.finditer(name))
    undecided = [m["eight"] for m in matches if m["eight"] and not _day(m["eight"], "%Y%m%d")]
    day_first = all(_day(digits, "%d%m%Y") for digits in undecided)
    found = [(day, match.span()) for match in matches if (day := _read(match, day_first=day_first))]
    return found or _of_six_digits(name)


def _read(match: re.Match[str], *, day_first: bool) -> date | None:
    if match["iso"]:
        return _day(match["iso"].replace(match["between"], ""), "%Y%m%d")
    if match["eight"]:
        return _day(match["eight"], "%Y%m%d") or (_day(match["eight"], "%d%m%Y") if day_first else None)
    day, month, year = re.findall(r"[0-9]+|[a-z]+", match["named"].lower())
    return _day(f"{int(day):02}{_MONTHS.index(month) + 1:02}{year}", "%d%m%Y")


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
