"""Contenders that take turns: each a process of its own, which waits for commands and times what it does."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from training_ceiling import copy_rate, matrix_rate

from glsweep.training.fit import RANKING_THRESHOLDS
from glsweep.training.step import WARM_UP_STEPS, bits, dtype_of

CONTENDER = Path(__file__).with_name("training_contender.py")
# As many as rank a trial, as calibrate a member, and one.
THRESHOLDS = (len(RANKING_THRESHOLDS), 17, 1)
TRAIN, RANK, CALIBRATE, ONE = "train", *(f"validate {thresholds}" for thresholds in THRESHOLDS)


@dataclass
class Contender:
    """A process that waits for commands, and what it took for them, by the command."""

    name: str
    bits: int
    process: subprocess.Popen[str]
    taken_s: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, command: str) -> Any:
        """Let it do something, and return its answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(command, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self.process.wait()}")
        return json.loads(line)

    def measure(self, command: str) -> None:
        self.taken_s.setdefault(command, []).append(self.ask(command))


def start(name: str, told: dict[str, Any]) -> Contender:
    """Start a contender's process as it is `told`; it is ready when it has answered for the first time."""
    process = subprocess.Popen(
        [sys.executable, str(CONTENDER), json.dumps(told)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(told["threads"])},
    )
    dtype = dtype_of(told["parameters"]["precision"], torch.device(told["device"]))
    return Contender(name, bits(dtype), process)


def ratio(one: Contender, other: Contender, command: str, others: str) -> float:
    """Return the median over turns of one's time over the other's."""
    pairs = zip(one.taken_s[command], other.taken_s[others], strict=True)
    return statistics.median(a / b for a, b in pairs)


@dataclass
class Turns:
    """What the contenders' turns brought besides times: counts and peaks by name, and the machine's rates."""

    counts: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    """Parameters, operations and bytes."""
    peak_bytes: dict[str, int] = field(default_factory=dict)
    rates: dict[int | str, list[float]] = field(default_factory=lambda: {32: [], 16: [], "copy": []})

    def share_of_ceiling(self, one: Contender) -> float:
        """Return the least time of a contender's step by what the machine can do, over what it took."""
        _, operations, bytes_ = self.counts[one.name]
        rates = {kind: statistics.median(rates) for kind, rates in self.rates.items()}
        least_s = max(operations / rates[one.bits], bytes_ / rates["copy"])
        return least_s / statistics.median(one.taken_s[TRAIN])

    def rates_told(self) -> str:
        """Return what the machine does at best, in words."""
        rates = {kind: statistics.median(rates) / 1e9 for kind, rates in self.rates.items()}
        return (
            f"this machine: {rates[32]:.0f} G operations/s in float32, {rates[16]:.0f} in bfloat16, "
            f"copies {rates['copy']:.1f} GB/s"
        )


def take_turns(running: Sequence[Contender], device: torch.device, repetitions: int) -> Turns:
    """Let all contenders take all their turns, and measure the machine's rates in each."""
    commands, turns = (TRAIN, RANK, CALIBRATE, ONE), Turns()
    for one in running:
        # A graph is one launch, in which nothing is counted, but its step is that of `glsweep`, before it. It
        # is captured after some steps.
        is_graph = one.name == "glsweep, graph"
        turns.counts[one.name] = turns.counts["glsweep"] if is_graph else one.ask("count")
        for command in [*[TRAIN] * (WARM_UP_STEPS if is_graph else 0), *commands]:
            one.ask(command)
        one.ask("release")
    for turn in range(repetitions):
        turns.rates[32].append(matrix_rate(device, torch.float32))
        turns.rates[16].append(matrix_rate(device, torch.bfloat16))
        turns.rates["copy"].append(copy_rate(device))
        torch.cuda.empty_cache()
        # Whoever comes first finds other caches and clocks than who comes last.
        for one in (*running[turn % len(running) :], *running[: turn % len(running)]):
            if device.type == "cuda":
                # Has the memory again that it released: a card may not hold all contenders at once.
                one.ask(TRAIN)
            for command in commands:
                one.measure(command)
            one.ask("release")
    turns.peak_bytes = {one.name: one.ask("peak") for one in running}
    return turns
