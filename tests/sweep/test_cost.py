"""What a trial costs the driver does not grow with the trials that were begun, or that wait."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from sweeps import QuickLedger, figures, planned

from glsweep.config.space import Budget
from glsweep.config.stopping import Asha
from glsweep.search.plan import ListedPlan
from glsweep.sweep.journal import Decision, Journal
from glsweep.sweep.queue import Cohort, TrialQueue
from glsweep.sweep.records import Event, Ledger

TRIALS = 600


class CountedLedger(Ledger):
    """Counts how often it waits for the disk."""

    waits = 0

    def write_through(self, events: list[Event]) -> None:
        self.waits += 1
        super().write_through(events)


def sweep_of(ledger: Ledger, *, cohort_size: int) -> tuple[Journal, TrialQueue]:
    """A sweep of one stratum."""
    rule = Asha(grace_epochs=1, reduction_factor=3)
    journal = Journal(ledger, stopping=rule, epochs=4, metric="relaxed_f1")
    sizes = {"unet-128": cohort_size} if cohort_size > 1 else {}
    journal.settle_cohorts(sizes, groupable=sizes)
    plan = ListedPlan([planned(index) for index in range(TRIALS)])
    return journal, TrialQueue(plan, journal, budget=Budget(), replicates=1, epochs=4)


def handed_out(journal: Journal, queue: TrialQueue) -> Cohort:
    cohort = queue.next()
    assert isinstance(cohort, Cohort)
    for trial in cohort.trials:
        journal.start(trial)
    return cohort


def train(journal: Journal, queue: TrialQueue, cohort: Cohort) -> None:
    """Train a cohort until it waits, is over, or is split up."""
    for trial in cohort.trials:
        decision = Decision.CONTINUE
        reached = journal.records.trials[trial.trial_id].reached
        for epoch in range(reached + 1, (cohort.until_epoch or 4) + 1):
            if decision is Decision.CONTINUE:
                value = figures(0.5 + trial.index * 37 % 101 / 1000 + epoch / 100)
                decision = journal.report(trial.trial_id, epoch, value, last=epoch == 4)
    for trial in cohort.trials:
        queue.release(trial.trial_id)


def calls_in(act: Callable[[], object]) -> int:
    """How many functions are called meanwhile."""
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("cohort_size", [1, 4])
@pytest.mark.parametrize("first_is_slow", [False, True])
def test_the_last_trials_of_a_sweep_cost_what_the_first_did(
    tmp_path: Path, cohort_size: int, first_is_slow: bool
) -> None:
    journal, queue = sweep_of(QuickLedger(tmp_path / "ledger.jsonl"), cohort_size=cohort_size)
    slow = handed_out(journal, queue) if first_is_slow else None
    costs = []
    for _ in range(TRIALS // cohort_size - 1):
        costs.append(calls_in(lambda: train(journal, queue, handed_out(journal, queue))))
    most_at_first, most_at_last = max(costs[10:60]), max(costs[-50:])
    # Whoever begins is put in its place in the plan by halving, whose steps are few.
    assert most_at_last < 1.3 * most_at_first
    waiting = sum(record.outcome is None for record in journal.records.trials.values())
    assert (waiting > TRIALS // 2) == first_is_slow
    if slow is not None:
        train(journal, queue, slow)
    while not queue.is_over():
        train(journal, queue, handed_out(journal, queue))
    assert all(record.outcome is not None for record in journal.records.trials.values())


def test_whoever_waited_for_one_is_judged_with_one_wait_for_the_disk(tmp_path: Path) -> None:
    ledger = CountedLedger(tmp_path / "ledger.jsonl")
    journal, queue = sweep_of(ledger, cohort_size=1)
    slow = handed_out(journal, queue)
    for _ in range(40):
        train(journal, queue, handed_out(journal, queue))
    waits, lines = ledger.waits, len(ledger.path.read_text().splitlines())
    journal.report(slow.trials[0].trial_id, 1, figures(0.9), last=False)
    assert ledger.waits == waits + 2  # the report; all judgements and ends
    told = ledger.path.read_text().splitlines()[lines:]
    assert sum('"event":"rung"' in line for line in told) == 41
    assert sum('"event":"ended"' in line for line in told) > 20


def test_what_has_happened_is_written_even_if_what_follows_cannot_be_told(tmp_path: Path) -> None:
    ledger, other = CountedLedger(tmp_path / "ledger.jsonl"), QuickLedger(tmp_path / "other.jsonl")
    journal, queue = sweep_of(other, cohort_size=1)
    handed_out(journal, queue)
    first, second = other.read()
    with pytest.raises(ZeroDivisionError), ledger.in_one_go():
        ledger.append(first)
        ledger.append(second)
        assert not ledger.path.exists()
        raise ZeroDivisionError
    assert list(ledger.read()) == [first, second]
