"""Trials that train in one process as one network, and stay single trials."""

import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from glsweep.config.trial import TrialParameters
from glsweep.metrics.counts import ThresholdCounts
from glsweep.metrics.thresholds import count_at_thresholds
from glsweep.nets.grouped import group, ungroup
from glsweep.patches import PatchArrays
from glsweep.training import EpochReport
from glsweep.training.fit import (
    RANKING_THRESHOLDS,
    EpochResult,
    EpochTask,
    Schedule,
    TrainingDivergedError,
    anneal,
    batches,
    close_epoch,
    epoch_seed,
    is_over,
    loss_of,
    make_task,
    run_epoch,
)
from glsweep.training.memory import OutOfDeviceMemoryError, is_out_of_memory, run_in_memory
from glsweep.training.state import Adam, TrainingState
from glsweep.training.step import bits, computing_in


class CohortOptimizer:
    """Clips and steps for each network of a cohort on its own, as its trial's own optimiser does.

    What an optimiser does to a weight depends on no other weight. So a network's parameters can be
    one long row, and a step costs a few operations in place of some for every parameter.

    Parameters
    ----------
    grouped : nn.Module
        What `glsweep.nets.grouped.group` made of the states' networks.
    states : sequence of TrainingState
        Their optimisers are left as they are until `write_back`.
    gradient_clips : sequence of float
        Largest norm of each network's gradient.
    """

    def __init__(
        self, grouped: nn.Module, states: Sequence[TrainingState], gradient_clips: Sequence[float]
    ) -> None:
        names = [name for name, _ in states[0].network.named_parameters()]
        self._parameters = [grouped.get_parameter(name) for name in names]
        self._states, self._clips = states, gradient_clips
        self._weights = self._rows([parameter.detach() for parameter in self._parameters])
        self._optimizers = [
            _on_one_row(state.optimizer, nn.Parameter(row))
            for state, row in zip(states, self._weights, strict=True)
        ]

    def step(self) -> None:
        """Take a step along the gradients that the grouped network has."""
        gradients = self._rows([_gradient(parameter) for parameter in self._parameters])
        for optimizer, gradient, clip in zip(self._optimizers, gradients, self._clips, strict=True):
            (row,) = optimizer.param_groups[0]["params"]
            row.grad = gradient
            torch.nn.utils.clip_grad_norm_(row, clip)
            optimizer.step()
        sizes = [parameter.numel() // len(self._states) for parameter in self._parameters]
        for parameter, columns in zip(self._parameters, self._weights.split(sizes, dim=1), strict=True):
            each = parameter.detach().unflatten(0, (len(self._states), -1))
            each.copy_(columns.unflatten(1, each.shape[1:]))

    def write_back(self) -> None:
        """Set the states' own optimisers to where these are."""
        for state, optimizer in zip(self._states, self._optimizers, strict=True):
            (row,) = optimizer.state.values()
            _write(row, state)

    def _rows(self, tensors: Sequence[Tensor]) -> Tensor:
        """Return a row for each network with what `tensors`, joined as the parameters are, hold of it."""
        return torch.cat([tensor.reshape(len(self._states), -1) for tensor in tensors], dim=1)


def _gradient(parameter: nn.Parameter) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _on_one_row(optimizer: Adam, row: nn.Parameter) -> Adam:
    """Return a copy of `optimizer`, settings and state, for its parameters in one row."""
    (settings,) = optimizer.param_groups
    copy = Adam([{**settings, "params": [row]}])
    states = [optimizer.state.get(parameter, {}) for parameter in settings["params"]]
    for name in states[0]:
        of_each: list[Tensor] = [state[name] for state in states]
        counts_steps = of_each[0].ndim == 0
        copy.state[row][name] = (
            of_each[0].clone() if counts_steps else torch.cat([t.flatten() for t in of_each])
        )
    return copy


def _write(row: dict[str, Tensor], state: TrainingState) -> None:
    parameters = list(state.network.parameters())
    sizes = [parameter.numel() for parameter in parameters]
    for name, values in row.items():
        pieces = [values] * len(sizes) if values.ndim == 0 else values.split(sizes)
        for parameter, piece in zip(parameters, pieces, strict=True):
            of_one = (
                piece.clone()
                if piece.ndim == 0
                else torch.empty_like(parameter).copy_(piece.view(parameter.shape))
            )
            state.optimizer.state[parameter][name] = of_one


# --- One epoch of several trials at once


class SomeDivergedError(Exception):
    """The losses of some trials are no longer finite numbers; `places` are theirs in the cohort."""

    def __init__(self, losses: Tensor) -> None:
        self.places = (~losses.isfinite()).nonzero().flatten().tolist()
        super().__init__(f"the losses of the networks {self.places} are not finite")


def run_cohort_epoch(
    states: Sequence[TrainingState], tasks: Sequence[EpochTask], seeds: Sequence[int]
) -> list[EpochResult]:
    """Do for every state what `run_epoch` does for one, with all networks grouped into a single one.

    Nothing is changed unless the epoch comes to its end.

    Parameters
    ----------
    states : sequence of TrainingState
        Of one architecture, width and number of channels, on one device.
    tasks : sequence of EpochTask
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
    network: nn.Module, optimizer: CohortOptimizer, tasks: Sequence[EpochTask], seeds: Sequence[int]
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


def _heads(network: nn.Module, inputs: Tensor, task: EpochTask) -> tuple[Tensor, ...]:
    with computing_in(task.dtype, inputs.device):
        heads: tuple[Tensor, ...] = network(inputs)
    return heads


def _losses(tasks: Sequence[EpochTask], heads: tuple[Tensor, ...], labels: Sequence[Tensor]) -> Tensor:
    """Return the loss of each network, (K,), from heads (N, K, S, S) and K labels (N, S, S)."""
    own_heads = zip(*(head.split(1, dim=1) for head in heads), strict=True)
    return torch.stack(
        [task.loss(own, label) for task, own, label in zip(tasks, own_heads, labels, strict=True)]
    )


@torch.inference_mode()
def _validate(network: nn.Module, tasks: Sequence[EpochTask]) -> tuple[list[float], list[ThresholdCounts]]:
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


# --- The training loop of a cohort

Failure = TrainingDivergedError | OutOfDeviceMemoryError


@dataclass(frozen=True)
class CohortTrial:
    """A trial of a cohort; see `fit` for what it is made of."""

    state: TrainingState
    parameters: TrialParameters
    seed: int


def cohort_key(parameters: TrialParameters) -> tuple[object, ...]:
    """Return what the trials of a cohort must have in common."""
    return (
        parameters.stratum,
        parameters.base_width,
        parameters.dropout,
        tuple(parameters.own_of(parameters.architecture).items()),
        parameters.channels,
        parameters.batch_size,
        parameters.precision,
        parameters.train_scenes,
        (parameters.label, parameters.label_width_m, parameters.label_smoothing),
    )


def fit_cohort(
    trials: MutableMapping[str, CohortTrial], train: PatchArrays, val: PatchArrays, schedule: Schedule
) -> Iterator[dict[str, EpochReport | Failure]]:
    """Train all trials, each from wherever its state is, and yield everyone's reports after each epoch.

    Each trial becomes what `fit` makes of it alone, but for the order in which numbers are added up.
    After an epoch its state is that of a single trial: it may be saved, and go on in `fit` or in
    another cohort.

    A trial that fails does so alone, and is reported with its reason; the others do the epoch again
    without it. Where memory runs out the cohort is split in two.

    Parameters
    ----------
    trials : mutable mapping of str to CohortTrial
        By the trials' identifiers, all with one `cohort_key` and on one device. The caller may take
        trials out, or put others in, between two epochs. Those that failed, and those that are
        over, are taken out here.
    train, val : PatchArrays
        As for `fit`.
    schedule : Schedule
        That of every trial.

    Yields
    ------
    dict of str to EpochReport or Failure
        By the trials' identifiers, in the trials' order. A report's `epoch_s` is the trial's share
        of the time that the cohort took.

    Raises
    ------
    ValueError
        When the trials do not have one key.
    """
    epochs: _Epochs | None = None
    while _keep_those_under_way(trials, schedule):
        if epochs is None:
            first = next(iter(trials.values()))
            epochs = _Epochs(make_task(first.parameters, train, val, schedule, first.state.device))
        start_s = time.perf_counter()
        present = dict(trials)
        for trial in present.values():
            anneal(trial.state, trial.parameters, schedule)
        results = epochs.run(present)
        share_s = (time.perf_counter() - start_s) / len(present)
        reports = {name: _close(present[name], result, schedule, share_s) for name, result in results.items()}
        for name in [name for name, report in reports.items() if isinstance(report, Failure)]:
            del trials[name]
        yield reports


class _Epochs:
    """Epochs of all trials, in as few groups as there is memory for."""

    def __init__(self, task: EpochTask) -> None:
        self._task = task
        self._largest: int | None = None

    def run(self, trials: Mapping[str, CohortTrial]) -> dict[str, EpochResult | Failure]:
        """Return what an epoch brought to each trial, in their order."""
        results: dict[str, EpochResult | Failure] = {}
        waiting = self._parts(trials)
        while waiting:
            part = waiting.pop()
            if len(part) == 1:
                results[part[0]] = self._alone(trials[part[0]])
                continue
            try:
                found = self._together([trials[name] for name in part])
            except SomeDivergedError as error:
                # Each of them alone: a kernel may have let NaN into its neighbours.
                suspects = [part[place] for place in error.places]
                sound = [name for name in part if name not in suspects]
                waiting += [[name] for name in suspects] + [sound] * bool(sound)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._largest = (len(part) + 1) // 2
                waiting += [part[: self._largest], part[self._largest :]]
            else:
                results |= zip(part, found, strict=True)
        return {name: results[name] for name in trials}

    def _parts(self, trials: Mapping[str, CohortTrial]) -> list[list[str]]:
        """Return which trials train together. One for which memory ran out when it was alone stays alone."""
        alone = [[name] for name, trial in trials.items() if trial.state.progress.micro_batch]
        others = [name for name, trial in trials.items() if not trial.state.progress.micro_batch]
        largest = self._largest or max(1, len(others))
        return alone + [others[start : start + largest] for start in range(0, len(others), largest)]

    def _together(self, trials: list[CohortTrial]) -> list[EpochResult]:
        return run_cohort_epoch(
            [trial.state for trial in trials],
            [self._task_of(trial) for trial in trials],
            [epoch_seed(trial.state, trial.seed) for trial in trials],
        )

    def _alone(self, trial: CohortTrial) -> EpochResult | Failure:
        task = self._task_of(trial)
        largest = min(trial.parameters.batch_size, max(len(task.train), len(task.val)))
        epoch = partial(run_epoch, trial.state, task, epoch_seed(trial.state, trial.seed))
        try:
            return run_in_memory(trial.state, trial.parameters, largest, epoch)
        except (TrainingDivergedError, OutOfDeviceMemoryError) as error:
            # Its frames would hold the batch's tensors.
            error.__traceback__ = None
            return error

    def _task_of(self, trial: CohortTrial) -> EpochTask:
        if cohort_key(trial.parameters) != cohort_key(self._task.parameters):
            raise ValueError(
                f"{cohort_key(trial.parameters)} cannot train with {cohort_key(self._task.parameters)}"
            )
        return replace(self._task, parameters=trial.parameters, loss=loss_of(trial.parameters))


def _keep_those_under_way(trials: MutableMapping[str, CohortTrial], schedule: Schedule) -> bool:
    for name in [name for name, trial in trials.items() if is_over(trial.state, schedule)]:
        del trials[name]
    return bool(trials)


def _close(
    trial: CohortTrial, result: EpochResult | Failure, schedule: Schedule, epoch_s: float
) -> EpochReport | Failure:
    """Note an epoch in the trial's progress, and return its report."""
    if isinstance(result, Failure):
        return result
    return close_epoch(trial.state, trial.parameters, result, schedule, epoch_s)
