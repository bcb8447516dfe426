"""Parameters as Optuna knows them: named, bounded and valued after the dimensions of a search space."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalChoiceType,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from glsweep.config.dimension import Dimension, Span, as_tuples, exists_with, set_by, span_of
from glsweep.config.labels import parameter_label
from glsweep.config.space import HIGHER_IS_BETTER, Metric, SearchSpace
from glsweep.config.trial import ParameterValue, canonical
from glsweep.search.plan import SET_BY_STRATUM, PlannedTrial, strata_of


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna within this block from announcing every study, and every parameter that does not vary."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def direction_of(metric: Metric) -> Literal["maximize", "minimize"]:
    """Return which way a metric is good."""
    return "maximize" if HIGHER_IS_BETTER[metric] else "minimize"


def parameters_set(name: str, dimension: Dimension) -> list[str]:
    """Return the parameters that a dimension sets, in its order."""
    return [canonical(key) for key in dimension.keys or (name,)]


def title_of(name: str, dimension: Dimension) -> str:
    """Return what a dimension is called: its own name where it ties parameters, else the parameter's.

    So several dimensions that set one parameter, under different conditions, are one.
    """
    parameters = parameters_set(name, dimension)
    return parameters[0] if len(parameters) == 1 else name


@dataclass(frozen=True)
class SearchedParameter:
    """What Optuna calls a parameter: one dimension, or several that set the same under different conditions.

    Attributes
    ----------
    dimensions : dict
        From their names.
    distribution : BaseDistribution
        What they may be, taken together. Choices are numbers where all of them are; else they are
        text, their labels where the space gives some.
    """

    dimensions: Mapping[str, Dimension]
    distribution: BaseDistribution

    def value_in(self, trial: PlannedTrial) -> CategoricalChoiceType:
        """Return what a trial has here; None where no dimension exists for it, or its value is not one."""
        for name, dimension in self.dimensions.items():
            if exists_with(dimension, trial.parameters.by_name):
                return self._value(name, dimension, trial)
        return None

    def _value(self, name: str, dimension: Dimension, trial: PlannedTrial) -> CategoricalChoiceType:
        if dimension.choices is None:
            value = trial.parameters.by_name.get(parameters_set(name, dimension)[0])
            return value if isinstance(value, int | float) and span_of(name, dimension).holds(value) else None
        number = _number_of_choice(name, dimension, trial)
        if number is None:
            return None
        value = _choices(name, dimension)[number]
        assert isinstance(self.distribution, CategoricalDistribution)
        return value if value in self.distribution.choices else _text(value)


def searched_parameters(space: SearchSpace) -> dict[str, SearchedParameter]:
    """Return the parameters of a space that can differ between trials of a stratum, by their names."""
    grouped: dict[str, dict[str, Dimension]] = {}
    for name, dimension in space.dimensions.items():
        if not set(parameters_set(name, dimension)) <= SET_BY_STRATUM:
            grouped.setdefault(title_of(name, dimension), {})[name] = dimension
    found = {}
    for title, dimensions in grouped.items():
        together = _together(dimensions)
        parts = {title: dimensions} if together else {name: {name: d} for name, d in dimensions.items()}
        for name, part in parts.items():
            distribution = together or _together(part)
            assert distribution is not None
            if not distribution.single():
                found[name] = SearchedParameter(part, distribution)
    return found


def stratum_distributions(space: SearchSpace) -> dict[str, CategoricalDistribution]:
    """Return the distributions of `architecture` and `patch_size_px`, which make a stratum."""
    strata = strata_of(space)
    return {
        "architecture": CategoricalDistribution(sorted({stratum.architecture for stratum in strata})),
        "patch_size_px": CategoricalDistribution(sorted({stratum.patch_size_px for stratum in strata})),
    }


def _together(dimensions: Mapping[str, Dimension]) -> BaseDistribution | None:
    """Return one distribution that holds the values of all `dimensions`, if there is one."""
    if all(dimension.choices is not None for dimension in dimensions.values()):
        choices = [choice for name, one in dimensions.items() for choice in _choices(name, one)]
        numeric = all(isinstance(c, int | float) and not isinstance(c, bool) for c in choices)
        return CategoricalDistribution(list(dict.fromkeys(choices if numeric else map(_text, choices))))
    if any(dimension.choices is not None for dimension in dimensions.values()):
        return None
    spans = [span_of(name, dimension) for name, dimension in dimensions.items()]
    if len({(span.log, span.step, span.is_whole) for span in spans}) > 1:
        return None
    return _range(spans)


def _range(spans: list[Span]) -> BaseDistribution:
    low, high = min(span.low for span in spans), max(span.highest for span in spans)
    log, step = spans[0].log, spans[0].step
    has_step = step is not None and not log and len(spans) == 1  # Optuna has no lattice in logarithms
    if spans[0].is_whole:
        return IntDistribution(int(low), int(high), log=log, step=int(step) if step and has_step else 1)
    return FloatDistribution(low, high, log=log, step=float(step) if step and has_step else None)


def _choices(name: str, dimension: Dimension) -> list[str | int | float]:
    """Return the choices of a dimension as Optuna may hold them."""
    if dimension.labels is not None:
        return list(dimension.labels)
    return [
        _one(list(set_by(name, dimension, number).values())) for number in range(len(dimension.choices or ()))
    ]


def _one(values: list[ParameterValue]) -> str | int | float:
    if len(values) == 1 and isinstance(values[0], int | float) and not isinstance(values[0], bool):
        return values[0]
    return " / ".join(parameter_label(as_tuples(value)) for value in values)


def _text(choice: CategoricalChoiceType) -> str:
    return parameter_label(choice)


def _number_of_choice(name: str, dimension: Dimension, trial: PlannedTrial) -> int | None:
    """Return which choice a trial has; a trial from before the dimension was searched has but its value."""
    if name in trial.choices:
        return int(trial.choices[name])
    own = trial.parameters.by_name
    for number in range(len(dimension.choices or ())):
        values = {key: as_tuples(value) for key, value in set_by(name, dimension, number).items()}
        if values.items() <= own.items():
            return number
    return None
