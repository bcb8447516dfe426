"""The journal: applies a sweep's rules, writes every event to the ledger and passes it on."""

import math
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Protocol

from glsweep.config.space import Metric
from glsweep.config.stopping import Stopping
from glsweep.errors import ResourceError
from glsweep.search.plan import PlannedTrial
from glsweep.sweep.records import (
    Began,
    Crashed,
    Ended,
    Event,
    Ledger,
    Placed,
    Reopened,
    Reported,
    Started,
    SweepRecords,
    TrialEvent,
    TrialRecord,
)
from glsweep.sweep.rungs import Rung, rung_epochs

# A worker that dies or cannot write is tried again from its checkpoint, until it has failed this often
# without finishing an epoch.
CRASHES_IN_A_ROW = 3
REMEDY = "make room or mend the folder, then give the same command: it continues"


class Decision(Enum):
    """What a trial is to do next."""

    CONTINUE = "continue"
    WAIT = "wait"
    STOP = "stop"


class Listener(Protocol):
    """Whatever is notified of each event after it has been written to the ledger."""

    def catch_up(self, records: SweepRecords) -> None:
        """Take in what happened before this process began."""

    def on_event(self, event: TrialEvent, record: TrialRecord) -> None:
        """Take in one event, and the record that it changed."""


class Journal:
    """Applies a sweep's rules to what trials report. It knows nothing of Ray.

    Trials that ran in full when `epochs` was smaller go on, unless trials `may_end_early` by themselves.
    `planned` says how many configurations the plan has for each stratum, by its key, where that is known.

    `halted` says why the whole sweep cannot go on, such as a full disk, and what to do; nothing is lost.
    `cohorts` says how many trials of a stratum, by its key, train together: it is settled when a sweep
    begins, and stays.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        stopping: Stopping,
        epochs: int,
        metric: Metric,
        planned: Mapping[str, int] | None = None,
        listeners: Sequence[Listener] = (),
        may_end_early: bool = False,
    ) -> None:
        self.records = SweepRecords()
        self.halted: str | None = None
        self.metric = metric
        self._ledger = ledger
        self._has_begun = False
        self._storage_errors: Counter[str] = Counter()
        self._listeners = listeners
        self._untold: list[tuple[TrialEvent, TrialRecord]] | None = None
        self._stopping = stopping
        self._planned = planned or {}
        self.epochs, self.rung_epochs = epochs, rung_epochs(stopping, epochs)
        self._rungs: dict[str, list[Rung]] = {}
        for event in ledger.replay():
            self.records.apply(event)
        self.cohorts = self.records.cohorts
        for listener in listeners:
            listener.catch_up(self.records)
        if not may_end_early:
            self._reopen()
        for key in self.records.strata:
            self._judge(key)

    def __getstate__(self) -> dict[str, object]:
        """Keep nothing in Ray Tune's snapshots: the ledger holds it all, and no snapshot is ever read."""
        return {}

    def settle_cohorts(self, sizes: Mapping[str, int], *, groupable: Collection[str]) -> None:
        """Set how many trials of a stratum train together, for strata without a trial that has begun.

        For other strata the size stays as it was, as long as they are `groupable`.
        """
        begun = {key: size for key, size in self.cohorts.items() if key in groupable}
        new = {key: size for key, size in sizes.items() if key not in self.records.strata}
        self.cohorts = {**begun, **new}

    def has_ended(self, trial_id: str) -> bool:
        """Whether the trial is over and need not run again."""
        record = self.records.trials.get(trial_id)
        return record is not None and record.outcome is not None

    def start(self, trial: PlannedTrial) -> None:
        """Note that a trial was handed out."""
        self._happen(Started(unix_s=time.time(), trial=trial))

    def place(self, trial_id: str, node: str, device: str = "cpu") -> None:
        """Note where a trial trains."""
        self._happen(Placed(unix_s=time.time(), trial_id=trial_id, node=node, device=device))

    @contextmanager
    def in_one_go(self) -> Iterator[None]:
        """Write what happens in this block all at once at its end, and tell the listeners only then.

        What trials report that train together is noted whole or not at all: one that is not noted trains
        that epoch again, and must do so with all the others.
        """
        if self._untold is not None:
            yield
            return
        self._untold = []
        try:
            with self._halting_if_unwritable(), self._ledger.in_one_go():
                yield
        finally:
            untold, self._untold = self._untold, None
        for event, record in untold:
            self._tell(event, record)

    def report(self, trial_id: str, epoch: int, metrics: Mapping[str, float], *, last: bool) -> Decision:
        """Note an epoch's metrics, once, and decide how the trial goes on.

        A metric that is not finite fails the trial: it must not be promoted by a comparison that
        NaN never loses.
        """
        if self.has_ended(trial_id):
            return Decision.STOP
        not_finite = [f"{name} is {value}" for name, value in metrics.items() if not math.isfinite(value)]
        if not_finite:
            self.fail(trial_id, f"epoch {epoch}: {not_finite[0]}")
            return Decision.STOP
        if epoch not in self.records.trials[trial_id].epochs:
            self._storage_errors.pop(trial_id, None)
            self._happen(
                Reported(unix_s=time.time(), trial_id=trial_id, epoch=epoch, figures=dict(metrics), last=last)
            )
        return self.decide(trial_id)

    def decide(self, trial_id: str) -> Decision:
        """Decide how a trial goes on: it waits if it has reached a rung and its turn has not come."""
        record = self.records.trials[trial_id]
        if self.awaited_rung(trial_id) is not None:
            self._judge(record.trial.stratum.key)
            if self.awaited_rung(trial_id) is not None:
                return Decision.WAIT
        if record.outcome is None and record.is_last:
            self._end(Ended(unix_s=time.time(), trial_id=trial_id, outcome="completed"))
        return Decision.CONTINUE if record.outcome is None else Decision.STOP

    def awaited_rung(self, trial_id: str) -> int | None:
        """Return the epoch of the rung at which a trial is to be judged next; None if it reached no such."""
        record = self.records.trials[trial_id]
        if record.outcome is not None or record.trial.replicate:
            return None
        unjudged = (r for r in self.rung_epochs if r <= record.reached and r not in record.judged)
        return next(unjudged, None)

    def crash(self, trial_id: str, reason: str) -> None:
        """Note that a trial's worker died. The trial fails when this keeps happening."""
        if self.has_ended(trial_id):
            return
        self._happen(Crashed(unix_s=time.time(), trial_id=trial_id, reason=reason))
        if self.records.trials[trial_id].crashes >= CRASHES_IN_A_ROW:
            self.fail(trial_id, reason)

    def note_storage_error(self, trial_id: str, reason: str) -> None:
        """Note that a trial could not use the checkpoint store. The sweep halts if this keeps happening.

        It is not the fault of the trial, which never fails because of it.
        """
        self._storage_errors[trial_id] += 1
        if self._storage_errors[trial_id] >= CRASHES_IN_A_ROW:
            self.halted = f"{reason}; {REMEDY}"

    def fail(self, trial_id: str, reason: str) -> None:
        """Note that a trial failed, unless it is over already."""
        if not self.has_ended(trial_id):
            self._end(Ended(unix_s=time.time(), trial_id=trial_id, outcome="failed", reason=reason))

    def _reopen(self) -> None:
        completed = [r for r in self.records.trials.values() if r.outcome == "completed"]
        for record in completed:
            if record.reached < self.epochs:
                self._happen(Reopened(unix_s=time.time(), trial_id=record.trial.trial_id))

    def _judge(self, key: str) -> None:
        """Judge every trial of a stratum whose turn has come, at the lowest rung first.

        Thousands may have waited for one: what becomes of them is written in one go.
        """
        if key not in self._rungs:
            planned = self._planned.get(key)
            self._rungs[key] = [
                Rung(epoch, self._stopping, self.metric, planned) for epoch in self.rung_epochs
            ]
        self._happen_in_one_go(self._judgements(key))

    def _judgements(self, key: str) -> Iterator[TrialEvent]:
        for rung in self._rungs[key]:
            for judged in rung.advance(self.records.strata[key]):
                if rung.epoch not in self.records.trials[judged.trial_id].judged:
                    yield judged
                if not judged.goes_on:
                    yield Ended(
                        unix_s=time.time(),
                        trial_id=judged.trial_id,
                        outcome="stopped",
                        rung_epoch=rung.epoch,
                    )

    def _end(self, event: Ended) -> None:
        """End a trial, and judge those that were waiting for it."""
        self._happen(event)
        trial = self.records.trials[event.trial_id].trial
        if not trial.replicate:
            self._judge(trial.stratum.key)

    def _happen(self, event: TrialEvent) -> None:
        self._tell(event, self._write(event))

    def _happen_in_one_go(self, events: Iterator[TrialEvent]) -> None:
        """Let events happen one after another, the next depending on those before, but write all at once."""
        with self.in_one_go():
            for event in events:
                self._happen(event)

    def _tell(self, event: TrialEvent, record: TrialRecord) -> None:
        if self._untold is not None:
            self._untold.append((event, record))
            return
        for listener in self._listeners:
            listener.on_event(event, record)

    def _write(self, event: TrialEvent) -> TrialRecord:
        if not self._has_begun:
            self._has_begun = True
            self._append(Began(unix_s=event.unix_s, cohorts=self.cohorts))
        record = self._append(event)
        assert record is not None
        return record

    def _append(self, event: Event) -> TrialRecord | None:
        with self._halting_if_unwritable():
            self._ledger.append(event)
        return self.records.apply(event)

    @contextmanager
    def _halting_if_unwritable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.halted = f"{self._ledger.path}: cannot be written ({error.strerror or error}); {REMEDY}"
            raise ResourceError(self.halted) from error
