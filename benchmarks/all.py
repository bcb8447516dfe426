"""The benchmarks of speed and searching, and one table of what is aimed at, found now, and found last time.

    python benchmarks/all.py [--only training metrics] [--full] [--keep]

Each runs at a size at which all of them take a quarter of an hour on two cores (`make bench`); `--full` runs
them as they come. What has become worse by a fifth or more since the figures in last.json is marked;
`--keep` writes what was found there. Rows for a GPU come where there is one. The rivals' rows need them:
`pip install monai medpy segmentation-models-pytorch syne-tune==0.13.0`.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

import torch
import tyro
from measured import Measured
from rich.console import Console
from rich.table import Table

from glsweep.files import write_text

HERE = Path(__file__).parent
LAST = HERE / "last.json"
Name = Literal[
    "training", "sharing", "metrics", "sampling", "large_scene", "stopping", "overhead", "whole_sweep"
]
# What makes each short enough.
SHORT: dict[Name, tuple[str, ...]] = {
    "training": ("--sizes-px", "128", "--repetitions", "3"),
    "sharing": ("--repetitions", "3"),
    "metrics": (),
    "sampling": (),
    "large_scene": ("--sides-px", "2000"),
    "stopping": ("--sweeps", "20"),
    "overhead": (),
    "whole_sweep": ("--sizes-px", "32", "--epochs", "4"),
}
# What some cannot run without; the others leave out the rows of rivals that are not installed.
NEEDED: dict[Name, tuple[str, ...]] = {"metrics": ("monai", "medpy")}


@dataclass(frozen=True)
class Options:
    """Which benchmarks, and how."""

    only: tuple[Name, ...] = ()
    """None of them named: all."""
    full: bool = False
    """Run each at its own size, which takes an hour and more."""
    keep: bool = False
    """Write what was found to last.json, for the next time."""


def run(name: Name, file: Path, *, full: bool) -> str:
    """Run one benchmark, and return what is to be said if it failed."""
    all_cores = name == "training" and not torch.cuda.is_available()
    threads = ("--threads", str(os.cpu_count())) if all_cores else ()
    sized = () if full else SHORT[name]
    begun_s = time.perf_counter()
    command = [sys.executable, str(HERE / f"{name}.py"), *threads, *sized, "--measured", str(file)]
    done = subprocess.run(command, check=False)
    print(f"{name}: {time.perf_counter() - begun_s:.0f} s\n", flush=True)
    return "" if done.returncode == 0 else f"{name} failed with {done.returncode}: its rows are missing"


def last_found() -> dict[tuple[str, str], Measured]:
    """Return what was last found."""
    if not LAST.is_file():
        return {}
    kept = [Measured(**one) for one in json.loads(LAST.read_text(encoding="utf-8"))]
    return {(one.what, one.against): one for one in kept}


def keep(found: list[Measured], last: Mapping[tuple[str, str], Measured]) -> None:
    """Write what was found for the next time, beside what was not measured now."""
    new = {**last, **{(one.what, one.against): one for one in found}}
    write_text(LAST, json.dumps([asdict(one) for _, one in sorted(new.items())], indent=1) + "\n")


def table_of(found: list[Measured], last: Mapping[tuple[str, str], Measured]) -> Table:
    """Return the one table."""
    table = Table("what", "against", "aim", "found", "last", "")
    for one in found:
        before = last.get((one.what, one.against))
        marks = [{True: "met", False: "missed", None: ""}[one.is_met]]
        if before is not None and one.has_fallen(before):
            marks.append("[bold red]fell[/]")
        was = "" if before is None else f"{before.value:.3g}"
        table.add_row(one.what, one.against, one.aim, f"{one.value:.3g}", was, " ".join(filter(None, marks)))
    return table


def main(options: Options) -> None:
    """Run them, and print the table."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "measured.jsonl"
        file.touch()
        wanted = options.only or get_args(Name)
        left_out = [name for name in wanted if not all(map(find_spec, NEEDED.get(name, ())))]
        failures = [run(name, file, full=options.full) for name in wanted if name not in left_out]
        found = [Measured.parse(line) for line in file.read_text(encoding="utf-8").splitlines()]
    console, last = Console(width=140), last_found()
    console.print(table_of(found, last))
    for name in left_out:
        console.print(f"{name} is left out: it needs {' and '.join(NEEDED[name])}")
    for failure in filter(None, failures):
        console.print(failure)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    console.print(
        f"{platform.machine()}, {os.cpu_count()} cores, {device}; Python {platform.python_version()}, "
        f"torch {version('torch')}, ray {version('ray')}; {time.strftime('%d %B %Y')}"
    )
    if options.keep:
        keep(found, last)
    if any(failures):
        raise SystemExit(1)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
