"""Parameters that one network, loss or augmentation of a search space has for itself.

Such a parameter is written `unetpp.upsampling`, or `TinyNet.depth` after the object's name in
`my_nets:TinyNet`. It exists only with that object, so that strata of other architectures have no such
dimension.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from glsweep.config.dimension import Dimension, as_list, as_tuples, parameters_of, set_by
from glsweep.config.settings import misfit
from glsweep.config.trial import canonical, object_names
from glsweep.registry import object_name

NAMING_PARAMETERS = ("architecture", "loss", "augmentation")
"""The parameters of a trial whose values name something that may have parameters for itself."""


def named_objects(
    dimensions: Mapping[str, Dimension], fixed: Mapping[str, Any]
) -> dict[str, tuple[str, str]]:
    """Return, by the name of each object, the parameter that names it and its import path, or its name again.

    Raises
    ------
    PydanticCustomError
        When two objects have one name, by which their parameters could not be told apart.
    """
    found: dict[str, tuple[str, str]] = {}
    for parameter in NAMING_PARAMETERS:
        for value in values_of(parameter, dimensions, fixed):
            for path in object_names({parameter: value}):
                known = found.setdefault(object_name(path), (parameter, path))
                if known != (parameter, path):
                    raise misfit(
                        f"{known[1]} and {path} are both called {object_name(path)}, after which their "
                        "parameters are named; rename one of them",
                        "dimensions",
                    )
    return found


def with_conditions(
    dimensions: Mapping[str, Dimension], fixed: Mapping[str, Any]
) -> Iterator[tuple[str, Dimension]]:
    """Yield the dimensions of own parameters, each with the condition that its object is chosen.

    Raises
    ------
    PydanticCustomError
        When a parameter is of an object that the space does not name, or has a condition that excludes it.
    """
    named = named_objects(dimensions, fixed)
    for key in fixed:
        _parameter_of_owner(key, named, "fixed", key)
    for name, dimension in dimensions.items():
        when = dict(dimension.when)
        for key in parameters_of(name, dimension):
            parameter = _parameter_of_owner(key, named, "dimensions", name)
            if parameter is None or canonical(parameter) in map(canonical, fixed):
                continue
            path = named[key.partition(".")[0]][1]
            values = [
                v for v in values_of(parameter, dimensions, fixed) if path in object_names({parameter: v})
            ]
            if parameter in when and any(v not in map(as_tuples, values) for v in _wanted(when, parameter)):
                fault = f"{key} exists beside {path} alone; leave `{parameter}` out of its `when`"
                raise misfit(fault, "dimensions", name, "when")
            when.setdefault(
                parameter, values if len(values) > 1 or parameter == "augmentation" else values[0]
            )
        if when != dimension.when:
            yield name, dimension.model_copy(update={"when": when})


def _wanted(when: Mapping[str, Any], parameter: str) -> list[Any]:
    return [as_tuples(value) for value in as_list(when[parameter])]


def values_of(parameter: str, dimensions: Mapping[str, Dimension], fixed: Mapping[str, Any]) -> list[Any]:
    """Return the values that a parameter may have."""
    values = [value for key, value in fixed.items() if canonical(key) == parameter]
    for name, dimension in dimensions.items():
        if parameter in parameters_of(name, dimension):
            picks = range(len(dimension.choices or ()))
            values += [set_by(name, dimension, pick)[parameter] for pick in picks]
    return values


def _parameter_of_owner(key: str, named: Mapping[str, tuple[str, str]], *place: str) -> str | None:
    """Return the parameter that names the object which `key` belongs to; None if it belongs to none."""
    owner, dot, _ = key.partition(".")
    if not dot:
        return None
    if owner not in named:
        known = f"those here are {', '.join(named)}" if named else "there is none here"
        fault = (
            f"no network, loss or augmentation here is called {owner} ({known}); name it, your own as "
            f"package.module:{owner}"
        )
        raise misfit(fault, *place)
    return named[owner][0]
