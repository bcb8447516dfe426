"""Sweeps without networks: planned trials whose figures are known beforehand."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from glsweep.config.space import Asha, NoStopping
from glsweep.config.trial import TrialParameters
from glsweep.spaces.plan import PlannedTrial
from glsweep.sweep.journal import Decision, Journal, Listener
from glsweep.sweep.ledger import Ledger
from glsweep.sweep.records import SweepRecords

Curves = Mapping[str, Sequence[float]]


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
    stopping: Asha | NoStopping | None = None,
    listeners: Sequence[Listener] = (),
) -> Journal:
    """A journal that ranks by relaxed F1."""
    stopping = stopping or Asha(grace_epochs=1, reduction_factor=3)
    return Journal(Ledger(path), stopping=stopping, epochs=epochs, figure="relaxed_f1", listeners=listeners)


def figures(value: float) -> dict[str, float]:
    """An epoch's figures of which only the one that ranks matters."""
    return {"relaxed_f1": value, "dice": value, "val_loss": 1 - value, "epoch_s": 1.0}


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

    `places` trials train at once; a trial that waits frees its place. After `steps` epochs the
    sweep is cut off in the middle.
    """
    waiting = [trial for trial in trials if not journal.has_ended(trial.trial_id)]
    running: list[str] = []
    paused: list[str] = []
    done = {name: len(record.epochs) for name, record in journal.records.trials.items()}
    while (waiting or running or paused) and steps != 0:
        decisions = {name: journal.decide(name) for name in paused}
        paused = [name for name in paused if decisions[name] is Decision.WAIT]
        running += [name for name, decision in decisions.items() if decision is Decision.CONTINUE]
        while waiting and len(running) < places:
            trial = waiting.pop(0)
            journal.start(trial)
            running.append(trial.trial_id)
        if not running:
            assert len(paused) < len(decisions), "all wait, and for nobody"
            continue
        name = running.pop(int(generator.integers(len(running))))
        # A trial that was cut off repeats its last report before it trains on.
        epoch = max(done.get(name, 0), 1) if name in done else 1
        value, last = curves[name][epoch - 1], epoch == len(curves[name])
        decision = journal.report(name, epoch, figures(value), last=last)
        done[name] = epoch + 1
        if decision is Decision.CONTINUE:
            running.append(name)
        elif decision is Decision.WAIT:
            paused.append(name)
        steps = None if steps is None else steps - 1
    return journal.records


def outcomes(records: SweepRecords) -> dict[str, tuple[str | None, int | None, int]]:
    """How each trial ended: outcome, rung, and epochs trained."""
    return {
        name: (record.outcome, record.rung_epoch, len(record.epochs))
        for name, record in sorted(records.trials.items())
    }
