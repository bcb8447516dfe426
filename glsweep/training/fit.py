"""The training loop: it yields a report each epoch and does not know who listens."""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial

import torch

from glsweep.config.space import Annealing, Figure
from glsweep.config.trial import TrialParameters
from glsweep.losses import GroundingLineLoss
from glsweep.patches.arrays import PatchArrays
from glsweep.randomness import seed_for
from glsweep.training.epoch import EpochResult, Task, TrainingDivergedError, run_epoch
from glsweep.training.memory import OutOfDeviceMemoryError, run_in_memory
from glsweep.training.patches_on_device import place, truth_of
from glsweep.training.report import EpochReport, is_better
from glsweep.training.state import TrainingState
from glsweep.training.step import CapturedStep

__all__ = ["OutOfDeviceMemoryError", "Schedule", "TrainingDivergedError", "fit"]


@dataclass(frozen=True)
class Schedule:
    """How long to train, and what to watch.

    `patience` None trains all epochs; else training ends after so many epochs without a better
    `monitor`. With `keep_best` the best epoch's weights are kept in the state. Annealed by `cosine`
    the learning rate falls from the trial's own to nearly 0 over the epochs (Loshchilov & Hutter
    2017, eq. 5, without restarts).
    """

    epochs: int
    tolerance_m: float
    monitor: Figure
    patience: int | None = None
    keep_best: bool = False
    annealing: Annealing = "none"


def fit(
    state: TrainingState,
    parameters: TrialParameters,
    train: PatchArrays,
    val: PatchArrays,
    schedule: Schedule,
    *,
    seed: int,
    capture: bool = False,
) -> Iterator[EpochReport]:
    """Train `state.network`, from wherever `state` is, and yield after each epoch.

    Every epoch draws its order and its augmentation from `seed` and its own number, so a run
    that was cut off and resumed does the same as an undisturbed one.

    When the device runs out of memory, the epoch is done again with half the micro-batch, and its
    report says so. Batches, their loss and their augmentation stay as they were; only batch
    normalisation then sees a micro-batch in place of a batch.

    With `capture` steps on a GPU are launched as CUDA graphs, see `CapturedStep`.

    Raises
    ------
    TrainingDivergedError
        When the loss of a batch is not finite.
    OutOfDeviceMemoryError
        When the device has no room for a single patch.
    """
    task = make_task(parameters, train, val, schedule, state.device)
    if capture:
        task = replace(task, step=CapturedStep())
    largest = min(parameters.batch_size, max(len(train), len(val)))
    while not is_over(state, schedule):
        start_s = time.perf_counter()
        anneal(state, parameters, schedule)
        run = partial(run_epoch, state, task, epoch_seed(state, seed))
        result = run_in_memory(state, parameters, largest, run)
        yield close_epoch(state, parameters, result, schedule, time.perf_counter() - start_s)


def anneal(state: TrainingState, parameters: TrialParameters, schedule: Schedule) -> None:
    """Set the learning rate of the epoch that comes next."""
    learning_rate = parameters.learning_rate
    if schedule.annealing == "cosine":
        learning_rate *= (1 + math.cos(math.pi * state.progress.epoch / schedule.epochs)) / 2
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate


def epoch_seed(state: TrainingState, seed: int) -> int:
    """Return what the draws of the next epoch of a trial with `seed` follow from."""
    return seed_for(seed, "epoch", state.progress.epoch + 1)


def close_epoch(
    state: TrainingState, parameters: TrialParameters, result: EpochResult, schedule: Schedule, epoch_s: float
) -> EpochReport:
    """Note an epoch that has come to its end in the state's progress, and return what is told of it."""
    progress = state.progress
    progress.epoch += 1
    report = _report(progress.epoch, result, epoch_s, progress.micro_batch or parameters.batch_size)
    _keep_best(state, report.figures()[schedule.monitor], schedule)
    report = replace(report, last=is_over(state, schedule))
    progress.report = asdict(report)
    return report


def make_task(
    parameters: TrialParameters,
    train: PatchArrays,
    val: PatchArrays,
    schedule: Schedule,
    device: torch.device,
) -> Task:
    """Place the patches on the device, and find what lies near the true lines of validation."""
    truth = truth_of(val, schedule.tolerance_m, device)
    return Task(parameters, loss_of(parameters), place(train, device), place(val, device), truth)


def loss_of(parameters: TrialParameters) -> GroundingLineLoss:
    """Return the loss that a trial's parameters ask for."""
    return GroundingLineLoss(
        fn_weight=parameters.fn_weight,
        fp_weight=parameters.fp_weight,
        gamma=parameters.gamma,
        bce_weight=parameters.bce_weight,
        ds_weights=parameters.ds_weights,
    )


def _report(epoch: int, result: EpochResult, epoch_s: float, micro_batch: int) -> EpochReport:
    counts = result.counts
    best = counts.best("relaxed_f1")
    return EpochReport(
        epoch=epoch,
        train_loss=result.train_loss,
        val_loss=result.val_loss,
        relaxed_f1=float(counts.relaxed_f1()[best]),
        relaxed_precision=float(counts.relaxed_precision()[best]),
        relaxed_recall=float(counts.relaxed_recall()[best]),
        tau=round(float(counts.thresholds[best]), 4),
        dice=float(counts.macro_dice().max()),
        epoch_s=epoch_s,
        micro_batch=micro_batch,
        precision_bits=result.precision_bits,
        last=False,
    )


def _keep_best(state: TrainingState, value: float, schedule: Schedule) -> None:
    if is_better(schedule.monitor, value, state.progress.best_value):
        state.progress.best_value, state.progress.best_epoch = value, state.progress.epoch
        if schedule.keep_best:
            weights = state.network.state_dict()
            # On the host, which has more memory than the device.
            state.best_weights = {name: t.to("cpu", copy=True) for name, t in weights.items()}


def is_over(state: TrainingState, schedule: Schedule) -> bool:
    """Whether a run ends here, by its budget or by patience."""
    progress = state.progress
    stale = progress.epoch - progress.best_epoch
    return progress.epoch >= schedule.epochs or (
        schedule.patience is not None and progress.epoch > 0 and stale >= schedule.patience
    )
