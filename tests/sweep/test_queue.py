"""The queue: what comes next does not depend on who is fast, and no budget is exceeded."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_configs import SPACE, space
from sweeps import QuickLedger

from glsweep.config.space import Budget, SearchSpace
from glsweep.randomness import generator_for
from glsweep.search import make_plan
from glsweep.search import tpe as parzen
from glsweep.search.plan import NoProposal, PlannedTrial
from glsweep.sweep.journal import Decision, Journal
from glsweep.sweep.queue import Cohort, TrialQueue
from glsweep.sweep.records import SweepRecords

EPOCHS = 4
DIMENSIONS = {**SPACE["dimensions"], "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}
GRID, RANDOM, TPE = "grid", "random", "tpe"
SAMPLERS = st.sampled_from([GRID, RANDOM, TPE])


def searched(sampler: str, **search: object) -> SearchSpace:
    """A space under early stopping; the grid's six configurations, or a range to draw from."""
    settled = {"budget": {"trials": 14}} if sampler != GRID else {}
    settled |= {"parallel": 3} if sampler == TPE else {}
    value = {**SPACE["search"], "sampler": sampler, **settled, **search}
    return space(dimensions=SPACE["dimensions"] if sampler == GRID else DIMENSIONS, search=value)


class Clock:
    """Time as a test wants it."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture(scope="module", autouse=True)
def _few_results_suffice() -> Iterator[None]:
    """Let Optuna's estimator take over early, so that short sweeps depend on it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parzen, "STARTUP_TRIALS", 3)
        yield


def queue_at(
    folder: Path, of: SearchSpace, seed: int, clock: Clock | None = None
) -> tuple[Journal, TrialQueue]:
    search = of.search
    journal = Journal(
        QuickLedger(folder / "ledger.jsonl"),
        stopping=search.scheduler,
        epochs=search.epochs,
        metric=search.rank_by,
    )
    queue = TrialQueue(
        make_plan(of, seed=seed, source=Path("space.yaml")),
        journal,
        budget=search.budget,
        replicates=search.replicates,
        epochs=search.epochs,
        **({} if clock is None else {"clock": clock}),
    )
    return journal, queue


def value(trial: PlannedTrial, epoch: int) -> float:
    """What a trial reports, whoever else runs and whenever; one in eight reports NaN at its end."""
    generator = generator_for(trial.seed, epoch)
    if generator_for(trial.seed, "fails").random() < 1 / 8 and epoch == EPOCHS:
        return float("nan")
    return trial.parameters.bce_weight + epoch / 10 + float(generator.normal(0, 0.05))


def play(
    folder: Path | None,
    of: SearchSpace,
    *,
    seed: int,
    arrival: int,
    places: int = 4,
    steps: int | None = None,
) -> SweepRecords:
    """Play a sweep in which chance decides who is fast and whose worker dies; cut it off after `steps`."""
    chance = np.random.default_rng(arrival)
    journal, queue = queue_at(folder, of, seed)
    running: list[PlannedTrial] = []
    while steps != 0 and not queue.is_over():
        while len(running) < places and isinstance(cohort := queue.next(), Cohort):
            (trial,) = cohort.trials
            assert not journal.has_ended(trial.trial_id)
            assert trial.trial_id not in {other.trial_id for other in running}
            journal.start(trial)
            running.append(trial)
        assert running, "all wait, and for nobody"
        trial = running.pop(int(chance.integers(len(running))))
        record = journal.records.trials[trial.trial_id]
        if chance.random() < 0.05 and record.crashes == 0:
            journal.crash(trial.trial_id, "the worker died")
            queue.release(trial.trial_id)
        else:
            epoch = min(record.reached + 1, EPOCHS)
            told = {"relaxed_f1": value(trial, epoch), "dice": 0.5, "val_loss": 0.5, "epoch_s": 1.0}
            decision = journal.report(trial.trial_id, epoch, told, last=epoch == EPOCHS)
            if decision is Decision.CONTINUE:
                running.append(trial)
            else:
                queue.release(trial.trial_id)
        steps = None if steps is None else steps - 1
        assert of.search.budget.epochs is None or journal.records.epochs <= of.search.budget.epochs
    return journal.records


