"""The trials of a sweep, planned before the first one starts."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from glsweep.config.base import Settings, validate
from glsweep.config.space import SearchSpace
from glsweep.config.trial import Stratum, TrialParameters
from glsweep.errors import ConfigError
from glsweep.randomness import generator_for, seed_for
from glsweep.spaces.traversal import ALIASES, as_list, draw, enumerate_grid

DRAWS_PER_SAMPLE = 100


class PlannedTrial(Settings):
    """One configuration and its place in the sweep.

    `index` orders the trials of a sweep; early stopping compares a trial with earlier ones only,
    which makes its decisions independent of how fast each trial happens to run.
    """

    trial_id: str
    index: int
    seed: int
    parameters: TrialParameters

    @property
    def stratum(self) -> Stratum:
        """The group whose members this trial is compared with."""
        return self.parameters.stratum


def plan_trials(space: SearchSpace, *, seed: int, source: Path) -> list[PlannedTrial]:
    """Plan every trial of `space`: each configuration once, in an order shuffled by `seed`.

    A grid in file order can cost six times a shuffled one under early stopping, when the worst
    come first. Each trial has its own seed: one that suits a narrow network badly would otherwise
    spoil a whole stratum.

    Raises
    ------
    ConfigError
        When a dimension is unknown, or a value is not allowed; the message names `source`.
    """
    _check_names(space, source)
    try:
        drawn = list(_draw_all(space, seed))
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from error
    fixed = {ALIASES.get(name, name): value for name, value in space.fixed.items()}
    configurations = [validate({**fixed, **chosen}, TrialParameters, source) for chosen in drawn]
    unique = list(dict.fromkeys(configurations))
    generator_for(seed, "order of trials").shuffle(unique)
    return [
        PlannedTrial(
            trial_id=f"{index:04d}-{_fingerprint(parameters)}",
            index=index,
            seed=seed_for(seed, "trial", _fingerprint(parameters)),
            parameters=parameters,
        )
        for index, parameters in enumerate(unique)
    ]


def patch_sizes_px(trials: Iterable[PlannedTrial]) -> list[int]:
    """Return the patch sizes that `trials` need, in pixels, ascending."""
    return sorted({trial.parameters.patch_size_px for trial in trials})


def _draw_all(space: SearchSpace, seed: int) -> Iterator[dict[str, Any]]:
    if space.search.samples is None:
        return enumerate_grid(space.dimensions)
    return _draw_distinct(space, space.search.samples, generator_for(seed, "random search"))


def _draw_distinct(
    space: SearchSpace, samples: int, generator: np.random.Generator
) -> Iterator[dict[str, Any]]:
    """Draw until `samples` differ; a small space may hold fewer, so the draws are bounded."""
    seen: set[str] = set()
    for _ in range(samples * DRAWS_PER_SAMPLE):
        drawn = draw(space.dimensions, generator)
        if repr(drawn) not in seen:
            seen.add(repr(drawn))
            yield drawn
        if len(seen) == samples:
            return


def _check_names(space: SearchSpace, source: Path) -> None:
    known = set(TrialParameters.model_fields)
    earlier: set[str] = set()
    for name, dimension in space.dimensions.items():
        for condition, wanted in dimension.when.items():
            where = f"{source}: dimensions.{name}.when"
            if ALIASES.get(condition, condition) not in earlier:
                raise ConfigError(f"{where}: {condition!r} is not an earlier dimension")
            _check_condition(f"{where}.{condition}", ALIASES.get(condition, condition), as_list(wanted))
        sets = {ALIASES.get(key, key) for key in dimension.keys or (name,)}
        for parameter in sorted(sets - known):
            raise ConfigError(
                f"{source}: dimensions.{name}: {parameter!r} is not a parameter; "
                f"known: {', '.join(sorted(known))}"
            )
        earlier |= sets


def _check_condition(where: str, parameter: str, values: list[Any]) -> None:
    """Make sure that `parameter` can have these values: a misspelt one would silently never be met."""
    annotation: Any = TrialParameters.model_fields[parameter].annotation
    adapter = TypeAdapter(annotation)
    for value in values:
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise ConfigError(
                f"{where}: {value!r} can never be met; {reason[0].lower()}{reason[1:]}"
            ) from error


def _fingerprint(parameters: TrialParameters) -> str:
    return hashlib.sha256(parameters.model_dump_json().encode()).hexdigest()[:8]
