"""Which trial comes next, and which trials train together in one process.

Which trials train together decides how numbers are rounded. So that two runs of a sweep agree, and a resumed
one with both, it follows from the plan and from the trials' metrics alone: the trials that enter a segment,
from one rung to the next, are counted in the order of the plan and divided into cohorts of one size. A cohort
waits until all its members are known, and trains to the next rung, where it is split up.
"""

import heapq
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from glsweep.config.settings import Settings
from glsweep.config.space import Budget, Resources
from glsweep.config.trial import TrialParameters
from glsweep.nets import network_of
from glsweep.nets.grouped import can_group
from glsweep.registry import is_imported
from glsweep.search.plan import EarlierTrial, ListedPlan, NoProposal, Plan, PlannedTrial
from glsweep.sweep.at_rungs import Entrants, WaitingAtRungs
from glsweep.sweep.journal import CRASHES_IN_A_ROW, Decision, Journal
from glsweep.sweep.records import TrialRecord
from glsweep.training.cohort import cohort_key

# Up to this product of a batch's pixels and the network's width, cohorts of this size make a CPU faster by
# a quarter or more: see benchmarks/RESULTS.md.
LARGEST_WORK_THAT_PAYS = 2**18
COHORT_SIZE = 4
TRIED = {"base_width": 4, "patch_size_px": 64}
"""Of a built-in network that is tried, small and of no other result than a large one."""


class Cohort(Settings):
    """Trials that train together in one process; a single one is a cohort too.

    They stop at `until_epoch`; None for a trial that goes on as long as the journal lets it.
    """

    trials: tuple[PlannedTrial, ...]
    until_epoch: int | None = None

    @property
    def place(self) -> tuple[int, int]:
        """Where the cohort stands in the order of the plan."""
        return self.trials[0].index, self.trials[0].replicate


def cohort_sizes(
    plan: Plan, budget: Budget, resources: Resources, *, places: int | None, on_gpu: bool
) -> dict[str, int]:
    """Return how many trials of each stratum, by its key, train together; those not named train alone.

    Trials train together only if all are known beforehand, and those of a stratum differ only in what
    members of a cohort may differ in.

    Parameters
    ----------
    plan : Plan
        The sweep's plan.
    budget : Budget
        A budget of epochs or hours leaves open how many trials there are.
    resources : Resources
        With `cohort: auto` cohorts are formed only where they were measured to pay, and not so large
        that places stay empty.
    places : int or None
        Trials that can train side by side, None where nodes may come or go.
    on_gpu : bool
        Whether they train on GPUs.
    """
    sizes = {}
    for key, parameters in groupable_strata(plan, budget).items():
        if isinstance(resources.cohort, int):
            size = resources.cohort
        else:
            most = (plan.size or 0) // places if places else 1
            size = min(COHORT_SIZE, most) if _pays(parameters[0], on_gpu=on_gpu) else 1
        if min(size, len(parameters)) > 1:
            sizes[key] = size
    return sizes


def groupable_strata(plan: Plan, budget: Budget) -> dict[str, list[TrialParameters]]:
    """Return, by key, the strata whose trials are known beforehand and may train together."""
    if not isinstance(plan, ListedPlan) or budget.epochs is not None or budget.hours is not None:
        return {}
    strata: dict[str, list[TrialParameters]] = {}
    for trial in plan.trials:
        strata.setdefault(trial.stratum.key, []).append(trial.parameters)
    return {
        key: strata[key]
        for key in sorted(strata)
        if len({cohort_key(trial) for trial in strata[key]}) == 1 and _can_be_grouped(strata[key])
    }


def _can_be_grouped(trials: Sequence[TrialParameters]) -> bool:
    first = trials[0]
    if len(trials) == 1:
        return True
    if not is_imported(first.architecture):
        # Of what is built in, layers alone decide, whatever the width and the size; a full one takes minutes.
        first = first.model_copy(update=TRIED)
    networks = [network_of(first, seed=seed) for seed in range(2)]
    return can_group(networks, (len(first.channels), first.patch_size_px))


def _pays(parameters: TrialParameters, *, on_gpu: bool) -> bool:
    if parameters.base_width is None:  # nothing was measured of networks that choose their own width
        return False
    work = parameters.batch_size * parameters.patch_size_px**2 * parameters.base_width
    return not on_gpu and work <= LARGEST_WORK_THAT_PAYS