def ended(records: SweepRecords) -> dict[str, tuple[object, ...]]:
    return {
        name: (record.trial, record.outcome, record.rung_epoch, record.epochs)
        for name, record in sorted(records.trials.items())
    }


def played(of: SearchSpace, **options: int) -> SweepRecords:
    with tempfile.TemporaryDirectory() as folder:
        return play(Path(folder), of, **options)


def handed_out(queue: TrialQueue) -> PlannedTrial:
    """The next trial, which trains alone."""
    cohort = queue.next()
    assert isinstance(cohort, Cohort)
    (trial,) = cohort.trials
    return trial


def run_in_full(journal: Journal, trial: PlannedTrial) -> None:
    for epoch in range(1, EPOCHS + 1):
        told = {"relaxed_f1": 0.5, "dice": 0.5, "val_loss": 0.5, "epoch_s": 1.0}
        journal.report(trial.trial_id, epoch, told, last=epoch == EPOCHS)


BUDGETS = st.fixed_dictionaries({}, optional={"trials": st.integers(1, 14), "epochs": st.integers(12, 90)})


@settings(max_examples=40, deadline=None)
@given(SAMPLERS, BUDGETS, st.integers(1, 3), st.integers(0, 99), st.integers(0, 99), st.integers(1, 9))
def test_who_is_fast_decides_neither_what_is_tried_nor_how_it_ends(
    sampler: str, budget: dict[str, int], replicates: int, seed: int, arrival: int, places: int
) -> None:
    of = searched(sampler, budget=budget or {"trials": 14}, replicates=replicates)
    one_by_one = played(of, seed=seed, arrival=0, places=1)
    assert ended(played(of, seed=seed, arrival=arrival + 1, places=places)) == ended(one_by_one)


@settings(max_examples=40, deadline=None)
@given(SAMPLERS, st.integers(1, 3), st.integers(0, 99), st.lists(st.integers(1, 40), min_size=1, max_size=4))
def test_a_sweep_that_was_cut_off_ends_as_an_undisturbed_one(
    sampler: str, replicates: int, seed: int, cuts: list[int]
) -> None:
    of = searched(sampler, replicates=replicates)
    with tempfile.TemporaryDirectory() as folder:
        for number, steps in enumerate(cuts):
            play(Path(folder), of, seed=seed, arrival=number, steps=steps)
        resumed = play(Path(folder), of, seed=seed, arrival=99)
    assert ended(resumed) == ended(played(of, seed=seed, arrival=0, places=1))


@settings(max_examples=40, deadline=None)
@given(SAMPLERS, st.integers(1, 14), st.integers(1, 3), st.integers(0, 99))
def test_each_configuration_is_tried_once_and_completed_ones_with_every_seed(
    sampler: str, trials: int, replicates: int, seed: int
) -> None:
    of = searched(sampler, budget={"trials": trials}, replicates=replicates)
    records = played(of, seed=seed, arrival=seed)
    firsts = [record for record in records.trials.values() if record.trial.replicate == 0]
    assert len(firsts) == len({record.trial.parameters for record in firsts})
    assert len(firsts) == (min(trials, 6) if sampler == GRID else trials)
    assert [records.firsts[index].trial.index for index in range(len(firsts))] == list(range(len(firsts)))
    for first in firsts:
        others = records.replicates.get(first.trial.trial_id, [])
        assert len(others) == (replicates - 1 if first.outcome == "completed" else 0)
        assert all(other.trial.parameters == first.trial.parameters for other in others)
        assert all(other.judged == {} and other.outcome != "stopped" for other in others)
    seeds = [record.trial.seed for record in records.trials.values()]
    assert len(set(seeds)) == len(seeds)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([RANDOM, TPE]), st.integers(12, 120), st.integers(1, 3), st.integers(0, 99))
def test_a_budget_of_epochs_is_used_up_and_never_exceeded(
    sampler: str, epochs: int, replicates: int, seed: int
) -> None:
    of = searched(sampler, budget={"epochs": epochs}, replicates=replicates)
    spent = played(of, seed=seed, arrival=seed).epochs
    assert epochs - EPOCHS * replicates < spent <= epochs


