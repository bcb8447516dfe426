"""One dimension of a search space: what a parameter, or a tuple of tied ones, may be."""

from collections.abc import Mapping
from itertools import permutations
from typing import Any, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from glsweep.config.base import Settings, misfit
from glsweep.config.trial import canonical

MOST_PERMUTED = 6
"""Values of which all orders are tried: 720 of six, and 5,040 of seven."""


class Dimension(Settings):
    """One row of a search space: what a parameter, or a tuple of tied ones, may be.

    Either `choices` (with `labels` for people, and `keys` when each choice is a tuple that sets
    several parameters), or a range `low`..`high` with both ends (with `log`, with the `step` between
    two values, and with `grid` for enumeration). A range of a parameter that is counted, such as
    `batch_size`, holds whole numbers, see `glsweep.config.span`. `when` lists the values of other
    dimensions under which this one exists.

    `value`, or a plain value in place of all keys, is short for a single choice; `permutations` for
    one choice for each order of its values, such as all that `ds_weights` may have.
    """

    choices: tuple[Any, ...] | None = Field(default=None, min_length=1)
    labels: tuple[str, ...] | None = None
    keys: tuple[str, ...] | None = None
    low: float | None = None
    high: float | None = None
    log: bool = False
    step: float | None = Field(default=None, gt=0)
    grid: tuple[float, ...] | None = None
    when: dict[str, Any] = Field(default_factory=dict)
    value: Any = Field(default=None, exclude=True)
    permutations: Any = Field(default=None, exclude=True)

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
    def _without_what_is_left_out(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # A study is known by what is written: those of before there was this key stay.
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


def set_by(name: str, dimension: Dimension, picked: int | float) -> dict[str, Any]:
    """Return the parameters that a dimension sets, with their values, when this is picked in it.

    Picked is the number of a choice, or the value of a range.
    """
    value: Any = picked if dimension.choices is None else dimension.choices[int(picked)]
    if dimension.keys is None:
        return {canonical(name): value}
    return {canonical(key): part for key, part in zip(dimension.keys, value, strict=True)}


def exists_beside(dimension: Dimension, values: Mapping[str, Any]) -> bool:
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
