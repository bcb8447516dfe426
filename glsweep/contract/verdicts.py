"""What a contract's checks found, and how they are run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import yaml

from glsweep.config.trial import Scalar
from glsweep.errors import ConfigError

S = TypeVar("S")


@dataclass(frozen=True)
class Verdict:
    """What one check found.

    Attributes
    ----------
    check : str
        What must be true.
    is_kept : bool
        Whether it is.
    finding : str
        What was found.
    """

    check: str
    is_kept: bool
    finding: str


class Broken(Exception):  # noqa: N818  a finding, not an error
    """Says how the contract is broken."""


def verdicts(checks: Mapping[str, Callable[[S], str]], subject: S) -> Iterator[Verdict]:
    """Yield what each check finds of a subject, whatever the others found."""
    for text, check in checks.items():
        try:
            yield Verdict(text, True, check(subject))
        except Broken as broken:
            yield Verdict(text, False, str(broken))
        except Exception as error:  # noqa: BLE001  a user's code may raise anything
            yield Verdict(text, False, " ".join(f"{type(error).__name__}: {error}".split())[:300])


def parameters_given(settings: Sequence[str]) -> dict[str, Scalar]:
    """Return the parameters in settings such as `depth=3`, whose values are read as YAML.

    Raises
    ------
    ConfigError
        When one has no name or a value that is not a number, text, true, false or null.
    """
    given = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = text
        if not equals or not name.isidentifier() or not isinstance(value, bool | int | float | str | None):
            raise ConfigError(f"--set {setting}: is not NAME=VALUE with a number or a word; such as depth=3")
        given[name] = value
    return given
