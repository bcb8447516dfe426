"""What a simulated cluster trains for: the real queue, journal and ledger, or Ray's asynchronous halving."""

import bisect
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from invented_networks import figures
from process_tree import resident_mib
from ray.tune.schedulers.async_hyperband import _Bracket
from ray.tune.schedulers.trial_scheduler import TrialScheduler

from glsweep.config.space import SearchSpace
from glsweep.config.stopping import Asha
from glsweep.search.plan import ListedPlan, PlannedTrial
from glsweep.sweep.journal import Decision, Journal
from glsweep.sweep.queue import Cohort, TrialQueue, planned_configurations
from glsweep.sweep.records import Ended, Event, Ledger, Reported, SweepRecords, TrialEvent, TrialRecord

MIB = 2.0**20


class SyncedLedger(Ledger):
    """The ledger, which counts how often it waits for the disk."""

    syncs = 0

    def write_through(self, events: Sequence[Event]) -> None:
        """Write events, and count."""
        super().write_through(events)
        self.syncs += 1


@dataclass
class MlflowCalls:
    """What the mirror would send: a new run in two calls, then one a second in which a trial changes."""

    clock: Callable[[], float] = lambda: 0.0
    calls: int = 0
    _sent_s: dict[str, int] = field(default_factory=dict)

    def catch_up(self, records: SweepRecords) -> None:
        """Nothing has happened before."""

    def on_event(self, event: TrialEvent, record: TrialRecord) -> None:
        """Count the calls: create, log a batch, set the status of the end."""
        name, now_s = record.trial.trial_id, int(self.clock())
        if name not in self._sent_s:
            self.calls += 2
        elif isinstance(event, Reported | Ended) and self._sent_s[name] != now_s:
            self.calls += 1
        self._sent_s[name] = now_s
        if isinstance(event, Ended):
            self.calls += 1
            del self._sent_s[name]


class Journalled:
    """The real journal and queue; their processor's seconds are counted."""

    def __init__(self, space: SearchSpace, trials: Sequence[PlannedTrial], ledger: SyncedLedger) -> None:
        search, plan = space.search, ListedPlan(trials)
        self.mlflow, self.cpu_s, self._ledger, self._epochs = MlflowCalls(), 0.0, ledger, search.epochs
        self.journal = Journal(
            ledger,
            stopping=search.scheduler,
            epochs=search.epochs,
            metric=search.rank_by,
            planned=planned_configurations(plan),
            listeners=[self.mlflow],
        )
        self._queue = TrialQueue(
            plan,
            self.journal,
            budget=search.budget,
            replicates=search.replicates,
            epochs=search.epochs,
        )
        self.costs: list[tuple[int, float, float]] = [(0, 0.0, resident_mib())]
        """For each tenth of the trials: how many are over, the seconds and the memory until then."""
        self._tenth = max(len(trials) // 10, 1)
        self.ledger_mib, self.read_s = 0.0, 0.0

    @property
    def syncs(self) -> int:
        return self._ledger.syncs

    def next(self) -> PlannedTrial | None:
        begin_s = time.process_time()
        cohort, trial = self._queue.next(), None
        if isinstance(cohort, Cohort):
            (trial,) = cohort.trials
            self.journal.start(trial)
        self.cpu_s += time.process_time() - begin_s
        return trial

    def place(self, trial: PlannedTrial, node: str) -> None:
        begin_s = time.process_time()
        self.journal.place(trial.trial_id, node, "cuda")
        self.cpu_s += time.process_time() - begin_s

    def report(self, trial: PlannedTrial, epoch: int, value: float) -> bool:
        begin_s = time.process_time()
        decision = self.journal.report(trial.trial_id, epoch, figures(value), last=epoch == self._epochs)
        if decision is not Decision.CONTINUE:
            self._queue.release(trial.trial_id)
        self.cpu_s += time.process_time() - begin_s
        over = len(self.journal.records.trials) - self.begun()
        if over >= len(self.costs) * self._tenth:
            self.costs.append((over, self.cpu_s, resident_mib()))
        return decision is Decision.CONTINUE

    def crash(self, trial: PlannedTrial) -> None:
        self.journal.crash(trial.trial_id, "the node was lost")
        self._queue.release(trial.trial_id)

    def begun(self) -> int:
        return len(self.journal.records.unended)

    def cost_of(self, tenth: int) -> float:
        """Return the processor's seconds for a thousand trials of one tenth."""
        marks = list(pairwise(self.costs))
        (over_before, before_s, _), (over, until_s, _) = marks[tenth]
        return 1000 * (until_s - before_s) / (over - over_before)


class SortedBracket(_Bracket):
    """Ray's bracket with the values of each rung kept in order: Ray sorts them anew for each trial."""

    def __init__(self, rule: Asha, epochs: int) -> None:
        super().__init__(rule.grace_epochs, epochs - 1, rule.reduction_factor, 0)
        self._rungs = [(milestone, SortedValues()) for milestone, _ in self._rungs]

    def cutoff(self, recorded: "SortedValues") -> float | None:
        """Return the quantile that Ray compares with."""
        if not recorded:
            return None
        place = (1 - 1 / self.rf) * (len(recorded) - 1)
        below = int(place)
        pair = recorded.ordered[below : below + 2]
        return pair[0] + (pair[-1] - pair[0]) * (place - below)


class SortedValues(dict[str, float]):
    """Values by trial, and in order."""

    def __init__(self) -> None:
        super().__init__()
        self.ordered: list[float] = []

    def __setitem__(self, trial_id: str, value: float) -> None:
        super().__setitem__(trial_id, value)
        bisect.insort(self.ordered, value)


ASHA = Asha(grace_epochs=1, reduction_factor=3)


class Asynchronous:
    """Ray's asynchronous halving in each stratum: a trial is judged at once among those that came before.

    By the search's own numbers where it is stopped by `asha`, else by those of `ASHA`.
    """

    syncs = 0

    def __init__(self, space: SearchSpace, trials: Sequence[PlannedTrial]) -> None:
        self._search, self._trials, self._seeds = space.search, iter(trials), deque[PlannedTrial]()
        own, keys = space.search.scheduler, {trial.stratum.key for trial in trials}
        rule = own if isinstance(own, Asha) else ASHA
        self._brackets = {key: SortedBracket(rule, space.search.epochs) for key in keys}
        self._begun = 0

    def next(self) -> PlannedTrial | None:
        trial = self._seeds.popleft() if self._seeds else next(self._trials, None)
        self._begun += trial is not None
        return trial

    def place(self, trial: PlannedTrial, node: str) -> None:
        pass

    def report(self, trial: PlannedTrial, epoch: int, value: float) -> bool:
        is_last = epoch == self._search.epochs
        if is_last and not trial.replicate:
            self._seeds += [trial.replicated(number) for number in range(1, self._search.replicates)]
        goes_on = not is_last
        if goes_on and not trial.replicate:
            bracket = self._brackets[trial.stratum.key]
            goes_on = bracket.on_result(trial, epoch, value) == TrialScheduler.CONTINUE
        self._begun -= not goes_on
        return goes_on

    def crash(self, trial: PlannedTrial) -> None:
        raise NotImplementedError("is compared undisturbed only")

    def begun(self) -> int:
        return self._begun
