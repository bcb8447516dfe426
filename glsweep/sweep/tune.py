"""How Ray Tune drives the sweep: a searcher, a scheduler and the function that trains a cohort."""

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
from ray.tune import Stopper
from ray.tune.experiment import Trial
from ray.tune.schedulers import TrialScheduler
from ray.tune.search import Searcher

from glsweep.patches import PatchArrays
from glsweep.search.plan import NoProposal
from glsweep.sweep.checkpoints import CHECKPOINT_FILE, CheckpointStore, StorageError
from glsweep.sweep.journal import Decision, Journal
from glsweep.sweep.queue import Cohort, TrialQueue
from glsweep.training import EpochReport
from glsweep.training.cohort import CohortTrial, Failure, fit_cohort
from glsweep.training.fit import Schedule, TrainingDivergedError, fit, is_over
from glsweep.training.memory import OutOfDeviceMemoryError, keep_freed_memory
from glsweep.training.state import (
    Start,
    TrainingState,
    begin_from_weights,
    fresh_state,
    load_state,
    read_progress,
    save_state,
)


class HaltStopper(Stopper):
    """Stops every trial once the journal has halted; each goes on from its checkpoint next time."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Stop no trial on its own account."""
        return False

    def stop_all(self) -> bool:
        """Whether the whole sweep is to stop."""
        return self._journal.halted is not None


# --- The searcher


