"""The training loop, which yields a report after each epoch."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import NamedTuple

import torch
from torch import Tensor

from glsweep.config.space import Annealing, Metric
from glsweep.config.trial import BUILT_IN_LOSS, PARAMETERS_OF_BUILT_IN_LOSS, TrialParameters
from glsweep.losses import FunctionLoss, GroundingLineLoss, HeadsLoss
from glsweep.metrics.counts import ThresholdCounts
from glsweep.metrics.thresholds import Truth, count_at_thresholds
from glsweep.patches import PatchArrays
from glsweep.patches.augmentation import Augmentation, augment, build_augmentations
from glsweep.randomness import generator_for, seed_for
from glsweep.registry import LOSSES
from glsweep.training import EpochReport, is_better
from glsweep.training.memory import DevicePatches, place, run_in_memory, truth_of
from glsweep.training.state import TrainingState
from glsweep.training.step import CapturedStep, Step, bits, computing_in, count_parts, dtype_of, take_step
from glsweep.training.zoned_loss import ZonedLoss

# A trial is ranked at its own best threshold, which for a young network may lie anywhere: below .01 for
# one that is never sure of a line, above .99 for a saturated one.
_NEAR_0 = torch.cat([torch.arange(1, 10) / 10_000, torch.arange(1, 10) / 1_000])
RANKING_THRESHOLDS = torch.cat([_NEAR_0, torch.linspace(0.01, 0.99, 99), 1 - _NEAR_0.flip(0)])


class TrainingDivergedError(Exception):
    """The loss is no longer a finite number."""


@dataclass(frozen=True)
class EpochTask:
    """What every epoch of a run needs. `truth` is that of the validation patches.

    `step` is how a batch is trained on: `take_step`, or a `CapturedStep` of this run alone.
    """

    parameters: TrialParameters
    loss: HeadsLoss
    train: DevicePatches
    val: DevicePatches
    truth: Truth
    step: Step = take_step

    @cached_property
    def changes(self) -> tuple[Augmentation, ...]:
        """What is done to every batch of training."""
        names = self.parameters.augmentation
        return build_augmentations(names, {name: self.parameters.own_of(name) for name in names})

    @property
    def dtype(self) -> torch.dtype:
        """What the network's layers compute in."""
        return dtype_of(self.parameters.precision, self.train.device)


class EpochResult(NamedTuple):
    """Mean losses over the splits, and the validation patches' counts at every ranking threshold.

    `precision_bits` are those of the numbers that the network's layers computed with.
    """

    train_loss: float
    val_loss: float
    counts: ThresholdCounts
    precision_bits: int = 32


def run_epoch(state: TrainingState, task: EpochTask, seed: int, micro_batch: int) -> EpochResult:
    """Train for one epoch, whose draws follow from `seed`, and validate.

    At most `micro_batch` patches pass through the network at once; see `backward` for what that
    changes.

    Raises
    ------
    TrainingDivergedError
        When a loss is not finite.
    """
    with _drawing_from(seed_for(seed, "layers"), task.train.device):
        train_loss = train(state, task, seed, micro_batch)
    val_loss, counts = validate(state.network, task, micro_batch)
    return EpochResult(train_loss, val_loss, counts, bits(task.dtype))


@contextmanager
def _drawing_from(seed: int, device: torch.device) -> Iterator[None]:
    """Let layers that draw, such as the dropout of an own network, draw from `seed` within this block.

    Layers take no generator. An epoch that is trained again, after a crash, then draws the same.
    """
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def train(state: TrainingState, task: EpochTask, seed: int, micro_batch: int) -> float:
    """Train on every patch once, in an order that follows from `seed`, and return the mean loss.

    Raises
    ------
    TrainingDivergedError
        When the loss is not finite.
    """
    state.network.train()
    total = torch.zeros((), device=task.train.device)
    for inputs, label in batches(task, seed):
        total += task.step(state, task, inputs, label, micro_batch) * len(inputs)
    train_loss = float(total) / len(task.train)
    if not math.isfinite(train_loss):
        raise TrainingDivergedError(
            f"the training loss became {train_loss} at learning rate {task.parameters.learning_rate}"
        )
    return train_loss


