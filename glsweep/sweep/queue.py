"""Which trial comes next: one that was cut off, another seed of a good one, or a new one of the plan."""

import heapq
import time
from collections.abc import Callable

from glsweep.config.space import Budget
from glsweep.spaces.plan import Answer, Past, Plan, PlannedTrial
from glsweep.sweep.journal import Decision, Journal
from glsweep.sweep.records import TrialRecord

SECONDS_PER_HOUR = 3600.0


class TrialQueue:
    """Hands trials out until all are over, however often the sweep is begun.

    Parameters
    ----------
    plan : Plan
        Proposes configurations.
    journal : Journal
        What has happened so far.
    budget : Budget
        When no further configuration is begun.
    replicates : int
        Seeds of each configuration; all but the first run once that has run in full.
    epochs : int
        A trial's full budget.
    clock : callable
        The time in seconds since 1970, for the budget of hours.
    """

    def __init__(
        self,
        plan: Plan,
        journal: Journal,
        *,
        budget: Budget,
        replicates: int,
        epochs: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._plan, self._journal, self._budget = plan, journal, budget
        self._replicates, self._epochs, self._clock = replicates, epochs, clock
        self._out: dict[str, PlannedTrial] = {}
        self._held: list[PlannedTrial] = []
        self._ready: list[tuple[int, int, PlannedTrial]] = []
        self._settled_at: tuple[int, int, int] | None = None
        self._next_index = len(journal.records.firsts)
        for record in journal.records.trials.values():
            self._take_back(record)

    def next(self) -> PlannedTrial | Answer:
        """Return the next trial to train, `WAIT` while that depends on others, or `END` when all are over."""
        self._settle()
        if self._ready:
            trial = heapq.heappop(self._ready)[-1]
        else:
            proposed = self._propose()
            if not isinstance(proposed, PlannedTrial):
                return proposed
            trial, self._next_index = proposed, self._next_index + 1
        self._out[trial.trial_id] = trial
        return trial

    def is_over(self) -> bool:
        """Whether every trial is over and no other will come."""
        self._settle()
        return not self._ready and self._propose() is Answer.END

    def release(self, trial_id: str) -> None:
        """Take a trial back that no longer trains: it is over, waits at a rung, or crashed."""
        if self._out.pop(trial_id, None) is not None:
            self._take_back(self._journal.records.trials[trial_id])

    def _take_back(self, record: TrialRecord) -> None:
        if record.outcome is None:
            self._held.append(record.trial)
            self._settled_at = None
        elif record.outcome == "completed" and record.trial.replicate == 0:
            for number in range(1, self._replicates):
                trial = record.trial.replicated(number)
                if trial.trial_id not in self._journal.records.trials:
                    self._line_up(trial)

    def _line_up(self, trial: PlannedTrial) -> None:
        heapq.heappush(self._ready, (trial.index, trial.replicate, trial))

    def _settle(self) -> None:
        """Line up those of the held trials that need not wait any longer, and let go of those now over."""
        # What a trial waits for can only come by a start, an epoch or an end; one may bring others about.
        while self._settled_at != (now := self._progress()):
            held, self._held = self._held, []
            for trial in held:
                decision = self._journal.decide(trial.trial_id)
                if decision is Decision.CONTINUE:
                    self._line_up(trial)
                elif decision is Decision.WAIT:
                    self._held.append(trial)
                else:
                    self._take_back(self._journal.records.trials[trial.trial_id])
            self._settled_at = now

    def _progress(self) -> tuple[int, int, int]:
        records = self._journal.records
        return len(records.trials), records.epochs, len(records.unended)

    def _propose(self) -> PlannedTrial | Answer:
        """Return a new trial; as long as others are under way, a spent budget may yet have room for it."""
        proposed = Answer.END if self._is_spent() else self._plan.propose(self._next_index, self._past)
        return Answer.WAIT if proposed is Answer.END and (self._out or self._held) else proposed

    def _past(self, index: int) -> Past:
        record = self._journal.records.firsts[index]
        figures = {epoch: figures[self._journal.figure] for epoch, figures in record.epochs.items()}
        return Past(record.trial, record.outcome, figures)

    def _is_spent(self) -> bool:
        budget, records = self._budget, self._journal.records
        if budget.trials is not None and self._next_index >= budget.trials:
            return True
        if (
            budget.epochs is not None
            and budget.epochs < self._epochs_committed() + self._epochs * self._replicates
        ):
            return True
        if budget.hours is None:
            return False
        since_last_s = max(self._clock() - records.last_unix_s, 0.0) if self._out else 0.0
        return records.ran_s + since_last_s >= budget.hours * SECONDS_PER_HOUR

    def _epochs_committed(self) -> int:
        """Return the epochs that were spent, and those that may still come of what has begun."""
        records = self._journal.records
        to_come = sum(self._full(record.trial) - record.reached for record in records.unended.values())
        to_come += sum(self._full(trial) for *_, trial in self._ready if trial.trial_id not in records.trials)
        for trial in self._out.values():
            record = records.trials.get(trial.trial_id)
            if record is None:
                to_come += self._full(trial)
            elif record.outcome == "completed":  # not taken back yet: its other seeds are to be lined up
                to_come += self._full(trial) - self._epochs
        return records.epochs + to_come

    def _full(self, trial: PlannedTrial) -> int:
        """Epochs that a trial may bring about, those of its other seeds included."""
        return self._epochs if trial.replicate else self._epochs * self._replicates
