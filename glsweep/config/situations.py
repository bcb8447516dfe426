"""Which dimensions of a search space exist together, found by following their conditions."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from glsweep.config.dimension import Dimension, as_tuples, exists_beside, parameters_of, set_by
from glsweep.config.span import span_of
from glsweep.config.trial import canonical


class Situation(NamedTuple):
    """What may be at once.

    Attributes
    ----------
    names : frozenset of str
        The dimensions that exist.
    values : tuple of (str, Any)
        By parameter, of those that conditions ask for and that a dimension sets, the value; lists are
        tuples.
    """

    names: frozenset[str]
    values: tuple[tuple[str, Any], ...]


def situations_of(dimensions: Mapping[str, Dimension], *, enumerated: bool) -> set[Situation]:
    """Return every situation that the conditions allow.

    Of what no condition asks for nothing is enumerated, so that these are few in a large space.

    Parameters
    ----------
    dimensions : mapping of str to Dimension
        In the order in which they are decided.
    enumerated : bool
        Whether of ranges the values of their `grid` are taken alone, as a grid does. No condition is
        met by a number drawn from a range without a lattice.
    """
    asked = {canonical(key) for dimension in dimensions.values() for key in dimension.when}
    found = {Situation(frozenset(), ())}
    for name, dimension in dimensions.items():
        settings = set(_settings(name, dimension, asked & parameters_of(name, dimension), enumerated))
        found = {
            later
            for situation in found
            for later in (
                _followed(situation, name, settings)
                if exists_beside(_with_tuples(dimension), dict(situation.values))
                else (situation,)
            )
        }
    return found


def _followed(
    situation: Situation, name: str, settings: set[tuple[tuple[str, Any], ...]]
) -> Iterator[Situation]:
    for setting in settings:
        values = {**dict(situation.values), **dict(setting)}
        yield Situation(situation.names | {name}, tuple(sorted(values.items(), key=lambda item: item[0])))


def _settings(
    name: str, dimension: Dimension, asked: set[str], enumerated: bool
) -> Iterator[tuple[tuple[str, Any], ...]]:
    """Yield what a dimension may set of the parameters that are asked for."""
    for picked in _options(name, dimension, enumerated) if asked else (0,):
        values = set_by(name, dimension, picked)
        yield tuple((key, as_tuples(value)) for key, value in sorted(values.items()) if key in asked)


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
