"""One trial as Ray Tune runs it: train, save, report, epoch by epoch."""

import platform
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
from glsweep.sweep.checkpoints import CHECKPOINT_FILE, CheckpointStore, StorageError
from glsweep.training.fit import OutOfDeviceMemoryError, Schedule, TrainingDivergedError, fit
from glsweep.training.state import TrainingState, fresh_state, load_state, save_state


@dataclass(frozen=True)
class SplitRefs:
    """References to the training and validation patches of one size in Ray's object store.

    A node fetches them once; its trials read the same memory.
    """

    train: ray.ObjectRef
    val: ray.ObjectRef


def train_trial(
    config: dict[str, Any],
    *,
    patches: Mapping[int, SplitRefs],
    schedule: Schedule,
    cpus: int,
    checkpoints: CheckpointStore,
) -> None:
    """Train one planned trial from its newest checkpoint; save and report each epoch.

    Nothing may be left behind for the next trial, since processes are reused.
    """
    # Two processes that each take all cores are many times slower than two that share them.
    torch.set_num_threads(cpus)
    trial = PlannedTrial.model_validate(config["trial"])
    tune.report({"placed": platform.node(), "device": _device().type})
    refs = patches[trial.parameters.patch_size_px]
    state = fresh_state(trial.parameters, seed=trial.seed, device=_device())
    try:
        with checkpoints.newest(trial.trial_id) as checkpoint:
            if checkpoint is not None:
                load_state(state, checkpoint)
        if state.progress.report is not None:
            # The one who was to hear it may have died before it did.
            _report(state.progress.report)
        train, val = _fetch(refs.train), _fetch(refs.val)
        for report in fit(state, trial.parameters, train, val, schedule, seed=trial.seed):
            _save(state, checkpoints, trial.trial_id)
            _report({"epoch": report.epoch, "last": report.last, **report.figures()})
    except (TrainingDivergedError, OutOfDeviceMemoryError) as error:
        tune.report({"failed": f"epoch {state.progress.epoch + 1}: {error}"})
    except StorageError as error:
        tune.report({"unwritable": f"{error} on {platform.node()}"})


def _save(state: TrainingState, checkpoints: CheckpointStore, trial_id: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / CHECKPOINT_FILE
        try:
            save_state(state, file)
        except OSError as error:
            raise StorageError(f"{folder}: cannot be written ({error.strerror or error})") from error
        checkpoints.save(trial_id, file)


def _report(report: Mapping[str, Any]) -> None:
    figures = {key: value for key, value in report.items() if key not in ("epoch", "last")}
    tune.report({"epoch": report["epoch"], "last": report["last"], "figures": figures})


def _fetch(reference: ray.ObjectRef) -> PatchArrays:
    arrays: PatchArrays = ray.get(reference)
    return arrays


def _device() -> torch.device:
    """Return the GPU that Ray gave to this trial, else the CPU."""
    given = bool(ray.get_runtime_context().get_accelerator_ids().get("GPU"))
    return torch.device("cuda" if given and torch.cuda.is_available() else "cpu")
