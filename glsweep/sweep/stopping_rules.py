"""Rules of early stopping by short names: `asha:2:3`, `median:4`, `none`."""

from collections.abc import Sequence
from typing import Annotated, Any, get_args

from pydantic import Field, TypeAdapter, ValidationError

from glsweep.config.space import Asha, Median, Stopping
from glsweep.errors import ConfigError
from glsweep.sweep.rungs import rung_epochs

RULES: dict[str, type[Stopping]] = {rule.model_fields["name"].default: rule for rule in get_args(Stopping)}
FORMS = "asha:GRACE:REDUCTION, median:GRACE, none; asha or median alone for several"
REDUCTIONS = (2, 3, 4)

_STOPPING: TypeAdapter[Stopping] = TypeAdapter(Annotated[Stopping, Field(discriminator="name")])


def rule_name(stopping: Stopping) -> str:
    """Return the short name of a rule: what it is called, then its numbers."""
    return ":".join(str(value) for _, value in stopping)


def parse_rules(names: Sequence[str], *, epochs: int) -> list[Stopping]:
    """Return the rules of these names, each once; all that are sensible where there is no name.

    Parameters
    ----------
    names : sequence of str
        Such as `asha:2:3` (grace 2, reduction 3); `asha` alone stands for a grid of both.
    epochs : int
        A trial's full budget; a grace period must end before it does.

    Raises
    ------
    ConfigError
        When a name cannot be read, or its rule would never judge.
    """
    rules = [rule for name in names or RULES for rule in _parse(name, epochs)]
    return list(dict.fromkeys(rules))


def _parse(name: str, epochs: int) -> list[Stopping]:
    kind, *numbers = name.split(":")
    if kind not in RULES:
        raise ConfigError(f"--scheduler {name}: is no rule of early stopping; known are {FORMS}")
    settings = [field for field in RULES[kind].model_fields if field != "name"]
    if settings and not numbers:
        return _grid(kind, epochs)
    if len(numbers) != len(settings):
        raise ConfigError(
            f"--scheduler {name}: has {len(numbers)} numbers in place of {len(settings)}; known are {FORMS}"
        )
    values: dict[str, Any] = {"name": kind, **dict(zip(settings, numbers, strict=True))}
    try:
        rule = _STOPPING.validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        setting, message = first["loc"][-1], first["msg"][:1].lower() + first["msg"][1:]
        raise ConfigError(f"--scheduler {name}: {setting}: {message} (it is {first['input']!r})") from error
    if settings and not rung_epochs(rule, epochs):
        raise ConfigError(
            f"--scheduler {name}: never judges a trial of {epochs} epochs; choose a grace below {epochs}"
        )
    return [rule]


def _grid(kind: str, epochs: int) -> list[Stopping]:
    """Return one rule for each grace of 1, 2, 4, ... epochs up to half of the budget, and each reduction."""
    graces = [grace for grace in (2**power for power in range(16)) if grace <= max(epochs // 2, 1)]
    if kind == "median":
        return [Median(grace_epochs=grace) for grace in graces if grace < epochs]
    return [
        Asha(grace_epochs=grace, reduction_factor=reduction)
        for reduction in REDUCTIONS
        for grace in graces
        if grace < epochs
    ]
