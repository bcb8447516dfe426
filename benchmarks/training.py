"""A full training step and a validation: the package, the plain loop, two libraries, the machine's ceiling.

    python benchmarks/training.py [--sizes-px 128] [--threads 2] [--repetitions 7]

A step is all from the gathering of a batch to the optimiser. Every contender is a process of its own; all
of one table wait for each other and take turns, and of what they took the medians are shown. `plain`
is the plain loop's time over a contender's, of the same turn, `glsweep` a contender's over the package's.
What is aimed at stands in brackets. Libraries' networks are trained by the package's loop: once as they
come, in float32, and once in the layout, the arithmetic and with the memory of ours; `training_rivals.py`
says how they differ from ours.

`ceiling` is the larger of operations over the rate of a matrix product, in the arithmetic of the row, and
of bytes over that of a copy, over the step's time: the share of what the machine can do at best. All
rates are measured in the same turns.

A network that fails, as where memory runs out, costs its own table alone, and the script ends with 1.

Memory is that of the whole process on a CPU, of its tensors on a GPU. Needs the rivals for their rows:
`pip install monai segmentation-models-pytorch`. Takes some minutes at the default widths, of which
U-Net++'s is not the published one on a CPU: there 32 takes minutes a step.
"""

import os
import platform
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

import torch
import tyro
from measured import Measured, MeasuredFile, add
from rich.console import Console
from rich.table import Table
from training_rivals import missing, rivals_of
from training_turns import CALIBRATE, ONE, RANK, TRAIN, Contender, Turns, ratio, start, take_turns

from glsweep.registry import ARCHITECTURES
from glsweep.training.step import bits, dtype_of

PUBLISHED_BATCH = 25
# The package's own.
WAYS = ("glsweep", "glsweep, graph")
COLUMNS = (
    "contender",
    "parameters",
    "G operations a patch",
    "MB a patch",
    "step, patches/s",
    "plain",
    "glsweep (aim)",
    "ceiling (aim)",
    "validation, patches/s",
    "plain",
    "17 thresholds over 1",
    "peak, MB",
)
# Of a batch that a CPU is to train U-Net++ on.
MOST_PX = 2**19
# How many times as fast as a contender the package aims to be, by device, network and contender, and at which
# share of the ceiling.
AIMS: dict[str, dict[str, dict[str, float]]] = {
    "cpu": {"unet": {"plain loop": 1.5}, "unetpp": {"plain loop": 2.0, "MONAI": 1.7, "SMP": 1.7}},
    "cuda": {
        "unet": {"plain loop": 10.0, "ceiling": 0.5},
        "attention_unet": {"plain loop": 10.0, "ceiling": 0.5},
        "unetpp": {"plain loop": 4.0, "MONAI": 2.0, "SMP": 2.0, "ceiling": 0.5},
    },
}


@dataclass(frozen=True)
class Options:
    """What is measured."""

    networks: tuple[str, ...] = ("unet", "attention_unet", "unetpp")
    sizes_px: tuple[int, ...] = (128, 256)
    batch_size: int | None = None
    """None is the published 25, and fewer where a CPU would take minutes for a step."""
    batches: int | None = None
    """In an epoch of each split; None is 8 on a GPU, which is to be kept busy, and 1 on a CPU."""
    unet_width: int = 4
    """Base width of both U-Nets; 4 is the published one."""
    unetpp_width: int | None = None
    """None is the published 32 on a GPU, and 8 on a CPU."""
    repetitions: int = 5
    threads: int = 1
    loader_workers: int = 0
    """Processes that read files for the plain loop."""
    device: Literal["cpu", "cuda"] = "cuda" if torch.cuda.is_available() else "cpu"
    clock: Literal["wall", "processor"] = "wall"
    """`processor` leaves out what a shared machine gave to others; for one thread and no workers."""
    measured: MeasuredFile = None

    def width(self, network: str) -> int:
        """Return the base width of a network."""
        if network != "unetpp":
            return self.unet_width
        return self.unetpp_width or (32 if self.device == "cuda" else 8)

    def batch(self, network: str, size_px: int) -> int:
        """Return the patches in a batch of a network."""
        most = MOST_PX // size_px**2 if (network, self.device) == ("unetpp", "cpu") else PUBLISHED_BATCH
        return self.batch_size or min(PUBLISHED_BATCH, most)

    @property
    def batches_an_epoch(self) -> int:
        """Return the batches of each split."""
        return self.batches or (8 if self.device == "cuda" else 1)


def contenders(network: str, size_px: int, options: Options) -> list[Contender]:
    """Start all that compete at one network and size; the plain loop is the first."""
    common = {
        "architecture": network,
        "patch_size_px": size_px,
        "base_width": options.width(network),
        "fn_weight": 0.7,
        "fp_weight": 0.3,
        "gamma": 4 / 3,
        "bce_weight": 0.3,
        "learning_rate": 1e-3,
        "weight_decay": 1e-5,
        "batch_size": options.batch(network, size_px),
        "gradient_clip": 1.0,
        "channels": ["real", "imag"],
        "augmentation": ["dihedral", "conjugation"],
    }
    as_float32, chosen = {**common, "precision": "float32"}, {**common, "precision": "auto"}
    lean = bits(dtype_of("auto", torch.device(options.device))) < 32
    listed = [("plain loop", "plain loop", as_float32), ("glsweep", "glsweep", chosen)]
    if options.device == "cuda":
        listed.append(("glsweep, graph", "glsweep, graph", chosen))
    if lean:
        listed.append(("glsweep, float32", "glsweep", as_float32))
    for rival in rivals_of(network):
        listed.append((rival, rival, as_float32))
        if lean:
            listed.append((f"{rival}, as ours", rival, chosen))
    told = {
        "device": options.device,
        "threads": options.threads,
        "batches": options.batches_an_epoch,
        "loader_workers": options.loader_workers,
        "clock": options.clock,
    }
    return [start(name, {**told, "kind": kind, "parameters": given}) for name, kind, given in listed]


