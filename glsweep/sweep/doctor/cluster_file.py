"""The faults of a cluster file, before `ray up` spends money on it."""

import contextlib
import copy
import io
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from click import ClickException
from jsonschema import ValidationError
from ray.autoscaler._private.util import prepare_config, validate_config

from glsweep.config.space import Resources
from glsweep.sweep.doctor.finding import Finding, Severity, error

HEAD, WORKER = "head", "worker"
# What Ray's own preparation and validation raise on a file that they cannot use.
REFUSALS = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    ImportError,
    RuntimeError,
    ClickException,
)


@dataclass(frozen=True)
class ClusterFile:
    """A cluster file that Ray accepts.

    Attributes
    ----------
    path : Path
        The file.
    given : dict
        What stands in it.
    prepared : dict
        The same with Ray's defaults for all that does not.
    resources : Resources or None
        What a trial asks for, where it is known.
    """

    path: Path
    given: dict[str, Any]
    prepared: dict[str, Any]
    resources: Resources | None = None

    @property
    def provider(self) -> dict[str, Any]:
        """The section on the provider."""
        section: dict[str, Any] = self.prepared["provider"]
        return section

    @property
    def head_type(self) -> str:
        """Name of the head's type of node."""
        return str(self.prepared["head_node_type"])

    @property
    def node_types(self) -> dict[str, dict[str, Any]]:
        """Types of nodes by name."""
        types: dict[str, dict[str, Any]] = self.prepared["available_node_types"]
        return types

    @property
    def worker_types(self) -> dict[str, dict[str, Any]]:
        """Types of nodes of which workers can be started."""
        return {name: kind for name, kind in self.node_types.items() if kind.get("max_workers", 0) > 0}

    def mounts(self) -> dict[str, Path]:
        """Files and folders that are copied to the nodes: local path by remote path."""
        mounts = self.prepared.get("file_mounts") or {}
        return {remote: Path(local).expanduser() for remote, local in mounts.items()}

    def start(self, role: str) -> str:
        """Return the commands that start Ray on the head or on a worker."""
        return "\n".join(self.prepared.get(f"{role}_start_ray_commands") or [])

    def commands(self, role: str) -> str:
        """Return all that is run on the head or on a worker, with the copied scripts that it calls."""
        names = ("initialization_commands", f"{role}_setup_commands")
        lines = [line for name in names for line in self.prepared.get(name) or []]
        text = "\n".join([*lines, self.start(role)])
        waiting = dict(self._scripts)
        while called := [name for name in waiting if name in text]:
            text = "\n".join([text, *(waiting.pop(name) for name in called)])
        return text

    @cached_property
    def _scripts(self) -> dict[str, str]:
        """Shell scripts that are copied to the nodes, without their comments, by name."""
        files = [
            file
            for local in self.mounts().values()
            for file in (sorted(local.rglob("*.sh")) if local.is_dir() else [local])
            if file.suffix == ".sh" and file.is_file()
        ]
        texts = {file.name: file.read_text(encoding="utf-8", errors="replace") for file in files}
        return {name: re.sub(r"(?m)^\s*#.*$", "", text) for name, text in texts.items()}

    def find(self, severity: Severity, key: str, what: str, remedy: str) -> Finding:
        """Return a finding at a key of this file."""
        return Finding(severity, what, f"{self.path}: {key}", remedy)


Rule = Callable[[ClusterFile], Iterator[Finding]]


def open_cluster_file(path: Path, resources: Resources | None = None) -> ClusterFile | Finding:
    """Read a cluster file and let Ray fill in and check it; return what Ray has against it, if anything."""
    try:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as failure:
        return error(f"cannot be read ({failure})", where=str(path), remedy="name an existing cluster file")
    except (yaml.YAMLError, ValueError) as failure:
        return error(f"is not valid YAML ({failure})", where=str(path), remedy="mend that line")
    if not isinstance(given, dict) or not isinstance(given.get("provider"), dict):
        return error(
            "is no cluster file: it has no `provider`", where=str(path), remedy="name a cluster file"
        )
    try:
        with _quiet():
            prepared = prepare_config(copy.deepcopy(given))
            validate_config(prepared)
    except ValidationError as failure:
        key = ".".join(map(str, failure.absolute_path)) or "the file"
        return error(failure.message, where=f"{path}: {key}", remedy="mend it; Ray refuses the file")
    except REFUSALS as failure:
        reason = str(failure).strip("'\"") or type(failure).__name__
        return error(f"Ray refuses the file ({reason})", where=str(path), remedy="mend what it names")
    return ClusterFile(path, given, prepared, resources)


def examine(file: ClusterFile, rules: Sequence[Rule]) -> list[Finding]:
    """Return what the rules find in a file."""
    found = (finding for rule in rules for finding in rule(file))
    return list(dict.fromkeys(found))  # head and workers share commands


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray from printing what becomes a finding."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)
