"""Whether the dimensions of a search space name parameters that exist and values that can be met."""

from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from glsweep.config.base import Keys, refusal
from glsweep.config.dimension import Dimension, as_list, parameters_of
from glsweep.config.space import SearchSpace
from glsweep.config.span import span_of
from glsweep.config.trial import TrialParameters, canonical
from glsweep.randomness import generator_for
from glsweep.spaces.configurations import Configurations
from glsweep.spaces.traversal import Picked, random_pick, traverse

DRAWS_PER_VALUE = 20


def check_names(space: SearchSpace, source: Path) -> None:
    """Raise `ConfigError`, naming `source`, for a dimension that is unknown or can never exist."""
    known = set(TrialParameters.model_fields)
    earlier: set[str] = set()
    for name, dimension in space.dimensions.items():
        for condition, wanted in dimension.when.items():
            where = ("dimensions", name, "when", condition)
            if canonical(condition) not in earlier:
                known_here = ", ".join(sorted(earlier)) or "none"
                raise refusal(
                    source, where, f"{condition!r} is set by no earlier dimension; those set: {known_here}"
                )
            _check_condition(source, where, canonical(condition), as_list(wanted))
        sets = parameters_of(name, dimension)
        for parameter in sorted(sets - known):
            fault = f"{parameter!r} is not a parameter; known: {', '.join(sorted(known))}"
            raise refusal(source, ("dimensions", name), fault)
        earlier |= sets


def check_values(space: SearchSpace, source: Path) -> None:
    """Raise `ConfigError`, naming `source`, for a value that no trial can have.

    A space that is drawn from as the sweep goes would otherwise fail in the middle of it: each
    choice and both ends of each range are tried with draws of everything else.
    """
    configurations = Configurations(space, seed=0, source=source)
    for name, dimension in space.dimensions.items():
        for picked in _extremes(name, dimension):
            rest = random_pick(generator_for(0, "check", name, str(picked)))

            def pick(asked: str, of: Dimension, picked: Picked = picked, only: str = name) -> Picked:
                return picked if asked == only else rest(asked, of)  # noqa: B023  used at once

            for _ in range(DRAWS_PER_VALUE):
                configurations.parameters(traverse(space.dimensions, pick))


def _extremes(name: str, dimension: Dimension) -> list[Picked]:
    if dimension.choices is not None:
        return list(range(len(dimension.choices)))
    span = span_of(name, dimension)
    if span.step is None:
        return [span.low, span.high]
    # If two neighbours are multiples of something, so is every point.
    return [
        span.at(number) for number in dict.fromkeys((span.first, min(span.first + 1, span.last), span.last))
    ]


def _check_condition(source: Path, where: Keys, parameter: str, values: list[Any]) -> None:
    """Make sure that `parameter` can have these values: a misspelt one would silently never be met."""
    annotation: Any = TrialParameters.model_fields[parameter].annotation
    adapter = TypeAdapter(annotation)
    for value in values:
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            fault = f"{value!r} can never be met; {reason[0].lower()}{reason[1:]}"
            raise refusal(source, where, fault) from error
