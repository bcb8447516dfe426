"""What a sweep needs of a cluster."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from glsweep.config.base import validate
from glsweep.config.dimension import Dimension, parameters_of
from glsweep.config.space import Resources, SearchSpace
from glsweep.config.span import span_of
from glsweep.config.trial import Stratum, TrialParameters, canonical
from glsweep.spaces.names import check_names
from glsweep.spaces.traversal import enumerate_grid, grid_options, is_finite

# A pixel of a stored patch: real and imaginary part as float32, and the mask.
PIXEL_BYTES = 9
SIZES = {"architecture", "patch_size_px", "base_width", "batch_size", "channels"}


@dataclass(frozen=True)
class Need:
    """What a sweep asks of the nodes.

    Attributes
    ----------
    resources : Resources
        What each trial asks for.
    trials : tuple of TrialParameters
        Of each stratum the trial that takes most memory.
    patch_bytes : mapping of int to int
        By patch size in pixels: training and validation patches together, at most.
    """

    resources: Resources
    trials: tuple[TrialParameters, ...]
    patch_bytes: Mapping[int, int] = field(default_factory=dict)


def need_of(space: SearchSpace, source: Path) -> Need:
    """Return what a search space needs, whatever its sampler will propose.

    Raises
    ------
    ConfigError
        When a dimension or a value is not allowed; the message names `source`.
    """
    check_names(space, source)
    fixed = {canonical(name): value for name, value in space.fixed.items()}
    trials = (
        validate({**fixed, **chosen}, TrialParameters, source)
        for chosen in enumerate_grid(_sizes_alone(space.dimensions))
    )
    count = space.patches.with_line + space.patches.without_line
    largest = largest_of_each_stratum(trials)
    return Need(
        space.resources,
        largest,
        {trial.patch_size_px: count * trial.patch_size_px**2 * PIXEL_BYTES for trial in largest},
    )


def largest_of_each_stratum(trials: Iterable[TrialParameters]) -> tuple[TrialParameters, ...]:
    """Return of each stratum the trial with the widest network, and of those that of the largest batch."""
    largest: dict[Stratum, TrialParameters] = {}
    for trial in trials:
        if trial.stratum not in largest or _size(trial) > _size(largest[trial.stratum]):
            largest[trial.stratum] = trial
    return tuple(largest[stratum] for stratum in sorted(largest))


def _size(trial: TrialParameters) -> tuple[int, int, int]:
    return trial.base_width, trial.batch_size, len(trial.channels)


def _sizes_alone(dimensions: Mapping[str, Dimension]) -> dict[str, Dimension]:
    """Leave each dimension that bears on memory its choices, and every other one its first.

    Of a range only the upper end is left, since nothing takes more memory, unless its values decide
    over the stratum or over other dimensions.
    """
    conditions = {canonical(key) for dimension in dimensions.values() for key in dimension.when}
    return {
        name: dimension.model_copy(update={"choices": tuple(_choices(name, dimension, conditions))})
        for name, dimension in dimensions.items()
    }


def _choices(name: str, dimension: Dimension, conditions: set[str]) -> Iterator[Any]:
    sets = parameters_of(name, dimension)
    if dimension.choices is not None:
        yield from dimension.choices if sets & (SIZES | conditions) else dimension.choices[:1]
    elif sets & ({*Stratum._fields} | conditions) and is_finite(name, dimension):
        yield from grid_options(name, dimension)
    else:
        yield span_of(name, dimension).highest
