"""The state of a sweep or study: its table and its line, and what `status` reads."""

import fcntl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from glsweep.config.stopping import NoStopping
from glsweep.config.trial import Stratum
from glsweep.output import tell
from glsweep.progress import Standing, clock_text
from glsweep.search import make_plan
from glsweep.study import Study
from glsweep.study.artifacts import Winners, read_artifact
from glsweep.study.configuration import STAGES, Stage
from glsweep.study.standing import read_standing
from glsweep.sweep.cost import Cost, cost_hours, hours_text
from glsweep.sweep.overview import SECONDS_PER_HOUR, Overview, StratumRow, SweepTerms, overview, seconds_left
from glsweep.sweep.records import Began, SweepRecords, read_records

Cell = Callable[[StratumRow], str]

LARGEST_SHARE_OF_TIME = 0.05
"""That showing a sweep may take: a large one must not be slowed down."""


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
    size = _trials(terms)
    of = f" of {size}" if size is not None else ""
    text = f"{state.over}{of} trials over, {records.epochs} epochs in {clock_text(state.ran_s)}"
    cost = cost_hours(records.trials.values(), terms.resources)
    if now_unix_s is None:
        return f"{text}, {cost}"
    running = sum(row.running for row in state.rows)
    where = f" on {len(state.nodes)} nodes" if len(state.nodes) > 1 else ""
    text += f", {running} running{where}" if running else ""
    left_s = seconds_left(records, terms, now_unix_s=now_unix_s)
    text += f", about {clock_text(left_s)} left" if left_s else ""
    return f"{text}, {cost} so far"


def tell_state(
    records: SweepRecords, terms: SweepTerms, stage: Stage, console: Console, *, now_unix_s: float
) -> None:
    """Print one line on a sweep that runs, or as JSON how far it has come."""
    state = overview(records, terms, now_unix_s=now_unix_s)
    cost = cost_hours(records.trials.values(), terms.resources)
    left_s = seconds_left(records, terms, now_unix_s=now_unix_s)
    tell(
        console,
        f"{stage}: {state_line(records, terms, state, now_unix_s=now_unix_s)}",
        "progress",
        stage=stage,
        done=state.over,
        total=_trials(terms),
        unit="trials",
        elapsed_s=round(state.ran_s, 1),
        left_s=None if left_s is None else round(left_s, 1),
        epochs=records.epochs,
        running=sum(row.running for row in state.rows),
        gpu_hours=round(cost.gpu_hours, 4),
        cpu_hours=round(cost.cpu_hours, 4),
    )


def _trials(terms: SweepTerms) -> int | None:
    """Return how many trials there will be, None where that is not certain beforehand."""
    return terms.size if terms.replicates == 1 and not terms.may_end_early else None


def _waiting_line(state: Overview) -> str:
    """Return what the waiting trials wait for."""
    for_what = {
        "for a place to train": sum(row.in_line for row in state.rows),
        "at a rung for earlier trials": sum(row.at_rung for row in state.rows),
        "to be tried again after a crash": sum(row.crashed for row in state.rows),
    }
    waits = [f"{number} {reason}" for reason, number in for_what.items() if number]
    return f"waiting: {', '.join(waits)}" if waits else ""


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
    standing : Standing or None
        How far the stage that runs has come with what it counts; None for one that trains.
    """

    is_running: bool | None
    done: dict[Stage, float]
    current: Stage | None
    parts: tuple[StageTrials, ...]
    standing: Standing | None = None

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
        """Estimate how long the stage that runs now will take; None where that is not known."""
        part = self.training
        if part is not None:
            return seconds_left(part.records, part.terms, now_unix_s=now_unix_s)
        return None if self.standing is None else self.standing.left_s


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
    standing = None if is_running is False else read_standing(study)
    return Status(is_running, done, current, tuple(parts), standing)


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
