"""Whose tides a double difference holds: the dates of its two interferograms, in their order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from glsweep.errors import ConfigError, DataError
from glsweep.scenes.dates import dates_in

SIGNS = (1, -1, -1, 1)


@dataclass(frozen=True)
class TideDates:
    """The four dates of a double difference: tide(d1) - tide(d2) - tide(d3) + tide(d4).

    Attributes
    ----------
    days : tuple of date
        First and second date of the first interferogram, then of the second one. An interferogram is
        that of its first date times the conjugate of its second one's.
    """

    days: tuple[date, date, date, date]

    @property
    def name(self) -> str:
        """As the study's files are called: `20180620_20180626-20180626_20180702`."""
        one, two, three, four = (f"{day:%Y%m%d}" for day in self.days)
        return f"{one}_{two}-{three}_{four}"

    @property
    def listed(self) -> str:
        """All four between spaces, YYYYMMDD."""
        return " ".join(f"{day:%Y%m%d}" for day in self.days)

    @property
    def tide(self) -> str:
        """The tides that are in the phase, such as `+2018-06-20 -2*2018-06-26 +2018-07-02`; 0 for none."""
        weights = self._weights()
        terms = (f"{w:+d}*{day}".replace("1*", "", abs(w) == 1) for day, w in weights.items())
        return " ".join(terms) or "0"

    def cautions(self) -> list[str]:
        """Return what speaks against reading the phase as tide alone, a sentence each."""
        first, second = self.days[:2], self.days[2:]
        if not self._weights():
            return [f"both are of {first[0]} and {first[1]}: their tides cancel, what is left is noise"]
        told = []
        if set(first) == set(second):
            told.append("both are of the same dates, in the other order: this is twice one of them")
        days = [(two - one).days for one, two in (first, second)]
        if days[0] != days[1]:
            told.append(
                f"A spans {days[0]} days and B {days[1]}: steady flow does not cancel, and looks like a tide"
            )
        return told

    def _weights(self) -> dict[date, int]:
        weights: Counter[date] = Counter()
        for day, sign in zip(self.days, SIGNS, strict=True):
            weights[day] += sign
        return {day: weight for day, weight in sorted(weights.items()) if weight}


def given_dates(texts: Sequence[str]) -> TideDates:
    """Return four dates as they are typed.

    Raises
    ------
    ConfigError
        When one is no date.
    """
    found = [dates_in(text) for text in texts]
    for text, days in zip(texts, found, strict=True):
        if len(days) != 1:
            raise ConfigError(f"--dates {text}: is no date; write such as 2018-06-20 or 20180620")
    one, two, three, four = (days[0] for days in found)
    return TideDates((one, two, three, four))


def pair_in(name: str) -> tuple[date, date] | None:
    """Return the two dates in an interferogram's name, each of which may stand there more than once.

    Raises
    ------
    DataError
        When there are more than two: of a double difference, or of something else.
    """
    days = list(dict.fromkeys(dates_in(name)))
    if len(days) > 2:
        raise DataError(
            f"{name}: names {len(days)} dates ({', '.join(map(str, days))}), an interferogram has two; say "
            "which with --dates D1 D2 D3 D4"
        )
    return (days[0], days[1]) if len(days) == 2 else None


def four_in(name: str) -> TideDates | None:
    """Return the four dates in a double difference's name, if so many stand there."""
    days = dates_in(name)
    return TideDates((days[0], days[1], days[2], days[3])) if len(days) == 4 else None
