"""One cohort, most often of a single trial, as Ray Tune runs it: train, save, report, epoch by epoch."""

import platform
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import torch
from ray import tune

from glsweep.patches.store import PatchArrays
from glsweep.sweep.checkpoints import CHECKPOINT_FILE, CheckpointStore, StorageError
from glsweep.sweep.queue import Cohort
from glsweep.training import EpochReport
from glsweep.training.cohort import CohortTrial, Failure, fit_cohort
from glsweep.training.fit import Schedule, TrainingDivergedError, fit, is_over
from glsweep.training.memory import OutOfDeviceMemoryError, keep_freed_memory
from glsweep.training.state import (
    Start,
    TrainingState,
    begin_from,
    fresh_state,
    load_state,
    read_progress,
    save_state,
)

Told = Mapping[str, EpochReport | Failure]


@dataclass(frozen=True)
class SplitRefs:
    """References to the training and validation patches of one size in Ray's object store.

    A node fetches them once; its trials read the same memory.
    """

    train: ray.ObjectRef
    val: ray.ObjectRef


def train_cohort(
    config: dict[str, Any],
    *,
    patches: Mapping[int, SplitRefs],
    schedule: Schedule,
    cpus: int,
    capture: bool,
    checkpoints: CheckpointStore,
    start: Start | None = None,
) -> None:
    """Train the planned trials from their newest checkpoints; save and report each epoch.

    Those that have none begin from the weights that `start` has for their architecture, else from
    random ones.

    Nothing may be left behind for those who come next, since processes are reused.
    """
    # Two processes that each take all cores are many times slower than two that share them.
    torch.set_num_threads(cpus)
    keep_freed_memory()
    cohort = Cohort.model_validate(config["cohort"])
    tune.report({"placed": platform.node(), "device": _device().type})
    refs = patches[cohort.trials[0].parameters.patch_size_px]
    try:
        members = _members(cohort, checkpoints, start or {})
        _repeat(members, schedule)
        _part(members, cohort)
        train, val = _fetch(refs.train), _fetch(refs.val)
        everyone = {name: member.state for name, member in members.items()}
        for told in _epochs(members, train, val, schedule, capture=capture):
            for name in [name for name, report in told.items() if isinstance(report, EpochReport)]:
                _save(everyone[name], checkpoints, name, keeps_earlier=len(cohort.trials) > 1)
            words = [_words(name, everyone[name], schedule, report) for name, report in told.items()]
            tune.report({"told": words})
            _part(members, cohort)
            if not members:
                break
    except StorageError as error:
        tune.report({"unwritable": f"{error} on {platform.node()}"})


def _members(cohort: Cohort, checkpoints: CheckpointStore, start: Start) -> dict[str, CohortTrial]:
    """Return everyone at the last epoch that all have come to, so that they go on as they would have."""
    members = {}
    with ExitStack() as stack:
        kept = {of.trial_id: stack.enter_context(checkpoints.kept(of.trial_id)) for of in cohort.trials}
        epochs = {name: [read_progress(file).epoch for file in files] for name, files in kept.items()}
        common = min(max(of_one, default=0) for of_one in epochs.values())
        for trial in cohort.trials:
            files, own = kept[trial.trial_id], epochs[trial.trial_id]
            state = fresh_state(trial.parameters, seed=trial.seed, device=_device())
            if common in own[1:]:
                checkpoints.go_back(trial.trial_id)
            if files:
                load_state(state, files[own.index(common) if common in own else 0])
            else:
                begin_from(state, trial.parameters, start)
            members[trial.trial_id] = CohortTrial(state, trial.parameters, trial.seed)
    return members


def _repeat(members: Mapping[str, CohortTrial], schedule: Schedule) -> None:
    """Tell everyone's last report again: the one who was to hear it may have died before it did."""
    begun = {name: member.state for name, member in members.items() if member.state.progress.report}
    if begun:
        tune.report({"told": [_words(name, state, schedule) for name, state in begun.items()]})


def _part(members: dict[str, CohortTrial], cohort: Cohort) -> None:
    """Take those out who have come to where the cohort comes apart."""
    if cohort.until_epoch is not None:
        for name in [n for n, m in members.items() if m.state.progress.epoch >= cohort.until_epoch]:
            del members[name]


def _epochs(
    members: dict[str, CohortTrial],
    train: PatchArrays,
    val: PatchArrays,
    schedule: Schedule,
    *,
    capture: bool,
) -> Iterator[Told]:
    """Yield everyone's reports after each epoch."""
    if len(members) != 1:
        yield from fit_cohort(members, train, val, schedule)
        return
    ((name, member),) = members.items()
    try:
        epochs = fit(member.state, member.parameters, train, val, schedule, seed=member.seed, capture=capture)
        for report in epochs:
            yield {name: report}
    except (TrainingDivergedError, OutOfDeviceMemoryError) as error:
        members.clear()
        yield {name: error}


def _words(
    trial_id: str, state: TrainingState, schedule: Schedule, report: EpochReport | Failure | None = None
) -> dict[str, Any]:
    """Return what is told of a trial: why it failed, or its last report, which its state holds.

    Whether it was the last one follows from the schedule: that may have grown since the report was made.
    """
    progress = state.progress
    if isinstance(report, Failure):
        return {"trial_id": trial_id, "failed": f"epoch {progress.epoch + 1}: {report}"}
    assert progress.report is not None, "an epoch has come to its end"
    return {
        "trial_id": trial_id,
        "epoch": progress.report.epoch,
        "last": is_over(state, schedule),
        "figures": progress.report.metrics(),
    }


def _save(state: TrainingState, checkpoints: CheckpointStore, trial_id: str, *, keeps_earlier: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / CHECKPOINT_FILE
        try:
            save_state(state, file)
        except OSError as error:
            raise StorageError(f"{folder}: cannot be written ({error.strerror or error})") from error
        checkpoints.save(trial_id, file, keeps_earlier=keeps_earlier)


def _fetch(reference: ray.ObjectRef) -> PatchArrays:
    arrays: PatchArrays = ray.get(reference)
    return arrays


def _device() -> torch.device:
    """Return the GPU that Ray gave to this trial, else the CPU."""
    given = bool(ray.get_runtime_context().get_accelerator_ids().get("GPU"))
    return torch.device("cuda" if given and torch.cuda.is_available() else "cpu")
