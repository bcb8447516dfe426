"""What a sweep or a retraining shows while it runs."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from glsweep.progress import Clock, Pace
from glsweep.study.configuration import Stage
from glsweep.sweep.journal import CRASHES_IN_A_ROW
from glsweep.sweep.overview import SweepTerms
from glsweep.sweep.records import Crashed, Ended, Reported, SweepRecords, TrialEvent, TrialRecord
from glsweep.sweep.status import LARGEST_SHARE_OF_TIME, sweep_table, tell_state


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
    stage : "sweep" or "retrain"
        Whose trials they are.
    clock : callable
        Returns seconds; only lines of a log go by it.
    """

    def __init__(
        self,
        console: Console,
        terms: SweepTerms,
        *,
        title: str,
        stage: Stage,
        clock: Clock = time.monotonic,
    ) -> None:
        self._console = console
        self._terms = terms
        self._title = title
        self._stage = stage
        self._records = SweepRecords()
        self._has_news = False
        self._micro_batches: dict[str, int] = {}
        self._pace = Pace(clock)
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
        is_worth_a_line = isinstance(event, Reported | Ended) and not self._console.is_terminal
        if is_worth_a_line and self._pace.is_due():
            tell_state(self._records, self._terms, self._stage, self._console, now_unix_s=event.unix_s)

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
