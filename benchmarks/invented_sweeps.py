"""Plays a sweep of invented networks through the real plan, queue and journal, as Ray Tune would."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from invented_networks import World, curve_of, figures

from glsweep.config.space import Search, SearchSpace
from glsweep.randomness import generator_for
from glsweep.search import make_plan
from glsweep.search.plan import Plan
from glsweep.sweep.journal import Decision, Journal
from glsweep.sweep.queue import Cohort, TrialQueue
from glsweep.sweep.records import Event, Ledger, SweepRecords, TrialRecord


class UnwrittenLedger(Ledger):
    """Keeps nothing: no invented sweep is ever resumed."""

    def append(self, event: Event) -> None:
        """Forget the event."""


@dataclass
class Played:
    """A sweep that is over; `completed` holds those that ran in full, with the epochs spent by then."""

    records: SweepRecords
    completed: list[tuple[int, TrialRecord]] = field(default_factory=list)


def play(
    plan: Plan, search: Search, world: World, generator: np.random.Generator, *, places: int = 8
) -> Played:
    """Run a whole sweep in which chance decides who is fast; `places` trials train at once."""
    journal = Journal(
        UnwrittenLedger(Path("unwritten")),
        stopping=search.scheduler,
        epochs=search.epochs,
        metric=search.rank_by,
    )
    queue = TrialQueue(
        plan, journal, budget=search.budget, replicates=search.replicates, epochs=search.epochs
    )
    played = Played(journal.records)
    curves: dict[str, list[float]] = {}
    running: list[str] = []
    while not queue.is_over():
        while len(running) < places and isinstance(cohort := queue.next(), Cohort):
            (trial,) = cohort.trials
            curves.setdefault(trial.trial_id, curve_of(trial, world, search.epochs))
            journal.start(trial)
            running.append(trial.trial_id)
        name = running.pop(int(generator.integers(len(running))))
        epoch = min(journal.records.trials[name].reached + 1, search.epochs)
        decision = journal.report(name, epoch, figures(curves[name][epoch - 1]), last=epoch == search.epochs)
        if decision is Decision.CONTINUE:
            running.append(name)
        else:
            queue.release(name)
        if journal.records.trials[name].outcome == "completed":
            played.completed.append((journal.records.epochs, journal.records.trials[name]))
    return played


def sweep(space: SearchSpace, path: Path, world: World, number: int) -> Played:
    """Play the sweep of a space, with the world's number for a seed."""
    plan = make_plan(space, seed=number, source=path)
    return play(plan, space.search, world, generator_for(number, "arrival"), places=24)


def altered(space: SearchSpace, **search: Any) -> SearchSpace:
    """Return the same space with other search settings."""
    value = space.model_dump(mode="json")
    value["search"].update(search)
    return SearchSpace.model_validate(value)
