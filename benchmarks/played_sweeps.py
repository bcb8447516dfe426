"""Plays a sweep through the real plan, queue and journal, as Ray Tune would, with curves that are known."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from invented_networks import figures

from glsweep.config.space import Search, SearchSpace
from glsweep.search.plan import Plan, PlannedTrial
from glsweep.sweep.journal import Decision, Journal
from glsweep.sweep.queue import Cohort, TrialQueue, planned_configurations
from glsweep.sweep.records import Event, Ledger, SweepRecords, TrialRecord

Curve = Callable[[PlannedTrial], Sequence[float]]


class UnwrittenLedger(Ledger):
    """Keeps nothing: no played sweep is ever resumed."""

    def append(self, event: Event) -> None:
        """Forget the event."""


@dataclass
class Played:
    """A sweep that is over; `completed` holds those that ran in full, with the epochs spent by then."""

    records: SweepRecords
    completed: list[tuple[int, TrialRecord]] = field(default_factory=list)


def play(plan: Plan, search: Search, curve: Curve, generator: np.random.Generator, *, places: int) -> Played:
    """Run a whole sweep in which chance decides who is fast; `places` trials train at once."""
    journal = Journal(
        UnwrittenLedger(Path("unwritten")),
        stopping=search.scheduler,
        epochs=search.epochs,
        metric=search.rank_by,
        planned=planned_configurations(plan),
    )
    queue = TrialQueue(
        plan, journal, budget=search.budget, replicates=search.replicates, epochs=search.epochs
    )
    played = Played(journal.records)
    curves: dict[str, Sequence[float]] = {}
    running: list[str] = []
    while not queue.is_over():
        while len(running) < places and isinstance(cohort := queue.next(), Cohort):
            (trial,) = cohort.trials
            if trial.trial_id not in curves:
                curves[trial.trial_id] = curve(trial)
            journal.start(trial)
            running.append(trial.trial_id)
        name = running.pop(int(generator.integers(len(running))))
        epoch = min(journal.records.trials[name].reached + 1, search.epochs)
        reported = figures(curves[name][epoch - 1])
        decision = journal.report(name, epoch, reported, last=epoch == search.epochs)
        if decision is Decision.CONTINUE:
            running.append(name)
        else:
            queue.release(name)
        if journal.records.trials[name].outcome == "completed":
            played.completed.append((journal.records.epochs, journal.records.trials[name]))
    return played


def altered(space: SearchSpace, **search: Any) -> SearchSpace:
    """Return the same space with other search settings."""
    value = space.model_dump(mode="json")
    value["search"].update(search)
    return SearchSpace.model_validate(value)
