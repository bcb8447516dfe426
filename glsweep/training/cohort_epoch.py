"""One epoch of several trials at once, each with its own batches, loss, clipping and optimiser."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from glsweep.metrics.thresholds import ThresholdCounts, count_at_thresholds
from glsweep.nets.cohort import group, ungroup
from glsweep.training.cohort_optimizer import CohortOptimizer
from glsweep.training.epoch import RANKING_THRESHOLDS, EpochResult, Task, batches
from glsweep.training.precision import bits, computing_in
from glsweep.training.state import TrainingState


class SomeDivergedError(Exception):
    """The losses of some trials are no longer finite numbers; `places` are theirs in the cohort."""

    def __init__(self, losses: Tensor) -> None:
        self.places = (~losses.isfinite()).nonzero().flatten().tolist()
        super().__init__(f"the losses of the networks {self.places} are not finite")


def run_cohort_epoch(
    states: Sequence[TrainingState], tasks: Sequence[Task], seeds: Sequence[int]
) -> list[EpochResult]:
    """Do for every state what `run_epoch` does for one, with all networks grouped into a single one.

    Nothing is changed unless the epoch comes to its end.

    Parameters
    ----------
    states : sequence of TrainingState
        Of one architecture, width and number of channels, on one device.
    tasks : sequence of Task
        Each state's; patches, batch size and precision are the same.
    seeds : sequence of int
        Decide each state's draws.

    Raises
    ------
    SomeDivergedError
        When the loss of a network is not finite.
    """
    network = group([state.network for state in states])
    optimizer = CohortOptimizer(network, states, [task.parameters.gradient_clip for task in tasks])
    train_losses = _train(network, optimizer, tasks, seeds)
    val_losses, counts = _validate(network, tasks)
    ungroup(network, [state.network for state in states])
    optimizer.write_back()
    precision_bits = bits(tasks[0].dtype)
    return [EpochResult(*each, precision_bits) for each in zip(train_losses, val_losses, counts, strict=True)]


def _train(
    network: nn.Module, optimizer: CohortOptimizer, tasks: Sequence[Task], seeds: Sequence[int]
) -> list[float]:
    network.train()
    total = torch.zeros(len(tasks), device=tasks[0].train.device)
    each = [batches(task, seed) for task, seed in zip(tasks, seeds, strict=True)]
    for of_each in zip(*each, strict=True):
        inputs, labels = zip(*of_each, strict=True)
        network.zero_grad(set_to_none=True)
        losses = _losses(tasks, _heads(network, torch.cat(inputs, dim=1), tasks[0]), labels)
        # The gradient of the sum is each loss's own, since no weight has a part in two of them.
        losses.sum().backward()
        optimizer.step()
        total += losses.detach() * len(inputs[0])
    if not bool(total.isfinite().all()):
        raise SomeDivergedError(total)
    return (total / len(tasks[0].train)).tolist()


def _heads(network: nn.Module, inputs: Tensor, task: Task) -> tuple[Tensor, ...]:
    with computing_in(task.dtype, inputs.device):
        heads: tuple[Tensor, ...] = network(inputs)
    return heads


def _losses(tasks: Sequence[Task], heads: tuple[Tensor, ...], labels: Sequence[Tensor]) -> Tensor:
    """Return the loss of each network, (K,), from heads (N, K, S, S) and K labels (N, S, S)."""
    own_heads = zip(*(head.split(1, dim=1) for head in heads), strict=True)
    return torch.stack(
        [task.loss(own, label) for task, own, label in zip(tasks, own_heads, labels, strict=True)]
    )


@torch.inference_mode()
def _validate(network: nn.Module, tasks: Sequence[Task]) -> tuple[list[float], list[ThresholdCounts]]:
    """Return every network's mean loss and counts, as `validate` does for one."""
    network.eval()
    task, count = tasks[0], len(tasks)
    patches = task.val
    total = torch.zeros(count, device=patches.device)
    counts: list[list[ThresholdCounts]] = [[] for _ in tasks]
    for index in torch.arange(len(patches)).split(task.parameters.batch_size):
        image, label = patches.batch(index)
        inputs = patches.channels(image, task.parameters.channels)
        heads = _heads(network, inputs.repeat(1, count, 1, 1), task)
        losses = _losses(tasks, heads, [label] * count)
        if not bool(losses.isfinite().all()):
            raise SomeDivergedError(losses)
        probability = heads[-1].transpose(0, 1).flatten(0, 1).float().sigmoid()
        of_all = count_at_thresholds(probability, task.truth.select(index.repeat(count)), RANKING_THRESHOLDS)
        for place, of_one in enumerate(counts):
            of_one.append(of_all.select(slice(place * len(index), (place + 1) * len(index))))
        total += losses * len(index)
    return (total / len(patches)).tolist(), [ThresholdCounts.concatenate(of_one) for of_one in counts]
