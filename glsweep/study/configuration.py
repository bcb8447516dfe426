"""A study's whole configuration, and which parts of it may change once the study has begun.

More of the same (choices, a wider range, trials, epochs, seeds, test data) extends a study: what was
trained stays, and what no longer holds is done again. If less is requested than there is, nothing is
removed. Settings of later stages may change at any time. Whatever would make earlier trials incomparable
with later ones is refused.
"""

import operator
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import Field

from glsweep.config.data_card import CARD_TEXT, DataCard
from glsweep.config.dimension import Dimension, as_tuples
from glsweep.config.settings import Settings
from glsweep.config.space import SearchSpace
from glsweep.config.trial import TrialParameters

Stage = Literal["simulate", "prepare", "sweep", "retrain", "calibrate", "evaluate", "report"]
STAGES: tuple[Stage, ...] = get_args(Stage)

AnySettings = TypeVar("AnySettings", bound=Settings)


class StudyConfig(Settings):
    """What decides every result of a study: the data, the search space and the seed.

    Paths in the file are relative to the study's folder, so that scenes and study may move together.
    """

    name: str = Field(default="", description="left empty in the file: a study has the name of its folder")
    seed: int = Field(description="the number from which every random draw follows")
    card: DataCard = Field(description="the data card, as it was when the study began")
    space: SearchSpace = Field(description="the search space, with all by which the study has grown since")

    def with_relative_paths(self, folder: Path) -> "StudyConfig":
        """Return the configuration with every path relative to `folder`."""
        return _with_paths(self, lambda path: Path(os.path.relpath(path, folder.resolve())))

    def with_absolute_paths(self, folder: Path) -> "StudyConfig":
        """Return the configuration with every path, relative to `folder`, made absolute."""
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


# --- What may change in a study that has begun

_CARD_KEY = r"card(\.parts\.\d+)?"
_TESTED_AGAIN: tuple[Stage, ...] = ("simulate", "prepare", "evaluate", "report")


def _from(stage: Stage) -> tuple[Stage, ...]:
    return STAGES[STAGES.index(stage) :]


def _always(_was: Any, _now: Any) -> bool:
    return True


def _never(_was: Any, _now: Any) -> bool:
    return False


def _same_verdicts(was: Any, now: Any) -> bool:
    """Whether neither has a verdict: a file without one corrects nothing."""
    return not was and not now


_RULES: tuple[tuple[str, tuple[Stage, ...], Callable[[Any, Any], bool]], ...] = (
    (rf"name|space\.(name|title)|{_CARD_KEY}\.({'|'.join(CARD_TEXT)})", ("report",), _always),
    (rf"space\.resources\..*|{_CARD_KEY}\.(root|layout\.corrections)", (), _always),
    (rf"{_CARD_KEY}\.layout\.corrections_hash", STAGES, _same_verdicts),
    # Scenes that were simulated before lack the file of lines.
    (rf"{_CARD_KEY}\.(name|layout\.second_analyst)", _TESTED_AGAIN, _always),
    (r"space\.calibration\..*", _from("calibrate"), _always),
    (r"space\.retraining\..*", _from("retrain"), _always),
    # They decide only what comes next; what has begun stays.
    (r"space\.search\.(budget|parallel|first)\b.*", _from("sweep"), _always),
    (r"space\.search\.(epochs|replicates)", _from("sweep"), operator.lt),
    (r"space\.(fixed|search|start)\b.*", _from("sweep"), _never),
    (r".*", STAGES, _never),
)
"""By key: the stages whose results no longer hold, and whether it may change once the sweep has begun."""

_DEFAULTS = {
    name: field.default for name, field in TrialParameters.model_fields.items() if not field.is_required()
}
_LONGEST_VALUE = 60


@dataclass(frozen=True)
class Change:
    """One key that differs between a study and the requested configuration.

    Attributes
    ----------
    key : str
        Such as `space.search.epochs`.
    was, now : Any
        Both values; None where there is none.
    stale : tuple of Stage
        Stages whose results no longer hold, in their order.
    is_possible : bool
        Whether this is possible in a study whose sweep has begun.
    """

    key: str
    was: Any
    now: Any
    stale: tuple[Stage, ...] = ()
    is_possible: bool = True

    def __str__(self) -> str:
        return f"{self.key} was {_short(self.was)}, is now {_short(self.now)}"


def changes_between(old: StudyConfig, new: StudyConfig) -> list[Change]:
    """Return every key in which `new` differs from `old`, and what follows from each."""
    found = list(_of_dimensions(old.space, new.space))
    searched_now = new.space.dimensions.keys() - old.space.dimensions.keys()
    test_data = _of_test_data(old.card, new.card)
    before, after = _flat(_rest(old, test_data)), _flat(_rest(new, test_data))
    for key in [*before, *(key for key in after if key not in before)]:
        was, now = before.get(key), after.get(key)
        is_now_searched = now is None and key.removeprefix("space.fixed.") in searched_now
        if was != now and not is_now_searched:
            found.append(_change(key, was, now))
    return [*found, *([test_data] if test_data else [])]


