"""How a sweep stands: a row for each stratum, told from its records."""

import bisect
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from glsweep.config.space import Figure
from glsweep.config.trial import Stratum
from glsweep.sweep.records import SweepRecords, TrialRecord
from glsweep.sweep.rungs import rung_epochs
from glsweep.sweep.terms import Terms
from glsweep.tracking.labels import parameter_label
from glsweep.training.report import is_better


@dataclass(frozen=True)
class Leader:
    """A stratum's best configuration so far: its figure and what sets it apart from the others."""

    value: float
    trial_id: str
    parameters: str


@dataclass(frozen=True)
class StratumRow:
    """The trials of one stratum, each counted once.

    Attributes
    ----------
    to_come : int or None
        Trials that are planned and were not begun; None where they are drawn as the sweep goes.
    in_line : int
        Trials that wait for a place to train, be it for the first time or again.
    at_rung : int
        Trials that wait at a rung for their turn to be judged.
    crashed : int
        Trials whose worker died, and that wait to be tried again.
    trained_s : float
        Time of all epochs.
    """

    stratum: Stratum
    to_come: int | None
    in_line: int = 0
    running: int = 0
    at_rung: int = 0
    crashed: int = 0
    stopped: int = 0
    done: int = 0
    failed: int = 0
    leader: Leader | None = None
    trained_s: float = 0.0

    @property
    def waiting(self) -> int:
        """Trials that were begun, are not over and do not run."""
        return self.in_line + self.at_rung + self.crashed

    @property
    def over(self) -> int:
        """Trials that are over."""
        return self.stopped + self.done + self.failed


@dataclass(frozen=True)
class Overview:
    """How a sweep stands.

    `nodes` are those on which trials train now; `ran_s` is how long the sweep has run in all.
    """

    rows: tuple[StratumRow, ...]
    nodes: tuple[str, ...]
    is_on_gpu: bool
    ran_s: float

    @property
    def begun(self) -> int:
        """Trials that were begun."""
        return sum(row.over + row.waiting + row.running for row in self.rows)

    @property
    def over(self) -> int:
        """Trials that are over."""
        return sum(row.over for row in self.rows)


def overview(records: SweepRecords, terms: Terms, *, now_unix_s: float | None = None) -> Overview:
    """Return how a sweep stands; `now_unix_s` is given while it runs, so that its last hours count."""
    # A list, since the sweep goes on while a table is drawn.
    trials = list(records.trials.values())
    grouped: dict[Stratum, list[TrialRecord]] = {stratum: [] for stratum in terms.planned}
    for record in trials:
        grouped.setdefault(record.trial.stratum, []).append(record)
    since_last_s = 0.0 if now_unix_s is None or not trials else now_unix_s - records.last_unix_s
    rungs = rung_epochs(terms.stopping, terms.epochs)
    running = [record for record in list(records.unended.values()) if _state(record, rungs) == "running"]
    return Overview(
        rows=tuple(_row(stratum, mine, terms, rungs) for stratum, mine in sorted(grouped.items())),
        nodes=tuple(sorted({record.node for record in running if record.node is not None})),
        is_on_gpu=any(record.device == "cuda" for record in trials),
        ran_s=records.ran_s + max(since_last_s, 0.0),
    )


def _row(stratum: Stratum, records: list[TrialRecord], terms: Terms, rungs: tuple[int, ...]) -> StratumRow:
    counts: dict[str, int] = defaultdict(int)
    for record in records:
        counts[_state(record, rungs)] += 1
    return StratumRow(
        stratum=stratum,
        to_come=_to_come(records, terms.planned.get(stratum), terms.replicates),
        leader=_leader(records, terms.figure),
        trained_s=sum(record.trained_s for record in records),
        **counts,
    )


def _state(record: TrialRecord, rungs: tuple[int, ...]) -> str:
    """Return the field of a row in which a trial is counted."""
    if record.outcome is not None:
        return {"completed": "done", "stopped": "stopped", "failed": "failed"}[record.outcome]
    if _is_at_rung(record, rungs):
        return "at_rung"
    if record.node is not None:
        return "running"
    return "crashed" if record.crashes else "in_line"


def _is_at_rung(record: TrialRecord, rungs: tuple[int, ...]) -> bool:
    """Whether a trial is at a rung unjudged; at lower rungs it was judged, or it would not be here."""
    passed = bisect.bisect_right(rungs, record.reached)
    return passed > 0 and record.trial.replicate == 0 and rungs[passed - 1] not in record.judged


def _to_come(records: list[TrialRecord], planned: int | None, replicates: int) -> int | None:
    """Return how many trials were not begun: configurations, and other seeds of those that ran in full."""
    if planned is None:
        return None
    firsts = [record for record in records if record.trial.replicate == 0]
    seeds_due = (replicates - 1) * sum(record.outcome == "completed" for record in firsts)
    return planned - len(firsts) + max(seeds_due - (len(records) - len(firsts)), 0)


def _leader(records: list[TrialRecord], figure: Figure) -> Leader | None:
    """Return the best configuration: by the mean over its seeds that ran in full, else by its best so far."""
    firsts: dict[str, TrialRecord] = {}
    completed: dict[str, list[float]] = defaultdict(list)
    best: tuple[str, float] | None = None
    for record in records:
        found = record.best(figure)
        if record.trial.replicate == 0:
            firsts[record.trial.trial_id] = record
        if record.outcome == "completed" and found:
            completed[record.trial.configuration].append(found[1])
    for trial_id, record in firsts.items():
        found = None if record.outcome == "failed" else record.best(figure)
        if found is None:
            continue
        seeds = completed.get(trial_id)
        value = math.fsum(seeds) / len(seeds) if seeds else found[1]
        if is_better(figure, value, best[1] if best else None):
            best = trial_id, value
    if best is None:
        return None
    return Leader(best[1], best[0], distinction(firsts[best[0]], firsts.values()))


def distinction(record: TrialRecord, others: Iterable[TrialRecord]) -> str:
    """Return the parameters of a trial in which it differs from `others`, such as `bce_weight 0.2`.

    Of parameters that always change together, the first one is named.
    """
    columns = list(zip(*(tuple(vars(other.trial.parameters).values()) for other in others), strict=True))
    seen: set[tuple[int, ...]] = set()
    shown = []
    for (name, value), column in zip(record.trial.parameters, columns, strict=True):
        numbers: dict[object, int] = {}
        pattern = tuple(numbers.setdefault(v, len(numbers)) for v in column)
        # Where no value comes twice, as in draws from a range, nothing says that two are tied.
        is_tied = pattern in seen and len(numbers) < len(column)
        seen.add(pattern)
        if len(numbers) > 1 and not is_tied:
            shown.append(f"{name} {_short(value)}")
    return ", ".join(shown)


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else parameter_label(value)
