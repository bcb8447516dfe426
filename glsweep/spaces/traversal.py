"""One traversal of a search space with a pluggable choice; every sampler is a way to pick."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from glsweep.config.space import Dimension
from glsweep.errors import ConfigError

Pick = Callable[[str, Dimension], Any]

# The literature's names of the focal Tversky weights; alpha weighs false negatives (Abraham & Khan 2019).
ALIASES = {"alpha": "fn_weight", "beta": "fp_weight", "patch_size": "patch_size_px"}


def traverse(dimensions: Mapping[str, Dimension], pick: Pick) -> dict[str, Any]:
    """Walk the dimensions in order and return the chosen value of every parameter.

    A dimension whose `when` is not met is passed over, so its parameter is absent.

    Parameters
    ----------
    dimensions : mapping of str to Dimension
        In the order in which they are decided; `when` may name earlier ones only.
    pick : callable
        Called as `pick(name, dimension)`; returns one of its choices or a number in its range.

    Returns
    -------
    dict
        Parameter name to value, with tuples of tied parameters taken apart.
    """
    chosen: dict[str, Any] = {}
    for name, dimension in dimensions.items():
        if all(chosen.get(_canonical(key)) in as_list(value) for key, value in dimension.when.items()):
            value = pick(name, dimension)
            if dimension.keys is None:
                chosen[_canonical(name)] = value
            else:
                chosen.update(
                    {_canonical(key): part for key, part in zip(dimension.keys, value, strict=True)}
                )
    return chosen


def enumerate_grid(dimensions: Mapping[str, Dimension]) -> Iterator[dict[str, Any]]:
    """Yield every combination that the conditions allow, once, the last dimension fastest.

    Raises
    ------
    ConfigError
        When a range has no `grid` to enumerate.
    """
    path: list[int] = []
    while True:
        sizes: list[int] = []

        def pick(name: str, dimension: Dimension, sizes: list[int] = sizes) -> Any:
            options = _options(name, dimension)
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


def draw(dimensions: Mapping[str, Dimension], generator: np.random.Generator) -> dict[str, Any]:
    """Draw one configuration at random: choices evenly, ranges evenly or log-evenly."""

    def pick(_name: str, dimension: Dimension) -> Any:
        if dimension.choices is not None:
            return dimension.choices[generator.integers(len(dimension.choices))]
        low, high = float(dimension.low or 0.0), float(dimension.high or 0.0)
        if dimension.log:
            return float(np.exp(generator.uniform(np.log(low), np.log(high))))
        return float(generator.uniform(low, high))

    return traverse(dimensions, pick)


def _options(name: str, dimension: Dimension) -> tuple[Any, ...]:
    options = dimension.choices if dimension.choices is not None else dimension.grid
    if options is None:
        raise ConfigError(
            f"dimensions.{name}: a range needs `grid` to be enumerated; add it or use `sampler: random`"
        )
    return options


def _canonical(name: str) -> str:
    return ALIASES.get(name, name)


def as_list(value: Any) -> list[Any]:
    """Return the values of a condition, which may be one or a list."""
    return list(value) if isinstance(value, list | tuple) else [value]
