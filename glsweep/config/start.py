"""Where a search space names weights to begin from: a value of `start`, wherever one may stand."""

from collections.abc import Callable, Sequence
from typing import Any

from glsweep.config.dimension import Dimension, parameters_of
from glsweep.config.space import SearchSpace
from glsweep.config.trial import NO_START, canonical

EMBEDDED_START = "embedded"
"""The network in the package."""

Change = Callable[[str], str]


def with_starts(space: SearchSpace, change: Change) -> SearchSpace:
    """Return the space with `change` of each value of `start` but `none`.

    They stand under `fixed`, among the choices of a dimension, alone or tied to others, in conditions on
    it, and in `search.first`.
    """

    def changed(value: Any) -> Any:
        return change(value) if isinstance(value, str) and value != NO_START else value

    dimensions = {name: _dimension(name, of, changed) for name, of in space.dimensions.items()}
    fixed = {name: changed(value) if name == "start" else value for name, value in space.fixed.items()}
    first = tuple(
        {name: _value(_keys(name, space.dimensions.get(name)), value, changed) for name, value in one.items()}
        for one in space.search.first
    )
    search = space.search.model_copy(update={"first": first})
    return space.model_copy(update={"dimensions": dimensions, "fixed": fixed, "search": search})


def starts_of(space: SearchSpace) -> list[str]:
    """Return every value of `start` in a space but `none`, each once."""
    found: dict[str, None] = {}

    def note(value: str) -> str:
        found[value] = None
        return value

    with_starts(space, note)
    return list(found)


def sets_start(name: str, dimension: Dimension) -> bool:
    """Whether a dimension sets `start`."""
    return "start" in parameters_of(name, dimension)


def _dimension(name: str, dimension: Dimension, changed: Callable[[Any], Any]) -> Dimension:
    keys, choices = _keys(name, dimension), dimension.choices
    when = {
        key: _condition(wanted, changed) if key == "start" else wanted
        for key, wanted in dimension.when.items()
    }
    if choices is not None and sets_start(name, dimension):
        choices = tuple(_value(keys, choice, changed) for choice in choices)
    return dimension.model_copy(update={"choices": choices, "when": when})


def _keys(name: str, dimension: Dimension | None) -> Sequence[str] | str:
    """Return the parameters that each choice of a dimension is a list for, or the only one that it sets."""
    return name if dimension is None or dimension.keys is None else dimension.keys


def _value(keys: Sequence[str] | str, value: Any, changed: Callable[[Any], Any]) -> Any:
    if isinstance(keys, str):
        return changed(value) if canonical(keys) == "start" else value
    if not isinstance(value, list | tuple):  # a label
        return value
    return [changed(part) if key == "start" else part for key, part in zip(keys, value, strict=True)]


def _condition(wanted: Any, changed: Callable[[Any], Any]) -> Any:
    return [changed(value) for value in wanted] if isinstance(wanted, list | tuple) else changed(wanted)
