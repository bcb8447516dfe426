"""Where a sweep's results come from: versions, the code's commit, the machine."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from glsweep import __version__

PACKAGES = ("torch", "ray", "mlflow", "optuna")


def origin_tags() -> dict[str, object]:
    """Return versions, git state and machine of this process as tags of an MLflow run."""
    return {**_versions(), **_git_state(), **_machine()}


def _versions() -> dict[str, object]:
    found: dict[str, object] = {"version.glsweep": __version__, "version.python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[f"version.{package}"] = version(package)
        except PackageNotFoundError:
            found[f"version.{package}"] = "none"
    return {f"glsweep.{name}": value for name, value in found.items()}


def _git_state() -> dict[str, object]:
    """Return the commit and whether files differ from it; nothing when this package is not under git.

    A package that is installed within somebody's work tree is no part of it, hence `ls-files`.
    """
    package = Path(__file__).resolve().parents[1]
    if _output("git", "-C", str(package), "ls-files", "--error-unmatch", "__init__.py") is None:
        return {}
    commit = _output("git", "-C", str(package), "rev-parse", "HEAD")
    if commit is None:
        return {}
    changes = _output("git", "-C", str(package), "status", "--porcelain", "--untracked-files=no")
    # MLflow's own tag for the commit, which its pages show.
    return {"mlflow.source.git.commit": commit, "glsweep.git_dirty": bool(changes)}


def _machine() -> dict[str, object]:
    gpus = _output("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    found: dict[str, object] = {"platform": platform.platform(), "cpus": os.cpu_count()}
    if "SC_PHYS_PAGES" in os.sysconf_names:
        memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        found["memory_gib"] = round(memory_bytes / 2**30, 1)
    found["gpus"] = gpus.splitlines() if gpus else None
    return {f"glsweep.machine.{name}": value for name, value in found.items()}


def _output(*command: str) -> str | None:
    """Return what a program prints, or None where it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
