"""The base of every configuration model, and the one way in which YAML becomes one.

PyYAML follows version 1.1, in which `1e-4` is a text, `no` is false, `010` is 8 and `12:30` is 750.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from yaml import MappingNode, Node, ScalarNode, SequenceNode

from glsweep.errors import ConfigError

_TAG = "tag:yaml.org,2002:"
_CORE = {
    "null": (r"~|null|Null|NULL|", "~nN"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    "merge": (r"<<", "<"),
}
"""Kinds of plain scalars (YAML 1.2.2, section 10.3.2) with their first characters; others are texts."""

_DISPUTED = {
    "truth": (r"(?i:y|n|yes|no|on|off)", "yYnNoO"),
    "octal": (r"[-+]?0[0-9_]+", "-+0"),
    "sexagesimal": (r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?", "-+0123456789"),
    "grouped": (
        r"[-+]?[0-9]+(?:_+[0-9]*)+(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]*\.[0-9]*_[0-9_]*(?:[eE][-+]?[0-9]+)?",
        "-+.0123456789",
    ),
    "prefixed": (r"[-+]?0b[01_]+|[-+]0x[0-9a-fA-F_]+|0x[0-9a-fA-F_]*_[0-9a-fA-F_]*", "-+0"),
}
"""Plain scalars that version 1.1 reads differently from version 1.2, or from what was meant."""

_LONGEST_NUMBER = 300
"""In characters: what is longer is beyond every float, and Python may refuse to read it."""

_REMEDIES = {
    "truth": "is true or false to some readers of YAML and a word to others; write true or false, or put "
    "the word in quotes",
    "octal": "begins with 0, which makes it octal to some readers of YAML; leave the 0 out, or put it in "
    "quotes if it is a name",
    "sexagesimal": "is a number of base 60 to some readers of YAML and a text to others; put it in quotes",
    "grouped": "is a number to some readers of YAML and a text to others; write the number without _, or "
    "put it in quotes if it is a name",
    "prefixed": "is a number to some readers of YAML and a text to others; write it in base 10, or put it "
    "in quotes if it is a name",
}


class _Loader(yaml.SafeLoader):
    """Reads plain scalars by the core schema, and accepts no tag but that of a text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (as PyYAML's)

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        tag = getattr(event, "tag", None)
        # With a tag PyYAML reads a value by version 1.1, and fails on those that do not fit.
        if tag not in (None, "!", f"{_TAG}str"):
            raise _TagError(problem=f"the tag {tag.replace(_TAG, '!!')}", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


class _TagError(yaml.MarkedYAMLError):
    """A value has a tag."""


class _Dumper(yaml.SafeDumper):
    """Puts texts in quotes that `_Loader` would read as something else."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (as PyYAML's)


for _class in (_Loader, _Dumper):
    for _kinds, _prefix in ((_DISPUTED, "!"), (_CORE, _TAG)):
        for _name, (_pattern, _first) in _kinds.items():
            _class.add_implicit_resolver(
                _prefix + _name,
                re.compile(f"(?:{_pattern})$"),
                ["", *_first] if _name == "null" else list(_first),
            )


def read_yaml(path: Path) -> Any:
    """Read `path` safely; texts, numbers, truth values and nothing are told apart as in YAML 1.2.

    Raises
    ------
    ConfigError
        When the file cannot be read, is not YAML, holds a key twice, or what readers of YAML take
        for different things; the message names the file, the line and the remedy.
    """
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); name an existing YAML file") from error
    except yaml.YAMLError as error:
        raise ConfigError(_in_one_line(error, path)) from error
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        for faulty, fault in _faults(node):
            raise ConfigError(f"{path}: line {faulty.start_mark.line + 1}: {fault}")
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ConfigError(_in_one_line(error, path)) from error
    except RecursionError as error:
        raise ConfigError(f"{path}: is nested too deep; mend its brackets and its indentation") from error
    except ValueError as error:
        raise ConfigError(f"{path}: holds a value that cannot be read ({error}); mend it") from error
    finally:
        loader.dispose()


def line_of(path: Path, keys: Sequence[str | int]) -> int | None:
    """Return the line, from 1, in which the value below `keys` is written.

    If the file lacks one of them, it is the line of the innermost that exists. A study's own file has
    its search space below `space`. None if the file cannot be read, or lacks even the first key.
    """
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except (OSError, ValueError, RecursionError, yaml.YAMLError):  # the line is only an extra in a message
        return None
    within_study = _entry(node, "space") if keys and _entry(node, keys[0]) is None else None
    node = within_study[1] if within_study else node
    line = None
    for key in keys:
        entry = _entry(node, key)
        if entry is not None:
            line, node = entry[0].start_mark.line + 1, entry[1]
        elif line is None:
            return None
    return line


def _entry(node: Node | None, key: str | int) -> tuple[Node, Node] | None:
    """Return the node at which an entry begins, and the node of its value."""
    if isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key], node.value[key]
    merged: list[Node] = []
    for name, value in node.value if isinstance(node, MappingNode) else ():
        if name.value == key:
            return name, value
        if name.tag == f"{_TAG}merge":
            merged += value.value if isinstance(value, SequenceNode) else [value]
    return next((entry for part in merged if (entry := _entry(part, key))), None)


def write_as_yaml(value: Any) -> str:
    """Return the text from which `read_yaml` reads `value` again."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False)


def _faults(root: Node) -> Iterator[tuple[Node, str]]:
    """Yield what is valid YAML but ambiguous, from the top of the file down."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        if isinstance(node, MappingNode):
            yield from _faults_of_keys(node)
            waiting += [part for pair in reversed(node.value) for part in reversed(pair)]
        elif isinstance(node, SequenceNode):
            waiting += reversed(node.value)
        elif node.tag.removeprefix("!") in _REMEDIES:
            yield node, f"{node.value} {_REMEDIES[node.tag.removeprefix('!')]}"
        elif node.tag in (f"{_TAG}int", f"{_TAG}float") and len(node.value) > _LONGEST_NUMBER:
            yield node, f"{node.value[:12]}... is too long for a number; shorten it, or put it in quotes"


def _faults_of_keys(mapping: MappingNode) -> Iterator[tuple[Node, str]]:
    first: dict[str, Node] = {}
    for key, _ in mapping.value:
        if not isinstance(key, ScalarNode):
            yield key, "a list or a mapping stands where a key should; write `name: ...`"
        elif key.value in first:
            line = first[key.value].start_mark.line + 1
            merged = ", or merge both: `<<: [*one, *other]`" if key.value == "<<" else ""
            yield key, f"the key {key.value} is there already, in line {line}; remove one of them{merged}"
        elif key.tag.startswith(_TAG) and key.tag not in (f"{_TAG}str", f"{_TAG}merge"):
            name = f"the key {key.value}" if key.value else "an empty key"
            yield key, f"{name} is no word (it is read as {key.tag.removeprefix(_TAG)}); put it in quotes"
        else:
            first[key.value] = key


def _in_one_line(error: yaml.YAMLError, path: Path) -> str:
    if not isinstance(error, yaml.MarkedYAMLError):
        reason = " ".join(str(error).split())
        return f"{path}: is not valid YAML ({reason}); save it as plain text"
    mark = error.problem_mark or error.context_mark
    place = f"{path}: line {mark.line + 1}" if mark else f"{path}"
    reason = " ".join((error.problem or str(error)).split())
    if isinstance(error, _TagError):
        return f"{place}: {reason} is not read; leave it out, or put a text in quotes"
    if "'\\t'" in reason:
        return f"{place}: holds a tab where YAML allows spaces only; put spaces in its place"
    return (
        f"{place}: is not valid YAML ({reason}); mend that line, or put a text that holds : # or % in quotes"
    )


# --- The base of every configuration model, and how a file becomes one

Keys = Sequence[str | int]
"""The path to a value in a file: names of keys, and numbers of list entries."""


class Settings(BaseModel):
    """A frozen model in which a typo is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _takes_only_booleans_as_such(cls, values: Any) -> Any:
        # Otherwise pydantic reads a batch size of `true` as 1, and `"no"` in quotes as false.
        for name, field in cls.model_fields.items() if isinstance(values, dict) else ():
            value, annotation = values.get(name), field.annotation
            if isinstance(value, bool) and annotation not in (bool, Any):
                fault = "is not a matter of true or false"
            elif isinstance(value, str) and annotation is bool:
                fault = "should be true or false, without quotes"
            else:
                continue
            raise misfit(fault, name)
        return values

    def content_hash(self) -> str:
        """Return 10 hexadecimal digits that change when any value does."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:10]


def misfit(fault: str, *keys: str | int) -> PydanticCustomError:
    """Return the error that a validator of a whole model raises for the value below `keys`."""
    return PydanticCustomError("misfit", "{fault}", {"fault": fault, "keys": keys})


def refusal(path: Path, keys: Keys, fault: str) -> ConfigError:
    """Return the error that names a file, the line and the key in it, and what is wrong there."""
    line = line_of(path, keys)
    place = [str(path), *([f"line {line}"] if line else []), *([_dotted(keys)] if keys else [])]
    return ConfigError(f"{': '.join(place)}: {fault}")


def _dotted(keys: Keys) -> str:
    return ".".join(map(str, keys))


AnySettings = TypeVar("AnySettings", bound=Settings)


def load_yaml(path: Path, model: type[AnySettings]) -> AnySettings:
    """Read `path` safely and validate it.

    Raises
    ------
    ConfigError
        When the file is missing, is not YAML, or does not fit `model`; the message names
        the file, the key, the value and what is wrong with it.
    """
    return validate(read_yaml(path), model, path)


def load_yaml_mapping(path: Path) -> dict[str, Any]:
    """Read `path` safely as a mapping that is yet to be validated.

    Raises
    ------
    ConfigError
        When the file is missing, is not YAML, or holds no mapping.
    """
    value = read_yaml(path)
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: holds no keys with values (it is {_shortened(value)}); write `name: ...`")
    return value


def validate(
    value: Any, model: type[AnySettings], path: Path, *, written: Callable[[Keys], Keys] | None = None
) -> AnySettings:
    """Validate a parsed value, naming `path` and the line in the error.

    `written` maps keys of the value to keys of the file, if they differ.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _refusal_of(error, model, path, written or tuple) from error


def _refusal_of(
    error: ValidationError, model: type[Settings], path: Path, written: Callable[[Keys], Keys]
) -> ConfigError:
    # A misspelt key is also missing under its right name; report the misspelling.
    first, *others = sorted(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    keys = (*first["loc"], *first.get("ctx", {}).get("keys", ()))
    if first["type"] == "extra_forbidden":
        known = ", ".join(_fields_at(model, first["loc"][:-1]))
        fault = f"unknown key; known here: {known}" if known else "unknown key"
    elif first["type"] == "missing":
        fault = "is missing; add it"
    else:
        message = first["msg"].removeprefix("Value error, ")
        remedy = ", so put it in quotes" if first["type"] == "string_type" else ""
        found = _value_at(first["input"], keys[len(first["loc"]) :])
        fault = f"{message[0].lower()}{message[1:]}{remedy} (it is {_shortened(found)})"
    fault += f" (and {len(others)} more)" if others else ""
    if not keys:
        return ConfigError(f"{path}: the file: {fault}")
    return refusal(path, written(keys), fault)


def _value_at(value: Any, keys: Keys) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else getattr(value, str(key), value)
    return value


def _shortened(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."


def _fields_at(model: type[Settings], location: tuple[int | str, ...]) -> list[str]:
    """Names of the fields of the model that lies at `location` below `model`."""
    models = [model]
    for step in location:
        fields = [m.model_fields[step] for m in models if step in m.model_fields]
        if fields:
            models = [inner for field in fields for inner in _models_in(field.annotation)]
        else:  # the tag of a union's member, or the key of a dict
            tagged = [m for m in models if any(f.default == step for f in m.model_fields.values())]
            models = tagged or models
    return sorted({name for m in models for name in m.model_fields})


def _models_in(annotation: Any) -> list[type[Settings]]:
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
