"""What can be picked in a range: every number between its ends, or the points of a lattice.

A range has a lattice where a `step` is given, and where its parameter is counted (`batch_size`,
`base_width`, `patch_size_px`): then its values are whole, and multiples of what the parameter must be
a multiple of. Both ends belong to it.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any

from glsweep.config.dimension import Dimension
from glsweep.config.trial import TrialParameters, canonical

MOST_ENUMERATED = 1000
"""Points of a lattice that a grid takes without being told which."""


@dataclass(frozen=True)
class Span:
    """The values of one range.

    A lattice is counted in whole numbers of steps, from `first` to `last`: from the lower end, or
    from 0 where it is logarithmic, so that the numbers are as far apart as the values are.

    Attributes
    ----------
    low, high : float
        Both ends.
    log : bool
        Whether values are drawn evenly in their logarithm.
    step : Decimal or None
        Between two neighbours; None where every number in between belongs to the range. In decimals
        .1 + 2 x .1 is .3.
    is_whole : bool
        Whether values are integers.
    """

    low: float
    high: float
    log: bool
    step: Decimal | None
    is_whole: bool

    @property
    def first(self) -> int:
        """Number of the lower end."""
        return self._number(self.low)

    @property
    def last(self) -> int:
        """Number of the upper end, or of the last point below it."""
        return self._number(self.high)

    @property
    def is_enumerable(self) -> bool:
        """Whether there are few enough values for a grid."""
        return self.step is not None and self.last - self.first < MOST_ENUMERATED

    def at(self, number: int) -> int | float:
        """Return the value with this number on the lattice."""
        assert self.step is not None
        value = self._origin + number * self.step
        return int(value) if self.is_whole else float(value)

    def number_of(self, value: float) -> int:
        """Return the number of a value on the lattice, or of the point nearest to it."""
        assert self.step is not None
        return round((_decimal(value) - self._origin) / self.step)

    def holds(self, value: float) -> bool:
        """Return whether `value` is one of the range's."""
        if not self.low <= value <= self.high:
            return False
        return self.step is None or self.at(self._number(value)) == value

    @property
    def highest(self) -> int | float:
        """The largest value."""
        return self.high if self.step is None else self.at(self.last)

    def as_picked(self, value: float) -> int | float:
        """Return a value of the range as it is picked: an integer where values are whole."""
        return int(value) if self.is_whole else value

    def values(self) -> tuple[int | float, ...]:
        """Return every value of a lattice, ascending."""
        return _values(self)

    def beside(self, value: float) -> tuple[int | float, int | float]:
        """Return the points of the lattice, continued beyond its ends, around a value off it."""
        below = self._number(value)
        return self.at(below), self.at(below + 1)

    @property
    def _origin(self) -> Decimal:
        return Decimal(0) if self.log else _decimal(self.low)

    def _number(self, value: float) -> int:
        assert self.step is not None
        return int((_decimal(value) - self._origin) // self.step)


@lru_cache
def _values(span: Span) -> tuple[int | float, ...]:
    return tuple(map(span.at, range(span.first, span.last + 1)))


def span_of(name: str, dimension: Dimension) -> Span:
    """Return what can be picked in a range; `dimension` is one, and `name` what it is called."""
    assert dimension.low is not None and dimension.high is not None
    unit = unit_of(canonical(name))
    step = dimension.step if dimension.step is not None else unit
    return Span(
        dimension.low,
        dimension.high,
        dimension.log,
        None if step is None else _decimal(step),
        is_whole=unit is not None,
    )


@cache
def unit_of(parameter: str) -> int | None:
    """Return what a counted parameter is a multiple of; None for one that may be any number."""
    field = TrialParameters.model_fields.get(parameter)
    if field is None or field.annotation is not int:
        return None
    multiples: list[Any] = [getattr(rule, "multiple_of", None) for rule in field.metadata]
    return next((int(multiple) for multiple in multiples if multiple is not None), 1)


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))
