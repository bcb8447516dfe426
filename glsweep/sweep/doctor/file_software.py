"""Rules on a cluster file: what is copied and installed, and whether it fits what runs here."""

import platform
import re
from collections.abc import Iterator

import ray

from glsweep.sweep.doctor.cluster_file import HEAD, WORKER, ClusterFile
from glsweep.sweep.doctor.finding import Finding

IMAGE_KEYS = ("image", "head_image", "worker_image")
IMAGE_RAY = re.compile(r"/ray(?:-ml|-llm)?:(?P<tag>[\w.-]+)")
WANTED_RAY = re.compile(r"\bray(?:\[[\w,-]*\])?==(?P<version>\d[\w.]*)")
WHEEL_RAY = re.compile(r"\bray-(?P<version>\d+\.\d+\.\d+[\w.]*)-cp(?P<python>3\d+)")
WANTED_PYTHON = (
    re.compile(r"\bpython={0,2}(?P<python>3\.\d+)\b"),
    re.compile(r"\bpy(?P<python>3\d+)\b"),
)


def missing_mounts(file: ClusterFile) -> Iterator[Finding]:
    """Files to be copied that are not there; relative ones are seen from the working folder, as by Ray."""
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
        said = re.search(r"py(3)(\d+)", rest)
        yield from _unlike(file, f"docker.{key}", number, f"3.{said[2]}" if said else None)


def another_ray_in_commands(file: ClusterFile) -> Iterator[Finding]:
    """Commands that install another Ray or Python than runs here."""
    for role in (HEAD, WORKER):
        key = f"{role}_setup_commands"
        commands = "\n".join(file.prepared.get(key) or [])
        where = "setup_commands" if file.given.get("setup_commands") else key
        for wheel in WHEEL_RAY.finditer(commands):
            yield from _unlike(file, where, wheel["version"], f"3.{wheel['python'][1:]}")
        for wanted in WANTED_RAY.finditer(commands):
            yield from _unlike(file, where, wanted["version"], None)
        for pattern in WANTED_PYTHON:
            for wanted in pattern.finditer(commands):
                yield from _unlike(file, where, None, _dotted(wanted["python"]))


def default_setup(file: ClusterFile) -> Iterator[Finding]:
    """AWS's default commands install a nightly Ray where none is found."""
    if file.provider["type"] == "aws" and "setup_commands" not in file.given:
        yield file.find(
            "error",
            "setup_commands",
            "is missing, so Ray's default installs a nightly Ray",
            "install this repository's lock there",
        )


def _unlike(file: ClusterFile, key: str, version: str | None, python: str | None) -> Iterator[Finding]:
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


RULES = (missing_mounts, another_ray_in_image, another_ray_in_commands, default_setup)
