"""Who trains with whom follows from the plan and from the results, however a sweep goes on its way."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeps import SCRATCH, QuickLedger, figures, planned

from glsweep.config.space import Budget, Resources
from glsweep.config.stopping import Asha, Halving, Median, NoStopping, Stopping
from glsweep.randomness import generator_for
from glsweep.search.plan import ListedPlan, NoProposal, PlannedTrial
from glsweep.sweep.journal import Decision, Journal
from glsweep.sweep.queue import Cohort, TrialQueue, cohort_sizes, planned_configurations
from glsweep.sweep.records import Event, Ledger, SweepRecords

EPOCHS = 5
RULES = (
    Asha(grace_epochs=1, reduction_factor=2),
    Asha(grace_epochs=2, reduction_factor=3),
    Halving(grace_epochs=1, reduction_factor=2),
    Median(grace_epochs=1),
    NoStopping(),
)


@dataclass
class World:
    """What outlives a driver: the ledger, and each trial's checkpoints, of which it goes on from any."""

    folder: Path
    trials: Sequence[PlannedTrial]
    size: int
    stopping: Stopping
    replicates: int
    saved: dict[str, list[float]] = field(default_factory=dict)
    together: set[tuple[str, ...]] = field(default_factory=set)


def epoch_of(
    world: World, cohort: Cohort, members: list[PlannedTrial]
) -> list[tuple[str, int, float | None]]:
    """Train everyone by an epoch; what comes of it is marked by who took part. One in four fails."""
    world.together.add(tuple(trial.trial_id for trial in members))
    told: list[tuple[str, int, float | None]] = []
    for trial in members:
        epoch = len(world.saved.get(trial.trial_id, ())) + 1
        if epoch == 3 and generator_for(trial.seed, "fails").random() < 0.25:
            told.append((trial.trial_id, epoch, None))
            continue
        seeds = [other.seed for other in members]
        value = float(generator_for(trial.seed, epoch, *seeds).random())
        world.saved.setdefault(trial.trial_id, []).append(value)
        told.append((trial.trial_id, epoch, value))
    return told


def play(world: World, *, arrival: int, places: int = 4, steps: int | None = None) -> SweepRecords:
    """Play a sweep in which chance decides who is fast and whose worker dies; cut it off after `steps`.

    It is cut off after the trials of a cohort were saved, and before any of them was told of.
    """
    chance = np.random.default_rng(arrival)
    journal = Journal(
        QuickLedger(world.folder / "ledger.jsonl"),
        stopping=world.stopping,
        epochs=EPOCHS,
        metric="relaxed_f1",
        planned=planned_configurations(ListedPlan(world.trials)),
    )
    sizes = {trial.stratum.key: world.size for trial in world.trials}
    journal.settle_cohorts(sizes, groupable=sizes)
    queue = TrialQueue(
        ListedPlan(world.trials), journal, budget=Budget(), replicates=world.replicates, epochs=EPOCHS
    )
    running: list[tuple[Cohort, list[PlannedTrial]]] = []
    while not queue.is_over():
        while len(running) < places and isinstance(cohort := queue.next(), Cohort):
            assert len({trial.stratum for trial in cohort.trials}) == 1
            for trial in cohort.trials:
                assert not journal.has_ended(trial.trial_id)
                journal.start(trial)
            common = min(len(world.saved.get(trial.trial_id, ())) for trial in cohort.trials)
            for trial in cohort.trials if common else ():
                del world.saved[trial.trial_id][common:]
                value = world.saved[trial.trial_id][-1]
                journal.report(trial.trial_id, common, figures(value), last=common == EPOCHS)
            running.append((cohort, list(cohort.trials)))
        assert running, "all wait, and for nobody"
        cohort, members = running.pop(int(chance.integers(len(running))))
        until = cohort.until_epoch or EPOCHS
        members[:] = [trial for trial in members if len(world.saved.get(trial.trial_id, ())) < until]
        crashes = journal.records.trials[cohort.trials[0].trial_id].crashes
        if members and crashes == 0 and chance.random() < 0.1:
            for trial in cohort.trials:
                journal.crash(trial.trial_id, "the worker died")
            members.clear()
        elif members:
            told = epoch_of(world, cohort, members)
            if steps is not None and steps < len(told):
                return journal.records
            steps = None if steps is None else steps - len(told)
            with journal.in_one_go():
                for name, epoch, value in told:
                    if value is None:
                        journal.fail(name, "diverged")
                        members[:] = [trial for trial in members if trial.trial_id != name]
                    else:
                        decision = journal.report(name, epoch, figures(value), last=epoch == EPOCHS)
                        assert decision is Decision.CONTINUE or epoch == until
        if members:
            running.append((cohort, members))
        else:
            for trial in cohort.trials:
                queue.release(trial.trial_id)
    assert queue.next() is NoProposal.END
    return journal.records


def trials_of(strata: Sequence[str]) -> list[PlannedTrial]:
    return [planned(index, architecture) for index, architecture in enumerate(strata)]


def ended(records: SweepRecords) -> dict[str, tuple[object, ...]]:
    return {
        name: (record.outcome, record.rung_epoch, record.epochs)
        for name, record in sorted(records.trials.items())
    }


STRATA = st.lists(st.sampled_from(["unet", "attention_unet"]), min_size=1, max_size=16)