def test_a_budget_of_hours_ends_the_search_and_lets_what_has_begun_finish(tmp_path: Path) -> None:
    clock, of = Clock(), searched(RANDOM, budget={"hours": 1.0}, scheduler={"name": "none"})
    journal, queue = queue_at(tmp_path, of, 0, clock)
    first = handed_out(queue)
    journal.start(first)
    clock.now_s = journal.records.last_unix_s + 3500
    second = handed_out(queue)
    journal.start(second)
    clock.now_s = journal.records.last_unix_s + 3700
    assert queue.next() is NoProposal.WAIT
    for trial in (first, second):
        run_in_full(journal, trial)
        queue.release(trial.trial_id)
    assert len(journal.records.firsts) == 2


def ran_for(start_s: float, run_s: float, trial: PlannedTrial) -> list[str]:
    """The ledger's lines of a sweep that was begun, and whose one worker died after so many seconds."""
    return [
        f'{{"event": "began", "unix_s": {start_s}}}',
        f'{{"event": "started", "unix_s": {start_s}, "trial": {trial.model_dump_json()}}}',
        f'{{"event": "crashed", "unix_s": {start_s + run_s}, "trial_id": "{trial.trial_id}", "reason": ""}}',
    ]


@pytest.mark.parametrize(
    ("runs_s", "is_spent"), [([1799, 1799], False), ([1799, 1802], True), ([3601], True)]
)
def test_hours_add_up_over_the_times_that_a_sweep_was_begun(
    tmp_path: Path, runs_s: list[float], is_spent: bool
) -> None:
    of = searched(RANDOM, budget={"hours": 1.0})
    begun = make_plan(of, seed=0, source=Path("space.yaml")).propose(
        0, lambda _: pytest.fail("asks for results")
    )
    assert isinstance(begun, PlannedTrial)
    lines = [line for day, run_s in enumerate(runs_s) for line in ran_for(day * 86400.0, run_s, begun)]
    (tmp_path / "ledger.jsonl").write_text("\n".join(lines) + "\n")
    journal, queue = queue_at(tmp_path, of, 0)
    assert handed_out(queue) == begun
    journal.start(begun)
    assert (queue.next() is NoProposal.WAIT) == is_spent


def test_what_was_cut_off_comes_before_anything_new(tmp_path: Path) -> None:
    of = searched(RANDOM, scheduler={"name": "none"})
    journal, queue = queue_at(tmp_path, of, 0)
    begun = [handed_out(queue) for _ in range(3)]
    for trial in begun:
        journal.start(trial)
    _, again = queue_at(tmp_path, of, 0)
    assert [handed_out(again) for _ in range(3)] == begun
    assert handed_out(again).index == 3


def test_other_seeds_run_only_once_the_first_has_run_in_full(tmp_path: Path) -> None:
    of = searched(GRID, replicates=3, scheduler={"name": "none"}, budget={"trials": 1})
    journal, queue = queue_at(tmp_path, of, 0)
    first = handed_out(queue)
    journal.start(first)
    assert queue.next() is NoProposal.WAIT
    run_in_full(journal, first)
    queue.release(first.trial_id)
    others = [handed_out(queue), handed_out(queue)]
    assert [o.trial_id for o in others] == [f"{first.trial_id}-r1", f"{first.trial_id}-r2"]
    assert {o.configuration for o in others} == {first.trial_id}
    assert queue.next() is NoProposal.WAIT


def test_epochs_are_kept_back_for_the_other_seeds_of_a_trial_that_has_just_ended(tmp_path: Path) -> None:
    of = searched(RANDOM, replicates=2, scheduler={"name": "none"}, budget={"epochs": 4 * EPOCHS - 1})
    journal, queue = queue_at(tmp_path, of, 0)
    first = handed_out(queue)
    journal.start(first)
    run_in_full(journal, first)
    assert queue.next() is NoProposal.WAIT
    queue.release(first.trial_id)
    second = handed_out(queue)
    assert second.trial_id == f"{first.trial_id}-r1"


def test_without_a_budget_the_queue_ends_with_the_plan(tmp_path: Path) -> None:
    of = searched(GRID)
    assert of.search.budget == Budget()
    assert len(play(tmp_path, of, seed=0, arrival=0).firsts) == 6