def batches(task: EpochTask, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield input (B, C, S, S) and label (B, S, S) of every batch, whose draws follow from `seed`.

    They are drawn for the whole batch, so that micro-batches of any size see the same patches.
    """
    patches, parameters = task.train, task.parameters
    # Once to where the patches are: a device that must wait for each index falls behind.
    order = torch.from_numpy(generator_for(seed, "order").permutation(len(patches))).to(patches.image.device)
    generator = torch.Generator(device=patches.device).manual_seed(seed_for(seed, "augmentation"))
    for index in order.split(parameters.batch_size):
        image, label = augment(*patches.batch(index), task.changes, generator)
        yield patches.channels(image, parameters.channels), label


@torch.inference_mode()
def validate(network: torch.nn.Module, task: EpochTask, micro_batch: int) -> tuple[float, ThresholdCounts]:
    """Return the batches' mean loss, weighed by their size, and the counts, in one pass.

    Neither depends on `micro_batch`.

    Raises
    ------
    TrainingDivergedError
        When the loss is not finite.
    """
    network.eval()
    patches, dtype = task.val, task.dtype
    total, counts = torch.zeros((), device=patches.device), []
    for index in torch.arange(len(patches)).split(task.parameters.batch_size):
        sums = torch.zeros((), device=patches.device)
        for part in index.tensor_split(count_parts(len(index), micro_batch)):
            image, label = patches.batch(part)
            inputs = patches.channels(image, task.parameters.channels)
            with computing_in(dtype, patches.device):
                outputs: tuple[Tensor, ...] = network(inputs)
            sums = sums + task.loss.sums(outputs, label)
            batch_loss = task.loss.from_sums(sums)
            if not bool(batch_loss.isfinite()):
                raise TrainingDivergedError(f"the validation loss became {float(batch_loss)}")
            probability = outputs[-1].squeeze(1).float().sigmoid()
            counts.append(count_at_thresholds(probability, task.truth.select(part), RANKING_THRESHOLDS))
        total += batch_loss * len(index)
    return float(total) / len(patches), ThresholdCounts.concatenate(counts)


# --- The training loop


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
    monitor: Metric
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


def judge(
    state: TrainingState, parameters: TrialParameters, val: PatchArrays, schedule: Schedule
) -> EpochReport:
    """Return the report of a network as it is, without training: that of epoch 0."""
    task = make_task(parameters, val, val, schedule, state.device)
    val_loss, counts = validate(state.network, task, parameters.batch_size)
    return _report(0, EpochResult(math.nan, val_loss, counts), 0.0, parameters.batch_size)


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
    """Note an epoch that has come to its end in the state's progress, and return its report."""
    progress = state.progress
    progress.epoch += 1
    report = _report(progress.epoch, result, epoch_s, progress.micro_batch or parameters.batch_size)
    _keep_best(state, report.metrics()[schedule.monitor], schedule)
    report = replace(report, last=is_over(state, schedule))
    progress.report = report
    return report


def make_task(
    parameters: TrialParameters,
    train: PatchArrays,
    val: PatchArrays,
    schedule: Schedule,
    device: torch.device,
) -> EpochTask:
    """Place the patches on the device, and find what lies near the true lines of validation."""
    truth = truth_of(val, schedule.tolerance_m, device)
    seen = place(train, device, scenes=parameters.train_scenes, trial=parameters)
    return EpochTask(parameters, loss_of(parameters), seen, place(val, device, trial=parameters), truth)


def loss_of(parameters: TrialParameters) -> HeadsLoss:
    """Return the loss that a trial's parameters name."""
    line_loss = _line_loss(parameters)
    return line_loss if parameters.zone_weight is None else ZonedLoss(line_loss, parameters.zone_weight)


def _line_loss(parameters: TrialParameters) -> HeadsLoss:
    name, ds_weights = parameters.loss, parameters.ds_weights
    if name != BUILT_IN_LOSS:
        return FunctionLoss(LOSSES.bind(name, parameters.own_of(name)), ds_weights=ds_weights)
    settings = {key: float(getattr(parameters, key)) for key in PARAMETERS_OF_BUILT_IN_LOSS}
    return GroundingLineLoss(**settings, ds_weights=ds_weights)


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
