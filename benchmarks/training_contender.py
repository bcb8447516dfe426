"""One contender in a process of its own: does what its standard input says, and tells how long it took.

    python benchmarks/training_contender.py '{"name": "glsweep", ...}'

Commands are `train`, `validate THRESHOLDS`, `count`, `peak` and `release`, after which others find the
GPU's memory free; answers are one line of JSON each.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from training_ceiling import count, finish
from training_plain_loop import PlainLoop, write_files
from training_rivals import as_ours, build_rival

from glsweep.config.trial import TrialParameters
from glsweep.nets import count_parameters
from glsweep.patches import PatchArrays
from glsweep.training import fit as epoch
from glsweep.training.fit import Schedule, make_task
from glsweep.training.memory import keep_freed_memory
from glsweep.training.state import TrainingState, fresh_state
from glsweep.training.step import CapturedStep

POSTING_M = 100.0
TOLERANCE_M = 200.0


def noise(patches: int, size_px: int, seed: int) -> PatchArrays:
    """Return speckle with a slanted line across each patch: times do not depend on what is learnt."""
    generator = np.random.default_rng(seed)
    image = generator.standard_normal((patches, 2, size_px, size_px), np.float32)
    mask = np.zeros((patches, size_px, size_px), np.uint8)
    cols = np.arange(size_px)
    for patch in mask:
        patch[(generator.integers(size_px) + cols // 3) % size_px, cols] = 1
    return PatchArrays(image, mask, POSTING_M, amplitude_scale=1.0)


class Ours:
    """The package's loop, around its own network or a rival's."""

    def __init__(
        self, parameters: TrialParameters, splits: list[PatchArrays], device: torch.device, kind: str
    ) -> None:
        self.state = fresh_state(parameters, seed=0, device=device)
        if not kind.startswith("glsweep"):
            self._put_in(kind, parameters)
        self.task = make_task(parameters, *splits, Schedule(1, TOLERANCE_M, "relaxed_f1"), device)
        if kind == "glsweep, graph":
            self.task = replace(self.task, step=CapturedStep())
        self.network = self.state.network

    def _put_in(self, rival: str, parameters: TrialParameters) -> None:
        """Take a rival's network: in float32 as it comes with plain Adam, else laid out as ours."""
        network = build_rival(
            rival, parameters.architecture, len(parameters.channels), parameters.base_width
        ).to(self.state.device)
        as_it_is = parameters.precision == "float32"
        optimizer = torch.optim.Adam(
            network.parameters(),
            lr=parameters.learning_rate,
            weight_decay=parameters.weight_decay,
            fused=None if as_it_is else True,
        )
        self.state = TrainingState(network if as_it_is else as_ours(network), optimizer)

    def train(self) -> None:
        """Train on every patch once."""
        epoch.train(self.state, self.task, 0, self.task.parameters.batch_size)

    def validate(self) -> None:
        """Find the loss, and the counts at all thresholds."""
        epoch.validate(self.state.network, self.task, self.task.parameters.batch_size)


def build(told: dict[str, Any], folder: Path) -> Ours | PlainLoop:
    """Build the contender that `told` describes."""
    parameters = TrialParameters.model_validate(told["parameters"])
    device = torch.device(told["device"])
    size_px = parameters.patch_size_px
    splits = [noise(told["batches"] * parameters.batch_size, size_px, seed) for seed in (0, 1)]
    if told["kind"] == "plain loop":
        train, val = (write_files(s, folder / name) for s, name in zip(splits, ("train", "val"), strict=True))
        return PlainLoop(parameters, train, val, device, workers=told["loader_workers"])
    return Ours(parameters, splits, device, told["kind"])


def timed(run: Callable[[], object], device: torch.device, clock: str) -> float:
    """Return the time that a run takes, by the wall's clock or the processor's."""
    read = time.process_time if clock == "processor" else time.perf_counter
    begun_s = read()
    run()
    finish(device)
    return read() - begun_s


def peak_bytes(device: torch.device) -> int:
    """Return the most memory that was held: on a GPU what tensors took, else the whole process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    # `ru_maxrss` begins at what the parent held.
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def answer(command: str, contender: Ours | PlainLoop, told: dict[str, Any]) -> Any:
    """Do what one line asks for."""
    device = torch.device(told["device"])
    match command.split():
        case ["train"]:
            return timed(contender.train, device, told["clock"])
        case ["validate", thresholds]:
            # The plain loop has one, and does not look.
            epoch.RANKING_THRESHOLDS = torch.linspace(0.01, 0.99, int(thresholds))
            return timed(contender.validate, device, told["clock"])
        case ["count"]:
            network: nn.Module = contender.network
            return [count_parameters(network), *count(contender.train)]
        case ["peak"]:
            return peak_bytes(device)
        case ["release"]:
            return torch.cuda.empty_cache()
    raise ValueError(command)


def main() -> None:
    told = json.loads(sys.argv[1])
    torch.set_num_threads(told["threads"])
    # Libraries as they come keep PyTorch's own ways.
    if told["kind"].startswith("glsweep") or told["parameters"]["precision"] != "float32":
        keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        contender = build(told, Path(folder))
        for line in sys.stdin:
            print(json.dumps(answer(line, contender, told)), flush=True)


if __name__ == "__main__":
    main()
