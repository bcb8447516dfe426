"""One epoch: training on every patch of one split, then validation on every patch of the other."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from glsweep.config.trial import TrialParameters
from glsweep.losses import GroundingLineLoss
from glsweep.metrics.thresholds import ThresholdCounts, Truth, count_at_thresholds
from glsweep.patches.augmentation import augment
from glsweep.randomness import generator_for, seed_for
from glsweep.training.gradients import count_parts
from glsweep.training.patches_on_device import DevicePatches
from glsweep.training.precision import bits, computing_in, resolve
from glsweep.training.state import TrainingState
from glsweep.training.step import Step, take_step

# A trial is ranked at its own best threshold, which for a young network may lie anywhere: that of one
# which is never sure of a line lies below .01, that of a saturated one above .99.
_NEAR_0 = torch.cat([torch.arange(1, 10) / 10_000, torch.arange(1, 10) / 1_000])
RANKING_THRESHOLDS = torch.cat([_NEAR_0, torch.linspace(0.01, 0.99, 99), 1 - _NEAR_0.flip(0)])


class TrainingDivergedError(Exception):
    """The loss is no longer a finite number."""


@dataclass(frozen=True)
class Task:
    """What every epoch of a run works with. `truth` is that of the validation patches.

    `step` is how a batch is trained on: `take_step`, or a `CapturedStep` of this run alone.
    """

    parameters: TrialParameters
    loss: GroundingLineLoss
    train: DevicePatches
    val: DevicePatches
    truth: Truth
    step: Step = take_step

    @property
    def dtype(self) -> torch.dtype:
        """What the network's layers compute in."""
        return resolve(self.parameters.precision, self.train.device)


class EpochResult(NamedTuple):
    """Mean losses over the splits, and the validation patches' counts at every ranking threshold.

    `precision_bits` are those of the numbers that the network's layers computed with.
    """

    train_loss: float
    val_loss: float
    counts: ThresholdCounts
    precision_bits: int = 32


def run_epoch(state: TrainingState, task: Task, seed: int, micro_batch: int) -> EpochResult:
    """Train for one epoch, whose draws follow from `seed`, and validate.

    At most `micro_batch` patches pass through the network at once; see `backward` for what that
    changes.

    Raises
    ------
    TrainingDivergedError
        When a loss is not finite.
    """
    train_loss = train(state, task, seed, micro_batch)
    val_loss, counts = validate(state.network, task, micro_batch)
    return EpochResult(train_loss, val_loss, counts, bits(task.dtype))


def train(state: TrainingState, task: Task, seed: int, micro_batch: int) -> float:
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


def batches(task: Task, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield input (B, C, S, S) and label (B, S, S) of every batch, whose draws follow from `seed`.

    They are drawn for the whole batch, so that micro-batches of any size see the same patches.
    """
    patches, parameters = task.train, task.parameters
    # Once to where the patches are: a device that must wait for each index falls behind.
    order = torch.from_numpy(generator_for(seed, "order").permutation(len(patches))).to(patches.image.device)
    generator = torch.Generator(device=patches.device).manual_seed(seed_for(seed, "augmentation"))
    for index in order.split(parameters.batch_size):
        image, label = augment(*patches.batch(index), parameters.augmentation, generator)
        yield patches.channels(image, parameters.channels), label


@torch.inference_mode()
def validate(network: torch.nn.Module, task: Task, micro_batch: int) -> tuple[float, ThresholdCounts]:
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