class QueueSearcher(Searcher):
    """Suggests which cohort trains next. Ray Tune sees each run of a cohort as a new trial.

    A trial that waits at a rung, or whose worker died, ends for Tune and is suggested again when it
    may go on, so that nothing depends on Tune's memory. At most `most_at_once` are handed out, so
    that a trial that may go on does not queue behind many others.
    """

    def __init__(self, queue: TrialQueue, journal: Journal, *, most_at_once: int | None) -> None:
        super().__init__()
        self._queue = queue
        self._journal = journal
        self._most_at_once = most_at_once
        self._handed_out: dict[str, Cohort] = {}

    def __getstate__(self) -> dict[str, object]:
        """Keep nothing in Ray Tune's snapshots, none of which is ever read."""
        return {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the next cohort, or None while the choice depends on running trials."""
        if self._journal.halted:
            return str(Searcher.FINISHED)
        if len(self._handed_out) == self._most_at_once:
            return None
        upcoming = self._queue.next()
        if upcoming is NoProposal.END:
            return str(Searcher.FINISHED)
        if upcoming is NoProposal.WAIT:
            return None
        for trial in upcoming.trials:
            self._journal.start(trial)
        self._handed_out[trial_id] = upcoming
        return {"cohort": upcoming.model_dump(mode="json")}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Give the trials back to the queue, which knows which of them are over."""
        cohort = self._handed_out.pop(trial_id, None)
        for trial in cohort.trials if cohort else ():
            self._queue.release(trial.trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing to keep: the ledger holds it."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to read: the ledger holds it."""


# --- The scheduler

LONGEST_REASON = 300


def planned_ids(trial: Trial) -> list[str]:
    """Return the plan's identifiers of the trials that train in one of Tune's."""
    return [planned["trial_id"] for planned in trial.config["cohort"]["trials"]]


def planned_place(trial: Trial) -> tuple[int, int]:
    """Return where one of Tune's trials stands in the order of the plan, as `Cohort.place`."""
    first = trial.config["cohort"]["trials"][0]
    return first["index"], first["replicate"]


class JournalScheduler(TrialScheduler):
    """Carries out the journal's decisions; when no trial of a cohort may go on, its place is freed."""

    # Each report must reach the journal before the trial goes on to another epoch.
    _supports_buffered_results = False

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self._journal = journal

    def __getstate__(self) -> dict[str, object]:
        """Keep nothing in Ray Tune's snapshots, none of which is ever read."""
        return {}

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        """Nothing to do: the searcher has told the journal."""

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        """Keep the last line of the traceback as the reason of the crash."""
        error = Path(trial.error_file).read_text() if trial.error_file else ""
        lines = [line.strip() for line in error.splitlines() if line.strip()] or ["the worker died"]
        for name in planned_ids(trial):
            self._journal.crash(name, lines[-1][:LONGEST_REASON])

    def on_trial_complete(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> None:
        """Nothing to do: the journal ended the trial when it decided to."""

    def on_trial_remove(self, tune_controller: Any, trial: Trial) -> None:
        """Nothing to do: the journal ended the trial when it decided to."""

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        """Pass the reports of a cohort to the journal, and return what it decides."""
        if "placed" in result:
            for name in planned_ids(trial):
                self._journal.place(name, result["placed"], result["device"])
            return str(TrialScheduler.CONTINUE)
        if "unwritable" in result:
            for name in planned_ids(trial):
                self._journal.note_storage_error(name, result["unwritable"])
            return str(TrialScheduler.STOP)
        with self._journal.in_one_go():
            decisions = [self._note_report(**message) for message in result["reports"]]
        return str(TrialScheduler.CONTINUE if Decision.CONTINUE in decisions else TrialScheduler.STOP)

    def _note_report(
        self,
        trial_id: str,
        epoch: int = 0,
        metrics: Mapping[str, float] | None = None,
        last: bool = False,
        failed: str | None = None,
    ) -> Decision:
        if failed is not None:
            self._journal.fail(trial_id, failed)
            return Decision.STOP
        return self._journal.report(trial_id, epoch, metrics or {}, last=last)

    def choose_trial_to_run(self, tune_controller: Any) -> Trial | None:
        """Return the pending trial that comes first in the plan: later ones may wait for it at a rung."""
        pending = (trial for trial in tune_controller.get_live_trials() if trial.status == Trial.PENDING)
        return min(pending, key=planned_place, default=None)

    def debug_string(self) -> str:
        """Return one line on how trials are judged."""
        return "Early stopping within each stratum, in the order of the plan"


# --- The trainable: one cohort, most often a single trial, trained, saved and reported epoch by epoch

CohortReports = Mapping[str, EpochReport | Failure]


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

    A trial without a checkpoint begins from random weights, or from those of `start` that it names.
    Processes are reused, so that nothing may be left behind.
    """
    # Two processes that each take all cores are many times slower than two that share them.
    torch.set_num_threads(cpus)
    keep_freed_memory()
    cohort = Cohort.model_validate(config["cohort"])
    tune.report({"placed": platform.node(), "device": _device().type})
    refs = patches[cohort.trials[0].parameters.patch_size_px]
    try:
        members = _load_members(cohort, checkpoints, start or {})
        _repeat_reports(members, schedule)
        _drop_finished(members, cohort)
        train, val = _fetch(refs.train), _fetch(refs.val)
        states = {name: member.state for name, member in members.items()}
        for reports in _epochs(members, train, val, schedule, capture=capture):
            for name in [name for name, report in reports.items() if isinstance(report, EpochReport)]:
                _save(states[name], checkpoints, name, keeps_earlier=len(cohort.trials) > 1)
            messages = [_message(name, states[name], schedule, report) for name, report in reports.items()]
            tune.report({"reports": messages})
            _drop_finished(members, cohort)
            if not members:
                break
    except StorageError as error:
        tune.report({"unwritable": f"{error} on {platform.node()}"})


def _load_members(cohort: Cohort, checkpoints: CheckpointStore, start: Start) -> dict[str, CohortTrial]:
    """Load each trial at the last epoch that all have reached, so that they continue together."""
    members = {}
    with ExitStack() as stack:
        kept = {t.trial_id: stack.enter_context(checkpoints.local_copies(t.trial_id)) for t in cohort.trials}
        epochs = {name: [read_progress(file).epoch for file in files] for name, files in kept.items()}
        common = min(max(saved, default=0) for saved in epochs.values())
        for trial in cohort.trials:
            files, own = kept[trial.trial_id], epochs[trial.trial_id]
            state = fresh_state(trial.parameters, seed=trial.seed, device=_device())
            if common in own[1:]:
                checkpoints.restore_earlier(trial.trial_id)
            if files:
                load_state(state, files[own.index(common) if common in own else 0])
            else:
                begin_from_weights(state, trial.parameters, start)
            members[trial.trial_id] = CohortTrial(state, trial.parameters, trial.seed)
    return members


def _repeat_reports(members: Mapping[str, CohortTrial], schedule: Schedule) -> None:
    """Send each trial's last report again: the process that was to receive it may have died."""
    begun = {name: member.state for name, member in members.items() if member.state.progress.report}
    if begun:
        tune.report({"reports": [_message(name, state, schedule) for name, state in begun.items()]})


def _drop_finished(members: dict[str, CohortTrial], cohort: Cohort) -> None:
    """Remove the trials that have reached the epoch at which the cohort is split up."""
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
) -> Iterator[CohortReports]:
    """Yield the reports of all trials after each epoch."""
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


def _message(
    trial_id: str, state: TrainingState, schedule: Schedule, report: EpochReport | Failure | None = None
) -> dict[str, Any]:
    """Return the message about a trial: why it failed, or its last report, which its state holds.

    Whether the epoch is the last follows from the schedule, which may have grown since the report.
    """
    progress = state.progress
    if isinstance(report, Failure):
        return {"trial_id": trial_id, "failed": f"epoch {progress.epoch + 1}: {report}"}
    assert progress.report is not None, "an epoch has ended"
    return {
        "trial_id": trial_id,
        "epoch": progress.report.epoch,
        "last": is_over(state, schedule),
        "metrics": progress.report.metrics(),
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
