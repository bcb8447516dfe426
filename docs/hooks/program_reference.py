"""Pages on what glsweep offers: its commands, as `--help` prints them, and its names in Python."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import glsweep

COMMANDS = """# Commands

`glsweep COMMAND` and `python -m glsweep COMMAND` are the same. Without a command the whole study runs.
Each prints with `--help` what stands here."""
HELP_COLUMNS = 92

PYTHON = """# From Python

What `import glsweep` gives; what a function needs is imported when it is first used. The package is typed, so
mypy and editors know all signatures."""


def program_pages() -> dict[str, str]:
    """Return the text of each page, by its file below docs/."""
    return {"reference/commands.md": _command_page(), "reference/python.md": _python_page()}


def _command_page() -> str:
    overview = help_of()
    commands = commands_in(overview)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        helps = pool.map(help_of, commands)
    sections = [f"## {name}\n\n{_block(text)}" for name, text in zip(commands, helps, strict=True)]
    return "\n\n".join([COMMANDS, _block(overview), *sections]) + "\n"


def commands_in(overview: str) -> list[str]:
    """Return the names of the commands that `glsweep --help` lists."""
    return re.findall(r"^│\s+•\s+([\w-]+)", overview, flags=re.MULTILINE)


def help_of(*command: str) -> str:
    """Return what `glsweep COMMAND --help` prints, in boxes whatever the locale."""
    plain = {"COLUMNS": str(HELP_COLUMNS), "NO_COLOR": "1", "TERM": "dumb", "PYTHONIOENCODING": "utf-8"}
    asked = [sys.executable, "-m", "glsweep", *command, "--help"]
    return subprocess.run(
        asked, env={**os.environ, **plain}, capture_output=True, encoding="utf-8", check=True
    ).stdout.strip()


def _block(text: str) -> str:
    return f"```text\n{text}\n```"


def _python_page() -> str:
    """Name each public thing by where it is defined: mkdocstrings reads files, and sees no lazy import."""
    sections = []
    for name in getattr(glsweep, "__all__", ()):
        thing = getattr(glsweep, name)
        if callable(thing):
            title = f"    options: {{heading: {name}, toc_label: {name}}}"
            sections.append(f"::: {thing.__module__}.{thing.__qualname__}\n{title}")
    return "\n\n".join([PYTHON, *sections]) + "\n"
