"""One trial as Ray Tune runs it: train, save, report, epoch by epoch."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from glsweep.patches.arrays import PatchArrays
from glsweep.spaces.plan import PlannedTrial
from glsweep.sweep.checkpoints import CHECKPOINT_FILE
from glsweep.training.fit import Schedule, TrainingDivergedError, fit
from glsweep.training.state import TrainingState, fresh_state, load_state, save_state


@dataclass(frozen=True)
class SplitRefs:
    """References to the training and validation patches of one size in Ray's object store.

    A node fetches them once; its trials read the same memory.
    """

    train: ray.ObjectRef
    val: ray.ObjectRef


def train_trial(
    config: dict[str, Any], *, patches: Mapping[int, SplitRefs], schedule: Schedule, cpus: int
) -> None:
    """Train one planned trial and report each epoch, with a checkpoint.

    Nothing may be left behind for the next trial, since processes are reused.
    """
    # Two processes that each take all cores are many times slower than two that share them.
    torch.set_num_threads(cpus)
    trial = PlannedTrial.model_validate(config["trial"])
    parameters = trial.parameters
    refs = patches[parameters.patch_size_px]
    train, val = _fetch(refs.train), _fetch(refs.val)
    state = fresh_state(parameters, seed=trial.seed, device=_device())
    _resume(state, config["resume_from"])
    if state.progress.report is not None:
        _report(state.progress.report)
    try:
        for report in fit(state, parameters, train, val, schedule, seed=trial.seed):
            with tempfile.TemporaryDirectory() as folder:
                save_state(state, Path(folder) / CHECKPOINT_FILE)
                _report(
                    {"epoch": report.epoch, "last": report.last, **report.figures()},
                    checkpoint=tune.Checkpoint.from_directory(folder),
                )
    except TrainingDivergedError as error:
        tune.report({"failed": f"epoch {state.progress.epoch + 1}: {error}"})


def _resume(state: TrainingState, cut_off_at: str | None) -> None:
    """Load Tune's own checkpoint, which is newer, or that of a sweep that was cut off."""
    checkpoint = tune.get_checkpoint()
    if checkpoint is not None:
        with checkpoint.as_directory() as folder:
            load_state(state, Path(folder) / CHECKPOINT_FILE)
    elif cut_off_at is not None:
        load_state(state, Path(cut_off_at))


def _report(report: Mapping[str, Any], checkpoint: tune.Checkpoint | None = None) -> None:
    figures = {key: value for key, value in report.items() if key not in ("epoch", "last")}
    told = {"epoch": report["epoch"], "last": report["last"], "figures": figures}
    tune.report(told, checkpoint=checkpoint)


def _fetch(reference: ray.ObjectRef) -> PatchArrays:
    arrays: PatchArrays = ray.get(reference)
    return arrays


def _device() -> torch.device:
    """Return the GPU that Ray gave to this trial, else the CPU."""
    given = bool(ray.get_runtime_context().get_accelerator_ids().get("GPU"))
    return torch.device("cuda" if given and torch.cuda.is_available() else "cpu")
