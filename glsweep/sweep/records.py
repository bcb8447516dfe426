"""The events of a sweep, the ledger that keeps them, and the record of each trial that follows from them."""

import bisect
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from glsweep.config.settings import Settings
from glsweep.config.space import HIGHER_IS_BETTER, Metric
from glsweep.config.trial import Outcome
from glsweep.errors import StudyError
from glsweep.files import write_text
from glsweep.search.plan import PlannedTrial
from glsweep.training import is_better


class Began(Settings):
    """The sweep began, or was continued; whatever ran before runs no more.

    `cohorts` says how many trials of a stratum train together, by its key; those of others train alone.
    """

    event: Literal["began"] = "began"
    unix_s: float
    cohorts: dict[str, int] = Field(default_factory=dict)


class Started(Settings):
    """A trial was handed out, for the first time or again after an interruption."""

    event: Literal["started"] = "started"
    unix_s: float
    trial: PlannedTrial


class Placed(Settings):
    """A trial found a place: a worker on `node` trains it from now on, on `device` (cpu or cuda)."""

    event: Literal["placed"] = "placed"
    unix_s: float
    trial_id: str
    node: str
    device: str = "cpu"


class Reported(Settings):
    """A trial finished an epoch."""

    event: Literal["epoch"] = "epoch"
    unix_s: float
    trial_id: str
    epoch: int
    figures: dict[str, float]
    last: bool


class Judged(Settings):
    """A trial was compared at a rung with the earlier trials of its stratum.

    `rank` counts from 1 among `of` trials; the best `kept` go on. `cutoff` is the value of the
    last of these.
    """

    event: Literal["rung"] = "rung"
    unix_s: float
    trial_id: str
    rung_epoch: int
    value: float
    rank: int
    of: int
    kept: int
    cutoff: float

    @property
    def goes_on(self) -> bool:
        """Whether the trial is among the best that train on."""
        return self.rank <= self.kept


class Crashed(Settings):
    """A trial's worker died; it is tried again from its checkpoint."""

    event: Literal["crashed"] = "crashed"
    unix_s: float
    trial_id: str
    reason: str


class Reopened(Settings):
    """A trial that had run in full goes on, because the number of epochs was raised."""

    event: Literal["reopened"] = "reopened"
    unix_s: float
    trial_id: str


class Ended(Settings):
    """A trial is over: it ran in full, was stopped at a rung, or failed for a reason."""

    event: Literal["ended"] = "ended"
    unix_s: float
    trial_id: str
    outcome: Outcome
    rung_epoch: int | None = None
    reason: str = ""


TrialEvent = Started | Placed | Reported | Judged | Crashed | Reopened | Ended
Event = Began | TrialEvent
EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


# --- The ledger: one JSON object a line for each event


