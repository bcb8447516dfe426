"""How far long work has come and how long the rest takes: a bar on a terminal, now and then a line in a log.

Whoever runs a command says where progress is shown (`shown`). Whatever loops below it counts what it has done
(`track`, `counted`) and need not know whether anybody looks.
"""

import math
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from typing import TypeVar

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from glsweep.output import tell

LINE_INTERVAL_S = 30.0
"""Between two lines of a log."""
NOTE_INTERVAL_S = 2.0
"""Between two notes for whoever looks from elsewhere."""
SETTLED_S = 10.0
"""Before this the time left is not shown: it would jump."""

Item = TypeVar("Item")
Clock = Callable[[], float]


def clock_text(seconds: float) -> str:
    """Return a time as `4:05`, `1:23:45` or `3 d 4:05:06`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours}:{minutes:02d}:{rest:02d}"
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class Pace:
    """Says when the next line of a log is due: every half minute, the first one half a minute from now."""

    def __init__(self, clock: Clock = time.monotonic, *, interval_s: float = LINE_INTERVAL_S) -> None:
        self._clock, self._interval_s = clock, interval_s
        self._due_s = clock() + interval_s

    def is_due(self) -> bool:
        """Whether a line is to be printed now."""
        now_s = self._clock()
        if now_s < self._due_s:
            return False
        self._due_s = now_s + self._interval_s
        return True


@dataclass(frozen=True)
class Standing:
    """How far a piece of work has come.

    Attributes
    ----------
    stage, doing : str
        The stage or command, and what it does now, such as `prepare` and `cutting patches`.
    done, total : float, int
        How many of how many; the one that is under way counts by its share.
    unit : str
        Of what, such as `scenes`.
    elapsed_s, left_s : float, float or None
        Time so far, and until the end if that can be said.
    """

    stage: str
    doing: str
    done: float
    total: int
    unit: str
    elapsed_s: float
    left_s: float | None

    @property
    def counts(self) -> str:
        """How many of how many, the time so far and the time left."""
        if self.done >= self.total:
            return f"{self.total} {self.unit} in {clock_text(self.elapsed_s)}"
        left = "" if self.left_s is None else f", about {clock_text(self.left_s)} left"
        done = f"{self.done:.1f}".removesuffix(".0")
        return f"{done} of {self.total} {self.unit}, {clock_text(self.elapsed_s)}{left}"

    def __str__(self) -> str:
        what = f"{self.stage}, {self.doing}" if self.doing else self.stage
        return f"{what}: {self.counts}"


Note = Callable[[Standing | None], None]
"""Is given how far work has come, and None when nothing is counted any more."""


def tell_standing(standing: Standing, console: Console) -> None:
    """Print how far work has come, as one line."""
    data = asdict(standing)
    data |= {"done": round(standing.done, 3), "elapsed_s": round(standing.elapsed_s, 1)}
    tell(console, str(standing), "progress", **data)


# --- For who runs a command


@contextmanager
def shown(
    stage: str, console: Console, *, note: Note = lambda _standing: None, clock: Clock = time.monotonic
) -> Iterator[None]:
    """Show on `console` how far the work in this block has come.

    Parameters
    ----------
    stage : str
        The stage or command.
    console : Console
        On a terminal a bar stands there while something is counted. In a log a line comes every half
        minute, and one at the end of what took longer.
    note : callable
        Is given the standing, every two seconds at most, and None at the end of what is counted.
    clock : callable
        Returns seconds.
    """
    display = _Display(stage, console, note, clock)
    token = _display.set(display)
    try:
        yield
    finally:
        _display.reset(token)
        # A loop that an error has left may still be open.
        display.close()


# --- For who does the work


class Count:
    """Counts pieces that are done, and passes on to whoever shows it how many were and are."""

    def __init__(self, total: int, passed_on: Callable[[float, float], None] | None) -> None:
        self._passed_on = passed_on
        self._done = 0.0
        self._most = float(total)

    def advance(self, pieces: float = 1.0) -> None:
        """Count pieces, or a share of one, as done."""
        self._set(min(self._done + pieces, self._most))

    def begin(self, number: int) -> None:
        """Say that the piece of this number, from 0, begins, and that all before it are done."""
        self._most = float(number + 1)
        self._set(float(number))

    def _set(self, done: float) -> None:
        before, self._done = self._done, done
        if self._passed_on is not None and done > before:
            self._passed_on(before, done)


@contextmanager
def counted(total: int, unit: str, doing: str = "") -> Iterator[Count]:
    """Count pieces of work of about the same length while this block lasts.

    Within a piece that is itself counted, this counts the shares of that one.

    Parameters
    ----------
    total : int
        How many there are.
    unit : str
        What they are, such as `scenes`.
    doing : str
        What is done to them, where a stage does several things.
    """
    display = _display.get()
    if display is None or total == 0:
        yield Count(total, None)
        return
    outer = display.count
    if outer is not None:
        display.count = Count(total, lambda before, done: outer.advance((done - before) / total))
        try:
            yield display.count
        finally:
            display.count = outer
        return
    display.count = Count(total, display.begin(total, unit, doing))
    try:
        yield display.count
        display.end()
    finally:
        display.close()


def track(
    items: Collection[Item], unit: str, doing: str = "", name_of: Callable[[Item], str] | None = None
) -> Iterator[Item]:
    """Yield `items`, and count each as done when the next one is asked for.

    Parameters
    ----------
    items : collection
        What is worked on.
    unit, doing : str
        As for `counted`.
    name_of : callable, optional
        Name of an item, beside the bar.
    """
    with counted(len(items), unit, doing) as count:
        display = _display.get()
        for number, item in enumerate(items):
            count.begin(number)
            if display is not None:
                # Whatever an error has left open within the item before is over.
                display.count = count
                display.name(name_of(item) if name_of is not None else "")
            yield item
        count.begin(len(items))


def advance(pieces: float = 1.0) -> None:
    """Count pieces of what is counted now, or a share of one, as done."""
    display = _display.get()
    if display is not None and display.count is not None:
        display.count.advance(pieces)


# --- How it is shown


class _TimeLeft(ProgressColumn):
    """The time left, once it can be told."""

    def render(self, task: Task) -> Text:
        left_s = _left_s(task)
        return Text("" if left_s is None else f"about {clock_text(left_s)} left", style="progress.remaining")


def _left_s(task: Task) -> float | None:
    return task.time_remaining if (task.elapsed or 0.0) >= SETTLED_S else None


class _Display:
    """Where one stage or command shows what it counts; one count after another."""

    def __init__(self, stage: str, console: Console, note: Note, clock: Clock) -> None:
        self.count: Count | None = None
        self._stage, self._console, self._note, self._clock = stage, console, note, clock
        self._bars: Progress | None = None
        self._task = TaskID(0)
        self._doing = self._unit = ""

    def begin(self, total: int, unit: str, doing: str) -> Callable[[float, float], None]:
        """Begin to show a count; what is returned is to be called with what was and is done."""
        self._doing, self._unit = doing, unit
        self._bars = bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("[progress.percentage]{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            _TimeLeft(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
            # Pieces may take minutes each: all of them tell how long one takes.
            speed_estimate_period=math.inf,
            get_time=self._clock,
        )
        self._task = bars.add_task(f"{self._stage}, {doing}" if doing else self._stage, total=total)
        bars.start()
        pace, pace_of_notes = Pace(self._clock), Pace(self._clock, interval_s=NOTE_INTERVAL_S)

        def passed_on(_before: float, done: float) -> None:
            bars.update(self._task, completed=done)
            if pace.is_due() and bars.disable and not bars.tasks[0].finished:
                tell_standing(self._standing(), self._console)
            if pace_of_notes.is_due():
                self._note(self._standing())

        return passed_on

    def name(self, item: str) -> None:
        """Show the item that is worked on."""
        if self._bars is not None and item:
            self._bars.update(self._task, description=escape(f"{self._stage}, {item}"))

    def end(self) -> None:
        """Say that what is counted is done, if it took long."""
        if self._bars is not None and self._bars.disable:
            task = self._bars.tasks[0]
            if task.finished and (task.elapsed or 0.0) >= LINE_INTERVAL_S:
                tell_standing(self._standing(), self._console)

    def close(self) -> None:
        """Take the bar away."""
        if self._bars is not None:
            self._bars.stop()
            self._note(None)
        self._bars = self.count = None

    def _standing(self) -> Standing:
        assert self._bars is not None, "begun before"
        task = self._bars.tasks[0]
        return Standing(
            stage=self._stage,
            doing=self._doing,
            done=task.completed,
            total=int(task.total or 0),
            unit=self._unit,
            elapsed_s=task.elapsed or 0.0,
            left_s=_left_s(task),
        )


_display: ContextVar[_Display | None] = ContextVar("progress", default=None)
