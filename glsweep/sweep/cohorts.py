"""Which trials train together, as one network in one process; see `glsweep.training.cohort`.

Who trains with whom decides how numbers are rounded. So that two runs of a sweep agree, and a resumed one
with both, it follows from the plan and from what the trials brought alone: those that enter a segment, from
one rung to the next, are counted in the order of the plan and parted into cohorts of one size. A cohort
waits until all its members are known, and trains to the next rung, where it comes apart.
"""

from collections.abc import Iterator, Mapping

from glsweep.config.base import Settings
from glsweep.config.space import Budget, Resources
from glsweep.config.trial import TrialParameters
from glsweep.spaces.plan import ListedPlan, Plan, PlannedTrial
from glsweep.sweep.journal import Journal
from glsweep.sweep.records import TrialRecord
from glsweep.training.cohort import kind

# Up to so many pixels of a batch times the network's width a CPU gains a quarter or more by cohorts of
# this size: see benchmarks/RESULTS.md.
PAYS_UP_TO = 2**18
SIZE = 4


class Cohort(Settings):
    """Trials that train in one place; a single one is a cohort of its own.

    They stop at `until_epoch`; None for a trial that goes on for as long as the journal lets it.
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

    Only where all trials are known beforehand, and those of a stratum differ in nothing but what
    members of a cohort may differ in.

    Parameters
    ----------
    plan : Plan
        The sweep's.
    budget : Budget
        Of epochs or hours, it leaves open how many trials there are.
    resources : Resources
        With `cohort: auto` cohorts are formed where they were measured to pay, and so that every
        place has one.
    places : int or None
        Trials that can train side by side, None where nodes may come or go.
    on_gpu : bool
        Whether they train on GPUs.
    """
    sizes = {}
    for key, parameters in alike_strata(plan, budget).items():
        if isinstance(resources.cohort, int):
            size = resources.cohort
        else:
            most = (plan.size or 0) // places if places else 1
            size = min(SIZE, most) if _pays(parameters[0], on_gpu=on_gpu) else 1
        if min(size, len(parameters)) > 1:
            sizes[key] = size
    return sizes


def alike_strata(plan: Plan, budget: Budget) -> dict[str, list[TrialParameters]]:
    """Return, by key, the strata whose trials may train together: all are known, and of one kind."""
    if not isinstance(plan, ListedPlan) or budget.epochs is not None or budget.hours is not None:
        return {}
    strata: dict[str, list[TrialParameters]] = {}
    for trial in plan.trials:
        strata.setdefault(trial.stratum.key, []).append(trial.parameters)
    return {key: strata[key] for key in sorted(strata) if len({kind(of) for of in strata[key]}) == 1}


def _pays(parameters: TrialParameters, *, on_gpu: bool) -> bool:
    work = parameters.batch_size * parameters.patch_size_px**2 * parameters.base_width
    return not on_gpu and work <= PAYS_UP_TO


class Gathering:
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

    def __bool__(self) -> bool:
        return bool(self._gathered)

    def add(self, trial: PlannedTrial) -> None:
        """Let a trial wait that may train."""
        self._gathered[trial.trial_id] = trial

    def alone(self, trial: PlannedTrial) -> Cohort:
        """Return a trial as a cohort of its own, as long as its segment lasts."""
        return Cohort(trials=(trial,), until_epoch=self._until(trial))

    def complete(self) -> Iterator[Cohort]:
        """Yield the cohorts of which nobody is missing any more, and let go of their members."""
        for trial in sorted(self._gathered.values(), key=lambda trial: (trial.index, trial.replicate)):
            if trial.trial_id not in self._gathered:
                continue
            members = self._members(trial)
            if members is not None and all(member.trial_id in self._gathered for member in members):
                for member in members:
                    del self._gathered[member.trial_id]
                yield Cohort(trials=tuple(members), until_epoch=self._until(trial))

    def _members(self, trial: PlannedTrial) -> list[PlannedTrial] | None:
        """Return who is to train with a trial, itself included; None while others may come to be."""
        records, size = self._journal.records, self._journal.cohorts[trial.stratum.key]
        if trial.replicate:
            all_seeds = records.replicates[trial.configuration]
            first = 1 + (trial.replicate - 1) // size * size
            fellows = [of for of in all_seeds if first <= of.trial.replicate < first + size]
            is_known = len(fellows) == min(size, self._replicates - first)
        else:
            entered = self._entered(trial)
            place = [of.trial.trial_id for of in entered].index(trial.trial_id) // size * size
            fellows = entered[place : place + size]
            is_known = len(fellows) == size or self._all_have_come(trial)
        until = self._until(trial)
        return [of.trial for of in fellows if of.outcome is None and of.reached < until] if is_known else None

    def _entered(self, trial: PlannedTrial) -> list[TrialRecord]:
        """Return those that entered the trial's segment, in the order of the plan."""
        passed = self._passed(trial)
        stratum = self._journal.records.strata[trial.stratum.key]
        return [of for of in stratum if passed is None or _goes_on(of, passed)]

    def _all_have_come(self, trial: PlannedTrial) -> bool:
        """Whether nobody else will enter the trial's segment."""
        stratum, passed = self._journal.records.strata[trial.stratum.key], self._passed(trial)
        if len(stratum) < self._planned[trial.stratum.key]:
            return False
        return passed is None or all(of.outcome is not None or passed in of.judged for of in stratum)

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


def _goes_on(record: TrialRecord, rung_epoch: int) -> bool:
    return rung_epoch in record.judged and record.judged[rung_epoch].goes_on
