"""The command `status`: how a study stands, once or until it ends."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from glsweep.output import tell
from glsweep.progress import Clock, Pace, tell_standing
from glsweep.report import duration
from glsweep.study import Study, open_study
from glsweep.study.configuration import STAGES
from glsweep.sweep.cost import Cost
from glsweep.sweep.outcomes import read_failures
from glsweep.sweep.status import LARGEST_SHARE_OF_TIME, Status, read_status, sweep_table, tell_state

REFRESH_S = 2.0


def status_view(study: Study, status: Status, *, price_per_gpu_hour: float | None = None) -> Group:
    """Return whether a study runs, its stages, the trials of sweep and retraining, and what they cost.

    Parameters
    ----------
    study : Study
        The study.
    status : Status
        How it stands.
    price_per_gpu_hour : float, optional
        Adds what the hours of GPUs cost, in the currency of the price.
    """
    parts: list[RenderableType] = [
        Text.assemble("study ", (str(study.directory), "bold"), f": {_state(study, status)}"),
        _stages(status),
        *(Text.assemble(("failed: ", "red"), str(failure)) for failure in read_failures(study).values()),
    ]
    for part in status.parts:
        now_unix_s = time.time() if part is status.training else None
        parts += ["", sweep_table(part.records, part.terms, title=part.title, now_unix_s=now_unix_s)]
    if status.parts:
        parts += ["", Text(f"cost so far: {_cost(status.cost, price_per_gpu_hour)}")]
    return Group(*parts)


def _stages(status: Status) -> Table:
    stages = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
    for stage in STAGES:
        if stage in status.done:
            stages.add_row(stage, f"done in {duration(status.done[stage])}")
        elif stage == status.current:
            stages.add_row(Text(stage, style="bold"), _running(status) if status.is_running else "not done")
        else:
            stages.add_row(Text(stage, style="dim"), Text("to come", style="dim"))
    return stages


def _running(status: Status) -> str:
    standing = status.standing
    return ", ".join(filter(None, ("running", standing.doing, standing.counts))) if standing else "running"


def _state(study: Study, status: Status) -> str:
    if status.current is None and not status.is_running:
        return "complete"
    if status.is_running is False:
        return f"not running; `python -m glsweep.run --study {study.directory}` continues it"
    words = "running" if status.is_running else "running or not (its lock cannot be opened)"
    if status.training is not None and status.training.records.trials:
        records = status.training.records
        begun = datetime.fromtimestamp(records.begun_unix_s).astimezone()
        since_s = max(time.time() - records.last_unix_s, 0.0)
        words += f" since {begun:%Y-%m-%d %H:%M}, last event {duration(since_s)} ago"
    return words


def _cost(cost: Cost, price_per_gpu_hour: float | None) -> str:
    if price_per_gpu_hour is None:
        return str(cost)
    return f"{cost}, which is {cost.money(price_per_gpu_hour):.2f} at {price_per_gpu_hour:g} a GPU hour"


def print_status(directory: Path, console: Console, *, price_per_gpu_hour: float | None = None) -> None:
    """Print how a study stands."""
    study = open_study(directory)
    console.print(status_view(study, read_status(study), price_per_gpu_hour=price_per_gpu_hour))


# --- Until the study ends


def follow_status(
    directory: Path,
    console: Console,
    *,
    price_per_gpu_hour: float | None = None,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show how a study stands until it ends, or Ctrl-C: in place, or in a log a line each half minute.

    Parameters
    ----------
    directory : Path
        The study's folder; it is only read.
    console : Console
        Where it is shown; how it stands at last stays there.
    price_per_gpu_hour : float, optional
        As for `status_view`.
    clock, sleep : callable
        Return, and wait for, seconds.
    """
    readings = _until_over(directory, clock, sleep)
    with suppress(KeyboardInterrupt):
        if console.is_terminal:
            with Live(console=console, auto_refresh=False, transient=True) as live:
                for study, status in readings:
                    view = status_view(study, status, price_per_gpu_hour=price_per_gpu_hour)
                    live.update(view, refresh=True)
        else:
            pace: Pace | None = None
            for _, status in readings:
                if pace is None or pace.is_due():
                    pace = pace or Pace(clock)
                    _tell(status, console)
    print_status(directory, console, price_per_gpu_hour=price_per_gpu_hour)


def _until_over(
    directory: Path, clock: Clock, sleep: Callable[[float], None]
) -> Iterator[tuple[Study, Status]]:
    """Read a study again and again while it runs."""
    while True:
        begun_s = clock()
        study = open_study(directory)
        status = read_status(study)
        if status.is_running is False or status.current is None:
            return
        yield study, status
        sleep(max(REFRESH_S, (clock() - begun_s) / LARGEST_SHARE_OF_TIME))


def _tell(status: Status, console: Console) -> None:
    part = status.training
    if part is not None and part.records.trials:
        tell_state(part.records, part.terms, part.stage, console, now_unix_s=time.time())
        return
    if status.standing is not None:
        tell_standing(status.standing, console)
        return
    done, stage = len(status.done), status.current
    text = f"{stage}: running, {done} of {len(STAGES)} stages done"
    tell(console, text, "progress", stage=stage, done=done, total=len(STAGES), unit="stages")
