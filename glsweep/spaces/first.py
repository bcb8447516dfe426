"""The configurations that a space names to be tried first."""

from pathlib import Path
from typing import Any

import numpy as np

from glsweep.config.base import Keys, refusal
from glsweep.config.dimension import Dimension, as_tuples
from glsweep.config.space import SearchSpace
from glsweep.config.span import Span, span_of
from glsweep.config.trial import canonical
from glsweep.errors import ConfigError
from glsweep.randomness import generator_for
from glsweep.spaces.traversal import Picked, Point, grid_pick, random_pick, traverse

DRAWS = 100


def first_points(space: SearchSpace, *, seed: int, source: Path) -> list[Point]:
    """Return a point for each entry of `search.first`; dimensions that it leaves out are drawn.

    Raises
    ------
    ConfigError
        When an entry names what the space has not, or dimensions that never exist together.
    """
    return [
        _Entry(space, source, number).complete(generator_for(seed, "first", number))
        for number in range(len(space.search.first))
    ]


class _Entry:
    """One entry of `search.first`, with its place in the file."""

    def __init__(self, space: SearchSpace, source: Path, number: int) -> None:
        self._space, self._source = space, source
        self._where: Keys = ("search", "first", number)
        self._given = space.search.first[number]

    def complete(self, generator: np.random.Generator) -> Point:
        """Return the point that is named; what is left out is drawn."""
        given: dict[str, Picked] = {}
        for name, value in self._given.items():
            dimension = self._dimension(name)
            if dimension in given:
                raise self._refused(name, f"sets {dimension}, which is named there already; remove one")
            given[dimension] = self._pick(name, dimension, value)
        rest = grid_pick(generator) if self._space.search.sampler == "grid" else random_pick(generator)

        def pick(name: str, dimension: Dimension) -> Picked:
            return given[name] if name in given else rest(name, dimension)

        unmet: list[str] = []
        for _ in range(DRAWS):
            point = traverse(self._space.dimensions, pick)
            unmet = [name for name in self._given if self._dimension(name) not in point.picked]
            if not unmet:
                return point
        raise self._refused(unmet[0], "does not exist beside the others named there; mind its `when`")

    def _dimension(self, name: str) -> str:
        """Return the dimension that is meant."""
        dimensions = self._space.dimensions
        for known in (name, *dimensions):
            if known in dimensions and canonical(known) == canonical(name):
                return known
        known_names = ", ".join(dimensions)
        raise self._refused(name, f"{name!r} is not a dimension of this space; known: {known_names}")

    def _pick(self, name: str, dimension: str, value: Any) -> Picked:
        of = self._space.dimensions[dimension]
        if isinstance(value, bool):  # which equals 1 or 0
            raise self._refused(name, f"{str(value).lower()} is none of its values; write one of those")
        if of.choices is None:
            return self._in_range(name, span_of(dimension, of), value)
        choices = [as_tuples(choice) for choice in of.choices]
        if as_tuples(value) in choices:
            return choices.index(as_tuples(value))
        labels = of.labels or ()
        if value in labels:
            return labels.index(value)
        known = ", ".join([*map(repr, of.model_dump(mode="json")["choices"]), *labels])
        raise self._refused(name, f"{value!r} is none of its choices; known: {known}")

    def _in_range(self, name: str, span: Span, value: Any) -> Picked:
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            fault = f"{value!r} is not a number; choose one from {span.low:g} to {span.high:g}"
            raise self._refused(name, fault) from error
        if not span.low <= number <= span.high:
            fault = f"{value!r} is out of range; choose a number from {span.low:g} to {span.high:g}"
            raise self._refused(name, fault)
        if not span.holds(number):
            below, above = span.beside(number)
            raise self._refused(name, f"{value!r} lies between two steps; choose {below:g} or {above:g}")
        return span.as_picked(number)

    def _refused(self, name: str, fault: str) -> ConfigError:
        return refusal(self._source, (*self._where, name), fault)
