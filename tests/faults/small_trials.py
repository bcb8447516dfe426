"""Small trials that are really trained, and what is to be the same however often they are disturbed."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from glsweep.config.space import Budget, Resources
from glsweep.config.stopping import Asha, Stopping
from glsweep.config.trial import TrialParameters
from glsweep.patches import PatchArrays
from glsweep.search.plan import EarlierTrial, ListedPlan, Plan, PlannedTrial
from glsweep.sweep.engine import Job
from glsweep.sweep.journal import Decision, Journal
from glsweep.sweep.queue import Cohort, TrialQueue
from glsweep.sweep.records import Ledger, Reported, SweepRecords
from glsweep.sweep.tune import train_cohort
from glsweep.training import EpochReport
from glsweep.training.cohort import CohortTrial, fit_cohort
from glsweep.training.fit import Schedule, fit
from glsweep.training.state import fresh_state

SIZE_PX = 32
EPOCHS = 4
Splits = tuple[PatchArrays, PatchArrays]


def trial(index: int, **changes: object) -> PlannedTrial:
    values = {
        "architecture": "unet",
        "patch_size_px": SIZE_PX,
        "base_width": 8,
        "fn_weight": 0.7,
        "fp_weight": 0.3,
        "gamma": 1.33,
        "bce_weight": 0.2,
        "learning_rate": 1e-3,
        "weight_decay": 0.0,
        "batch_size": 4,
        "gradient_clip": 1.0,
        "channels": ("real", "imag"),
        "augmentation": ("dihedral",),
    }
    parameters = TrialParameters.model_validate({**values, **changes})
    return PlannedTrial(trial_id=f"{index:04d}", index=index, seed=index, parameters=parameters)


def patches(count: int = 32, seed: int = 0, size_px: int = SIZE_PX) -> PatchArrays:
    """Noise with one bright row a patch, which is the line."""
    generator = np.random.default_rng(seed)
    image = generator.normal(0, 1.0, (count, 2, size_px, size_px)).astype(np.float32)
    mask = np.zeros((count, size_px, size_px), np.uint8)
    for number, row in enumerate(generator.integers(4, size_px - 4, count)):
        image[number, :, row] += 1
        mask[number, row] = 1
    return PatchArrays(image, mask, posting_m=100.0, amplitude_scale=0.7)


ARRAYS: dict[int, Splits] = {SIZE_PX: (patches(), patches(8, seed=1))}


def job(
    folder: Path,
    trials: Sequence[PlannedTrial],
    *,
    trainable: Callable[..., None] = train_cohort,
    storage: Path | None = None,
    cpus: int = 1,
    cohort: int = 1,
) -> Job:
    return Job(
        plan=ListedPlan(trials),
        schedule=Schedule(EPOCHS, 200.0, "relaxed_f1"),
        stopping=Asha(grace_epochs=2, reduction_factor=2),
        resources=Resources(cpus=cpus, gpus=0, cohort=cohort),
        ledger_jsonl=folder / "ledger.jsonl",
        storage=str(storage or folder / "checkpoints"),
        trainable=trainable,
    )


def results(records: SweepRecords) -> dict[str, object]:
    """How each trial ended, and all its figures but the wall times."""
    return {
        name: (
            record.outcome,
            record.rung_epoch,
            {
                epoch: {key: value for key, value in figures.items() if key != "epoch_s"}
                for epoch, figures in sorted(record.epochs.items())
            },
        )
        for name, record in sorted(records.trials.items())
    }


class AtEpoch:
    """A listener that does something once, when a trial reports an epoch."""

    def __init__(self, trial_id: str, epoch: int, action: Callable[[], None]) -> None:
        self._when = trial_id, epoch
        self._action = action

    def catch_up(self, records: SweepRecords) -> None:
        """Nothing to learn."""

    def on_event(self, event: object, record: object) -> None:
        if isinstance(event, Reported) and (event.trial_id, event.epoch) == self._when:
            self._action()


TRIALS = [trial(index, learning_rate=rate) for index, rate in enumerate((1e-3, 1e-4, 3e-3))]


def undisturbed_results(folder: Path) -> dict[str, object]:
    """What becomes of `TRIALS` when nothing happens to them."""
    planned = job(folder, TRIALS)
    records = train_one_by_one(planned.plan, ARRAYS, planned.schedule, planned.stopping, planned.ledger_jsonl)
    return results(records)


def train_one_by_one(
    plan: Plan, arrays: Mapping[int, Splits], schedule: Schedule, stopping: Stopping, ledger_jsonl: Path
) -> SweepRecords:
    """Train a plan's trials here, one after another, without Ray: a slow twin of the engine."""
    journal = Journal(
        Ledger(ledger_jsonl), stopping=stopping, epochs=schedule.epochs, metric=schedule.monitor
    )
    for index in range(plan.size or 0):
        trial = plan.propose(index, lambda past: EarlierTrial(journal.records.firsts[past].trial, None, {}))
        assert isinstance(trial, PlannedTrial)
        journal.start(trial)
        train, val = arrays[trial.parameters.patch_size_px]
        state = fresh_state(trial.parameters, seed=trial.seed, device=torch.device("cpu"))
        for report in fit(state, trial.parameters, train, val, schedule, seed=trial.seed):
            decision = journal.report(trial.trial_id, report.epoch, report.metrics(), last=report.last)
            if decision is not Decision.CONTINUE:
                break
    return journal.records


def train_cohorts_one_by_one(
    plan: Plan,
    arrays: Mapping[int, Splits],
    schedule: Schedule,
    stopping: Stopping,
    ledger_jsonl: Path,
    cohorts: Mapping[str, int],
) -> SweepRecords:
    """Train a plan's cohorts here, one after another, without Ray and without checkpoints."""
    journal = Journal(
        Ledger(ledger_jsonl),
        stopping=stopping,
        epochs=schedule.epochs,
        metric=schedule.monitor,
    )
    journal.settle_cohorts(cohorts, groupable=cohorts)
    queue = TrialQueue(plan, journal, budget=Budget(), replicates=1, epochs=schedule.epochs)
    everyone: dict[str, CohortTrial] = {}
    while isinstance(cohort := queue.next(), Cohort):
        for trial in cohort.trials:
            state = fresh_state(trial.parameters, seed=trial.seed, device=torch.device("cpu"))
            everyone.setdefault(trial.trial_id, CohortTrial(state, trial.parameters, trial.seed))
        members = {trial.trial_id: everyone[trial.trial_id] for trial in cohort.trials}
        train, val = arrays[cohort.trials[0].parameters.patch_size_px]
        for told in fit_cohort(members, train, val, schedule):
            for name, report in told.items():
                assert isinstance(report, EpochReport)
                journal.report(name, report.epoch, report.metrics(), last=report.last)
                if report.epoch == cohort.until_epoch:
                    members.pop(name)
        for trial in cohort.trials:
            queue.release(trial.trial_id)
    return journal.records
