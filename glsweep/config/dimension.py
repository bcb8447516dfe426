"""One dimension of a search space: the values it can take, and with which others it exists.

A range has a lattice where a `step` is given, and where its parameter is an integer (`batch_size`,
`base_width`, `patch_size_px`): then its values are whole, and multiples of what the parameter must be
a multiple of. Both ends belong to it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from itertools import permutations
from typing import Any, NamedTuple, Self, get_args

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from glsweep.config.settings import Settings, misfit
from glsweep.config.trial import ParameterValue, TrialParameters, canonical

MOST_PERMUTED = 6
"""Most values of which all orders are tried: six have 720 orders, seven would have 5,040."""


class Dimension(Settings):
    """What a parameter, or several tied ones, may be: choices, or a range with both its ends.

    A range of a parameter that is counted, such as `batch_size`, holds whole numbers.
    """

    choices: tuple[Any, ...] | None = Field(
        default=None, min_length=1, description="the values that are tried, one a trial"
    )
    labels: tuple[str, ...] | None = Field(
        default=None, description="what people call the choices, one label each"
    )
    keys: tuple[str, ...] | None = Field(
        default=None,
        description="the parameters that each choice sets together; every choice is then a list of one value "
        "each",
    )
    low: float | None = Field(default=None, description="lower end of a range")
    high: float | None = Field(default=None, description="upper end of a range")
    log: bool = Field(
        default=False, description="whether values of the range are drawn evenly in their logarithm"
    )
    step: float | None = Field(
        default=None,
        gt=0,
        description="distance between two neighbouring values of the range; left out, every number between "
        "the ends, or every whole one of a parameter that is counted",
    )
    grid: tuple[float, ...] | None = Field(
        default=None, description="the values of the range that `sampler: grid` takes"
    )
    when: dict[str, Any] = Field(
        default_factory=dict,
        description="the dimension exists only beside these values of earlier ones, such as "
        "`{architecture: unetpp}`; several values as a list",
    )
    value: Any = Field(
        default=None,
        exclude=True,
        description="a constant: short for a single choice, and itself written shorter as `gamma: 1.33`",
    )
    permutations: Any = Field(
        default=None,
        exclude=True,
        description="a list of 2 to 6 values: short for one choice for each order of them",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_choices_written_out(cls, given: Any) -> Any:
        if isinstance(given, str | int | float):
            return {"choices": (given,)}
        if isinstance(given, list | tuple):
            raise misfit("write `choices: [...]` for what is tried in turn, or `value: [...]` for one value")
        short = [key for key in ("value", "permutations") if isinstance(given, dict) and key in given]
        if not short:
            return given
        if len(short) > 1 or any(given.get(key) is not None for key in ("choices", "low", "high")):
            raise misfit("give one of `choices`, `low` with `high`, `permutations` and `value`", short[0])
        choices = (given["value"],) if short == ["value"] else _orders(given["permutations"])
        return {**{key: value for key, value in given.items() if key not in short}, "choices": choices}

    @model_validator(mode="after")
    def _is_choices_or_range(self) -> Self:
        if (self.choices is None) == (self.low is None and self.high is None):
            raise ValueError("give either `choices` or `low` and `high`")
        if self.choices is not None:
            self._check_choices(self.choices)
        elif self.low is None or self.high is None or self.low >= self.high:
            raise ValueError("`low` must lie below `high`")
        elif self.log and self.low <= 0:
            raise ValueError("`low` must be positive when `log` is true")
        return self

    def _check_choices(self, choices: tuple[Any, ...]) -> None:
        if self.log or self.grid is not None or self.step is not None:
            raise ValueError("`log`, `step` and `grid` belong to a range, not to `choices`")
        if self.labels is not None and len(self.labels) != len(choices):
            raise ValueError(f"{len(choices)} choices need {len(choices)} labels")
        for choice in choices if self.keys is not None else ():
            if not isinstance(choice, list | tuple) or len(choice) != len(self.keys or ()):
                raise ValueError(f"each choice must be a list of {len(self.keys or ())} values, one a key")

    @model_serializer(mode="wrap")
    def _without_unset_step(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A study is compared with what is written, which must not change for older studies.
        values: dict[str, Any] = serialise(self)
        return {key: value for key, value in values.items() if (key, value) != ("step", None)}


def _orders(values: Any) -> tuple[list[Any], ...]:
    if not isinstance(values, list | tuple) or not 1 < len(values) <= MOST_PERMUTED:
        raise misfit(
            f"should be a list of 2 to {MOST_PERMUTED} values, whose orders are tried", "permutations"
        )
    orders: list[list[Any]] = []
    for order in map(list, permutations(values)):
        if order not in orders:
            orders.append(order)
    return tuple(orders)


def parameters_of(name: str, dimension: Dimension) -> set[str]:
    """Return the parameters that a dimension sets."""
    return {canonical(key) for key in dimension.keys or (name,)}


def set_by(name: str, dimension: Dimension, picked: int | float) -> dict[str, ParameterValue]:
    """Return the parameters that a dimension sets, with their values, for a pick.

    `picked` is the number of a choice, or the value of a range.
    """
    value: Any = picked if dimension.choices is None else dimension.choices[int(picked)]
    if dimension.keys is None:
        return {canonical(name): value}
    return {canonical(key): part for key, part in zip(dimension.keys, value, strict=True)}


def exists_with(dimension: Dimension, values: Mapping[str, ParameterValue]) -> bool:
    """Return whether a dimension's `when` is met by the parameters that earlier dimensions set."""
    return all(
        canonical(key) in values and values[canonical(key)] in as_list(wanted)
        for key, wanted in dimension.when.items()
    )


