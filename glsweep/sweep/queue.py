"""Which trial comes next: one that was cut off, another seed of a good one, or a new one of the plan."""

import heapq
import time
from collections import Counter
from collections.abc import Callable

from glsweep.config.space import Budget
from glsweep.spaces.plan import Answer, ListedPlan, Past, Plan, PlannedTrial
from glsweep.sweep.cohorts import Cohort, Gathering
from glsweep.sweep.journal import CRASHES_IN_A_ROW, Decision, Journal
from glsweep.sweep.records import TrialRecord

SECONDS_PER_HOUR = 3600.0


class TrialQueue:
    """Hands trials out until all are over, however often the sweep is begun.

    Those that train together are handed out together. They are begun when the plan proposes them, so
    that it is known who they are.

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
        self._gathering = Gathering(journal, _planned(plan), replicates)
        self._ready: list[tuple[tuple[int, int], Cohort]] = []
        self._settled_at: tuple[int, int, int] | None = None
        self._next_index = len(journal.records.firsts)
        for record in list(journal.records.trials.values()):
            self._take_back(record)

    def next(self) -> Cohort | Answer:
        """Return who trains next, `WAIT` while that depends on others, or `END` when all are over."""
        self._settle()
        while not self._ready:
            proposed = self._propose()
            if not isinstance(proposed, PlannedTrial):
                return proposed
            self._next_index += 1
            self._line_up(proposed)
            self._settle()
        cohort = heapq.heappop(self._ready)[-1]
        self._out |= {trial.trial_id: trial for trial in cohort.trials}
        return cohort

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
        if trial.stratum.key not in self._journal.cohorts:
            self._give_place(Cohort(trials=(trial,)))
            return
        if trial.trial_id not in self._journal.records.trials:
            self._journal.start(trial)
        if self._journal.records.trials[trial.trial_id].crashes == CRASHES_IN_A_ROW - 1:
            # Its last chance: should its fellows be the reason, it must not fail for them.
            self._give_place(self._gathering.alone(trial))
        else:
            self._gathering.add(trial)

    def _give_place(self, cohort: Cohort) -> None:
        heapq.heappush(self._ready, (cohort.place, cohort))

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
            for cohort in self._gathering.complete():
                self._give_place(cohort)
            self._settled_at = now

    def _progress(self) -> tuple[int, int, int]:
        records = self._journal.records
        return len(records.trials), records.epochs, len(records.unended)

    def _propose(self) -> PlannedTrial | Answer:
        """Return a new trial; as long as others are under way, a spent budget may yet have room for it."""
        proposed = Answer.END if self._is_spent() else self._plan.propose(self._next_index, self._past)
        under_way = self._out or self._held or self._gathering
        return Answer.WAIT if proposed is Answer.END and under_way else proposed

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
        lined_up = [trial for _, cohort in self._ready for trial in cohort.trials]
        to_come += sum(self._full(trial) for trial in lined_up if trial.trial_id not in records.trials)
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


def _planned(plan: Plan) -> Counter[str]:
    """Return how many configurations of each stratum, by its key, a plan is known to have."""
    return Counter(trial.stratum.key for trial in plan.trials) if isinstance(plan, ListedPlan) else Counter()
