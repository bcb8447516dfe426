"""A sweep that is given more to do ends as one that was given it all at once."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_configs import SPACE, space
from sweeps import SCRATCH, QuickLedger, figures, outcomes, planned, run

from glsweep.config.space import Budget, SearchSpace
from glsweep.config.stopping import Asha, Halving, Median, NoStopping, Stopping
from glsweep.search import make_plan
from glsweep.search.plan import EarlierTrial, ListedPlan, NoProposal, PlannedTrial
from glsweep.sweep.checkpoints import CheckpointCleaner, CheckpointStore
from glsweep.sweep.journal import Decision, Journal
from glsweep.sweep.queue import Cohort, TrialQueue, groupable_strata, planned_configurations
from glsweep.sweep.records import SweepRecords, read_records

RULES = st.sampled_from(
    [
        NoStopping(),
        Asha(grace_epochs=1, reduction_factor=2),
        Median(grace_epochs=2),
        Asha(grace_epochs=2, reduction_factor=3),
    ]
)
# Successive halving has compared with all that there were: more configurations come too late for those.
RULES_FOR_MORE_EPOCHS = RULES | st.just(Halving(grace_epochs=1, reduction_factor=2))
SOURCE = Path("space.yaml")


def journal_of(folder: Path, rule: Stopping, epochs: int, trials: Sequence[PlannedTrial] = ()) -> Journal:
    return Journal(
        QuickLedger(folder / "ledger.jsonl"),
        stopping=rule,
        epochs=epochs,
        metric="relaxed_f1",
        planned=planned_configurations(ListedPlan(trials)),
    )


@contextmanager
def two_folders() -> Iterator[tuple[Path, Path]]:
    """For the ledger of a sweep that was asked for at once, and of one that grows."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        whole, grown = Path(folder) / "whole", Path(folder) / "grown"
        whole.mkdir()
        grown.mkdir()
        yield whole, grown


def invented(values: Sequence[Sequence[int]]) -> tuple[list[PlannedTrial], dict[str, list[float]]]:
    """Trials, and the curve of each."""
    trials = [planned(index) for index in range(len(values))]
    return trials, {of.trial_id: [v / 10 for v in values[of.index]] for of in trials}


def judged(records: SweepRecords) -> Mapping[str, object]:
    """Every decision, without the time at which it was made."""
    return {
        name: {rung: (j.value, j.rank, j.of, j.kept) for rung, j in record.judged.items()}
        for name, record in records.trials.items()
    }


@settings(max_examples=40)
@given(
    rule=RULES_FOR_MORE_EPOCHS,
    values=st.lists(st.lists(st.integers(0, 9), min_size=8, max_size=8), min_size=1, max_size=7),
    first=st.integers(2, 7),
    steps=st.none() | st.integers(0, 12),
    chance=st.integers(0, 2**16),
)
def test_more_epochs_lead_to_where_so_many_would_have_led_from_the_start(rule, values, first, steps, chance):
    trials, curves = invented(values)
    generator = np.random.default_rng(chance)
    with two_folders() as (whole, grown):
        expected = run(journal_of(whole, rule, 8, trials), trials, curves, generator)
        short = {name: curve[:first] for name, curve in curves.items()}
        # It may have ended before it is extended, or have been cut off in the middle.
        run(journal_of(grown, rule, first, trials), trials, short, generator, steps=steps)
        extended = run(journal_of(grown, rule, 8, trials), trials, curves, generator)
        assert outcomes(extended) == outcomes(expected)
        assert judged(extended) == judged(expected)
        # Whoever reads the ledger alone finds the same.
        assert outcomes(read_records(grown / "ledger.jsonl")) == outcomes(expected)


