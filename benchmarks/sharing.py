"""How many networks of one kind best share one device: in turn, side by side, or trained as one.

    python benchmarks/sharing.py [--cases unet,4,64,8] [--networks 4 16 64]

`in turn` is one process that trains one network after another; all other ways are told in times of it.
`side by side` is as many processes as trials would share the device, with one thread each and their share
of the networks in turn: of a CPU one a core; of a GPU one a network, but 16 at most, since each holds some
hundred megabytes of it. `as one` is a cohort in one process, `cohorts side by side` one in each of several
(four of a GPU, as with `gpus: 0.25`). On a GPU `graphs` launches each network's step as a CUDA graph, and
what goes side by side is measured once more under MPS, NVIDIA's service that lets processes use a GPU at
the same time; it is started and ended here, where it is installed.

Every way trains the same patches for an epoch, by the package's own loop, validation included. Ways take
turns; medians. `cohort.py` measures steps alone, in one process, in more ways.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median
from typing import Any, Literal, Self

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
MOST_PROCESSES_ON_GPU = 16
COHORTS_ON_GPU = 4
CASES = {
    "cpu": ("unet,4,64,8", "attention_unet,4,64,8", "unetpp,4,64,8", "unet,4,128,25"),
    "cuda": ("unet,4,128,25",),
}
NETWORKS = {"cpu": (4,), "cuda": (4, 16, 64)}


@dataclass(frozen=True)
class Options:
    """What is measured: `cases` are architecture, base width, patch size in px and batch size."""

    cases: tuple[str, ...] | None = None
    """None is small networks of every kind on a CPU, and the published U-Net on a GPU."""
    networks: tuple[int, ...] | None = None
    """How many share the device; None is 4, and on a GPU 16 and 64 too."""
    batches: int = 4
    repetitions: int = 5
    device: Literal["cpu", "cuda"] = "cuda" if torch.cuda.is_available() else "cpu"
    measured: MeasuredFile = None
    is_worker: bool = False
    """For a process of its own, which trains what its standard input tells it to."""


# --- The processes


class Processes:
    """Processes that do what they are told, as JSON, and say when it is done."""

    def __init__(self, count: int) -> None:
        self._running = [
            subprocess.Popen(
                [sys.executable, __file__, "--is-worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
            for _ in range(count)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.communicate()

    def tell(self, orders: Sequence[dict[str, Any]]) -> float:
        """Give the first processes an order each, and return how long it took until all were done."""
        told = self._running[: len(orders)]
        begun_s = time.perf_counter()
        for process, order in zip(told, orders, strict=True):
            assert process.stdin is not None
            print(json.dumps(order), file=process.stdin, flush=True)
        for process in told:
            assert process.stdout is not None
            if not process.stdout.readline():
                raise RuntimeError(f"a process ended with {process.wait()}")
        return time.perf_counter() - begun_s


def work() -> None:
    """Be one of the processes."""
    torch.set_num_threads(1)
    keep_freed_memory()
    running: dict[str, list[Iterator[object]]] = {}
    for line in sys.stdin:
        match json.loads(line):
            case {"forget": _}:
                running.clear()
                torch.cuda.empty_cache()
            case {"prepare": way, **told}:
                running[way] = prepare(told)
            case {"epoch": way, "device": device}:
                for training in running[way]:
                    next(training)
                finish(torch.device(device))
        print("done", flush=True)


def prepare(told: dict[str, Any]) -> list[Iterator[object]]:
    """Return what trains a share of the networks, an epoch each time it is asked for the next report."""
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
    device = torch.device(told["device"])
    train, val = (noise(told["batches"] * int(batch) // part, int(size_px), part) for part in (1, 4))
    members = {
        str(n): CohortTrial(fresh_state(parameters, seed=n, device=device), parameters, n)
        for n in range(told["networks"])
    }
    # Never over, as long as it is asked for epochs.
    schedule = Schedule(10**9, TOLERANCE_M, "relaxed_f1")
    if told["kind"] == "as one":
        return [fit_cohort(members, train, val, schedule)]
    capture = told["kind"] == "graphs"
    return [
        fit(one.state, parameters, train, val, schedule, seed=one.seed, capture=capture)
        for one in members.values()
    ]


# --- The ways


@dataclass(frozen=True)
class Way:
    """One way to train all networks: processes with a share of them each."""

    name: str
    kind: Literal["alone", "graphs", "as one"]
    shares: tuple[int, ...]


def ways(networks: int, options: Options) -> list[Way]:
    """Return the ways that so many networks can share the device; the first is in turn."""
    on_gpu = options.device == "cuda"
    places, cohorts = places_of(options.device, networks), COHORTS_ON_GPU if on_gpu else os.cpu_count() or 1
    listed = [Way("in turn", "alone", (networks,)), Way("side by side", "alone", shared(networks, places))]
    if on_gpu:
        listed.append(Way("in turn, graphs", "graphs", (networks,)))
        listed.append(Way("side by side, graphs", "graphs", shared(networks, places)))
    listed.append(Way("as one", "as one", (networks,)))
    if networks > cohorts:
        listed.append(Way("cohorts side by side", "as one", shared(networks, cohorts)))
    return listed


def places_of(device: str, networks: int) -> int:
    """Return how many processes share a device."""
    return min(networks, MOST_PROCESSES_ON_GPU if device == "cuda" else os.cpu_count() or 1)


def shared(networks: int, processes: int) -> tuple[int, ...]:
    """Return how many networks each process has."""
    whole, rest = divmod(networks, processes)
    return tuple(whole + (number < rest) for number in range(processes))


@contextmanager
def mps() -> Iterator[None]:
    """Let processes share the GPU by MPS."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        os.environ.update(places)
        try:
            subprocess.run([MPS, "-d"], check=True)
            try:
                yield
            finally:
                subprocess.run([MPS], input="quit\n", text=True, check=True)
        finally:
            for name in places:
                del os.environ[name]


