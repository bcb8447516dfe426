"""A study's whole configuration, as it is frozen into the study's folder, and the stages that follow it."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from glsweep.config.base import Settings
from glsweep.config.data_card import DataCard
from glsweep.config.space import SearchSpace

Stage = Literal["simulate", "prepare", "sweep", "retrain", "calibrate", "evaluate", "report"]
STAGES: tuple[Stage, ...] = get_args(Stage)

AnySettings = TypeVar("AnySettings", bound=Settings)


class StudyConfig(Settings):
    """The data, the space and the seed that decide every result of a study.

    A study is called as its folder is. In its own file there is no name, and paths are told from the
    folder, so that both may move together.
    """

    name: str = ""
    seed: int
    card: DataCard
    space: SearchSpace

    def told_from(self, folder: Path) -> "StudyConfig":
        """Return the configuration with every path as it is seen from `folder`."""
        return _with_paths(self, lambda path: Path(os.path.relpath(path, folder.resolve())))

    def found_from(self, folder: Path) -> "StudyConfig":
        """Return the configuration with every path that is told from `folder` made absolute."""
        return _with_paths(self, lambda path: (folder / path).resolve())


def _with_paths(settings: AnySettings, change: Callable[[Path], Path]) -> AnySettings:
    values = {name: getattr(settings, name) for name in type(settings).model_fields}
    return settings.model_copy(update={name: _changed(value, change) for name, value in values.items()})


def _changed(value: Any, change: Callable[[Path], Path]) -> Any:
    match value:
        case Path():
            return change(value)
        case Settings():
            return _with_paths(value, change)
        case tuple():
            return tuple(_changed(part, change) for part in value)
        case dict():
            return {name: _changed(part, change) for name, part in value.items()}
        case _:
            return value
