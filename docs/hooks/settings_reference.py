"""Pages on every key of a data card, a search space and a study, walked from the models that read them.

What a key means is said by the field's description, or, of a key that holds keys of its own, by the first
line of their model's docstring.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import getdoc
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from glsweep.config.data_card import DataCard
from glsweep.config.settings import Settings
from glsweep.config.space import SearchSpace
from glsweep.config.trial import TrialParameters
from glsweep.study.configuration import StudyConfig

Model = type[Settings]
Homes = dict[Model, tuple[str, str]]
"""Where a model's keys stand: the page, and the heading on it."""

WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    Any: "anything",
    None: "null",
    NoneType: "null",
}
LIMITS = {
    "gt": "> {}",
    "ge": "≥ {}",
    "lt": "< {}",
    "le": "≤ {}",
    "multiple_of": "a multiple of {}",
    "min_length": "(at least {})",
    "max_length": "(at most {})",
    "pattern": "of the form `{}`",
}


@dataclass(frozen=True)
class Page:
    """One page of the reference: a model, and those that lie in it and on no page before it.

    Attributes
    ----------
    place
        The page's file below docs/.
    title, introduction
        What stands above the keys.
    models
        The models that it begins with, each with the heading under which its keys stand.
    """

    place: str
    title: str
    introduction: str
    models: dict[Model, str] = field(default_factory=dict)


PAGES = (
    Page(
        "reference/data_card.md",
        "Keys of a data card",
        "A file of `datasets/`, or your own. How to write one: [Data cards](../data_cards.md).",
        {DataCard: "A data card"},
    ),
    Page(
        "reference/search_space.md",
        "Keys of a search space",
        "A file of `search_spaces/`, or your own. How to write one: [Search spaces](../search_spaces.md).",
        {
            SearchSpace: "A search space",
            TrialParameters: "Parameters: what `dimensions` and `fixed` may set",
        },
    ),
    Page(
        "reference/study.md",
        "Keys of a study",
        "`study.yaml` in a study's folder is written by glsweep. What may be changed in it, and how: "
        "[What may change in a study](../studies.md).",
        {StudyConfig: "A study"},
    ),
)


def settings_pages() -> dict[str, str]:
    """Return the text of each page, by its file below docs/."""
    homes: Homes = {}
    for page in PAGES:
        for model, heading in page.models.items():
            _find_homes(model, heading, "", page.place, homes)
    texts = {page.place: [f"# {page.title}", page.introduction] for page in PAGES}
    for model, (place, heading) in homes.items():
        texts[place].append(_section(model, heading, place, homes))
    return {place: "\n\n".join(parts) + "\n" for place, parts in texts.items()}


def _find_homes(model: Model, heading: str, path: str, place: str, homes: Homes) -> None:
    if model in homes:
        return
    homes[model] = (place, heading)
    for key, info in model.model_fields.items():
        below = f"{path}{key}"
        held = list(models_in(info.annotation))
        for inner in held:
            which = f": {_which(inner)}" if len(held) > 1 else ""
            _find_homes(inner, f"`{below}`{which}", f"{below}.", place, homes)


def models_in(annotation: Any) -> Iterator[Model]:
    """Yield the models that a field's annotation names."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def _which(model: Model) -> str:
    """Return by which value a model is chosen where a key may hold one of several."""
    values = [info.default for info in model.model_fields.values() if get_origin(info.annotation) is Literal]
    return f"`{values[0]}`" if values else "your own"


def _section(model: Model, heading: str, place: str, homes: Homes) -> str:
    rows = [
        f"| `{key}` | {_kind(info, place, homes)} | {_default(info)} | {_meaning(info)} |"
        for key, info in model.model_fields.items()
    ]
    table = "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows])
    return "\n\n".join([f"## {heading} {{#{_anchor(model)}}}", getdoc(model) or "", table])


def _anchor(model: Model) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", model.__name__).lower()


def _meaning(info: FieldInfo) -> str:
    """Return what is said of a key, fit for a cell of a table."""
    held = [(getdoc(model) or "").partition("\n")[0] for model in models_in(info.annotation)]
    meaning = info.description or " ".join(held)
    meaning = re.sub(r"`[^`]*`|\|", lambda found: found[0].replace("|", "\\|", found[0] == "|"), meaning)
    meaning = " ".join(meaning.split()).rstrip(".")
    return meaning and f"{meaning[0].upper()}{meaning[1:]}."


def _kind(info: FieldInfo, place: str, homes: Homes) -> str:
    kind = _in_words(info.annotation, place, homes)
    or_null = " or null" if kind.endswith(" or null") else ""
    return kind.removesuffix(or_null) + _limits(info.metadata) + or_null


def _limits(metadata: Iterable[Any]) -> str:
    found = [
        words.format(limit)
        for rule in _flat(metadata)
        for name, words in LIMITS.items()
        if (limit := getattr(rule, name, None)) is not None
    ]
    return f" {' and '.join(found)}".replace(") and (", ", ") if found else ""


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    """Yield the rules on a value, and those that lie in a field within its type."""
    for rule in metadata:
        yield from rule.metadata if isinstance(rule, FieldInfo) else [rule]


def _in_words(annotation: Any, place: str, homes: Homes) -> str:
    """Return what a value may be, as someone who writes YAML would say it.

    Raises
    ------
    TypeError
        When there are no words for it here yet.
    """
    inner = [_in_words(part, place, homes) for part in _parts(annotation)]
    match get_origin(annotation) or annotation:
        case known if known in WORDS:
            words = WORDS[known]
        case model if isinstance(model, type) and issubclass(model, Settings):
            words = _link(model, place, homes)
        case origin if origin is Literal:
            words = ", ".join(f"`{value}`" for value in get_args(annotation))
        case origin if origin is Annotated:
            words = inner[0] + _limits(annotation.__metadata__)
        case origin if origin in (Union, UnionType):
            words = " or ".join(inner)
        case origin if origin in (dict, Mapping):
            words = f"mapping of {inner[0]} to {inner[1]}"
        case origin if origin in (tuple, list, Sequence):
            number = f"{len(inner)} " if origin is tuple and ... not in get_args(annotation) else ""
            words = f"list of {number}{_plural(' / '.join(dict.fromkeys(inner)))}"
        case _:
            raise TypeError(
                f"{annotation}: no words for it yet; add them to docs/hooks/settings_reference.py"
            )
    return words


def _link(model: Model, place: str, homes: Homes) -> str:
    home, heading = homes.get(model, (place, model.__name__))
    return f"[{heading}]({'' if home == place else Path(home).name}#{_anchor(model)})"


def _plural(words: str) -> str:
    return re.sub("^(number|whole number|path|text|mapping)", r"\1s", words)


def _parts(annotation: Any) -> list[Any]:
    if get_origin(annotation) is Literal:
        return []
    if get_origin(annotation) is Annotated:
        return [annotation.__origin__]
    return [part for part in get_args(annotation) if part is not ...]


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "*required*"
    value = info.get_default(call_default_factory=True)
    match value:
        case Settings():
            return "its own defaults"
        case None | True | False:
            return f"`{ {None: 'null', True: 'true', False: 'false'}[value] }`"
        case "":
            return "empty"
        case tuple() | list() | dict() if not value:
            return "none"
        case _:
            return f"`{value}`"
