"""The strata of a search space, and what can be picked within one."""

from collections.abc import Mapping
from typing import Any

from glsweep.config.dimension import Dimension, parameters_of, set_by
from glsweep.config.space import SearchSpace
from glsweep.config.trial import Stratum, canonical
from glsweep.spaces.traversal import Picked, grid_options, grid_points

SET_BY_STRATUM = set(Stratum._fields)


def strata_of(space: SearchSpace) -> tuple[Stratum, ...]:
    """Return every stratum that a configuration of `space` may belong to, sorted.

    Raises
    ------
    ConfigError
        When a range that cannot be enumerated decides over the stratum.
    """
    fixed = {canonical(name): value for name, value in space.fixed.items()}
    points = grid_points(_deciding(space.dimensions))
    return tuple(sorted({_stratum({**fixed, **point.values}) for point in points}))


def picks_within(stratum: Stratum, name: str, dimension: Dimension) -> list[Picked]:
    """Return what may be picked, in a dimension that bears on the stratum, by a trial of `stratum`."""
    wanted = stratum._asdict()
    return [
        picked
        for picked in grid_options(name, dimension)
        if all(
            value == wanted[parameter]
            for parameter, value in set_by(name, dimension, picked).items()
            if parameter in SET_BY_STRATUM
        )
    ]


def _deciding(dimensions: Mapping[str, Dimension]) -> dict[str, Dimension]:
    """Return the dimensions that set the stratum, and those that conditions on them name."""
    needed = set(SET_BY_STRATUM)
    for name in reversed(list(dimensions)):
        if parameters_of(name, dimensions[name]) & needed:
            needed |= {canonical(key) for key in dimensions[name].when}
    return {name: d for name, d in dimensions.items() if parameters_of(name, d) & needed}


def _stratum(values: Mapping[str, Any]) -> Stratum:
    return Stratum(values["architecture"], int(values["patch_size_px"]))
