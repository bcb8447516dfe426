"""Several networks in one process: grouped into one, or one after another.

Measures a training step (forward, loss, backward, clip, Adam) in one thread, in the time that the
process has the processor, so that what runs beside it matters little. All ways take turns; medians.

Run: `python benchmarks/cohort.py --cases unet,4,64,25 unetpp,4,64,8` (some minutes).
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import tyro
from rich.console import Console
from rich.table import Table
from torch import nn

from glsweep.config.trial import TrialParameters
from glsweep.losses import GroundingLineLoss
from glsweep.nets.grouped import group
from glsweep.training.cohort import CohortOptimizer
from glsweep.training.state import TrainingState, fresh_state

CASES = tuple(
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
)


@dataclass(frozen=True)
class Options:
    """What is measured: `cases` are architecture, base width, patch size in px and batch size."""

    cases: tuple[str, ...] = CASES
    networks: tuple[int, ...] = (1, 2, 4, 8)
    repetitions: int = 5


@dataclass(frozen=True)
class Way:
    """One way to take a step with every network."""

    name: str
    channels_last: bool
    bfloat16: bool = False


ALONE = Way("alone", channels_last=True)
WAYS = (
    ALONE,
    Way("alone", channels_last=False),
    Way("alone", channels_last=True, bfloat16=True),
    Way("grouped", channels_last=True),
    Way("grouped", channels_last=False),
    Way("grouped", channels_last=True, bfloat16=True),
    Way("grouped", channels_last=False, bfloat16=True),
)
LOSS = GroundingLineLoss(fn_weight=0.7, fp_weight=0.3, gamma=1.33, bce_weight=0.3)


class Stepping:
    """Networks of one kind, a batch for each, and ways to step."""

    def __init__(self, case: str, count: int) -> None:
        architecture, width, size_px, batch = case.split(",")
        self.parameters = TrialParameters(
            architecture=architecture,
            patch_size_px=int(size_px),
            fn_weight=0.7,
            fp_weight=0.3,
            gamma=1.33,
            bce_weight=0.3,
            base_width=int(width),
            learning_rate=1e-4,
            weight_decay=1e-5,
            batch_size=int(batch),
            gradient_clip=1.0,
            channels=("real", "imag"),
            augmentation=(),
        )
        generator = torch.Generator().manual_seed(0)
        shape = (int(batch), 2, int(size_px), int(size_px))
        self.inputs = [torch.randn(shape, generator=generator) for _ in range(count)]
        self.labels = [
            (torch.rand(image[:, 0].shape, generator=generator) < 0.02).float() for image in self.inputs
        ]

    def step(self, way: Way) -> Callable[[], None]:
        """Return what takes one step with every network."""
        cpu = torch.device("cpu")
        states = [fresh_state(self.parameters, seed=n, device=cpu) for n in range(len(self.inputs))]
        if not way.channels_last:
            for state in states:
                state.network.to(memory_format=torch.contiguous_format)
        return self._grouped(states, way) if way.name == "grouped" else self._alone(states, way)

    def _alone(self, states: Sequence[TrainingState], way: Way) -> Callable[[], None]:
        def step() -> None:
            for state, image, label in zip(states, self.inputs, self.labels, strict=True):
                state.optimizer.zero_grad(set_to_none=True)
                with torch.autocast("cpu", torch.bfloat16, enabled=way.bfloat16):
                    heads = state.network(image)
                LOSS(heads, label).backward()
                nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
                state.optimizer.step()

        return step

    def _grouped(self, states: Sequence[TrainingState], way: Way) -> Callable[[], None]:
        network = group([state.network for state in states])
        optimizer = CohortOptimizer(network, states, [1.0] * len(states))

        def step() -> None:
            network.zero_grad(set_to_none=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=way.bfloat16):
                heads = network(torch.cat(self.inputs, dim=1))
            own_heads = zip(*(head.split(1, dim=1) for head in heads), strict=True)
            losses = [LOSS(own, label) for own, label in zip(own_heads, self.labels, strict=True)]
            torch.stack(losses).sum().backward()
            optimizer.step()

        return step


def measure(case: str, count: int, repetitions: int) -> dict[Way, float]:
    """Return the processor's time for a network's step, in ms, of every way."""
    stepping = Stepping(case, count)
    steps = {way: stepping.step(way) for way in WAYS}
    taken_s: dict[Way, list[float]] = {way: [] for way in WAYS}
    for repetition in range(repetitions + 1):
        for way, step in steps.items():
            begun = time.process_time()
            step()
            # The first finds caches empty and kernels unmade.
            if repetition:
                taken_s[way].append(time.process_time() - begun)
    return {way: 1e3 * statistics.median(times) / count for way, times in taken_s.items()}


def main(options: Options) -> None:
    """Print one table: how many times as fast each way is as the networks one after another."""
    torch.set_num_threads(1)
    heads = [f"{w.name}{', NHWC' * w.channels_last}{', bf16' * w.bfloat16}" for w in WAYS[1:]]
    table = Table("architecture, width, px, batch", "networks", "ms alone, NHWC", *heads)
    for case in options.cases:
        for count in options.networks:
            found = measure(case, count, options.repetitions)
            ratios = [f"{found[ALONE] / found[way]:.2f}" for way in WAYS[1:]]
            table.add_row(case, str(count), f"{found[ALONE]:.1f}", *ratios)
            print(case, count, f"{found[ALONE]:.1f}", *ratios, flush=True)
    Console(width=150).print(table)
    print(f"torch {torch.__version__}, one thread; {options.repetitions} repetitions in turn, medians")


if __name__ == "__main__":
    main(tyro.cli(Options))
