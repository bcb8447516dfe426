"""A finding: what is wrong, where, and what to do."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, in words that fit a line.

    Attributes
    ----------
    severity : str
        `error`: a sweep would fail or wait for ever. `warning`: it would run, but not well.
    what, where, remedy : str
        What is wrong, in which file, node or setting, and what to do about it.
    """

    severity: Severity
    what: str
    where: str
    remedy: str

    def __str__(self) -> str:
        """Return all of it in one line."""
        return " ".join(f"{self.where}: {self.what}; {self.remedy}".split())


def error(what: str, *, where: str, remedy: str) -> Finding:
    """Return a finding that forbids a sweep."""
    return Finding("error", what, where, remedy)


def warning(what: str, *, where: str, remedy: str) -> Finding:
    """Return a finding that a sweep can live with."""
    return Finding("warning", what, where, remedy)
