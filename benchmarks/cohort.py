"""Several networks in one process: one after another, on streams, grouped into one, by vmap, as CUDA graphs.

    python benchmarks/cohort.py --cases unet,4,64,25 unetpp,4,64,8

Measures a training step (forward, loss, backward, clip, Adam) of all networks; `cohort_ways.py` has the ways.
Each is told in times of the networks one after another, whose losses it must reproduce. `sharing.py`
measures whole epochs, with validation, and in several processes too.

On a CPU it takes one thread and the time in which the process has the processor, so that what runs beside it
matters little, and all ways take turns. On a GPU, by the wall's clock, one way follows another, since graphs
hold their memory; each is in the arithmetic of `precision: auto`. Streams and graphs need a GPU. Medians;
some minutes.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median
from typing import Literal

import torch
import tyro
from cohort_ways import WAYS, StepOfAll, make_networks
from measured import Measured, MeasuredFile, add
from rich.console import Console
from rich.table import Table
from torch import Tensor
from training_ceiling import finish

from glsweep.config.trial import Precision
from glsweep.training.memory import is_out_of_memory
from glsweep.training.step import WARM_UP_STEPS, bits, dtype_of

CASES = {
    "cpu": tuple(
        f"{architecture},{width},{size_px},{batch}"
        for architecture, width in (
            ("unet", 4),
            ("unet", 8),
            ("attention_unet", 4),
            ("attention_unet", 8),
            ("unetpp", 4),
        )
        for size_px in (64, 128)
        for batch in (25, 8)
    ),
    "cuda": ("unet,4,128,25", "attention_unet,4,128,25", "unet,4,256,25"),
}
NETWORKS = {"cpu": (1, 2, 4, 8), "cuda": (4, 16, 64)}


@dataclass(frozen=True)
class Options:
    """What is measured: `cases` are architecture, base width, patch size in px and batch size."""

    cases: tuple[str, ...] | None = None
    """None is narrow networks of every kind; on a GPU the published U-Nets."""
    networks: tuple[int, ...] | None = None
    """None is up to 8 on a CPU, and up to 64 on a GPU."""
    repetitions: int = 5
    device: Literal["cpu", "cuda"] = "cuda" if torch.cuda.is_available() else "cpu"
    measured: MeasuredFile = None


@dataclass(frozen=True)
class Way:
    """One way to take a step with every network; its kind is one of `cohort_ways.WAYS`."""

    kind: str
    channels_last: bool = True
    precision: Precision = "float32"

    @property
    def title(self) -> str:
        """The way in a few words."""
        return f"{self.kind}{', NHWC' * self.channels_last}{', bf16' * (self.precision == 'bfloat16')}"


# The first is what all others are compared with.
WAYS_OF: dict[str, tuple[Way, ...]] = {
    "cpu": (
        Way("alone"),
        Way("alone", channels_last=False),
        Way("alone", precision="bfloat16"),
        Way("grouped"),
        Way("grouped", channels_last=False),
        Way("grouped", precision="bfloat16"),
        Way("grouped", channels_last=False, precision="bfloat16"),
        Way("vmap", channels_last=False),
        Way("vmap", channels_last=False, precision="bfloat16"),
    ),
    "cuda": tuple(Way(kind, channels_last="vmap" not in kind, precision="auto") for kind in WAYS),
}
# The share by which a loss may differ, by the bits of the arithmetic.
ROUNDING = {32: 1e-3, 16: 2e-2}


@dataclass
class Taken:
    """What the steps of one way took, in seconds, and the losses of each step, (K,)."""

    taken_s: list[float]
    losses: list[Tensor]


def begin(case: str, count: int, way: Way, device: torch.device) -> StepOfAll:
    """Return what takes one step with every network."""
    networks = make_networks(case, count, way.precision, device)
    if not way.channels_last:
        for state in networks.states:
            state.network.to(memory_format=torch.contiguous_format)
    return WAYS[way.kind](networks)


def in_turns(steps: dict[Way, StepOfAll], repetitions: int, device: torch.device) -> dict[Way, Taken]:
    """Let all ways step in turn."""
    found = {way: Taken([], []) for way in steps}
    # Caches are empty at first, and kernels unmade; a graph is captured once moments have their place too.
    spare = 1 if device.type == "cpu" else WARM_UP_STEPS + 2
    read = time.process_time if device.type == "cpu" else time.perf_counter
    for number in range(spare + repetitions):
        for way, step in steps.items():
            begun_s = read()
            losses = step()
            finish(device)
            if number >= spare:
                found[way].taken_s.append(read() - begun_s)
            found[way].losses.append(losses.clone())
    return found


def measure(case: str, count: int, options: Options) -> dict[Way, Taken]:
    """Return what every way took that had room in memory."""
    device, ways = torch.device(options.device), WAYS_OF[options.device]
    found: dict[Way, Taken] = {}
    for side_by_side in [ways] if options.device == "cpu" else [(way,) for way in ways]:
        with naming_what_has_no_room(f"{case}, {count} networks, {side_by_side[0].title}"):
            steps = {way: begin(case, count, way, device) for way in side_by_side}
            found |= in_turns(steps, options.repetitions, device)
        steps = {}
        torch.cuda.empty_cache()
    return found


@contextmanager
def naming_what_has_no_room(what: str) -> Iterator[None]:
    """Say for what there was no memory, and go on."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        print(f"{what}: no row, since memory ran out", flush=True)


