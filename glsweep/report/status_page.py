"""The command `status`: how a study stands, for a terminal."""

import time
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from glsweep.report.console import print_failures
from glsweep.report.words import duration
from glsweep.study import STAGES, Study
from glsweep.sweep.failures import read_failures
from glsweep.sweep.overview_table import sweep_table
from glsweep.sweep.status import Status


def print_status(study: Study, status: Status, console: Console) -> None:
    """Print whether a study runs, its stages, and the trials of sweep and retraining."""
    console.print(
        Text.assemble("study ", (str(study.directory), "bold"), f": {_state(study, status)}"), soft_wrap=True
    )
    stages = Table(box=None, show_header=False, padding=(0, 1, 0, 0), pad_edge=False)
    for stage in STAGES:
        if stage in status.done:
            stages.add_row(stage, f"done in {duration(status.done[stage])}")
        elif stage == status.current:
            stages.add_row(Text(stage, style="bold"), "running" if status.is_running else "not done")
        else:
            stages.add_row(Text(stage, style="dim"), Text("to come", style="dim"))
    console.print(stages)
    print_failures(read_failures(study).values(), console)
    for part in status.parts:
        now_unix_s = time.time() if part is status.training else None
        console.print()
        console.print(sweep_table(part.records, part.terms, title=part.title, now_unix_s=now_unix_s))


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
