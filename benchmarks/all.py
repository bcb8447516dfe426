"""All benchmarks of speed one after another, and one table of what was found and what is aimed at.

    python benchmarks/all.py [--only training metrics]

Each prints its own table as it goes. Rows for a GPU come where there is one. The rivals' rows need them:
`pip install monai medpy segmentation-models-pytorch`.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal, get_args

import torch
import tyro
from measured import Measured
from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
Name = Literal["training", "sharing", "whole_sweep", "large_scene", "metrics", "sampling", "overhead"]


@dataclass(frozen=True)
class Options:
    """Which benchmarks."""

    only: tuple[Name, ...] = ()
    """None of them named: all."""


def run(name: str, file: Path) -> str:
    """Run one benchmark, and return what is to be said if it failed."""
    all_cores = name == "training" and not torch.cuda.is_available()
    options = ("--threads", str(os.cpu_count())) if all_cores else ()
    done = subprocess.run(
        [sys.executable, str(HERE / f"{name}.py"), *options, "--measured", str(file)], check=False
    )
    return "" if done.returncode == 0 else f"{name} failed with {done.returncode}: its rows are missing"


def table_of(found: list[Measured]) -> Table:
    """Return the one table."""
    table = Table("what", "against", "aim", "measured", "")
    for one in found:
        mark = {True: "met", False: "missed", None: ""}[one.is_met]
        table.add_row(one.what, one.against, one.aim, f"{one.value:.3g}", mark)
    return table


def main(options: Options) -> None:
    """Run them, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "measured.jsonl"
        file.touch()
        failures = [run(name, file) for name in options.only or get_args(Name)]
        found = [Measured.parse(line) for line in file.read_text(encoding="utf-8").splitlines()]
    console = Console(width=120)
    console.print(table_of(found))
    for failure in filter(None, failures):
        console.print(failure)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    console.print(
        f"{platform.machine()}, {os.cpu_count()} cores, {device}; Python {platform.python_version()}, "
        f"torch {version('torch')}, ray {version('ray')}; {time.strftime('%d %B %Y')}"
    )
    if any(failures):
        raise SystemExit(1)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