@settings(max_examples=80, deadline=None)
@given(
    STRATA,
    st.integers(1, 5),
    st.sampled_from(RULES),
    st.integers(1, 4),
    st.integers(0, 999),
    st.lists(st.integers(0, 60), max_size=3),
)
def test_neither_speed_nor_crashes_nor_interruptions_decide_who_trains_with_whom(
    strata: list[str], size: int, stopping: Stopping, replicates: int, arrival: int, cuts: list[int]
) -> None:
    trials = trials_of(strata)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as one, tempfile.TemporaryDirectory(dir=SCRATCH) as other:
        quiet = World(Path(one), trials, size, stopping, replicates)
        undisturbed = play(quiet, arrival=0, places=1)
        disturbed = World(Path(other), trials, size, stopping, replicates)
        for number, steps in enumerate(cuts):
            play(disturbed, arrival=arrival + number, steps=steps)
        assert ended(play(disturbed, arrival=arrival + 10)) == ended(undisturbed)
    assert max(map(len, quiet.together)) <= size


def test_survivors_go_on_with_those_next_to_them_in_the_plan(tmp_path: Path) -> None:
    world = World(tmp_path, trials_of(["unet"] * 11), 3, Asha(grace_epochs=1, reduction_factor=2), 3)
    records = play(world, arrival=0).trials
    first = [tuple(f"{index:04d}" for index in range(begin, min(begin + 3, 11))) for begin in (0, 3, 6, 9)]
    assert world.together >= set(first)
    passed = [name for name, of in sorted(records.items()) if 1 in of.judged and of.judged[1].goes_on]
    second = [tuple(passed[begin : begin + 3]) for begin in range(0, len(passed), 3)]
    assert world.together >= set(second)
    completed = next(name for name, of in records.items() if of.outcome == "completed")
    assert (f"{completed}-r1", f"{completed}-r2") in world.together


def test_what_a_cohort_reports_is_noted_whole_or_not_at_all(tmp_path: Path) -> None:
    class Heard:
        def __init__(self) -> None:
            self.events: list[str] = []

        def catch_up(self, _records: SweepRecords) -> None: ...

        def on_event(self, event: Event, _record: object) -> None:
            self.events.append(event.event)

    ledger = Ledger(tmp_path / "ledger.jsonl")
    journal = Journal(
        ledger,
        stopping=Asha(grace_epochs=1, reduction_factor=2),
        epochs=EPOCHS,
        metric="relaxed_f1",
        listeners=[heard := Heard()],
    )
    for trial in trials_of(["unet"] * 3):
        journal.start(trial)
    before = list(ledger.read())
    heard.events.clear()
    with journal.in_one_go():
        journal.report("0000", 1, figures(0.5), last=False)
        journal.report("0001", 1, figures(0.4), last=False)
        journal.fail("0002", "diverged")
        assert list(ledger.read()) == before
        assert heard.events == []
    written = [event.event for event in ledger.read()][len(before) :]
    assert written == heard.events
    assert written.count("epoch") == 2
    assert written.count("rung") == 2


def test_one_whose_worker_died_twice_has_its_last_chance_alone(tmp_path: Path) -> None:
    trials = trials_of(["unet"] * 3)
    journal = Journal(
        QuickLedger(tmp_path / "ledger.jsonl"),
        stopping=NoStopping(),
        epochs=EPOCHS,
        metric="relaxed_f1",
    )
    journal.settle_cohorts({"unet-128": 3}, groupable=["unet-128"])
    queue = TrialQueue(ListedPlan(trials), journal, budget=Budget(), replicates=1, epochs=EPOCHS)
    for _ in range(2):
        cohort = queue.next()
        assert isinstance(cohort, Cohort)
        assert [trial.index for trial in cohort.trials] == [0, 1, 2]
        for trial in cohort.trials:
            journal.crash(trial.trial_id, "the worker died")
            queue.release(trial.trial_id)
    alone = [queue.next() for _ in range(3)]
    assert alone == [Cohort(trials=(trial,), until_epoch=EPOCHS) for trial in trials]
    assert queue.next() is NoProposal.WAIT


def sized(
    trials: Sequence[PlannedTrial],
    *,
    cohort: object = "auto",
    places: int | None = 2,
    on_gpu: bool = False,
    budget: Budget | None = None,
) -> dict[str, int]:
    resources = Resources.model_validate({"cpus": 1, "gpus": 0, "cohort": cohort})
    return cohort_sizes(ListedPlan(trials), budget or Budget(), resources, places=places, on_gpu=on_gpu)


def altered(trial: PlannedTrial, **changes: object) -> PlannedTrial:
    return trial.model_copy(update={"parameters": trial.parameters.model_copy(update=changes)})


def test_cohorts_are_formed_where_they_pay_and_every_place_has_one() -> None:
    small = [planned(index, patch_size_px=64) for index in range(8)]
    assert sized(small) == {"unet-64": 4}
    assert sized(small, places=4) == {"unet-64": 2}
    assert sized(small, places=8) == {}
    assert sized(small, places=None) == {}
    assert sized(small, on_gpu=True) == {}
    assert sized([altered(trial, batch_size=100) for trial in small]) == {}


def test_as_many_as_asked_for_train_together_wherever_they_can() -> None:
    large = [planned(index, patch_size_px=512) for index in range(8)]
    assert sized(large, cohort=3, places=None, on_gpu=True) == {"unet-512": 3}
    assert sized(large, cohort=1) == {}
    assert sized(large[:1], cohort=3) == {}
    mixed = [
        altered(large[0], base_width=2),
        *large[1:],
        planned(8, "attention_unet"),
        planned(9, "attention_unet"),
    ]
    assert sized(mixed, cohort=3) == {"attention_unet-128": 3}


@pytest.mark.parametrize("budget", [Budget(epochs=100), Budget(hours=1.0)])
def test_where_the_number_of_trials_is_open_everyone_trains_alone(budget: Budget) -> None:
    assert sized([planned(index) for index in range(8)], cohort=3, budget=budget) == {}
