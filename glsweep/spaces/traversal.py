"""One traversal of a search space with a pluggable choice; every sampler is a way to pick."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from glsweep.config.space import Dimension
from glsweep.errors import ConfigError

Picked = int | float
Pick = Callable[[str, Dimension], Picked]

# The literature's names of the focal Tversky weights; alpha weighs false negatives (Abraham & Khan 2019).
ALIASES = {"alpha": "fn_weight", "beta": "fp_weight", "patch_size": "patch_size_px"}


@dataclass(frozen=True)
class Point:
    """One point of a search space.

    Attributes
    ----------
    picked : dict
        By dimension: the number of the choice, or the value of a range.
    values : dict
        By parameter, with tuples of tied parameters taken apart.
    """

    picked: dict[str, Picked]
    values: dict[str, Any]


def traverse(dimensions: Mapping[str, Dimension], pick: Pick) -> Point:
    """Walk the dimensions in order, picking in each.

    A dimension whose `when` is not met is passed over, so its parameter is absent.

    Parameters
    ----------
    dimensions : mapping of str to Dimension
        In the order in which they are decided; `when` may name earlier ones only.
    pick : callable
        Called as `pick(name, dimension)`; returns the number of one of its choices, or a value in
        its range.
    """
    picked: dict[str, Picked] = {}
    values: dict[str, Any] = {}
    for name, dimension in dimensions.items():
        if all(values.get(canonical(key)) in as_list(wanted) for key, wanted in dimension.when.items()):
            picked[name] = pick(name, dimension)
            values.update(set_by(name, dimension, picked[name]))
    return Point(picked, values)


def set_by(name: str, dimension: Dimension, picked: Picked) -> dict[str, Any]:
    """Return the parameters that a dimension sets, with their values, when this is picked in it."""
    value: Any = picked if dimension.choices is None else dimension.choices[int(picked)]
    if dimension.keys is None:
        return {canonical(name): value}
    return {canonical(key): part for key, part in zip(dimension.keys, value, strict=True)}


def parameters_of(name: str, dimension: Dimension) -> set[str]:
    """Return the parameters that a dimension sets."""
    return {canonical(key) for key in dimension.keys or (name,)}


def grid_points(dimensions: Mapping[str, Dimension]) -> Iterator[Point]:
    """Yield every combination that the conditions allow, once, the last dimension fastest.

    Raises
    ------
    ConfigError
        When a range has no `grid` to enumerate.
    """
    path: list[int] = []
    while True:
        sizes: list[int] = []

        def pick(name: str, dimension: Dimension, sizes: list[int] = sizes) -> Picked:
            options = grid_options(name, dimension)
            if len(sizes) == len(path):
                path.append(0)
            sizes.append(len(options))
            return options[path[len(sizes) - 1]]

        yield traverse(dimensions, pick)
        while path and path[-1] == sizes[len(path) - 1] - 1:
            path.pop()
        if not path:
            return
        path[-1] += 1


def enumerate_grid(dimensions: Mapping[str, Dimension]) -> Iterator[dict[str, Any]]:
    """Yield the values of every grid point; see `grid_points`."""
    return (point.values for point in grid_points(dimensions))


def grid_options(name: str, dimension: Dimension) -> range | tuple[float, ...]:
    """Return all that can be picked in a dimension of a grid."""
    if dimension.choices is not None:
        return range(len(dimension.choices))
    if dimension.grid is None:
        raise ConfigError(
            f"dimensions.{name}: a range needs `grid` to be enumerated; add it or use `sampler: random`"
        )
    return dimension.grid


def random_pick(generator: np.random.Generator) -> Pick:
    """Return the pick that draws: choices evenly, ranges evenly or log-evenly."""

    def pick(_name: str, dimension: Dimension) -> Picked:
        if dimension.choices is not None:
            return int(generator.integers(len(dimension.choices)))
        low, high = float(dimension.low or 0.0), float(dimension.high or 0.0)
        if not dimension.log:
            return float(generator.uniform(low, high))
        # Rounding may carry the exponential just beyond an end.
        return min(max(float(np.exp(generator.uniform(np.log(low), np.log(high)))), low), high)

    return pick


def grid_pick(generator: np.random.Generator) -> Pick:
    """Return the pick that draws among the options of a grid."""

    def pick(name: str, dimension: Dimension) -> Picked:
        options = grid_options(name, dimension)
        return options[int(generator.integers(len(options)))]

    return pick


def draw(dimensions: Mapping[str, Dimension], generator: np.random.Generator) -> Point:
    """Draw one point at random."""
    return traverse(dimensions, random_pick(generator))


def canonical(name: str) -> str:
    """Return the parameter's name for a name that the literature uses."""
    return ALIASES.get(name, name)


def as_list(value: Any) -> list[Any]:
    """Return the values of a condition, which may be one or a list."""
    return list(value) if isinstance(value, list | tuple) else [value]
