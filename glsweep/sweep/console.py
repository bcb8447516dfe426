"""The table that a person watches while a sweep runs."""

import time
from collections import Counter
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from glsweep.config.space import Figure
from glsweep.config.trial import Stratum
from glsweep.spaces.plan import PlannedTrial
from glsweep.sweep.events import Ended, Event, Reported
from glsweep.sweep.forecast import seconds_left
from glsweep.sweep.records import SweepRecords, TrialRecord
from glsweep.training.report import is_better

LINE_INTERVAL_S = 30.0


class ConsoleListener:
    """Shows trials by stratum, the best figure and the time left.

    On a terminal one live table; elsewhere, such as in a log, a line now and then.
    """

    def __init__(
        self, console: Console, trials: Sequence[PlannedTrial], *, figure: Figure, epochs: int, title: str
    ) -> None:
        self._console = console
        self._trials = trials
        self._figure = figure
        self._epochs = epochs
        self._title = title
        self._records = SweepRecords()
        self._trained_s = 0.0
        self._start_s = self._line_s = time.monotonic()
        self._live = Live(console=console, get_renderable=self.table, refresh_per_second=2, transient=True)

    def __enter__(self) -> Self:
        self._start_s = self._line_s = time.monotonic()
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
        self._console.print(self.table())

    def catch_up(self, records: SweepRecords) -> None:
        """Show what earlier runs of the sweep did."""
        self._records = records

    def hear(self, event: Event, record: TrialRecord) -> None:
        """Count one event; in a log, print a line if the last one is old enough."""
        if isinstance(event, Reported):
            self._trained_s += event.figures["epoch_s"]
        is_time = time.monotonic() - self._line_s > LINE_INTERVAL_S
        if not self._console.is_terminal and is_time and isinstance(event, Reported | Ended):
            self._line_s = time.monotonic()
            self._console.print(self._state())

    def table(self) -> RenderableType:
        """Return the table as it stands."""
        table = Table(title=self._title, title_justify="left", title_style="bold", box=None, pad_edge=False)
        table.add_column("stratum")
        for column in ("waiting", "running", "stopped", "done", "failed", f"best {self._figure}"):
            table.add_column(column, justify="right")
        table.add_column("of trial")
        for stratum in sorted({trial.stratum for trial in self._trials}):
            table.add_row(stratum.title, *self._row(stratum))
        return Group(table, Text(self._state(), style="dim"))

    def _row(self, stratum: Stratum) -> list[str]:
        records = list(self._records.strata.get(stratum.key, []))
        planned = sum(trial.stratum == stratum for trial in self._trials)
        ended = Counter(record.outcome for record in records)
        best = self._best(records)
        counts = [planned - len(records), ended[None], ended["stopped"], ended["completed"], ended["failed"]]
        return [*(str(count or "-") for count in counts), *best]

    def _best(self, records: Sequence[TrialRecord]) -> tuple[str, str]:
        best: tuple[float, str] | None = None
        for record in records:
            found = record.best(self._figure)
            if found and is_better(self._figure, found[1], best[0] if best else None):
                best = found[1], record.trial.trial_id
        return (f"{best[0]:.3f}", best[1]) if best else ("-", "")

    def _state(self) -> str:
        ended = sum(record.outcome is not None for record in self._records.trials.values())
        elapsed_s = time.monotonic() - self._start_s
        left_s = seconds_left(
            self._trials,
            self._records,
            epochs=self._epochs,
            elapsed_s=elapsed_s,
            trained_s=self._trained_s,
        )
        left = "" if left_s is None or ended == len(self._trials) else f", about {_clock(left_s)} left"
        return f"{ended} of {len(self._trials)} over after {_clock(elapsed_s)}{left}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
