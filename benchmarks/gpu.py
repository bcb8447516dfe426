"""All that is to be measured on a GPU, in the order of its worth, within a quarter of an hour.

    python benchmarks/gpu.py [--only tests steps sharing cohort] [--out FOLDER]
    python benchmarks/gpu.py --rehearse

First the tests of what computes on a device, since a fast step that is wrong is worth nothing; then the table
of training steps at published widths, how many small networks best share the card, the published grid
against the plain loop, and how many pixels `predict` does in a second. Each part has a time limit of its own,
so that one that hangs takes no time from the others; where a card is lent for minutes at a time, `--only`
runs some of them, and the table at the end is of all parts in the folder.

Each part's output goes to the folder, what it measured too, and the table of aims. A part that fails or
takes too long is named at the end, and the script ends with 1; what it had found by then is kept.

`--rehearse` runs the same commands on a machine without a GPU, small enough for some minutes of two cores:
what it finds says nothing but that they run. Rivals' rows need
`pip install monai segmentation-models-pytorch`.
"""

import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal, get_args

import torch
import tyro
from all import table_of
from measured import Measured
from rich.console import Console

HERE = Path(__file__).parent
Name = Literal["tests", "steps", "sharing", "cohort", "sweep", "predict"]
# On two cores that have other things to do.
REHEARSAL_LIMIT_S = 900
# Ray and MPS are told to end, and have so long for it.
GRACE_S = 10
CORES = str(os.cpu_count())
QUICK = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow and not ray and not cluster")


@dataclass(frozen=True)
class Part:
    """What Python is to run on a GPU, for how long at most, and what stands for it in a rehearsal."""

    limit_s: int
    command: tuple[str, ...]
    rehearsal: tuple[str, ...]


# 780 s in all: a card that is lent for a quarter of an hour takes some of it to be there.
PARTS: dict[Name, Part] = {
    "tests": Part(
        60,
        (*QUICK, "-n", CORES, "tests/nets", "tests/training", "tests/test_losses.py", "tests/metrics"),
        (*QUICK, "-n", "0", "tests/training/test_step.py", "tests/test_losses.py"),
    ),
    "steps": Part(
        170,
        ("benchmarks/training.py", "--repetitions", "3"),
        (
            *("benchmarks/training.py", "--repetitions", "1", "--sizes-px", "32", "--batch-size", "2"),
            *("--unet-width", "2", "--unetpp-width", "2"),
        ),
    ),
    "sharing": Part(
        120,
        ("benchmarks/sharing.py", "--repetitions", "3"),
        (
            *("benchmarks/sharing.py", "--repetitions", "1", "--cases", "unet,2,16,2"),
            *("--networks", "4", "16", "64", "--batches", "2"),
        ),
    ),
    "cohort": Part(
        90,
        ("benchmarks/cohort.py",),
        (
            *("benchmarks/cohort.py", "--repetitions", "1", "--cases", "unet,2,16,2", "unetpp,2,16,2"),
            *("--networks", "4", "16"),
        ),
    ),
    "sweep": Part(
        300,
        (
            *("benchmarks/whole_sweep.py", "--sizes-px", "128", "256", "--batch-size", "25"),
            *("--patches", "160", "--unetpp-width", "16", "--learning-rate", "1e-3"),
        ),
        (
            *("benchmarks/whole_sweep.py", "--sizes-px", "32", "--batch-size", "4", "--patches", "24"),
            *("--unet-width", "2", "--unetpp-width", "2", "--scenes", "4", "--epochs", "2"),
        ),
    ),
    "predict": Part(
        40,
        ("benchmarks/large_scene.py", "--sides-px", "2000", "5000", "--threads", CORES),
        ("benchmarks/large_scene.py", "--sides-px", "1000"),
    ),
}


@dataclass(frozen=True)
class Options:
    """What is run, and where its output goes."""

    only: tuple[Name, ...] = ()
    """None of them named: all."""
    rehearse: bool = False
    out: Path = Path("build/gpu")


def run(name: Name, options: Options) -> str:
    """Run one part, and return what is to be said if it failed."""
    part, found = PARTS[name], options.out / f"{name}.jsonl"
    found.unlink(missing_ok=True)
    limit_s, arguments = (
        (REHEARSAL_LIMIT_S, part.rehearsal) if options.rehearse else (part.limit_s, part.command)
    )
    if name != "tests":
        arguments = (*arguments, "--measured", str(found.resolve()))
    with (options.out / f"{name}.txt").open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=HERE.parent,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            return f"{name} took more than its {limit_s} s"
        finally:
            end(process)
    return "" if status == 0 else f"{name} ended with {status}"


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started: first as Ctrl-C does, then for good."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def found_in(folder: Path) -> list[Measured]:
    """Return what all parts have found whose output is in a folder."""
    files = [folder / f"{name}.jsonl" for name in get_args(Name)]
    lines = [
        line for file in files if file.exists() for line in file.read_text(encoding="utf-8").splitlines()
    ]
    return [Measured.parse(line) for line in lines]


def machine() -> str:
    """Return what this was measured on, in words."""
    device = "no GPU"
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        device = f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"
    return (
        f"{device}; {platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"torch {version('torch')}, ray {version('ray')}; {time.strftime('%d %B %Y')}"
    )


def conclude(failures: Sequence[str], options: Options, taken_s: float) -> None:
    """Print the table of aims, and what failed, and keep it in the folder."""
    with (options.out / "table.txt").open("w", encoding="utf-8") as file:
        for console in (Console(width=140), Console(width=140, file=file)):
            console.print(table_of(found_in(options.out), {}))
            if options.rehearse:
                console.print("a rehearsal at small widths: none of these is a figure of a GPU")
            for failure in failures:
                console.print(f"{failure}; see {options.out}")
            console.print(f"{taken_s:.0f} s; {machine()}", highlight=False)


def main(options: Options) -> None:
    """Run the parts one after another."""
    if not options.rehearse and not torch.cuda.is_available():
        raise SystemExit("torch finds no GPU here; `--rehearse` runs everything small on a CPU")
    options.out.mkdir(parents=True, exist_ok=True)
    begun_s, failures = time.perf_counter(), []
    for name in options.only or get_args(Name):
        print(f"=== {name} ({time.perf_counter() - begun_s:.0f} s so far)", flush=True)
        failure = run(name, options)
        print((options.out / f"{name}.txt").read_text(encoding="utf-8"), flush=True)
        failures += [failure] * bool(failure)
    conclude(failures, options, time.perf_counter() - begun_s)
    if failures:
        raise SystemExit(1)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
