"""The training loop: it yields a report each epoch and does not know who listens."""

import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import torch
from torch import Tensor

from glsweep.config.space import Figure
from glsweep.config.trial import TrialParameters
from glsweep.losses import GroundingLineLoss
from glsweep.metrics.thresholds import ThresholdCounts, Truth, count_at_thresholds, truth_within
from glsweep.patches.arrays import PatchArrays
from glsweep.patches.augmentation import augment
from glsweep.randomness import generator_for, seed_for
from glsweep.training.patches_on_device import DevicePatches, place
from glsweep.training.report import EpochReport, is_better
from glsweep.training.state import TrainingState

# A trial is ranked at its own best threshold, which for a young network may lie anywhere.
RANKING_THRESHOLDS = torch.linspace(0.01, 0.99, 99)


class TrainingDivergedError(Exception):
    """The loss is no longer a finite number."""


@dataclass(frozen=True)
class Schedule:
    """How long to train, and what to watch.

    `patience` None trains all epochs; else training ends after so many epochs without a better
    `monitor`. With `keep_best` the best epoch's weights are kept in the state.
    """

    epochs: int
    tolerance_m: float
    monitor: Figure
    patience: int | None = None
    keep_best: bool = False


def fit(
    state: TrainingState,
    parameters: TrialParameters,
    train: PatchArrays,
    val: PatchArrays,
    schedule: Schedule,
    *,
    seed: int,
) -> Iterator[EpochReport]:
    """Train `state.network`, from wherever `state` is, and yield after each epoch.

    Every epoch draws its order and its augmentation from `seed` and its own number, so a run
    that was cut off and resumed does the same as an undisturbed one.

    Raises
    ------
    TrainingDivergedError
        When the loss of a batch is not finite.
    """
    device = next(state.network.parameters()).device
    loss = GroundingLineLoss(
        fn_weight=parameters.fn_weight,
        fp_weight=parameters.fp_weight,
        gamma=parameters.gamma,
        bce_weight=parameters.bce_weight,
        ds_weights=parameters.ds_weights,
    )
    on_device, val_on_device = place(train, device), place(val, device)
    truth = truth_within(val.mask, schedule.tolerance_m, val.posting_m, device=device)
    while not _is_over(state, schedule):
        start_s = time.perf_counter()
        epoch = state.progress.epoch + 1
        train_loss = _train_epoch(state, loss, on_device, parameters, seed=seed_for(seed, "epoch", epoch))
        val_loss, counts = validate(state.network, loss, val_on_device, truth, parameters)
        state.progress.epoch = epoch
        report = _report(epoch, train_loss, val_loss, counts, time.perf_counter() - start_s)
        _keep_best(state, report.figures()[schedule.monitor], schedule)
        report = replace(report, last=_is_over(state, schedule))
        state.progress.report = asdict(report)
        yield report


def _train_epoch(
    state: TrainingState,
    loss: GroundingLineLoss,
    patches: DevicePatches,
    parameters: TrialParameters,
    *,
    seed: int,
) -> float:
    state.network.train()
    order = torch.from_numpy(generator_for(seed, "order").permutation(len(patches)))
    generator = torch.Generator(device=patches.device).manual_seed(seed_for(seed, "augmentation"))
    total = torch.zeros((), device=patches.device)
    for index in order.split(parameters.batch_size):
        image, mask = patches.batch(index)
        image, mask = augment(image, mask, parameters.augmentation, generator)
        batch_loss = loss(state.network(patches.channels(image, parameters.channels)), mask)
        state.optimizer.zero_grad(set_to_none=True)
        batch_loss.backward()
        torch.nn.utils.clip_grad_norm_(state.network.parameters(), parameters.gradient_clip)
        state.optimizer.step()
        total += batch_loss.detach() * len(index)
    train_loss = float(total) / len(patches)
    if not math.isfinite(train_loss):
        raise TrainingDivergedError(
            f"the training loss became {train_loss} at learning rate {parameters.learning_rate}"
        )
    return train_loss


@torch.inference_mode()
def validate(
    network: torch.nn.Module,
    loss: GroundingLineLoss,
    patches: DevicePatches,
    truth: Truth,
    parameters: TrialParameters,
) -> tuple[float, ThresholdCounts]:
    """Return the mean loss and the counts at every ranking threshold, in one pass.

    Raises
    ------
    TrainingDivergedError
        When the loss is not finite.
    """
    network.eval()
    thresholds = RANKING_THRESHOLDS.to(patches.device)
    total, counts = torch.zeros((), device=patches.device), []
    for index in torch.arange(len(patches)).split(parameters.batch_size):
        image, mask = patches.batch(index)
        outputs: tuple[Tensor, ...] = network(patches.channels(image, parameters.channels))
        batch_loss = loss(outputs, mask)
        if not bool(batch_loss.isfinite()):
            raise TrainingDivergedError(f"the validation loss became {float(batch_loss)}")
        total += batch_loss * len(index)
        probability = outputs[-1].squeeze(1).float().sigmoid()
        counts.append(count_at_thresholds(probability, truth.select(index), thresholds))
    return float(total) / len(patches), ThresholdCounts.concatenate(counts)


def _report(
    epoch: int, train_loss: float, val_loss: float, counts: ThresholdCounts, epoch_s: float
) -> EpochReport:
    best = counts.best("relaxed_f1")
    return EpochReport(
        epoch=epoch,
        train_loss=train_loss,
        val_loss=val_loss,
        relaxed_f1=float(counts.relaxed_f1()[best]),
        relaxed_precision=float(counts.relaxed_precision()[best]),
        relaxed_recall=float(counts.relaxed_recall()[best]),
        tau=round(float(counts.thresholds[best]), 4),
        dice=float(counts.macro_dice().max()),
        epoch_s=epoch_s,
        last=False,
    )


def _keep_best(state: TrainingState, value: float, schedule: Schedule) -> None:
    if is_better(schedule.monitor, value, state.progress.best_value):
        state.progress.best_value, state.progress.best_epoch = value, state.progress.epoch
        if schedule.keep_best:
            weights = state.network.state_dict()
            state.best_weights = {name: tensor.clone() for name, tensor in weights.items()}


def _is_over(state: TrainingState, schedule: Schedule) -> bool:
    progress = state.progress
    stale = progress.epoch - progress.best_epoch
    return progress.epoch >= schedule.epochs or (
        schedule.patience is not None and progress.epoch > 0 and stale >= schedule.patience
    )