@settings(max_examples=40)
@given(
    rule=RULES,
    values=st.lists(st.lists(st.integers(0, 9), min_size=4, max_size=4), min_size=2, max_size=8),
    begun=st.integers(1, 7),
    steps=st.none() | st.integers(0, 12),
    chance=st.integers(0, 2**16),
)
def test_more_choices_lead_to_where_they_would_have_led_behind_the_first(rule, values, begun, steps, chance):
    trials, curves = invented(values)
    generator = np.random.default_rng(chance)
    with two_folders() as (whole, grown):
        expected = run(journal_of(whole, rule, 4), trials, curves, generator)
        run(journal_of(grown, rule, 4), trials[:begun], curves, generator, steps=steps)
        extended = run(journal_of(grown, rule, 4), trials, curves, generator)
        assert outcomes(extended) == outcomes(expected)
        assert judged(extended) == judged(expected)


def searched(sampler: str, choices: Sequence[float], *, high: float = 1e-2, trials: int = 6) -> SearchSpace:
    search = {**SPACE["search"], "sampler": sampler, "budget": {"trials": trials}}
    search |= {"parallel": 2} if sampler == "tpe" else {}
    dimensions = {
        "architecture": {"choices": ["unet"]},
        "patch_size_px": {"choices": [32]},
        "bce_weight": {"choices": list(choices)},
    }
    if sampler != "grid":
        dimensions["learning_rate"] = {"low": 1e-3, "high": high, "log": True}
    return space(dimensions=dimensions, search=search)


def tried(of: SearchSpace, begun: Sequence[PlannedTrial], count: int) -> list[PlannedTrial]:
    """The first `count` trials of a sweep that has begun some, all of which ended at .5."""
    plan, trials = make_plan(of, seed=3, source=SOURCE, begun=begun), list(begun)

    def past(index: int) -> EarlierTrial:
        return EarlierTrial(trials[index], "completed", {1: 0.5})

    while len(trials) < count:
        upcoming = plan.propose(len(trials), past)
        assert isinstance(upcoming, PlannedTrial), upcoming
        trials.append(upcoming)
    return trials


