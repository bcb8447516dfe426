"""YAML as people mean it: read by the core schema of version 1.2, and refused where readers disagree.

PyYAML follows version 1.1, in which `1e-4` is a text, `no` is false, `010` is 8 and `12:30` is 750.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
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
"""What a plain scalar is (YAML 1.2.2, section 10.3.2), and its first characters; else it is a text."""

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
"""Plain scalars that version 1.1 reads as another thing than version 1.2, or than their writer."""

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
    """Reads plain scalars by the core schema, and takes no tag but that of a text."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (as PyYAML's)

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        tag = getattr(event, "tag", None)
        # A tag makes PyYAML read a value by version 1.1, and stumble over what is none.
        if tag not in (None, "!", f"{_TAG}str"):
            raise _TagError(problem=f"the tag {tag.replace(_TAG, '!!')}", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


class _TagError(yaml.MarkedYAMLError):
    """A value says of itself what it is."""


class _Dumper(yaml.SafeDumper):
    """Puts in quotes what `_Loader` would not read as the text that it is."""

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

    Where the file lacks one of them it is the line of the innermost that is there. A study's own file
    holds its search space below `space`. None is for a file that cannot be read, as one that was not
    read from a file at all, and where not even the first key is there.
    """
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except (OSError, ValueError, RecursionError, yaml.YAMLError):  # the line is an extra to what is told
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
    """Return the node that tells where an entry begins, and the one that holds its value."""
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
    """Yield what is valid YAML but not clear, from the top of the file down."""
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
            told = f"the key {key.value}" if key.value else "an empty key"
            yield key, f"{told} is no word (it is read as {key.tag.removeprefix(_TAG)}); put it in quotes"
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