def measure(case: str, listed: Sequence[Way], processes: Processes, options: Options) -> dict[str, float]:
    """Return every way's seconds an epoch of all networks. Each turn another way begins."""
    common = {"case": case, "device": options.device, "batches": options.batches}
    for way in listed:
        orders = [{"prepare": way.name, "kind": way.kind, "networks": n, **common} for n in way.shares]
        processes.tell(orders)
    taken_s: dict[str, list[float]] = {way.name: [] for way in listed}
    # The first epoch finds kernels unmade and graphs to be captured.
    for turn in range(1 + options.repetitions):
        for way in [*listed[turn % len(listed) :], *listed[: turn % len(listed)]]:
            taken = processes.tell([{"epoch": way.name, "device": options.device}] * len(way.shares))
            if turn:
                taken_s[way.name].append(taken)
    processes.tell([{"forget": "all"}] * max(len(way.shares) for way in listed))
    return {name: median(of_one) for name, of_one in taken_s.items()}


# --- The table


class Report:
    """The table of all ways, which says each as soon as it is measured."""

    def __init__(self, options: Options) -> None:
        self._options = options
        heads = ("architecture, width, px, batch", "networks", "way", "processes", "patches/s")
        self.table = Table(*heads, "times as fast as in turn")
        self._in_turn_s: dict[tuple[str, int], float] = {}

    def add(self, case: str, networks: int, listed: Sequence[Way], taken_s: dict[str, float]) -> None:
        """Add what some ways took."""
        in_turn_s = self._in_turn_s.setdefault((case, networks), taken_s.get("in turn", 0.0))
        patches = networks * self._options.batches * int(case.split(",")[3])
        for way in listed:
            of_way_s = taken_s[way.name]
            cells = f"{len(way.shares)}", f"{patches / of_way_s:.0f}", f"{in_turn_s / of_way_s:.2f}"
            self.table.add_row(case, f"{networks}", way.name, *cells)
            print(case, networks, way.name, *cells, flush=True)
            if way.name != "in turn":
                what = f"{networks} networks {way.name}, {case}"
                add([Measured(what, "in turn", in_turn_s / of_way_s)], self._options.measured)


def measure_all(options: Options, report: Report, *, under_mps: bool = False) -> None:
    """Measure every case with every number of networks; under MPS only what goes side by side."""
    counts = options.networks or NETWORKS[options.device]
    with Processes(max(len(way.shares) for count in counts for way in ways(count, options))) as processes:
        for case in options.cases or CASES[options.device]:
            for count in counts:
                listed = ways(count, options)
                if under_mps:
                    side_by_side = [way for way in listed if len(way.shares) > 1]
                    listed = [Way(f"{way.name}, MPS", way.kind, way.shares) for way in side_by_side]
                report.add(case, count, listed, measure(case, listed, processes, options))


def main(options: Options) -> None:
    """Print how many times as fast as in turn each way is."""
    if options.is_worker:
        work()
        return
    report, missing = Report(options), "graphs and MPS: no rows, they need a GPU"
    measure_all(options, report)
    if options.device == "cuda":
        missing = "" if shutil.which(MPS) else f"{MPS} is not installed: no rows under MPS"
    if not missing:
        try:
            with mps():
                measure_all(options, report, under_mps=True)
        except (subprocess.CalledProcessError, RuntimeError) as error:
            missing = f"rows under MPS are missing: {error}"
    Console(width=110).print(report.table)
    if missing:
        print(missing)
    device = torch.cuda.get_device_name() if options.device == "cuda" else "CPU, one thread a process"
    print(
        f"{device}, {os.cpu_count()} cores; torch {version('torch')}; "
        f"medians of {options.repetitions}; {time.strftime('%d %B %Y')}"
    )


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