def extended_configuration(old: StudyConfig, requested: StudyConfig) -> StudyConfig:
    """Return the configuration of a study whose sweep has begun: what is requested, and all that it has.

    Choices keep their order and new ones follow, since trials record the number of the choice.
    """
    was, now = old.space, requested.space
    dimensions = {
        name: _joined(was.dimensions[name], dimension) if name in was.dimensions else dimension
        for name, dimension in now.dimensions.items()
    }
    fixed = dict(now.fixed)
    for name, dimension in was.dimensions.items():
        left = fixed.get(name, _DEFAULTS.get(name))
        if name not in dimensions and as_tuples(left) in as_tuples(dimension.choices or ()):
            dimensions[name] = dimension
            fixed.pop(name, None)  # when left out it may take its default, which is among the choices
    search = now.search.model_copy(
        update={
            "epochs": max(was.search.epochs, now.search.epochs),
            "replicates": max(was.search.replicates, now.search.replicates),
        }
    )
    space = now.model_copy(update={"dimensions": dimensions, "fixed": fixed, "search": search})
    return requested.model_copy(update={"space": space})


def _change(key: str, was: Any, now: Any) -> Change:
    stale, is_possible = next((s, can) for pattern, s, can in _RULES if re.fullmatch(pattern, key))
    return Change(key, was, now, stale, is_possible(was, now))


def _of_dimensions(old: SearchSpace, new: SearchSpace) -> Iterator[Change]:
    """Compare dimensions; the order of their choices does not matter."""
    fixed = {**_DEFAULTS, **old.fixed}
    for name in [*old.dimensions, *(name for name in new.dimensions if name not in old.dimensions)]:
        was, now = old.dimensions.get(name), new.dimensions.get(name)
        key = f"space.dimensions.{name}"
        if was is not None and now is not None:
            yield from _of_dimension(key, was.model_dump(mode="json"), now.model_dump(mode="json"))
        elif now is not None and name in fixed:
            # A fixed value, or what a parameter is where it is left out, may become one of several choices.
            choices = () if now.when or now.keys else as_tuples(now.choices or ())
            is_among = as_tuples(fixed[name]) in choices
            yield Change(key, fixed[name], _as_written(now), _from("sweep"), is_among)
        else:
            yield Change(
                key, was and _as_written(was), now and _as_written(now), _from("sweep"), is_possible=False
            )


def _of_dimension(key: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for part in {**was, **now}:
        old, new = was.get(part), now.get(part)
        if part == "choices" and old and new and sorted(map(repr, old)) == sorted(map(repr, new)):
            continue
        if old != new:
            stale: tuple[Stage, ...] = ("report",) if part == "labels" else _from("sweep")
            is_range = part in ("low", "high") and None not in (old, new)
            is_choice = part == "choices" and None not in (old, new)
            yield Change(
                f"{key}.{part}", old, new, stale, is_range or is_choice or part in ("grid", "labels")
            )


def _of_test_data(old: DataCard, new: DataCard) -> Change | None:
    """Return the change of test-only data, if nothing else of the data differs."""
    was, now = _test_names(old), _test_names(new)
    if was == now or _training_data(old) != _training_data(new):
        return None
    # Ground of test data is kept from training; `prepare` checks that the training patches stay the same.
    return Change("test data", sorted(was), sorted(now), _TESTED_AGAIN)


def _test_names(card: DataCard) -> set[str]:
    return {part.name for part in card.data_sets if part.test_only}


def _training_data(card: DataCard) -> Any:
    rules = (card.split, card.label, card.label_width_m)
    return rules, [part.decisive() for part in card.data_sets if not part.test_only]


def _rest(config: StudyConfig, test_data: Change | None) -> dict[str, Any]:
    """Return the part of the configuration that is compared key by key."""
    rest = config.model_dump(mode="json")
    rest["space"].pop("dimensions")
    if test_data is not None:
        rest.pop("card")
    return rest


def _joined(was: Dimension, now: Dimension) -> Dimension:
    """Return a dimension with the values of both; the second one if they cannot be joined."""
    if was.choices is not None and now.choices is not None:
        old, new = as_tuples(was.choices), as_tuples(now.choices)
        labels = dict(zip(old, was.labels or (), strict=False))
        labels |= dict(zip(new, now.labels or (), strict=False))
        choices = (*was.choices, *(choice for choice in now.choices if as_tuples(choice) not in old))
        named = tuple(labels.get(as_tuples(choice), str(choice)) for choice in choices)
        return now.model_copy(update={"choices": choices, "labels": named if labels else None})
    if was.low is None or now.low is None or was.high is None or now.high is None:
        return now
    grid = None if now.grid is None else tuple(sorted({*(was.grid or ()), *now.grid}))
    return now.model_copy(
        update={"low": min(was.low, now.low), "high": max(was.high, now.high), "grid": grid}
    )


def _as_written(dimension: Dimension) -> Any:
    return dimension.model_dump(mode="json", exclude_defaults=True)


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    inner: Mapping[str, Any]
    match value:
        case dict() if value:
            inner = value
        case list() if value and all(isinstance(part, dict) for part in value):
            inner = {str(number): part for number, part in enumerate(value)}
        case _:
            return {prefix: value}
    return {
        key: found
        for name, part in inner.items()
        for key, found in _flat(part, f"{prefix}.{name}".lstrip(".")).items()
    }


def _short(value: Any) -> str:
    text = "not there" if value is None else " ".join(str(value).split())
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 3] + "..."
