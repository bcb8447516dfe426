"""All trials of a study one after another in the plain loop, each in full: how long, and how good.

    python benchmarks/plain_sweep.py STUDY cpu

Prints one line of JSON: seconds of training and validation, and each trial's best relaxed F1, which is
found beside the clock.
"""

import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from training_ceiling import finish
from training_plain_loop import PlainLoop, write_files

from glsweep.patches import PatchArrays
from glsweep.patches.store import open_patches
from glsweep.randomness import seed_for
from glsweep.search import plan_trials
from glsweep.search.plan import PlannedTrial
from glsweep.study import open_study
from glsweep.training.fit import EpochTask, Schedule, make_task, validate


def scaled(arrays: PatchArrays) -> PatchArrays:
    """Return patches as the network is to see them."""
    return replace(arrays, image=arrays.image / np.float32(arrays.amplitude_scale), amplitude_scale=1.0)


def train(
    trial: PlannedTrial, folder: Path, task: EpochTask, epochs: int, device: torch.device
) -> tuple[float, float]:
    """Return the seconds that a trial took, and its best relaxed F1."""
    np.random.seed(trial.seed % 2**32)  # noqa: NPY002  as is usual
    torch.manual_seed(seed_for(trial.seed, "plain loop"))
    begun_s = time.perf_counter()
    loop = PlainLoop(trial.parameters, folder / "train", folder / "val", device, workers=0, seed=trial.seed)
    taken_s, best = time.perf_counter() - begun_s, 0.0
    for _ in range(epochs):
        begun_s = time.perf_counter()
        loop.train()
        loop.validate()
        finish(device)
        taken_s += time.perf_counter() - begun_s
        _, counts = validate(loop.network, task, trial.parameters.batch_size)
        best = max(best, float(counts.relaxed_f1().max()))
    return taken_s, best


def main() -> None:
    study, device = open_study(Path(sys.argv[1])), torch.device(sys.argv[2])
    search = study.config.space.search
    trials = plan_trials(study.config.space, seed=study.config.seed, source=study.config_yaml)
    schedule = Schedule(search.epochs, search.tolerance_m, search.rank_by)
    figures, taken_s = {}, 0.0
    with tempfile.TemporaryDirectory() as folder:
        for size_px in sorted({trial.parameters.patch_size_px for trial in trials}):
            store = open_patches(study, size_px)
            splits = {name: scaled(store.arrays(name)) for name in ("train", "val")}
            for name, split in splits.items():
                write_files(split, Path(folder) / str(size_px) / name)
            for trial in (trial for trial in trials if trial.parameters.patch_size_px == size_px):
                as_float32 = trial.parameters.model_copy(update={"precision": "float32"})
                task = make_task(as_float32, splits["train"], splits["val"], schedule, device)
                trial_s, figure = train(trial, Path(folder) / str(size_px), task, search.epochs, device)
                taken_s += trial_s
                figures[trial.trial_id] = figure
                print(f"{len(figures)} of {len(trials)}: {taken_s:.0f} s", file=sys.stderr, flush=True)
    print(json.dumps({"taken_s": taken_s, "figures": figures}))


if __name__ == "__main__":
    main()
