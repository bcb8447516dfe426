"""The journal: the one place where a sweep's events happen, are written down and are passed on."""

import time
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Protocol

from glsweep.config.space import Asha, Figure, NoStopping
from glsweep.spaces.plan import PlannedTrial
from glsweep.sweep.events import Ended, Event, Reported, Started
from glsweep.sweep.ledger import Ledger
from glsweep.sweep.records import SweepRecords, TrialRecord
from glsweep.sweep.rungs import judge, rung_epochs


class Decision(Enum):
    """What a trial is to do next."""

    CONTINUE = "continue"
    WAIT = "wait"
    STOP = "stop"


class Listener(Protocol):
    """Someone who is told of every event after it has been written down."""

    def catch_up(self, records: SweepRecords) -> None:
        """Learn what happened before this process began."""

    def hear(self, event: Event, record: TrialRecord) -> None:
        """Learn of one event."""


class Journal:
    """Applies a sweep's rules to what trials report. It knows nothing of Ray."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        stopping: Asha | NoStopping,
        epochs: int,
        figure: Figure,
        listeners: Sequence[Listener] = (),
    ) -> None:
        self.records = SweepRecords()
        self._ledger = ledger
        self._stopping = stopping
        self._rungs = rung_epochs(stopping, epochs)
        self._figure = figure
        self._listeners = listeners
        for event in ledger.replay():
            self.records.apply(event)
        for listener in listeners:
            listener.catch_up(self.records)

    def __getstate__(self) -> dict[str, object]:
        """Keep nothing in Ray Tune's snapshots: the ledger holds it all, and no snapshot is ever read."""
        return {}

    def has_ended(self, trial_id: str) -> bool:
        """Whether the trial is over and need not run again."""
        record = self.records.trials.get(trial_id)
        return record is not None and record.outcome is not None

    def start(self, trial: PlannedTrial) -> None:
        """Note that a trial was handed out."""
        self._happen(Started(unix_s=time.time(), trial=trial))

    def report(self, trial_id: str, epoch: int, figures: Mapping[str, float], *, last: bool) -> Decision:
        """Note an epoch's figures, once, and decide how the trial goes on."""
        if epoch not in self.records.trials[trial_id].epochs:
            figures = dict(figures)
            self._happen(
                Reported(unix_s=time.time(), trial_id=trial_id, epoch=epoch, figures=figures, last=last)
            )
        return self.decide(trial_id)

    def decide(self, trial_id: str) -> Decision:
        """Judge a trial at every rung that it has reached and was not judged at."""
        record = self.records.trials[trial_id]
        reached = max(record.epochs, default=0)
        for rung_epoch in self._rungs:
            if record.outcome is not None or rung_epoch > reached:
                break
            if rung_epoch in record.judged:
                continue
            if not self._pass(record, rung_epoch):
                return Decision.WAIT
        if record.outcome is None and record.is_last:
            self._happen(Ended(unix_s=time.time(), trial_id=trial_id, outcome="completed"))
        return Decision.CONTINUE if record.outcome is None else Decision.STOP

    def fail(self, trial_id: str, reason: str) -> None:
        """Note that a trial failed, unless it is over already."""
        if not self.has_ended(trial_id):
            self._happen(Ended(unix_s=time.time(), trial_id=trial_id, outcome="failed", reason=reason))

    def _pass(self, record: TrialRecord, rung_epoch: int) -> bool:
        """Judge a trial at one rung; False when that has to wait."""
        assert isinstance(self._stopping, Asha)
        judged = judge(
            record,
            self.records.strata[record.trial.stratum.key],
            rung_epoch,
            figure=self._figure,
            reduction_factor=self._stopping.reduction_factor,
        )
        if judged is None:
            return False
        self._happen(judged)
        if judged.rank > judged.kept:
            trial_id = record.trial.trial_id
            self._happen(
                Ended(unix_s=judged.unix_s, trial_id=trial_id, outcome="stopped", rung_epoch=rung_epoch)
            )
        return True

    def _happen(self, event: Event) -> None:
        self._ledger.append(event)
        record = self.records.apply(event)
        for listener in self._listeners:
            listener.hear(event, record)