def as_list(value: Any) -> list[Any]:
    """Return the values of a condition, which may be one or a list."""
    return list(value) if isinstance(value, list | tuple) else [value]


def as_tuples(value: Any) -> Any:
    """Return a list, and lists in it, as tuples: values then compare however they were read, and hash."""
    return tuple(map(as_tuples, value)) if isinstance(value, list | tuple) else value


# --- The values of a range: every number between its ends, or the points of a lattice

MOST_ENUMERATED = 1000
"""Most points of a lattice that a grid takes all of; beyond, `grid` must name some."""


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
        """Return whether `value` belongs to the range."""
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

    def neighbours(self, value: float) -> tuple[int | float, int | float]:
        """Return the two points of the lattice, continued beyond its ends, on either side of a value."""
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
    """Return the values of the range `dimension`, whose name is `name`."""
    assert dimension.low is not None and dimension.high is not None
    unit = unit_of(canonical(name))
    step = dimension.step if dimension.step is not None else unit
    # The type of an own parameter may be unknown: whole steps from a whole number make it an integer.
    is_counted = "." in name and step is not None and step % 1 == dimension.low % 1 == 0
    return Span(
        dimension.low,
        dimension.high,
        dimension.log,
        None if step is None else _decimal(step),
        is_whole=unit is not None or is_counted,
    )


@cache
def unit_of(parameter: str) -> int | None:
    """Return what a counted parameter is a multiple of; None for one that may be any number."""
    field = TrialParameters.model_fields.get(parameter)
    if field is None or int not in (field.annotation, *get_args(field.annotation)):
        return None
    multiples: list[Any] = [getattr(rule, "multiple_of", None) for rule in field.metadata]
    return next((int(multiple) for multiple in multiples if multiple is not None), 1)


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))


# --- Which dimensions of a search space exist together


class DimensionSetting(NamedTuple):
    """Dimensions that exist together, and the values on which conditions depend.

    Attributes
    ----------
    names : frozenset of str
        The dimensions that exist.
    values : tuple of (str, Any)
        The value of each parameter that a condition depends on; lists are tuples.
    """

    names: frozenset[str]
    values: tuple[tuple[str, Any], ...]


def dimension_settings(dimensions: Mapping[str, Dimension], *, enumerated: bool) -> set[DimensionSetting]:
    """Return every combination of dimensions that the conditions allow.

    Only parameters that conditions depend on are enumerated, so that there are few in a large space.

    Parameters
    ----------
    dimensions : mapping of str to Dimension
        In the order in which they are decided.
    enumerated : bool
        Whether only the `grid` of a range is taken, as in a grid search. A number drawn from a range
        without a lattice meets no condition.
    """
    conditional = {canonical(key) for dimension in dimensions.values() for key in dimension.when}
    found = {DimensionSetting(frozenset(), ())}
    for name, dimension in dimensions.items():
        settings = set(_settings(name, dimension, conditional & parameters_of(name, dimension), enumerated))
        found = {
            later
            for situation in found
            for later in (
                _followed(situation, name, settings)
                if exists_with(_with_tuples(dimension), dict(situation.values))
                else (situation,)
            )
        }
    return found


def _followed(
    situation: DimensionSetting, name: str, settings: set[tuple[tuple[str, Any], ...]]
) -> Iterator[DimensionSetting]:
    for setting in settings:
        values = {**dict(situation.values), **dict(setting)}
        yield DimensionSetting(
            situation.names | {name}, tuple(sorted(values.items(), key=lambda item: item[0]))
        )


def _settings(
    name: str, dimension: Dimension, conditional: set[str], enumerated: bool
) -> Iterator[tuple[tuple[str, Any], ...]]:
    """Yield the values that a dimension may give to the parameters that conditions depend on."""
    for picked in _options(name, dimension, enumerated) if conditional else (0,):
        values = set_by(name, dimension, picked)
        yield tuple((key, as_tuples(value)) for key, value in sorted(values.items()) if key in conditional)


def _options(name: str, dimension: Dimension, enumerated: bool) -> Iterator[Any]:
    if dimension.choices is not None:
        yield from range(len(dimension.choices))
        return
    span = span_of(name, dimension)
    if enumerated and dimension.grid is not None:
        yield from dimension.grid
    elif span.is_enumerable:
        yield from span.values()
    else:
        yield float("nan")  # equal to nothing


def _with_tuples(dimension: Dimension) -> Dimension:
    return dimension.model_copy(update={"when": {key: as_tuples(v) for key, v in dimension.when.items()}})
