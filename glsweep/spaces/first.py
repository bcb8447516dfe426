"""The configurations that a space names to be tried first."""

from pathlib import Path
from typing import Any

from glsweep.config.space import Dimension, SearchSpace
from glsweep.errors import ConfigError
from glsweep.randomness import generator_for
from glsweep.spaces.traversal import Picked, Point, canonical, grid_pick, random_pick, traverse

DRAWS = 100


def first_points(space: SearchSpace, *, seed: int, source: Path) -> list[Point]:
    """Return a point for each entry of `search.first`; dimensions that it leaves out are drawn.

    Raises
    ------
    ConfigError
        When an entry names what the space has not, or dimensions that never exist together.
    """
    return [
        _complete(space, entry, generator_for(seed, "first", number), f"{source}: search.first.{number}")
        for number, entry in enumerate(space.search.first)
    ]


def _complete(space: SearchSpace, entry: dict[str, Any], generator: Any, where: str) -> Point:
    given = dict(_pick_named(space, name, value, where) for name, value in entry.items())
    rest = grid_pick(generator) if space.search.sampler == "grid" else random_pick(generator)

    def pick(name: str, dimension: Dimension) -> Picked:
        return given[name] if name in given else rest(name, dimension)

    for _ in range(DRAWS):
        point = traverse(space.dimensions, pick)
        unmet = sorted(given.keys() - point.picked.keys())
        if not unmet:
            return point
    raise ConfigError(f"{where}.{unmet[0]}: does not exist beside the others named there; mind its `when`")


def _pick_named(space: SearchSpace, name: str, value: Any, where: str) -> tuple[str, Picked]:
    """Return the dimension that is meant, and what is picked in it."""
    named = next((known for known in space.dimensions if canonical(known) == canonical(name)), None)
    if named is None:
        known = ", ".join(space.dimensions)
        raise ConfigError(f"{where}: {name!r} is not a dimension of this space; known: {known}")
    dimension, place = space.dimensions[named], f"{where}.{name}"
    if dimension.choices is None:
        return named, _in_range(dimension, value, place)
    return named, _among_choices(dimension, value, place)


def _in_range(dimension: Dimension, value: Any, place: str) -> float:
    low, high = float(dimension.low or 0.0), float(dimension.high or 0.0)
    try:
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{place}: {value!r} is not a number; choose one from {low:g} to {high:g}"
        ) from error
    if not low <= number <= high:
        raise ConfigError(f"{place}: {value!r} is out of range; choose a number from {low:g} to {high:g}")
    return number


def _among_choices(dimension: Dimension, value: Any, place: str) -> int:
    choices = [_as_read(choice) for choice in dimension.choices or ()]
    if _as_read(value) in choices:
        return choices.index(_as_read(value))
    labels = dimension.labels or ()
    if value in labels:
        return labels.index(value)
    known = ", ".join([*map(repr, choices), *labels])
    raise ConfigError(f"{place}: {value!r} is none of its choices; known: {known}")


def _as_read(value: Any) -> Any:
    """Return a tuple as the list that YAML makes of it."""
    return [_as_read(part) for part in value] if isinstance(value, list | tuple) else value
