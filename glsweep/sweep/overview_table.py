"""How a sweep stands, as a table for a terminal."""

from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from glsweep.config.space import NoStopping
from glsweep.sweep.forecast import SECONDS_PER_HOUR, seconds_left
from glsweep.sweep.overview import Overview, StratumRow, overview
from glsweep.sweep.records import SweepRecords
from glsweep.sweep.terms import Terms

Cell = Callable[[StratumRow], str]


def sweep_table(
    records: SweepRecords, terms: Terms, *, title: str, now_unix_s: float | None = None
) -> RenderableType:
    """Return a table with a row for each stratum, and a line on the whole.

    Parameters
    ----------
    records : SweepRecords
        What has happened.
    terms : Terms
        What is planned.
    title : str
        Stands above the table.
    now_unix_s : float, optional
        The time, while the sweep runs.
    """
    seen = overview(records, terms, now_unix_s=now_unix_s)
    table = Table(title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.title = Text.assemble((title, "bold"), (f", best by {terms.figure}", "dim"))
    table.add_column("stratum", no_wrap=True, vertical="bottom")
    columns = _columns(seen, terms)
    for name in columns:
        table.add_column(Text(name, justify="right"), justify="right", no_wrap=True)
    table.add_column("by trial")
    for row in seen.rows:
        by = f"{row.leader.trial_id} {row.leader.parameters}".rstrip() if row.leader else ""
        table.add_row(
            row.stratum.title,
            *(cell(row) for cell in columns.values()),
            Text(by, no_wrap=True, overflow="ellipsis"),
        )
    lines = [state_line(records, terms, seen, now_unix_s=now_unix_s), _waiting_line(seen)]
    return Group(table, *(Text(line, style="dim") for line in lines if line))


def state_line(
    records: SweepRecords, terms: Terms, seen: Overview | None = None, *, now_unix_s: float | None = None
) -> str:
    """Return one line on the whole sweep: what is over, what runs where, and the time left."""
    seen = seen or overview(records, terms, now_unix_s=now_unix_s)
    is_certain = terms.size is not None and terms.replicates == 1 and not terms.may_end_early
    size = f" of {terms.size}" if is_certain else ""
    text = f"{seen.over}{size} trials over, {records.epochs} epochs in {clock(seen.ran_s)}"
    if now_unix_s is None:
        return text
    running = sum(row.running for row in seen.rows)
    where = f" on {len(seen.nodes)} nodes" if len(seen.nodes) > 1 else ""
    text += f", {running} running{where}" if running else ""
    left_s = seconds_left(records, terms, now_unix_s=now_unix_s)
    return f"{text}, about {clock(left_s)} left" if left_s else text


def _waiting_line(seen: Overview) -> str:
    """Return what the waiting trials wait for."""
    for_what = {
        "for a place to train": sum(row.in_line for row in seen.rows),
        "at a rung for earlier trials": sum(row.at_rung for row in seen.rows),
        "to be tried again after a crash": sum(row.crashed for row in seen.rows),
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


def _columns(seen: Overview, terms: Terms) -> dict[str, Cell]:
    """Return what is shown of each stratum; what no trial can be, or none is, takes no room."""
    columns: dict[str, Cell] = {
        "to\ncome": lambda row: "?" if row.to_come is None else _count(row.to_come),
        "waiting": lambda row: _count(row.waiting),
        "running": lambda row: _count(row.running),
        "stopped": lambda row: _count(row.stopped),
        "done": lambda row: _count(row.done),
        "failed": lambda row: _count(row.failed),
        "best": lambda row: f"{row.leader.value:.3f}" if row.leader else "-",
        "GPU\nhours" if seen.is_on_gpu else "CPU\nhours": lambda row: _hours(row, seen, terms),
    }
    hidden = {"failed"} if not any(row.failed for row in seen.rows) else set()
    hidden |= {"stopped"} if isinstance(terms.stopping, NoStopping) else set()
    hidden |= {"to\ncome"} if all(row.to_come is None for row in seen.rows) else set()
    return {name: cell for name, cell in columns.items() if name not in hidden}


def _count(number: int) -> str:
    return str(number) if number else "-"


def _hours(row: StratumRow, seen: Overview, terms: Terms) -> str:
    share = terms.resources.gpus if seen.is_on_gpu else terms.resources.cpus
    hours = row.trained_s * share / SECONDS_PER_HOUR
    return f"{hours:.2f}" if hours < 10 else f"{hours:.1f}" if hours < 100 else f"{hours:.0f}"
