"""Pages on what glsweep offers: its commands, as `--help` prints them, and its names in Python."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from inspect import getsourcelines, isclass

import glsweep

COMMANDS = """# Commands

`glsweep COMMAND` is short for `python -m glsweep.run COMMAND`. Without a command the whole study runs.
Each prints with `--help` what stands here."""
HELP_COLUMNS = 92

PYTHON = """# Python

What `import glsweep` gives. How to use it, with examples: [From Python](../python.md)."""


def program_pages() -> dict[str, str]:
    """Return the text of each page, by its file below docs/."""
    return {"reference/commands.md": _command_page(), "reference/python.md": python_page()}


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


def python_page() -> str:
    """Name each public thing by where it is defined: mkdocstrings reads files, and sees no lazy import."""
    sections = []
    things = [getattr(glsweep, name) for name in glsweep.__all__]
    # Functions before what they return, each in the order of its file: that in which one works.
    for thing in sorted(things, key=lambda of: (isclass(of), of.__module__, getsourcelines(of)[1])):
        title = f"    options: {{heading: {thing.__name__}, toc_label: {thing.__name__}}}"
        sections.append(f"::: {thing.__module__}.{thing.__qualname__}\n{title}")
    return "\n\n".join([PYTHON, *sections]) + "\n"
