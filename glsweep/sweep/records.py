"""What is known of each trial, folded from the events."""

from dataclasses import dataclass, field

from glsweep.config.space import Figure
from glsweep.config.trial import Outcome
from glsweep.spaces.plan import PlannedTrial
from glsweep.sweep.events import Ended, Event, Judged, Reported, Started
from glsweep.training.report import is_better


@dataclass
class TrialRecord:
    """One trial so far. `epochs` maps an epoch, from 1, to its figures."""

    trial: PlannedTrial
    started_unix_s: float
    epochs: dict[int, dict[str, float]] = field(default_factory=dict)
    is_last: bool = False
    judged: dict[int, Judged] = field(default_factory=dict)
    outcome: Outcome | None = None
    rung_epoch: int | None = None
    reason: str = ""

    def best(self, figure: Figure, *, until_epoch: int | None = None) -> tuple[int, float] | None:
        """Return the epoch and the value of the best `figure` so far, or None before the first report."""
        found: tuple[int, float] | None = None
        for epoch, figures in self.epochs.items():
            if (until_epoch is None or epoch <= until_epoch) and is_better(
                figure, figures[figure], found[1] if found else None
            ):
                found = epoch, figures[figure]
        return found

    @property
    def trained_s(self) -> float:
        """Seconds spent in the epochs that were reported."""
        return sum(figures["epoch_s"] for figures in self.epochs.values())


@dataclass
class SweepRecords:
    """All trials that were started, in the order of their index within each stratum."""

    trials: dict[str, TrialRecord] = field(default_factory=dict)
    strata: dict[str, list[TrialRecord]] = field(default_factory=dict)

    def apply(self, event: Event) -> TrialRecord:
        """Fold one event in and return the record that it changed."""
        if isinstance(event, Started):
            return self._start(event)
        record = self.trials[event.trial_id]
        if isinstance(event, Reported):
            record.epochs[event.epoch] = event.figures
            record.is_last = event.last
        elif isinstance(event, Judged):
            record.judged[event.rung_epoch] = event
        elif isinstance(event, Ended):
            record.outcome, record.rung_epoch, record.reason = event.outcome, event.rung_epoch, event.reason
        return record

    def _start(self, event: Started) -> TrialRecord:
        known = self.trials.get(event.trial.trial_id)
        if known is not None:
            return known
        record = TrialRecord(event.trial, event.unix_s)
        self.trials[event.trial.trial_id] = record
        stratum = self.strata.setdefault(event.trial.stratum.key, [])
        stratum.append(record)
        stratum.sort(key=lambda other: other.trial.index)
        return record
