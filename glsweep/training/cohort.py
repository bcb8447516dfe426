"""The training loop of a cohort: trials that train in one process as one network, and stay single trials."""

import time
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, replace
from functools import partial

from glsweep.config.trial import TrialParameters
from glsweep.patches.arrays import PatchArrays
from glsweep.training.cohort_epoch import SomeDivergedError, run_cohort_epoch
from glsweep.training.epoch import EpochResult, Task, TrainingDivergedError, run_epoch
from glsweep.training.fit import Schedule, anneal, close_epoch, epoch_seed, is_over, loss_of, make_task
from glsweep.training.memory import OutOfDeviceMemoryError, is_out_of_memory, run_in_memory
from glsweep.training.report import EpochReport
from glsweep.training.state import TrainingState

Failure = TrainingDivergedError | OutOfDeviceMemoryError


@dataclass(frozen=True)
class Member:
    """A trial of a cohort; see `fit` for what it is made of."""

    state: TrainingState
    parameters: TrialParameters
    seed: int


def kind(parameters: TrialParameters) -> tuple[object, ...]:
    """Return what the trials of a cohort must have in common."""
    of = parameters
    return of.stratum, of.base_width, of.channels, of.batch_size, of.precision


def fit_cohort(
    members: MutableMapping[str, Member], train: PatchArrays, val: PatchArrays, schedule: Schedule
) -> Iterator[dict[str, EpochReport | Failure]]:
    """Train all members, each from wherever its state is, and yield everyone's reports after each epoch.

    What becomes of a member is what `fit` makes of it alone, but for the order in which numbers are
    added up. After an epoch its state is that of a single trial: it may be saved, and go on in `fit`
    or in another cohort.

    A member that fails does so alone, and is told with its reason: the epoch is done again without
    it. Where memory runs out the cohort is parted in two.

    Parameters
    ----------
    members : mutable mapping of str to Member
        By the trials' identifiers, all of one `kind` and on one device. Whoever listens may take
        members out, or put others in, between two epochs. Those that failed, and those that are
        over, are taken out here.
    train, val : PatchArrays
        As for `fit`.
    schedule : Schedule
        That of every member.

    Yields
    ------
    dict of str to EpochReport or Failure
        By the trials' identifiers, in the members' order. A report's `epoch_s` is the member's share
        of the time that the cohort took.

    Raises
    ------
    ValueError
        When the members are not of one kind.
    """
    epochs: _Epochs | None = None
    while _keep_those_under_way(members, schedule):
        if epochs is None:
            first = next(iter(members.values()))
            epochs = _Epochs(make_task(first.parameters, train, val, schedule, first.state.device))
        start_s = time.perf_counter()
        present = dict(members)
        for member in present.values():
            anneal(member.state, member.parameters, schedule)
        results = epochs.run(present)
        share_s = (time.perf_counter() - start_s) / len(present)
        told = {name: _close(present[name], result, schedule, share_s) for name, result in results.items()}
        for name in [name for name, report in told.items() if isinstance(report, Failure)]:
            del members[name]
        yield told


class _Epochs:
    """Epochs of all members, in as few groups as there is memory for."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._most: int | None = None

    def run(self, members: Mapping[str, Member]) -> dict[str, EpochResult | Failure]:
        """Return what an epoch brought to each member, in their order."""
        results: dict[str, EpochResult | Failure] = {}
        waiting = self._parts(members)
        while waiting:
            part = waiting.pop()
            if len(part) == 1:
                results[part[0]] = self._alone(members[part[0]])
                continue
            try:
                found = self._together([members[name] for name in part])
            except SomeDivergedError as error:
                # Each of them alone: a kernel may have let what is no number into its neighbours.
                suspects = [part[place] for place in error.places]
                sound = [name for name in part if name not in suspects]
                waiting += [[name] for name in suspects] + [sound] * bool(sound)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                self._most = (len(part) + 1) // 2
                waiting += [part[: self._most], part[self._most :]]
            else:
                results |= zip(part, found, strict=True)
        return {name: results[name] for name in members}

    def _parts(self, members: Mapping[str, Member]) -> list[list[str]]:
        """Return who trains with whom. One for which memory ran out when it was alone stays alone."""
        alone = [[name] for name, member in members.items() if member.state.progress.micro_batch]
        others = [name for name, member in members.items() if not member.state.progress.micro_batch]
        most = self._most or max(1, len(others))
        return alone + [others[start : start + most] for start in range(0, len(others), most)]

    def _together(self, members: list[Member]) -> list[EpochResult]:
        return run_cohort_epoch(
            [member.state for member in members],
            [self._task_of(member) for member in members],
            [epoch_seed(member.state, member.seed) for member in members],
        )

    def _alone(self, member: Member) -> EpochResult | Failure:
        task = self._task_of(member)
        largest = min(member.parameters.batch_size, max(len(task.train), len(task.val)))
        epoch = partial(run_epoch, member.state, task, epoch_seed(member.state, member.seed))
        try:
            return run_in_memory(member.state, member.parameters, largest, epoch)
        except (TrainingDivergedError, OutOfDeviceMemoryError) as error:
            # Its frames would hold the batch's tensors.
            error.__traceback__ = None
            return error

    def _task_of(self, member: Member) -> Task:
        if kind(member.parameters) != kind(self._task.parameters):
            raise ValueError(f"{kind(member.parameters)} cannot train with {kind(self._task.parameters)}")
        return replace(self._task, parameters=member.parameters, loss=loss_of(member.parameters))


def _keep_those_under_way(members: MutableMapping[str, Member], schedule: Schedule) -> bool:
    for name in [name for name, member in members.items() if is_over(member.state, schedule)]:
        del members[name]
    return bool(members)


def _close(
    member: Member, result: EpochResult | Failure, schedule: Schedule, epoch_s: float
) -> EpochReport | Failure:
    """Note an epoch in the member's progress, and return what is told of it."""
    if isinstance(result, Failure):
        return result
    return close_epoch(member.state, member.parameters, result, schedule, epoch_s)
