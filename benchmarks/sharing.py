"""How several networks of one kind best share one device: in turn, side by side, or trained as one.

    python benchmarks/sharing.py [--cases unet,4,64,8] [--networks 4]

`in turn` is one process that trains one network after another; all other ways are told in times of it.
`side by side` is as many processes as trials would share the device: of a GPU one a network, of a CPU one
a core, with one thread each. `as one` is a cohort in one process, `cohorts side by side` one in each. With
MPS, NVIDIA's service that lets processes use a GPU at the same time, processes are measured once more;
it is started and ended here, where it is installed.

Every way trains the same patches for an epoch, by the package's own loop, validation included. Ways take
turns; medians.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import torch
import tyro
from measured import Measured, MeasuredFile, add
from rich.console import Console
from rich.table import Table
from training_ceiling import finish
from training_contender import TOLERANCE_M, noise

from glsweep.config.trial import TrialParameters
from glsweep.training.cohort import CohortTrial, fit_cohort
from glsweep.training.fit import Schedule, fit
from glsweep.training.memory import keep_freed_memory
from glsweep.training.state import fresh_state

MPS = "nvidia-cuda-mps-control"


@dataclass(frozen=True)
class Options:
    """What is measured: `cases` are architecture, base width, patch size in px and batch size."""

    cases: tuple[str, ...] = ("unet,4,64,8", "attention_unet,4,64,8", "unetpp,4,64,8", "unet,4,128,25")
    networks: int = 4
    batches: int = 8
    repetitions: int = 5
    device: Literal["cpu", "cuda"] = "cuda" if torch.cuda.is_available() else "cpu"
    measured: MeasuredFile = None
    share: str | None = None
    """For a process of its own: what it trains, as JSON."""


class Process:
    """Trains its share of the networks for an epoch whenever it is told to."""

    def __init__(self, case: str, networks: int, options: Options, *, as_one: bool) -> None:
        told = {"case": case, "networks": networks, "batches": options.batches, "as_one": as_one}
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--share", json.dumps({**told, "device": options.device})],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        self.begin()
        self.wait()

    def begin(self) -> None:
        assert self._process.stdin is not None
        print("epoch", file=self._process.stdin, flush=True)

    def wait(self) -> None:
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError(f"a process ended with {self._process.wait()}")

    def end(self) -> None:
        self._process.communicate()


class Way:
    """One way to train all networks: processes with a share of them each."""

    def __init__(self, case: str, options: Options, processes: int, *, as_one: bool) -> None:
        whole, rest = divmod(options.networks, processes)
        shares = [whole + (number < rest) for number in range(processes)]
        self._processes = [Process(case, share, options, as_one=as_one) for share in shares if share]

    def epoch_s(self) -> float:
        """Return how long an epoch of all networks takes."""
        begun_s = time.perf_counter()
        for process in self._processes:
            process.begin()
        for process in self._processes:
            process.wait()
        return time.perf_counter() - begun_s

    def end(self) -> None:
        for process in self._processes:
            process.end()


def train_share(told: dict[str, Any]) -> None:
    """Be one of the processes."""
    architecture, width, size_px, batch = told["case"].split(",")
    parameters = TrialParameters.model_validate(
        {
            "architecture": architecture,
            "patch_size_px": int(size_px),
            "base_width": int(width),
            "fn_weight": 0.7,
            "fp_weight": 0.3,
            "gamma": 4 / 3,
            "bce_weight": 0.3,
            "learning_rate": 1e-4,
            "weight_decay": 1e-5,
            "batch_size": int(batch),
            "gradient_clip": 1.0,
            "channels": ["real", "imag"],
            "augmentation": ["dihedral"],
        }
    )
    torch.set_num_threads(1)
    keep_freed_memory()
    device, count = torch.device(told["device"]), told["networks"]
    train, val = (noise(told["batches"] * int(batch) // part, int(size_px), part) for part in (1, 4))
    members = {
        str(n): CohortTrial(fresh_state(parameters, seed=n, device=device), parameters, n)
        for n in range(count)
    }
    # Never over, as long as it is asked for epochs.
    schedule = Schedule(10**9, TOLERANCE_M, "relaxed_f1")
    if told["as_one"]:
        running: list[Iterator[object]] = [fit_cohort(members, train, val, schedule)]
    else:
        running = [
            fit(one.state, parameters, train, val, schedule, seed=one.seed) for one in members.values()
        ]
    for _ in sys.stdin:
        for training in running:
            next(training)
        finish(device)
        print("done", flush=True)


@contextmanager
def mps() -> Iterator[None]:
    """Let processes share the GPU by MPS."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        os.environ.update(places)
        subprocess.run([MPS, "-d"], check=True)
        try:
            yield
        finally:
            subprocess.run([MPS], input="quit\n", text=True, check=True)
            for name in places:
                del os.environ[name]


def measure(case: str, options: Options) -> dict[str, float]:
    """Return every way's seconds an epoch of all networks."""
    places = options.networks if options.device == "cuda" else os.cpu_count() or 1
    ways = {
        "in turn": Way(case, options, 1, as_one=False),
        "side by side": Way(case, options, places, as_one=False),
        "as one": Way(case, options, 1, as_one=True),
    }
    if options.device == "cpu":
        ways["cohorts side by side"] = Way(case, options, places, as_one=True)
    taken_s = in_turns(ways, options.repetitions)
    if options.device == "cuda" and shutil.which(MPS):
        with mps():
            taken_s |= in_turns(
                {"side by side, MPS": Way(case, options, places, as_one=False)}, options.repetitions
            )
    return taken_s


def in_turns(ways: dict[str, Way], repetitions: int) -> dict[str, float]:
    """Measure all ways, each turn of which another begins, and end them."""
    taken_s: dict[str, list[float]] = {name: [] for name in ways}
    names = list(ways)
    for turn in range(repetitions):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            taken_s[name].append(ways[name].epoch_s())
    for way in ways.values():
        way.end()
    return {name: statistics.median(of_one) for name, of_one in taken_s.items()}


def main(options: Options) -> None:
    """Print how many times as fast as in turn each way is."""
    if options.share is not None:
        train_share(json.loads(options.share))
        return
    table = Table("architecture, width, px, batch", "way", "patches/s", "times as fast as in turn")
    for case in options.cases:
        patches = options.networks * options.batches * int(case.split(",")[3])
        taken_s = measure(case, options)
        for name, of_way_s in taken_s.items():
            ratio = taken_s["in turn"] / of_way_s
            table.add_row(
                case if name == "in turn" else "", name, f"{patches / of_way_s:.0f}", f"{ratio:.2f}"
            )
            if name != "in turn":
                add(
                    [Measured(f"{options.networks} networks {name}, {case}", "in turn", ratio)],
                    options.measured,
                )
    Console(width=110).print(table)
    if options.device == "cuda" and not shutil.which(MPS):
        print(f"{MPS} is not installed, so without rows")
    device = torch.cuda.get_device_name() if options.device == "cuda" else "CPU, one thread a process"
    print(
        f"{options.networks} networks; {device}, {os.cpu_count()} cores; torch {version('torch')}; "
        f"medians of {options.repetitions}; {time.strftime('%d %B %Y')}"
    )


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
