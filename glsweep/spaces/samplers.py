"""From a search space to the plan that its sampler makes."""

from collections.abc import Sequence
from pathlib import Path

from glsweep.config.space import SearchSpace
from glsweep.errors import ConfigError
from glsweep.randomness import generator_for
from glsweep.spaces.configurations import Configurations
from glsweep.spaces.draws import RandomPlan
from glsweep.spaces.first import first_points
from glsweep.spaces.names import check_names, check_values
from glsweep.spaces.plan import ListedPlan, Plan, PlannedTrial
from glsweep.spaces.traversal import grid_points


def make_plan(space: SearchSpace, *, seed: int, source: Path, begun: Sequence[PlannedTrial] = ()) -> Plan:
    """Return the plan of a search space: its grid, random draws, or Optuna's proposals.

    `begun` are the configurations that its sweep has begun, in the order of their index. They keep
    their places, also where the space was smaller when they were planned.

    Raises
    ------
    ConfigError
        When a dimension is unknown, or a value is not allowed; the message names `source`.
    """
    if space.search.sampler == "grid":
        trials = plan_trials(space, seed=seed, source=source)
        return ListedPlan(trials, begun=begun, most=space.search.budget.trials)
    check_names(space, source)
    check_values(space, source)
    if space.search.sampler == "random":
        return RandomPlan(space, seed=seed, source=source)
    from glsweep.spaces.tpe import TpePlan  # noqa: PLC0415  Optuna takes a second to import

    return TpePlan(space, seed=seed, source=source)


def plan_trials(space: SearchSpace, *, seed: int, source: Path) -> list[PlannedTrial]:
    """Plan every trial of the grid: those named first, then the others in an order shuffled by `seed`.

    A grid in file order can cost six times a shuffled one under early stopping, when the worst
    come first.

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