class WaitingCohorts:
    """Trials that wait for the other members of their cohort.

    Parameters
    ----------
    journal : Journal
        What has happened so far, and how many trials of a stratum train together. Every trial of
        such a stratum that is gathered has been started there.
    planned : mapping of str to int
        How many configurations the plan has for each of these strata.
    replicates : int
        Seeds of a configuration.
    """

    def __init__(self, journal: Journal, planned: Mapping[str, int], replicates: int) -> None:
        self._journal, self._planned, self._replicates = journal, planned, replicates
        self._gathered: dict[str, PlannedTrial] = {}
        self._entrants: dict[tuple[str, int | None], Entrants] = {}

    def __bool__(self) -> bool:
        return bool(self._gathered)

    def add(self, trial: PlannedTrial) -> None:
        """Add a trial that may train."""
        self._gathered[trial.trial_id] = trial

    def alone(self, trial: PlannedTrial) -> Cohort:
        """Return a trial as a cohort of its own, until its segment ends."""
        return Cohort(trials=(trial,), until_epoch=self._until(trial))

    def complete(self) -> Iterator[Cohort]:
        """Yield and remove the cohorts whose members are all waiting."""
        for trial in sorted(self._gathered.values(), key=lambda trial: (trial.index, trial.replicate)):
            if trial.trial_id not in self._gathered:
                continue
            members = self._members(trial)
            if members is not None and all(member.trial_id in self._gathered for member in members):
                for member in members:
                    del self._gathered[member.trial_id]
                yield Cohort(trials=tuple(members), until_epoch=self._until(trial))

    def _members(self, trial: PlannedTrial) -> list[PlannedTrial] | None:
        """Return the trials that train with one, itself included; None while more may still join."""
        records, size = self._journal.records, self._journal.cohorts[trial.stratum.key]
        if trial.replicate:
            all_seeds = records.replicates[trial.configuration]
            first = 1 + (trial.replicate - 1) // size * size
            fellows = [seed for seed in all_seeds if first <= seed.trial.replicate < first + size]
            is_known = len(fellows) == min(size, self._replicates - first)
        else:
            entered = self._entered(trial)
            place = entered.places[trial.trial_id] // size * size
            fellows = entered.trials[place : place + size]
            is_known = len(fellows) == size or self._is_whole(entered, trial.stratum.key)
        until = self._until(trial)
        if not is_known:
            return None
        return [one.trial for one in fellows if one.outcome is None and one.reached < until]

    def _entered(self, trial: PlannedTrial) -> Entrants:
        """Return the trials that have entered a trial's segment."""
        key, passed = trial.stratum.key, self._passed(trial)
        entrants = self._entrants.setdefault((key, passed), Entrants(passed))
        entrants.update(self._journal.records.strata[key])
        return entrants

    def _is_whole(self, entered: Entrants, key: str) -> bool:
        """Whether no other trial of the stratum will enter the segment."""
        return self._planned[key] <= len(self._journal.records.strata[key]) == entered.seen

    def _passed(self, trial: PlannedTrial) -> int | None:
        """Return the epoch of the last rung that a trial passed."""
        return max(self._journal.records.trials[trial.trial_id].judged, default=None)

    def _until(self, trial: PlannedTrial) -> int:
        """Return the epoch at which the trial's segment ends."""
        if trial.replicate:
            return self._journal.epochs
        passed = self._passed(trial) or 0
        ends = (*self._journal.rung_epochs, self._journal.epochs)
        return min(epoch for epoch in ends if epoch > passed)


# --- Which trial comes next: one that was interrupted, another seed of a good one, or a new one

SECONDS_PER_HOUR = 3600.0


class TrialQueue:
    """Hands trials out until all are over, however often the sweep is begun.

    Trials that train together are handed out together. They count as begun when the plan proposes them,
    so that the members of each cohort are known.

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
        self._given_back: list[PlannedTrial] = []
        self._waiting = WaitingAtRungs(journal)
        self._gathering = WaitingCohorts(journal, planned_configurations(plan), replicates)
        self._ready: list[tuple[tuple[int, int], Cohort]] = []
        self._settled_at: tuple[int, int, int] | None = None
        self._next_index = len(journal.records.firsts)
        for record in list(journal.records.trials.values()):
            self._take_back(record)

    def next(self) -> Cohort | NoProposal:
        """Return the next cohort, `WAIT` while the choice depends on others, or `END` when all are over."""
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
        """Whether every trial is over and no other will be proposed."""
        self._settle()
        return not self._ready and self._propose() is NoProposal.END

    def release(self, trial_id: str) -> None:
        """Take a trial back that no longer trains: it is over, waits at a rung, or crashed."""
        if self._out.pop(trial_id, None) is not None:
            self._take_back(self._journal.records.trials[trial_id])

    def _take_back(self, record: TrialRecord) -> None:
        if record.outcome is None:
            self._given_back.append(record.trial)
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
            # Its last try: alone, since the others of its cohort may be the reason for the crashes.
            self._give_place(self._gathering.alone(trial))
        else:
            self._gathering.add(trial)

    def _give_place(self, cohort: Cohort) -> None:
        heapq.heappush(self._ready, (cohort.place, cohort))

    def _settle(self) -> None:
        """Line up the trials that need not wait any longer, and release those that are over."""
        # A trial waits for a start, an epoch or an end of another; each of these may cause more of them.
        while self._settled_at != (now := self._progress()):
            undecided, self._given_back = [*self._given_back, *self._waiting.no_longer()], []
            for trial in undecided:
                decision = self._journal.decide(trial.trial_id)
                if decision is Decision.CONTINUE:
                    self._line_up(trial)
                elif decision is Decision.WAIT:
                    self._waiting.add(trial)
                else:
                    self._take_back(self._journal.records.trials[trial.trial_id])
            for cohort in self._gathering.complete():
                self._give_place(cohort)
            self._settled_at = now

    def _progress(self) -> tuple[int, int, int]:
        records = self._journal.records
        return len(records.trials), records.epochs, len(records.unended)

    def _propose(self) -> PlannedTrial | NoProposal:
        """Return a new trial; while others are under way, a spent budget may still get room for one."""
        proposed = NoProposal.END if self._is_spent() else self._plan.propose(self._next_index, self._past)
        under_way = self._out or self._given_back or self._waiting or self._gathering
        return NoProposal.WAIT if proposed is NoProposal.END and under_way else proposed

    def _past(self, index: int) -> EarlierTrial:
        record = self._journal.records.firsts[index]
        metrics = {epoch: metrics[self._journal.metric] for epoch, metrics in record.epochs.items()}
        return EarlierTrial(record.trial, record.outcome, metrics)

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
        """Return the epochs that were spent, and those that trials which have begun may still take."""
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
        """Return the epochs that a trial may take, those of its other seeds included."""
        return self._epochs if trial.replicate else self._epochs * self._replicates


def planned_configurations(plan: Plan) -> Counter[str]:
    """Return how many configurations of each stratum, by its key, a plan is known to have."""
    return Counter(trial.stratum.key for trial in plan.trials) if isinstance(plan, ListedPlan) else Counter()
