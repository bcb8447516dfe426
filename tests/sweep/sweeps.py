"""Sweeps without networks: planned trials whose figures are known beforehand."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from glsweep.config.space import Budget, Metric
from glsweep.config.stopping import Asha, Stopping
from glsweep.config.trial import TrialParameters
from glsweep.search.plan import ListedPlan, NoProposal, PlannedTrial
from glsweep.sweep.journal import Decision, Journal, Listener
from glsweep.sweep.queue import Cohort, TrialQueue, planned_configurations
from glsweep.sweep.records import Event, Ledger, SweepRecords

Curves = Mapping[str, Sequence[float]]

# In memory, where it costs nothing to write a ledger through to the disk.
SCRATCH = "/dev/shm" if Path("/dev/shm").is_dir() else None


class QuickLedger(Ledger):
    """Writes without waiting for the disk: nothing here cuts the power."""

    def append(self, event: Event) -> None:
        with self.path.open("ab") as file:
            file.write(event.model_dump_json().encode() + b"\n")


def planned(index: int, architecture: str = "unet", patch_size_px: int = 128) -> PlannedTrial:
    """A trial of which only index and stratum matter."""
    parameters = TrialParameters(
        architecture=architecture,
        patch_size_px=patch_size_px,
        fn_weight=0.7,
        fp_weight=0.3,
        gamma=1.33,
        bce_weight=0.2,
        learning_rate=1e-3,
        weight_decay=0.0,
        batch_size=2,
        gradient_clip=1.0,
        channels=("real", "imag"),
        augmentation=(),
    )
    return PlannedTrial(trial_id=f"{index:04d}", index=index, seed=index, parameters=parameters)


def journal_at(
    path: Path,
    *,
    epochs: int,
    stopping: Stopping | None = None,
    listeners: Sequence[Listener] = (),
    metric: Metric = "relaxed_f1",
    trials: Sequence[PlannedTrial] = (),
) -> Journal:
    """A journal that ranks by `metric`; `trials` are all that the plan has, for rules that must know them."""
    return Journal(
        Ledger(path),
        stopping=stopping or Asha(grace_epochs=1, reduction_factor=3),
        epochs=epochs,
        metric=metric,
        planned=planned_configurations(ListedPlan(trials)),
        listeners=listeners,
    )


def figures(value: float) -> dict[str, float]:
    """An epoch's figures of which only the one that ranks matters."""
    return {"relaxed_f1": value, "dice": value, "val_loss": 1 - value, "epoch_s": 1.0}


def queue_of(journal: Journal, trials: Sequence[PlannedTrial], epochs: int) -> TrialQueue:
    """The queue of a plan that holds just these trials."""
    return TrialQueue(ListedPlan(trials), journal, budget=Budget(), replicates=1, epochs=epochs)


def run(
    journal: Journal,
    trials: Sequence[PlannedTrial],
    curves: Curves,
    generator: np.random.Generator,
    *,
    places: int = 3,
    steps: int | None = None,
) -> SweepRecords:
    """Play a sweep in which chance decides who is fast, as Ray Tune would run it.

    `places` trials train at once; a trial that waits gives up its place. One that was cut off goes
    on from a checkpoint that may hold an epoch more than the ledger, or may be lost. After `steps`
    epochs the sweep is cut off in the middle.
    """
    queue = queue_of(journal, trials, max(map(len, curves.values())))
    saved = {
        name: min(int(generator.choice([0, record.reached, record.reached + 1])), len(curves[name]))
        for name, record in journal.records.trials.items()
    }
    running: list[str] = []
    while steps != 0:
        while len(running) < places and isinstance(upcoming := queue.next(), Cohort):
            (trial,) = upcoming.trials
            journal.start(trial)
            running.append(trial.trial_id)
        if not running:
            assert queue.next() is NoProposal.END, "all wait, and for nobody"
            break
        name = running.pop(int(generator.integers(len(running))))
        # A trial that was cut off repeats the report of its checkpoint before it trains on.
        epoch = max(saved.get(name, 0), 1)
        value, last = curves[name][epoch - 1], epoch == len(curves[name])
        saved[name] = min(epoch + 1, len(curves[name]))
        if journal.report(name, epoch, figures(value), last=last) is Decision.CONTINUE:
            running.append(name)
        else:
            queue.release(name)
        steps = None if steps is None else steps - 1
    return journal.records


def outcomes(records: SweepRecords) -> dict[str, tuple[str | None, int | None, int]]:
    """How each trial ended: outcome, rung, and epochs trained."""
    return {
        name: (record.outcome, record.rung_epoch, len(record.epochs))
        for name, record in sorted(records.trials.items())
    }
