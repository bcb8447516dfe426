"""A cluster file and its faults, found before `ray up` spends money on it: access and software."""

import contextlib
import copy
import io
import logging
import platform
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import ray
import yaml
from click import ClickException
from jsonschema import ValidationError
from ray.autoscaler._private.util import prepare_config, validate_config

from glsweep.config.space import Resources
from glsweep.doctor import Finding, Severity, error

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
        Its content as it is written.
    prepared : dict
        The same, completed with Ray's defaults.
    resources : Resources or None
        What a trial asks for, if it is known.
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
        """Types of nodes that workers can be."""
        return {name: kind for name, kind in self.node_types.items() if kind.get("max_workers", 0) > 0}

    def mounts(self) -> dict[str, Path]:
        """Files and folders that are copied to the nodes: local path by remote path."""
        mounts = self.prepared.get("file_mounts") or {}
        return {remote: Path(local).expanduser() for remote, local in mounts.items()}

    def start(self, role: str) -> str:
        """Return the commands that start Ray on the head or on a worker."""
        return "\n".join(self.prepared.get(f"{role}_start_ray_commands") or [])

    def commands(self, role: str) -> str:
        """Return all commands of the head or of a worker, with the copied scripts that they call."""
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
    """Read a cluster file and let Ray complete and check it; return a finding where Ray refuses it."""
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
        with _silenced():
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
def _silenced() -> Iterator[None]:
    """Keep Ray from printing what is returned as a finding."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)


# --- Rules on who may reach the cluster

AUTH_MODE = re.compile(r"\bRAY_AUTH_MODE=['\"]?(?P<mode>\w+)")
OPEN_SERVICE = re.compile(r"--(?P<option>dashboard-host|host)[= ]['\"]?(0\.0\.0\.0|::)(?![\w.:])")
WORLD = ("0.0.0.0/0", "::/0")
SSH_PORT = 22


def authentication(file: ClusterFile) -> Iterator[Finding]:
    """With different modes a cluster never comes up; without a token anyone may run code on it."""
    modes = {role: sorted(set(AUTH_MODE.findall(file.commands(role)))) for role in (HEAD, WORKER)}
    for role, found in modes.items():
        if found != ["token"]:
            yield file.find(
                "error",
                f"{role}_start_ray_commands",
                f"RAY_AUTH_MODE is {' and '.join(found) or 'not set'} on the {role}",
                "export RAY_AUTH_MODE=token for head and workers alike, and copy ~/.ray/auth_token there",
            )


def open_services(file: ClusterFile) -> Iterator[Finding]:
    """Ray's dashboard or MLflow listening to the whole network; both run what they are sent."""
    for role in (HEAD, WORKER):
        for option in sorted({found["option"] for found in OPEN_SERVICE.finditer(file.commands(role))}):
            yield file.find(
                "error",
                f"{role}_start_ray_commands",
                f"--{option} opens a service to everyone",
                f"use --{option}=127.0.0.1 and reach it through `ray dashboard` or ssh",
            )


def open_ports(file: ClusterFile) -> Iterator[Finding]:
    """A security group that opens other ports than ssh's to the world."""
    group = file.provider.get("security_group") or {}
    for number, permission in enumerate(group.get("IpPermissions") or []):
        ports = permission.get("FromPort"), permission.get("ToPort")
        if any(source in WORLD for source in _sources(permission)) and ports != (SSH_PORT, SSH_PORT):
            yield file.find(
                "error",
                f"provider.security_group.IpPermissions.{number}",
                f"ports {ports[0]} to {ports[1]} are open to the world",
                "open port 22 alone, and forward the others through ssh",
            )


def _sources(permission: dict[str, Any]) -> Iterator[str]:
    for source in permission.get("IpRanges") or []:
        yield str(source.get("CidrIp"))
    for source in permission.get("Ipv6Ranges") or []:
        yield str(source.get("CidrIpv6"))


EXPOSURE_RULES = (authentication, open_services, open_ports)


# --- Rules on what is copied and installed

IMAGE_KEYS = ("image", "head_image", "worker_image")
IMAGE_RAY = re.compile(r"/ray(?:-ml|-llm)?:(?P<tag>[\w.-]+)")
WANTED_RAY = re.compile(r"\bray(?:\[[\w,-]*\])?==(?P<version>\d[\w.]*)")
WHEEL_RAY = re.compile(r"\bray-(?P<version>\d+\.\d+\.\d+[\w.]*)-cp(?P<python>3\d+)")
WANTED_PYTHON = (
    re.compile(r"\bpython={0,2}(?P<python>3\.\d+)\b"),
    re.compile(r"\bpy(?P<python>3\d+)\b"),
)


def missing_mounts(file: ClusterFile) -> Iterator[Finding]:
    """Files to be copied that do not exist; relative paths start in the working folder, as for Ray."""
    for remote, local in file.mounts().items():
        if not local.exists():
            make = (
                "make it with `ray get-auth-token --generate`"
                if local.name == "auth_token"
                else "mend the path, or run from the folder that it is relative to"
            )
            yield file.find("error", f"file_mounts.{remote}", f"{local} does not exist here", make)


def another_ray_in_image(file: ClusterFile) -> Iterator[Finding]:
    """An image whose Ray or Python is not the one that runs here."""
    docker = file.prepared.get("docker") or {}
    for key in IMAGE_KEYS:
        image = str(docker.get(key) or "")
        found = IMAGE_RAY.search(f"/{image}")
        if found is None:
            continue
        number, _, rest = found["tag"].partition("-")
        python = re.search(r"py(3)(\d+)", rest)
        yield from _version_mismatches(file, f"docker.{key}", number, f"3.{python[2]}" if python else None)


def another_ray_in_commands(file: ClusterFile) -> Iterator[Finding]:
    """Commands that install another Ray or Python than runs here."""
    for role in (HEAD, WORKER):
        key = f"{role}_setup_commands"
        commands = "\n".join(file.prepared.get(key) or [])
        where = "setup_commands" if file.given.get("setup_commands") else key
        for wheel in WHEEL_RAY.finditer(commands):
            yield from _version_mismatches(file, where, wheel["version"], f"3.{wheel['python'][1:]}")
        for wanted in WANTED_RAY.finditer(commands):
            yield from _version_mismatches(file, where, wanted["version"], None)
        for pattern in WANTED_PYTHON:
            for wanted in pattern.finditer(commands):
                yield from _version_mismatches(file, where, None, _dotted(wanted["python"]))


def default_setup(file: ClusterFile) -> Iterator[Finding]:
    """AWS's default commands install a nightly Ray where none is found."""
    if file.provider["type"] == "aws" and "setup_commands" not in file.given:
        yield file.find(
            "error",
            "setup_commands",
            "is missing, so Ray's default installs a nightly Ray",
            "install this repository's lock there",
        )


def _version_mismatches(
    file: ClusterFile, key: str, version: str | None, python: str | None
) -> Iterator[Finding]:
    running = ".".join(platform.python_version_tuple()[:2])
    for name, there, here in (("Ray", version, ray.__version__), ("Python", python, running)):
        if there is not None and there != here:
            yield file.find(
                "error",
                key,
                f"{name} {there} is not {name} {here}, which runs here",
                f"use {name} {here} on every node",
            )


def _dotted(python: str) -> str:
    return python if "." in python else f"{python[0]}.{python[1:]}"


SOFTWARE_RULES = (missing_mounts, another_ray_in_image, another_ray_in_commands, default_setup)
