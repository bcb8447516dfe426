"""What a benchmark found, against what is aimed at: kept in a file for the one table of all of them."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Self

import tyro

GREAT_FALL = 0.8
MeasuredFile = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]
"""Where what was found is added, a line of JSON each."""


@dataclass(frozen=True)
class Measured:
    """One figure and its aim: at least so much, or at most; None where nothing is aimed at."""

    what: str
    against: str
    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def aim(self) -> str:
        """The aim in words."""
        if self.at_least is not None:
            return f"at least {self.at_least:g}"
        return "" if self.at_most is None else f"at most {self.at_most:g}"

    @property
    def is_met(self) -> bool | None:
        """Whether the aim is reached; None where there is none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return None if self.at_most is None else self.value <= self.at_most

    def has_fallen(self, before: "Measured") -> bool:
        """Whether the figure is worse than before by a fifth or more."""
        ratio = before.value / self.value if self.at_most is not None else self.value / before.value
        return ratio <= GREAT_FALL

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a line of a file."""
        return cls(**json.loads(line))


def add(found: Iterable[Measured], file: Path | None) -> None:
    """Add what was found to a file, if there is one."""
    if file is not None:
        with file.open("a", encoding="utf-8") as lines:
            lines.writelines(json.dumps(asdict(one)) + "\n" for one in found)
