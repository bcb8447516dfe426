"""From points of a search space to trials, each configuration once."""

import hashlib
from pathlib import Path

from glsweep.config.base import Keys, validate
from glsweep.config.dimension import parameters_of
from glsweep.config.space import SearchSpace
from glsweep.config.trial import TrialParameters, canonical
from glsweep.randomness import seed_for
from glsweep.spaces.plan import PlannedTrial, place_of
from glsweep.spaces.traversal import Point


class Configurations:
    """Makes trials of points, and knows which configurations have been taken.

    Each trial has a seed of its own: one that suits a narrow network badly would otherwise spoil a
    whole stratum.
    """

    def __init__(self, space: SearchSpace, *, seed: int, source: Path) -> None:
        self._space = space
        self._fixed = {canonical(name): value for name, value in space.fixed.items()}
        self._seed, self._source = seed, source
        self._taken: set[TrialParameters] = set()

    def parameters(self, point: Point) -> TrialParameters:
        """Return the whole configuration of a point.

        Raises
        ------
        ConfigError
            When a value is missing or not allowed; the message names the file of the space.
        """
        return validate(
            {**self._fixed, **point.values},
            TrialParameters,
            self._source,
            written=lambda keys: self._written(point, str(keys[0]) if keys else ""),
        )

    def _written(self, point: Point, parameter: str) -> Keys:
        """Return where in the file a parameter of a point is set, or is to be set."""
        dimensions = self._space.dimensions
        set_in = [name for name in point.picked if parameter in parameters_of(name, dimensions[name])]
        named = (name for name in self._space.fixed if canonical(name) == parameter)
        return ("dimensions", set_in[-1]) if set_in else ("fixed", next(named, parameter))

    def is_new(self, point: Point) -> bool:
        """Whether no trial has this configuration yet."""
        return self.parameters(point) not in self._taken

    def take(self, point: Point) -> PlannedTrial | None:
        """Return the next trial, or None when there is one of this configuration already."""
        parameters = self.parameters(point)
        if parameters in self._taken:
            return None
        index = len(self._taken)
        self._taken.add(parameters)
        fingerprint = hashlib.sha256(parameters.model_dump_json().encode()).hexdigest()[:8]
        return PlannedTrial(
            trial_id=f"{place_of(index)}-{fingerprint}",
            index=index,
            seed=seed_for(self._seed, "trial", fingerprint),
            parameters=parameters,
            choices=point.picked,
        )

    def recall(self, trial: PlannedTrial) -> None:
        """Note a trial that was made in an earlier run of the sweep."""
        self._taken.add(trial.parameters)
