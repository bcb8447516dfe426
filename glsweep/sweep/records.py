"""What is known of each trial, folded from the events."""

import bisect
from dataclasses import dataclass, field
from pathlib import Path

from glsweep.config.space import Figure
from glsweep.config.trial import Outcome
from glsweep.spaces.plan import PlannedTrial
from glsweep.sweep.events import Began, Crashed, Ended, Event, Judged, Placed, Reopened, Reported, Started
from glsweep.sweep.ledger import Ledger
from glsweep.training.report import HIGHER_IS_BETTER, is_better


@dataclass
class TrialRecord:
    """One trial so far. `epochs` maps an epoch, from 1, to its figures; `reached` is the last one.

    `node` is where it trains, None while it does not, and `device` on what it did so last; `crashes`
    counts those since its last epoch, or since the sweep was last begun.
    """

    trial: PlannedTrial
    started_unix_s: float
    epochs: dict[int, dict[str, float]] = field(default_factory=dict)
    reached: int = 0
    trained_s: float = 0.0
    is_last: bool = False
    judged: dict[int, Judged] = field(default_factory=dict)
    node: str | None = None
    device: str = "cpu"
    crashes: int = 0
    crashes_in_all: int = 0
    outcome: Outcome | None = None
    rung_epoch: int | None = None
    reason: str = ""
    reported_unix_s: dict[int, float] = field(default_factory=dict)
    ended_unix_s: float | None = None
    bests: dict[Figure, tuple[int, float]] = field(default_factory=dict)

    def best(self, figure: Figure, *, until_epoch: int | None = None) -> tuple[int, float] | None:
        """Return the epoch and the value of the best `figure` so far, or None before the first report."""
        if until_epoch is None:
            return self.bests.get(figure)
        found: tuple[int, float] | None = None
        for epoch, figures in self.epochs.items():
            if epoch <= until_epoch and is_better(figure, figures[figure], found[1] if found else None):
                found = epoch, figures[figure]
        return found

    def report(self, event: Reported) -> None:
        """Take an epoch's figures in."""
        self.epochs[event.epoch] = event.figures
        self.reported_unix_s[event.epoch] = event.unix_s
        self.reached = max(self.reached, event.epoch)
        self.trained_s += event.figures["epoch_s"]
        self.is_last = event.last
        self.crashes = 0
        for figure in HIGHER_IS_BETTER:
            best = self.bests.get(figure)
            if is_better(figure, event.figures[figure], best[1] if best else None):
                self.bests[figure] = event.epoch, event.figures[figure]

    def end(self, event: Ended) -> None:
        """Note how the trial ended."""
        self.outcome, self.rung_epoch, self.reason = event.outcome, event.rung_epoch, event.reason
        self.ended_unix_s, self.node = event.unix_s, None

    def reopen(self) -> None:
        """Let a trial that had run in full go on."""
        self.outcome, self.is_last, self.ended_unix_s = None, False, None


@dataclass
class SweepRecords:
    """All trials that were started.

    `firsts` holds the first seed of each configuration by its index, `strata` the same in the
    order of their index, `replicates` the other seeds by configuration. `ran_s` is how long the
    sweep has run, over all the times that it was begun, and `trained_s` the time of all epochs
    together; `begun_trained_s` was that when it was last begun. `unended` are the trials that are not
    over. `cohorts` is as in `Began`.
    """

    trials: dict[str, TrialRecord] = field(default_factory=dict)
    firsts: dict[int, TrialRecord] = field(default_factory=dict)
    strata: dict[str, list[TrialRecord]] = field(default_factory=dict)
    replicates: dict[str, list[TrialRecord]] = field(default_factory=dict)
    unended: dict[str, TrialRecord] = field(default_factory=dict)
    epochs: int = 0
    ran_s: float = 0.0
    last_unix_s: float = 0.0
    trained_s: float = 0.0
    begun_unix_s: float = 0.0
    begun_trained_s: float = 0.0
    cohorts: dict[str, int] = field(default_factory=dict)
    _reporter: str | None = None

    @property
    def configurations(self) -> list[PlannedTrial]:
        """The first seed of each configuration that was begun, in the order of the sweep."""
        return [self.firsts[index].trial for index in sorted(self.firsts)]

    def apply(self, event: Event) -> TrialRecord | None:
        """Fold one event in and return the record that it changed, None for one of the whole sweep."""
        if isinstance(event, Began):
            for record in self.unended.values():
                record.node, record.crashes = None, 0
            self.begun_unix_s, self.begun_trained_s = event.unix_s, self.trained_s
            self.cohorts = event.cohorts
        else:
            self.ran_s += max(event.unix_s - self.last_unix_s, 0.0)
        self.last_unix_s = event.unix_s
        match event:
            case Began():
                return None
            case Started():
                return self._start(event)
        record = self.trials[event.trial_id]
        match event:
            case Placed():
                record.node, record.device = event.node, event.device
            case Reported():
                record.report(event)
                self.epochs += 1
                self.trained_s += event.figures["epoch_s"]
            case Judged():
                record.judged[event.rung_epoch] = event
                if event.trial_id != self._reporter:
                    # It was judged after another's report, so it had waited and left its place.
                    record.node = None
            case Crashed():
                record.crashes += 1
                record.crashes_in_all += 1
                record.node = None
            case Reopened() | Ended():
                self._end(event, record)
        if not isinstance(event, Judged):
            self._reporter = event.trial_id if isinstance(event, Reported) else None
        return record

    def _end(self, event: Ended | Reopened, record: TrialRecord) -> None:
        if isinstance(event, Ended):
            record.end(event)
            self.unended.pop(event.trial_id, None)
        else:
            record.reopen()
            self.unended[event.trial_id] = record

    def _start(self, event: Started) -> TrialRecord:
        trial = event.trial
        known = self.trials.get(trial.trial_id)
        if known is not None:
            known.node = None
            return known
        record = TrialRecord(trial, event.unix_s)
        self.trials[trial.trial_id] = self.unended[trial.trial_id] = record
        if trial.replicate:
            self.replicates.setdefault(trial.configuration, []).append(record)
        else:
            self.firsts[trial.index] = record
            stratum = self.strata.setdefault(trial.stratum.key, [])
            bisect.insort(stratum, record, key=lambda other: other.trial.index)
        return record


def read_records(ledger_jsonl: Path) -> SweepRecords:
    """Fold a ledger, which may be growing, into records; without a file there are none."""
    records = SweepRecords()
    for event in Ledger(ledger_jsonl).read():
        records.apply(event)
    return records
