"""The state of a sweep or study, shown: the live table in the terminal, and what `status` reads."""

import fcntl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from glsweep.config.stopping import NoStopping
from glsweep.config.trial import Stratum
from glsweep.search import make_plan
from glsweep.study import Study
from glsweep.study.artifacts import Winners, read_artifact
from glsweep.study.configuration import STAGES, Stage
from glsweep.sweep.cost import Cost, cost_hours, hours_text
from glsweep.sweep.journal import CRASHES_IN_A_ROW
from glsweep.sweep.overview import SECONDS_PER_HOUR, Overview, StratumRow, SweepTerms, overview, seconds_left
from glsweep.sweep.records import (
    Began,
    Crashed,
    Ended,
    Reported,
    SweepRecords,
    TrialEvent,
    TrialRecord,
    read_records,
)

Cell = Callable[[StratumRow], str]


def sweep_table(
    records: SweepRecords, terms: SweepTerms, *, title: str, now_unix_s: float | None = None
) -> RenderableType:
    """Return a table with a row for each stratum, and a line on the whole.

    Parameters
    ----------
    records : SweepRecords
        What has happened.
    terms : SweepTerms
        What is planned.
    title : str
        Stands above the table.
    now_unix_s : float, optional
        The time, while the sweep runs.
    """
    state = overview(records, terms, now_unix_s=now_unix_s)
    table = Table(title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.title = Text.assemble((title, "bold"), (f", best by {terms.metric}", "dim"))
    table.add_column("stratum", no_wrap=True, vertical="bottom")
    columns = _columns(state, terms)
    for name in columns:
        table.add_column(Text(name, justify="right"), justify="right", no_wrap=True)
    table.add_column("by trial")
    for row in state.rows:
        by = f"{row.leader.trial_id} {row.leader.parameters}".rstrip() if row.leader else ""
        table.add_row(
            row.stratum.title,
            *(cell(row) for cell in columns.values()),
            Text(by, no_wrap=True, overflow="ellipsis"),
        )
    lines = [state_line(records, terms, state, now_unix_s=now_unix_s), _waiting_line(state)]
    return Group(table, *(Text(line, style="dim") for line in lines if line))


def state_line(
    records: SweepRecords,
    terms: SweepTerms,
    state: Overview | None = None,
    *,
    now_unix_s: float | None = None,
) -> str:
    """Return one line on the whole sweep: what is over, what runs where, time left, cost so far."""
    state = state or overview(records, terms, now_unix_s=now_unix_s)
    is_certain = terms.size is not None and terms.replicates == 1 and not terms.may_end_early
    size = f" of {terms.size}" if is_certain else ""
    text = f"{state.over}{size} trials over, {records.epochs} epochs in {clock(state.ran_s)}"
    cost = cost_hours(records.trials.values(), terms.resources)
    if now_unix_s is None:
        return f"{text}, {cost}"
    running = sum(row.running for row in state.rows)
    where = f" on {len(state.nodes)} nodes" if len(state.nodes) > 1 else ""
    text += f", {running} running{where}" if running else ""
    left_s = seconds_left(records, terms, now_unix_s=now_unix_s)
    text += f", about {clock(left_s)} left" if left_s else ""
    return f"{text}, {cost} so far"


def _waiting_line(state: Overview) -> str:
    """Return what the waiting trials wait for."""
    for_what = {
        "for a place to train": sum(row.in_line for row in state.rows),
        "at a rung for earlier trials": sum(row.at_rung for row in state.rows),
        "to be tried again after a crash": sum(row.crashed for row in state.rows),
    }
    waits = [f"{number} {reason}" for reason, number in for_what.items() if number]
    return f"waiting: {', '.join(waits)}" if waits else ""


def clock(seconds: float) -> str:
    """Return a time as `4:05`, `1:23:45` or `3 d 4:05:06`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours}:{minutes:02d}:{rest:02d}"
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _columns(state: Overview, terms: SweepTerms) -> dict[str, Cell]:
    """Return the columns of the table; those that would be empty are left out."""
    columns: dict[str, Cell] = {
        "to\ncome": lambda row: "?" if row.to_come is None else _count(row.to_come),
        "waiting": lambda row: _count(row.waiting),
        "running": lambda row: _count(row.running),
        "stopped": lambda row: _count(row.stopped),
        "done": lambda row: _count(row.done),
        "failed": lambda row: _count(row.failed),
        "best": lambda row: f"{row.leader.value:.3f}" if row.leader else "-",
        "GPU\nhours" if state.is_on_gpu else "CPU\nhours": lambda row: _hours(row, state, terms),
    }
    hidden = {"failed"} if not any(row.failed for row in state.rows) else set()
    hidden |= {"stopped"} if isinstance(terms.stopping, NoStopping) else set()
    hidden |= {"to\ncome"} if all(row.to_come is None for row in state.rows) else set()
    return {name: cell for name, cell in columns.items() if name not in hidden}


def _count(number: int) -> str:
    return str(number) if number else "-"


def _hours(row: StratumRow, state: Overview, terms: SweepTerms) -> str:
    share = terms.resources.gpus if state.is_on_gpu else terms.resources.cpus
    return hours_text(row.trained_s * share / SECONDS_PER_HOUR)


# --- The listener that shows a sweep while it runs

LINE_INTERVAL_S = 30.0
# Drawing the table of a large sweep must not slow the sweep down.
LARGEST_SHARE_OF_TIME = 0.05


class ConsoleListener:
    """Shows how a sweep stands: on a terminal one live table, in a log a line now and then.

    Parameters
    ----------
    console : Console
        Where it is shown.
    terms : SweepTerms
        What is planned.
    title : str
        Stands above the table.
    """

    def __init__(self, console: Console, terms: SweepTerms, *, title: str) -> None:
        self._console = console
        self._terms = terms
        self._title = title
        self._records = SweepRecords()
        self._has_news = False
        self._micro_batches: dict[str, int] = {}
        self._line_s = time.monotonic()
        self._redraw_s = 0.0
        self._drawn: RenderableType = ""
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=2, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._live.stop()
        self._console.print(sweep_table(self._records, self._terms, title=self._title))

    def catch_up(self, records: SweepRecords) -> None:
        """Show what earlier runs of the sweep did."""
        self._records = records
        self._redraw_s = 0.0
        for trial_id, record in records.trials.items():
            if record.reached:
                self._micro_batches[trial_id] = _micro_batch(record.epochs[record.reached], record)

    def on_event(self, event: TrialEvent, record: TrialRecord) -> None:
        """Print what went wrong; in a log, print a line on the sweep if the last one is old enough."""
        self._has_news = True
        notice = self._notice(event, record)
        if notice:
            self._console.print(Text(f"trial {record.trial.trial_id}: {notice}", style="yellow"))
        is_time = time.monotonic() - self._line_s > LINE_INTERVAL_S
        if is_time and not self._console.is_terminal and isinstance(event, Reported | Ended):
            self._line_s = time.monotonic()
            line = state_line(self._records, self._terms, now_unix_s=event.unix_s)
            self._console.print(line, highlight=False)

    def _notice(self, event: TrialEvent, record: TrialRecord) -> str | None:
        match event:
            case Crashed() if record.crashes < CRASHES_IN_A_ROW:
                return f"crashed ({event.reason}), tried again ({record.crashes} of {CRASHES_IN_A_ROW - 1})"
            case Ended(outcome="failed"):
                return f"failed: {event.reason}"
            case Reported():
                return self._memory_notice(event, record)
            case _:
                return None

    def _memory_notice(self, event: Reported, record: TrialRecord) -> str | None:
        used = _micro_batch(event.figures, record)
        if used >= self._micro_batches.get(event.trial_id, record.trial.parameters.batch_size):
            return None
        self._micro_batches[event.trial_id] = used
        return f"trains in micro-batches of {used} since the device ran out of memory"

    def _table(self) -> RenderableType:
        """Return the table, drawn anew if that took little of the time since."""
        start_s = time.monotonic()
        if start_s >= self._redraw_s:
            # Until something happens, the time since the sweep was interrupted does not count.
            now_unix_s = time.time() if self._has_news else None
            self._drawn = sweep_table(self._records, self._terms, title=self._title, now_unix_s=now_unix_s)
            spent_s = time.monotonic() - start_s
            self._redraw_s = start_s + spent_s / LARGEST_SHARE_OF_TIME
        return self._drawn


def _micro_batch(metrics: Mapping[str, float], record: TrialRecord) -> int:
    """Return how many patches passed through the network at once."""
    return int(metrics.get("micro_batch", record.trial.parameters.batch_size))


# --- The state of a study, read from its files; it may run meanwhile


@dataclass(frozen=True)
class StageTrials:
    """The trials of a stage that trains."""

    stage: Literal["sweep", "retrain"]
    title: str
    records: SweepRecords
    terms: SweepTerms


@dataclass(frozen=True)
class Status:
    """What is known of a study.

    Attributes
    ----------
    is_running : bool or None
        Whether a process works on it; None where that cannot be determined.
    done : dict
        Wall time of each completed stage in seconds.
    current : Stage or None
        The stage that is not complete; None when all are.
    parts : tuple of StageTrials
        The stages that train and have begun, in their order.
    """

    is_running: bool | None
    done: dict[Stage, float]
    current: Stage | None
    parts: tuple[StageTrials, ...]

    @property
    def training(self) -> StageTrials | None:
        """The stage whose trials may be training now."""
        current = (part for part in self.parts if part.stage == self.current)
        return next(current, None) if self.is_running is not False else None

    @property
    def cost(self) -> Cost:
        """What all trainings have cost so far."""
        costs = (cost_hours(part.records.trials.values(), part.terms.resources) for part in self.parts)
        return sum(costs, Cost())

    def seconds_left(self, now_unix_s: float) -> float | None:
        """Estimate how long the stage that trains now will take; None where that is not known."""
        part = self.training
        return None if part is None else seconds_left(part.records, part.terms, now_unix_s=now_unix_s)


def read_status(study: Study) -> Status:
    """Read the state of a study."""
    # Before the files are read: a study that ends meanwhile is then shown as running, not interrupted.
    is_running = is_locked(study)
    done: dict[Stage, float] = {s: study.record(s).wall_s for s in STAGES if study.is_done(s)}
    current = next((stage for stage in STAGES if stage not in done), None)
    parts = [_sweep(study)] if study.ledger_jsonl.is_file() else []
    if study.members_ledger_jsonl.is_file():
        parts.append(_retraining(study))
    if is_running is False:
        for part in parts:
            # Whatever trained when the process died does not train any more.
            part.records.apply(Began(unix_s=part.records.last_unix_s))
    return Status(is_running, done, current, tuple(parts))


def is_locked(study: Study) -> bool | None:
    """Return whether a process works on the study; None where the lock cannot be read.

    Nothing is written: the study may belong to somebody else, or lie on a full or read-only disk.
    """
    try:
        with study.lock.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError:
        # The file may not be opened, or the file system has no locks.
        return None
    return False


def _sweep(study: Study) -> StageTrials:
    space = study.config.space
    records = read_records(study.ledger_jsonl)
    plan = make_plan(space, seed=study.config.seed, source=study.config_yaml, begun=records.configurations)
    return StageTrials("sweep", "Sweep", records, SweepTerms.of_search(plan, space))


def _retraining(study: Study) -> StageTrials:
    strata = [Stratum.parse(key) for key in sorted(read_artifact(study.winners_json, Winners).by_stratum)]
    terms = SweepTerms.of_retraining(strata, study.config.space)
    return StageTrials(
        "retrain", "Retraining of the winners", read_records(study.members_ledger_jsonl), terms
    )
