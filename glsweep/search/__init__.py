"""The plan of a search space, made by its sampler; names and values in the space are checked first."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError

from glsweep.config.dimension import Dimension, as_list, parameters_of, span_of
from glsweep.config.settings import Keys, refusal
from glsweep.config.space import SearchSpace
from glsweep.config.trial import TrialParameters, canonical
from glsweep.errors import ConfigError
from glsweep.randomness import generator_for
from glsweep.registry import SAMPLERS
from glsweep.search.draws import Configurations, first_points
from glsweep.search.plan import ListedPlan, Picked, Plan, PlannedTrial, grid_points, random_pick, traverse

DRAWS_PER_VALUE = 20


def check_names(space: SearchSpace, source: Path) -> None:
    """Raise `ConfigError`, naming `source`, for a dimension that is unknown or can never exist."""
    known = set(TrialParameters.model_fields) - {"own"}
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
        for parameter in sorted(name for name in sets - known if "." not in name):
            fault = f"{parameter!r} is not a parameter; known: {', '.join(sorted(known))}"
            raise refusal(source, ("dimensions", name), fault)
        earlier |= sets


def check_values(space: SearchSpace, source: Path) -> None:
    """Raise `ConfigError`, naming `source`, for a value that no trial can have.

    A space that is drawn from during the sweep would otherwise fail in the middle of it: each choice
    and both ends of each range are tried with draws of everything else.
    """
    configurations = Configurations(space, seed=0, source=source)
    for name, dimension in space.dimensions.items():
        for picked in _extremes(name, dimension):
            rest = random_pick(generator_for(0, "check", name, str(picked)))

            def pick(this: str, dimension: Dimension, picked: Picked = picked, name: str = name) -> Picked:
                return picked if this == name else rest(this, dimension)  # noqa: B023  used at once

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
    """Make sure that `parameter` can have these values; a misspelt one would never be met."""
    field = TrialParameters.model_fields.get(parameter)
    if field is None:  # a parameter of the user's own network or loss
        return
    annotation: Any = Annotated[field.annotation, field]
    adapter = TypeAdapter[Any](annotation)
    for value in values:
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            fault = f"{value!r} can never be met; {reason[0].lower()}{reason[1:]}"
            raise refusal(source, where, fault) from error


# --- The plan


def make_plan(space: SearchSpace, *, seed: int, source: Path, begun: Sequence[PlannedTrial] = ()) -> Plan:
    """Return the plan of a search space: its grid, random draws, or Optuna's proposals.

    `begun` are the configurations that its sweep has begun, in the order of their index. They keep
    their places, even if the space was smaller when they were planned.

    Raises
    ------
    ConfigError
        When a dimension is unknown, or a value is not allowed; the message names `source`.
    """
    if space.search.sampler != "grid":  # a grid checks its names itself, and tries every value
        check_names(space, source)
        check_values(space, source)
    make = SAMPLERS.bind(space.search.sampler, {})
    plan: Plan = make(space=space, seed=seed, source=source, begun=begun)
    if plan.size is None and not space.search.budget.is_limited:
        raise ConfigError(
            f"{source}: search.sampler: {space.search.sampler} comes to no end of itself; add a `budget` of "
            "trials, epochs or hours"
        )
    return plan


def grid_plan(
    space: SearchSpace, *, seed: int, source: Path, begun: Sequence[PlannedTrial] = ()
) -> ListedPlan:
    """Return the plan of a grid, see `plan_trials`."""
    trials = plan_trials(space, seed=seed, source=source)
    return ListedPlan(trials, begun=begun, most=space.search.budget.trials)


def plan_trials(space: SearchSpace, *, seed: int, source: Path) -> list[PlannedTrial]:
    """Plan every trial of the grid: those named in `search.first`, then the others shuffled by `seed`.

    In file order, with the worst configurations first, early stopping can cost six times as many epochs.

    Raises
    ------
    ConfigError
        When a dimension is unknown, or a value is not allowed; the message names `source`.
    """
    check_names(space, source)
    try:
        points = list(grid_points(space.dimensions))
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error
    generator_for(seed, "order of trials").shuffle(points)
    configurations = Configurations(space, seed=seed, source=source)
    taken = map(configurations.take, [*first_points(space, seed=seed, source=source), *points])
    return [trial for trial in taken if trial is not None]