class Ledger:
    """The file of all events; each is written whole before the sweep goes on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held_back: list[Event] | None = None

    def append(self, event: Event) -> None:
        """Write one event through to the disk, or at the end of `in_one_go`."""
        if self._held_back is None:
            self.write_through([event])
        else:
            self._held_back.append(event)

    @contextmanager
    def in_one_go(self) -> Iterator[None]:
        """Write the events that are appended in this block through to the disk at its end, all at once.

        A block within another is part of it.
        """
        if self._held_back is not None:
            yield
            return
        self._held_back = []
        try:
            yield
        finally:
            events, self._held_back = self._held_back, None
            if events:
                self.write_through(events)

    def write_through(self, events: Sequence[Event]) -> None:
        """Write events, and wait until they are on the disk, which takes longer than all else."""
        with self.path.open("ab") as file:
            file.write("".join(f"{event.model_dump_json()}\n" for event in events).encode())
            file.flush()
            os.fsync(file.fileno())

    def replay(self) -> Iterator[Event]:
        """Cut off a last line that was not written whole, and yield every event.

        Only for the one process that appends: see `read`.
        """
        if self.path.is_file():
            text = self.path.read_bytes()
            whole = text.rfind(b"\n") + 1
            if whole < len(text):
                os.truncate(self.path, whole)
        yield from self.read()

    def keep(self, trial_ids: Collection[str]) -> None:
        """Remove the events of all other trials; the configurations that stay are numbered from 0 again."""
        kept: list[Event] = []
        places: dict[str, int] = {}
        for event in self.replay():
            if isinstance(event, Started) and event.trial.trial_id in trial_ids:
                place = places.setdefault(event.trial.configuration, len(places))
                trial = event.trial.model_copy(update={"index": place})
                kept.append(event.model_copy(update={"trial": trial}))
            elif isinstance(event, Began) or (not isinstance(event, Started) and event.trial_id in trial_ids):
                kept.append(event)
        write_text(self.path, "".join(f"{event.model_dump_json()}\n" for event in kept))

    def read(self) -> Iterator[Event]:
        """Yield every event that was written whole, and leave the file as it is.

        Raises
        ------
        StudyError
            When a whole line is not an event.
        """
        if not self.path.is_file():
            return
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.endswith(b"\n"):
                    return
                try:
                    event = EVENT.validate_json(line)
                except ValidationError as error:
                    raise StudyError(
                        f"{self.path}: line {number} is no event of a sweep; "
                        "delete the file's folder to sweep anew"
                    ) from error
                yield event


# --- The records that follow from the events


@dataclass
class TrialRecord:
    """One trial so far. `epochs` maps an epoch, from 1, to its metrics; `reached` is the last one.

    `node` is where it trains, None while it does not; `last_node` and `device` are where and on what it
    trained last, `placed_unix_s` is when it first found a place. `crashes` counts the crashes since its last
    epoch, or since the sweep last began.
    """

    trial: PlannedTrial
    started_unix_s: float
    epochs: dict[int, dict[str, float]] = field(default_factory=dict)
    reached: int = 0
    trained_s: float = 0.0
    is_last: bool = False
    judged: dict[int, Judged] = field(default_factory=dict)
    node: str | None = None
    last_node: str | None = None
    device: str = "cpu"
    placed_unix_s: float | None = None
    crashes: int = 0
    crashes_in_all: int = 0
    outcome: Outcome | None = None
    rung_epoch: int | None = None
    reason: str = ""
    reported_unix_s: dict[int, float] = field(default_factory=dict)
    ended_unix_s: float | None = None
    bests: dict[Metric, tuple[int, float]] = field(default_factory=dict)

    def best(self, metric: Metric, *, until_epoch: int | None = None) -> tuple[int, float] | None:
        """Return the epoch and the value of the best `metric` so far, or None before the first report."""
        if until_epoch is None:
            return self.bests.get(metric)
        found: tuple[int, float] | None = None
        for epoch, metrics in self.epochs.items():
            if epoch <= until_epoch and is_better(metric, metrics[metric], found[1] if found else None):
                found = epoch, metrics[metric]
        return found

    def report(self, event: Reported) -> None:
        """Add an epoch's metrics."""
        self.epochs[event.epoch] = event.figures
        self.reported_unix_s[event.epoch] = event.unix_s
        self.reached = max(self.reached, event.epoch)
        self.trained_s += event.figures["epoch_s"]
        self.is_last = event.last
        self.crashes = 0
        for metric in HIGHER_IS_BETTER:
            best = self.bests.get(metric)
            if is_better(metric, event.figures[metric], best[1] if best else None):
                self.bests[metric] = event.epoch, event.figures[metric]

    def end(self, event: Ended) -> None:
        """Note how the trial ended."""
        self.outcome, self.rung_epoch, self.reason = event.outcome, event.rung_epoch, event.reason
        self.ended_unix_s, self.node = event.unix_s, None

    def reopen(self) -> None:
        """Make a trial that had run in full go on."""
        self.outcome, self.is_last, self.ended_unix_s = None, False, None


@dataclass
class SweepRecords:
    """All trials that were started.

    `firsts` holds the first seed of each configuration by its index, `strata` the same in the
    order of their index, `replicates` the other seeds by configuration. `ran_s` is how long the
    sweep has run, over all its runs, and `trained_s` the time of all epochs together;
    `begun_trained_s` is what that was when it last began. `unended` are the trials that are not over.
    `cohorts` is as in `Began`.
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

    def seeds_of(self, first: TrialRecord) -> list[TrialRecord]:
        """Return the trials of a configuration: its first seed, and the others that were begun."""
        return [first, *self.replicates.get(first.trial.configuration, [])]

    def apply(self, event: Event) -> TrialRecord | None:
        """Apply one event and return the record that it changed; None for an event of the whole sweep."""
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
                record.node = record.last_node = event.node
                record.device = event.device
                record.placed_unix_s = record.placed_unix_s or event.unix_s
            case Reported():
                record.report(event)
                self.epochs += 1
                self.trained_s += event.figures["epoch_s"]
            case Judged():
                record.judged[event.rung_epoch] = event
                if event.trial_id != self._reporter:
                    # It was judged after a report of another trial, so it had been waiting without a place.
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
    """Return the records of a ledger, which may still grow; empty ones where there is no file."""
    return records_of(Ledger(ledger_jsonl).read())


def records_of(events: Iterable[Event]) -> SweepRecords:
    """Return the records that follow from a sweep's events."""
    records = SweepRecords()
    for event in events:
        records.apply(event)
    return records