@pytest.mark.parametrize("sampler", ["grid", "random", "tpe"])
def test_trials_that_were_begun_keep_their_places_in_a_wider_space(sampler):
    small = searched(sampler, [0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    large = searched(sampler, [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], high=1e-1, trials=8)
    begun = tried(small, (), 4)
    trials = tried(large, begun, 8)
    assert trials[:4] == begun
    assert [trial.index for trial in trials] == list(range(8))
    assert [trial.trial_id[:4] for trial in trials] == [f"{index:04d}" for index in range(8)]
    assert len({trial.parameters for trial in trials}) == 8
    # However often it is begun anew, and wherever it was cut off.
    assert tried(large, trials[:6], 8) == trials
    if sampler == "grid":
        assert {trial.parameters.bce_weight for trial in trials} == set(
            large.dimensions["bce_weight"].choices
        )
        assert make_plan(large, seed=3, source=SOURCE, begun=begun).size == 8


@pytest.mark.parametrize("sampler", ["grid", "random", "tpe"])
def test_a_sweep_that_is_not_extended_goes_on_as_planned(sampler):
    of = searched(sampler, [0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    trials = tried(of, (), 6)
    for cut in (1, 3, 5):
        assert tried(of, trials[:cut], 6) == trials


@pytest.mark.parametrize(
    ("name", "choices"), [("gamma", [1.0, 1.33]), ("channels", [["phase", "magnitude"], ["real", "imag"]])]
)
def test_what_was_fixed_counts_for_the_estimator_when_it_becomes_a_choice(name, choices):
    fixed = searched("tpe", [0.2, 0.3])
    begun = tried(fixed, (), 3)
    rest = {key: value for key, value in fixed.fixed.items() if key != name}
    dimensions = {**fixed.dimensions, name: {"choices": choices}}
    more = SearchSpace.model_validate({**fixed.model_dump(), "dimensions": dimensions, "fixed": rest})
    plan = make_plan(more, seed=3, source=SOURCE)
    plan.propose(3, lambda index: EarlierTrial(begun[index], "completed", {1: 0.5}))
    (study,) = plan._studies.values()
    assert [trial.params[name] for trial in study._study.trials[:3]] == [1, 1, 1]


def test_a_trial_of_another_kind_ends_the_cohorts_of_its_stratum(tmp_path):
    small = searched("grid", [0.2, 0.3])
    wide = SearchSpace.model_validate(
        {
            **small.model_dump(),
            "dimensions": {**small.model_dump()["dimensions"], "base_width": {"choices": [2, 4]}},
            "fixed": {name: value for name, value in small.fixed.items() if name != "base_width"},
        }
    )
    plan = make_plan(small, seed=0, source=SOURCE)
    assert isinstance(plan, ListedPlan)
    journal = journal_of(tmp_path, NoStopping(), 2)
    journal.settle_cohorts({"unet-32": 2}, groupable=groupable_strata(plan, small.search.budget))
    journal.start(plan.trials[0])
    again = journal_of(tmp_path, NoStopping(), 2)
    again.settle_cohorts({}, groupable=groupable_strata(plan, small.search.budget))
    assert again.cohorts == {"unet-32": 2}
    mixed = make_plan(wide, seed=0, source=SOURCE, begun=plan.trials[:1])
    again.settle_cohorts({"unet-32": 2}, groupable=groupable_strata(mixed, wide.search.budget))
    assert again.cohorts == {}


def test_the_checkpoint_of_a_trial_that_ran_in_full_is_kept_for_more_epochs(tmp_path):
    checkpoints = CheckpointStore(str(tmp_path / "kept"))
    state = tmp_path / "state"
    state.write_bytes(b"state")
    journal = Journal(
        QuickLedger(tmp_path / "ledger.jsonl"),
        stopping=Asha(grace_epochs=1, reduction_factor=2),
        epochs=2,
        metric="relaxed_f1",
        listeners=[CheckpointCleaner(checkpoints)],
    )
    for number, value in enumerate([0.9, 0.1]):
        trial = planned(number)
        journal.start(trial)
        for _ in range(2):
            checkpoints.save(trial.trial_id, state, keeps_earlier=True)
        for epoch in (1, 2):
            if journal.report(trial.trial_id, epoch, figures(value), last=epoch == 2) is Decision.STOP:
                break
    left = sorted(
        str(path.relative_to(tmp_path / "kept")) for path in (tmp_path / "kept").rglob("*.safetensors")
    )
    assert left == ["0000/state.safetensors"]


def test_a_ledger_that_keeps_some_trials_counts_them_from_the_start(tmp_path):
    journal = journal_of(tmp_path, NoStopping(), 1)
    for number in range(3):
        journal.start(planned(number))
        journal.report(f"{number:04d}", 1, figures(0.5), last=True)
    QuickLedger(tmp_path / "ledger.jsonl").keep({"0002", "0000"})
    records = read_records(tmp_path / "ledger.jsonl")
    assert [(trial.trial_id, trial.index) for trial in records.configurations] == [("0000", 0), ("0002", 1)]
    assert {record.outcome for record in records.trials.values()} == {"completed"}


def test_more_seeds_of_a_finished_sweep_run_for_those_that_ran_in_full(tmp_path):
    trials = [planned(0), planned(1)]
    curves = {"0000": [0.9, 0.9], "0001": [0.1, 0.1]}
    rule = Asha(grace_epochs=1, reduction_factor=2)
    run(journal_of(tmp_path, rule, 2), trials, curves, np.random.default_rng(0))
    queue = TrialQueue(
        ListedPlan(trials), journal_of(tmp_path, rule, 2), budget=Budget(), replicates=3, epochs=2
    )
    handed_out = [queue.next() for _ in range(3)]
    assert [of.trials[0].trial_id for of in handed_out if isinstance(of, Cohort)] == ["0000-r1", "0000-r2"]
    assert handed_out[2] is NoProposal.WAIT