def measure(network: str, size_px: int, options: Options) -> Table:
    """Return the table of what competes at one network and size."""
    running = contenders(network, size_px, options)
    try:
        turns = take_turns(running, torch.device(options.device), options.repetitions)
    finally:
        for one in running:
            one.process.communicate()
    batch = options.batch(network, size_px)
    title = f"{ARCHITECTURES.title(network)} {size_px}, width {options.width(network)}, batch {batch}"
    table = Table(*COLUMNS, title=title, caption=turns.rates_told())
    ours = next(one for one in running if one.name == "glsweep")
    for one in running:
        patches, (parameters, operations, bytes_) = options.batches_an_epoch * batch, turns.counts[one.name]
        aimed_share = aim("ceiling", network, options, form=".0%") if one.name in WAYS else ""
        table.add_row(
            one.name,
            f"{parameters:,}",
            f"{operations / patches / 1e9:.2f}",
            f"{bytes_ / patches / 1e6:.0f}",
            f"{patches / statistics.median(one.taken_s[TRAIN]):.1f}",
            f"{ratio(running[0], one, TRAIN, TRAIN):.2f}",
            f"{ratio(one, ours, TRAIN, TRAIN):.2f}{aim(one.name, network, options)}",
            f"{turns.share_of_ceiling(one):.0%}{aimed_share}",
            f"{patches / statistics.median(one.taken_s[RANK]):.1f}",
            f"{ratio(running[0], one, RANK, RANK):.2f}",
            "" if one is running[0] else f"{ratio(one, one, CALIBRATE, ONE):.2f}",
            f"{turns.peak_bytes[one.name] / 1e6:.0f}",
        )
    add(aims(running, turns, title, network, options), options.measured)
    return table


def aim(name: str, network: str, options: Options, *, form: str = "g") -> str:
    """Return what was aimed at against a contender, or of the ceiling, in brackets, where anything was."""
    wanted = AIMS[options.device].get(network, {}).get(name)
    return "" if wanted is None else f" ({wanted:{form}})"


def aims(
    running: list[Contender], turns: Turns, title: str, network: str, options: Options
) -> Iterator[Measured]:
    """Yield what was found of the package's ways, of thresholds and of memory, each with its aim."""
    wanted, ways = AIMS[options.device].get(network, {}), [one for one in running if one.name in WAYS]
    for way in ways:
        what = f"training step, {title}{way.name.removeprefix('glsweep')}"
        for one in running:
            if one.name in wanted:
                yield Measured(what, one.name, ratio(one, way, TRAIN, TRAIN), at_least=wanted[one.name])
        if "ceiling" in wanted:
            share = turns.share_of_ceiling(way)
            yield Measured(what, "the machine's ceiling", share, at_least=wanted["ceiling"])
    compared = ratio(ways[0], ways[0], CALIBRATE, ONE)
    yield Measured(f"validation with 17 thresholds, {title}", "with one", compared, at_most=1.1)
    room = turns.peak_bytes["glsweep"] / turns.peak_bytes["plain loop"]
    yield Measured(f"memory at most, {title}", "plain loop", room, at_most=1)


def main(options: Options) -> None:
    """Measure everything, and print a table for each network and size, then what it was measured on."""
    torch.set_num_threads(options.threads)
    console, failed = Console(width=150), False
    for network in options.networks:
        for size_px in options.sizes_px:
            try:
                console.print(measure(network, size_px, options))
            except (RuntimeError, OSError) as error:
                failed = True
                console.print(f"{ARCHITECTURES.title(network)} {size_px}: no table, since {error}")
    if options.device == "cuda":
        console.print(torch.cuda.get_device_name())
    else:
        console.print(
            "CUDA: " + ("not asked for" if torch.cuda.is_available() else "no GPU here, so no rows for one")
        )
    if missing():
        console.print(f"not installed, so without rows: {', '.join(missing())}")
    console.print(
        f"{options.threads} thread(s), medians of {options.repetitions} by "
        f"the {options.clock}'s clock; {processor()}, {os.cpu_count()} cores; Python "
        f"{platform.python_version()}, torch {version('torch')}; {time.strftime('%d %B %Y')}"
    )
    if failed:
        raise SystemExit(1)


def processor() -> str:
    """Return the processor's name, with what of its arithmetic counts here."""
    capabilities = torch.cpu.get_capabilities()
    told = [name for name in ("avx2", "avx512_f", "avx512_bf16", "amx_bf16") if capabilities.get(name)]
    return f"{capabilities.get('cpu_name', platform.machine())} ({', '.join(told)})"


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