def wrong_ways(found: dict[Way, Taken], device: torch.device) -> Iterator[str]:
    """Yield the ways whose losses are not those of the networks alone, and by how much."""
    expected = torch.stack(next(iter(found.values())).losses)
    for way, taken in found.items():
        apart = float(((torch.stack(taken.losses) - expected).abs() / expected).max())
        if not apart <= ROUNDING[bits(dtype_of(way.precision, device))]:
            yield f"{way.title}: losses differ by {apart:.2%} from the networks' alone"


def as_measured(found: dict[Way, Taken], what: str) -> Iterator[Measured]:
    """Yield how many times as fast each way is as the first."""
    (_, alone), *others = found.items()
    for way, taken in others:
        yield Measured(f"{what}, {way.title}", "alone", median(alone.taken_s) / median(taken.taken_s))


def row(found: dict[Way, Taken], count: int, ways: Sequence[Way]) -> list[str]:
    """Return the time of a network's step alone, in ms, and how many times as fast each way is."""
    first = median(found[ways[0]].taken_s)
    ratios = [f"{first / median(found[way].taken_s):.2f}" if way in found else "" for way in ways[1:]]
    return [str(count), f"{1e3 * first / count:.2f}", *ratios]


def main(options: Options) -> None:
    """Print one table: how many times as fast each way is as the networks one after another."""
    torch.set_num_threads(1)
    device, ways = torch.device(options.device), WAYS_OF[options.device]
    heads = ("architecture, width, px, batch", "networks", f"ms {ways[0].title}")
    table, wrong = Table(*heads, *(way.title for way in ways[1:])), []
    for case in options.cases or CASES[options.device]:
        for count in options.networks or NETWORKS[options.device]:
            found = measure(case, count, options)
            if ways[0] not in found:
                continue
            cells = row(found, count, ways)
            table.add_row(case, *cells)
            print(case, *cells, flush=True)
            wrong += [f"{case}, {count} networks, {told}" for told in wrong_ways(found, device)]
            add(as_measured(found, f"step of {count} networks in one process, {case}"), options.measured)
    Console(width=150).print(table)
    if options.device == "cpu":
        print("streams and CUDA graphs: no rows, they need a GPU")
    name = torch.cuda.get_device_name() if options.device == "cuda" else "one thread of a CPU"
    print(f"{name}, torch {version('torch')}, {options.repetitions} repetitions, medians")
    if wrong:
        raise SystemExit("\n".join(wrong))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
