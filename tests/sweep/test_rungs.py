"""Who goes on at a rung, against the same question asked of all trials by brute force."""

import itertools
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeps import SCRATCH, figures, journal_at, planned

from glsweep.config.space import Metric
from glsweep.config.stopping import Asha, Halving, Median, NoStopping, OwnStopping, Stopping
from glsweep.sweep.journal import Decision
from glsweep.sweep.records import Judged, Ledger
from glsweep.sweep.rungs import Rung, kept_count, rung_epochs

FIGURES: tuple[Metric, ...] = ("relaxed_f1", "dice", "val_loss")
rules = st.sampled_from(
    [*(Asha(grace_epochs=1, reduction_factor=factor) for factor in (2, 3, 4)), Median(grace_epochs=1)]
)
# From few values, so that equals are frequent.
values = st.lists(st.sampled_from([0.1, 0.25, 0.5, 0.75]), min_size=1, max_size=12)


def told(metric: Metric, value: float) -> dict[str, float]:
    """An epoch's figures in which every other metric says the opposite."""
    return {**figures(1 - value if metric != "val_loss" else value), metric: value}


@settings(max_examples=80, deadline=None)
@given(values, st.sampled_from(FIGURES), rules)
def test_a_trial_goes_on_when_fewer_are_strictly_better_than_may_go_on(
    drawn: list[float], metric: Metric, stopping: Asha | Median
) -> None:
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        journal = journal_at(Path(folder) / "ledger.jsonl", epochs=9, stopping=stopping, metric=metric)
        for index, value in enumerate(drawn):
            trial = planned(index)
            journal.start(trial)
            decided = journal.report(trial.trial_id, 1, told(metric, value), last=False)
            so_far = sorted(drawn[: index + 1], reverse=metric != "val_loss")
            kept = (
                len(so_far) // stopping.reduction_factor
                if isinstance(stopping, Asha)
                else -(-len(so_far) // 2)
            )
            kept = max(kept, 1)
            better = so_far.index(value)
            assert decided is (Decision.CONTINUE if better < kept else Decision.STOP)
            judged = journal.records.trials[trial.trial_id].judged[1]
            assert (judged.value, judged.rank, judged.of) == (value, better + 1, index + 1)
            assert (judged.kept, judged.cutoff) == (kept, so_far[kept - 1])
            assert judged.goes_on == (decided is Decision.CONTINUE)


@settings(max_examples=80, deadline=None)
@given(values, st.sampled_from(FIGURES), st.sampled_from([2, 3, 8]), st.randoms())
def test_successive_halving_keeps_the_best_of_all_however_they_arrive(
    drawn: list[float], metric: Metric, factor: int, chance: random.Random
) -> None:
    trials = [planned(index) for index in range(len(drawn))]
    stopping = Halving(grace_epochs=1, reduction_factor=factor)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        ledger = Path(folder) / "ledger.jsonl"
        journal = journal_at(ledger, epochs=9, stopping=stopping, metric=metric, trials=trials)
        for trial in trials:
            journal.start(trial)
        *early, last = chance.sample(trials, len(trials))
        for trial in early:
            metrics = told(metric, drawn[trial.index])
            assert journal.report(trial.trial_id, 1, metrics, last=False) is Decision.WAIT
        journal.report(last.trial_id, 1, told(metric, drawn[last.index]), last=False)
        ranked = sorted(drawn, reverse=metric != "val_loss")
        kept = max(len(drawn) // factor, 1)
        for trial in trials:
            goes_on = ranked.index(drawn[trial.index]) < kept
            assert journal.decide(trial.trial_id) is (Decision.CONTINUE if goes_on else Decision.STOP)
            judged = journal.records.trials[trial.trial_id].judged[1]
            assert (judged.of, judged.kept, judged.cutoff) == (len(drawn), kept, ranked[kept - 1])


def test_successive_halving_waits_for_trials_that_have_not_begun_and_for_none_that_failed(
    tmp_path: Path,
) -> None:
    trials = [planned(index) for index in range(4)]
    stopping = Halving(grace_epochs=1, reduction_factor=2)
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=9, stopping=stopping, trials=trials)
    for index, value in enumerate([0.9, 0.8, 0.1]):
        journal.start(planned(index))
        assert journal.report(f"{index:04d}", 1, figures(value), last=False) is Decision.WAIT
    journal.start(planned(3))
    assert journal.decide("0000") is Decision.WAIT
    journal.fail("0003", "the loss became nan")
    decided = [journal.decide(f"{index:04d}") for index in range(3)]
    assert decided == [Decision.CONTINUE, Decision.STOP, Decision.STOP]
    assert journal.records.trials["0000"].judged[1].of == 3


@pytest.mark.parametrize(
    ("stopping", "kept"),
    [
        (Asha(grace_epochs=1, reduction_factor=3), [1, 1, 1, 1, 1, 2, 2, 2, 3]),
        (Asha(grace_epochs=1, reduction_factor=2), [1, 1, 1, 2, 2, 3, 3, 4, 4]),
        (Halving(grace_epochs=1, reduction_factor=4), [1, 1, 1, 1, 1, 1, 1, 2, 2]),
        (Median(grace_epochs=1), [1, 1, 2, 2, 3, 3, 4, 4, 5]),
        (NoStopping(), [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ],
    ids=["thirds", "halves", "quarters", "median", "none"],
)
def test_the_share_that_goes_on_is_rounded_as_each_rule_says(stopping: Stopping, kept: list[int]) -> None:
    assert [kept_count(stopping, trials) for trials in range(1, 10)] == kept


@pytest.mark.parametrize(("metric", "best"), [("val_loss", 0.1), ("relaxed_f1", 0.9), ("dice", 0.9)])
def test_of_losses_the_lowest_goes_on_and_of_scores_the_highest(
    tmp_path: Path, metric: Metric, best: float
) -> None:
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=9, metric=metric)
    decided = []
    for index, value in enumerate([0.5, best, 1 - best]):
        journal.start(planned(index))
        decided.append(journal.report(f"{index:04d}", 1, told(metric, value), last=False))
    assert decided == [Decision.CONTINUE, Decision.CONTINUE, Decision.STOP]


def test_equals_of_the_last_that_is_kept_go_on_too(tmp_path: Path) -> None:
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=9)
    for index in range(5):
        journal.start(planned(index))
        assert journal.report(f"{index:04d}", 1, figures(0.5), last=False) is Decision.CONTINUE
    assert [record.judged[1].rank for record in journal.records.trials.values()] == [1] * 5


@pytest.mark.parametrize("metric", FIGURES)
def test_a_trial_counts_with_its_best_epoch_until_the_rung_and_with_none_after_it(
    tmp_path: Path, metric: Metric
) -> None:
    good, poor = (0.2, 0.8) if metric == "val_loss" else (0.8, 0.2)
    journal = journal_at(
        tmp_path / "ledger.jsonl",
        epochs=9,
        stopping=Asha(grace_epochs=3, reduction_factor=2),
        metric=metric,
    )
    journal.start(planned(0))
    for epoch, value in enumerate([0.5, good, poor], start=1):
        journal.report("0000", epoch, told(metric, value), last=False)
    record = journal.records.trials["0000"]
    assert record.judged[3].value == good
    journal.report("0000", 4, told(metric, good + (good - poor)), last=False)
    assert record.best(metric, until_epoch=3) == (2, good)
    assert record.best(metric, until_epoch=1) == (1, 0.5)
    assert record.best(metric) == (4, good + (good - poor))
    assert record.best(metric, until_epoch=0) is None


@pytest.mark.parametrize(("grace", "factor"), list(itertools.product([1, 2, 3, 7], [2, 3, 4])))
def test_rungs_are_exact_powers_below_the_budget(grace: int, factor: int) -> None:
    for rule in (Asha, Halving):
        for epochs in (1, 8, 27, 81, 243, 500):
            expected = tuple(grace * factor**k for k in range(20) if grace * factor**k < epochs)
            assert rung_epochs(rule(grace_epochs=grace, reduction_factor=factor), epochs) == expected


def test_the_median_rule_compares_after_every_epoch_from_grace_on_and_no_stopping_never() -> None:
    assert rung_epochs(Median(grace_epochs=2), 6) == (2, 3, 4, 5)
    assert rung_epochs(Median(grace_epochs=6), 6) == ()
    assert rung_epochs(NoStopping(), 6) == ()


def judged_in(path: Path) -> list[str]:
    return [event.trial_id for event in Ledger(path).read() if isinstance(event, Judged)]


def test_a_sweep_that_is_taken_up_again_judges_nobody_twice(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    for index in range(4):
        journal = journal_at(path, epochs=9)
        journal.start(planned(index))
        journal.report(f"{index:04d}", 1, figures(0.5), last=False)
    assert judged_in(path) == ["0000", "0001", "0002", "0003"]


def test_one_that_failed_while_it_waited_is_not_judged_but_counts_among_the_others(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    journal = journal_at(path, epochs=9)
    for index in range(3):
        journal.start(planned(index))
    journal.report("0001", 1, figures(0.9), last=False)
    journal.fail("0001", "the disk is gone")
    journal.report("0000", 1, figures(0.5), last=False)
    assert journal.report("0002", 1, figures(0.7), last=False) is Decision.STOP
    assert judged_in(path) == ["0000", "0002"]
    assert (journal.records.trials["0002"].judged[1].rank, journal.records.trials["0002"].judged[1].of) == (
        2,
        3,
    )


def test_a_trial_that_is_past_a_rung_is_judged_there_by_what_it_had_then(tmp_path: Path) -> None:
    values = [0.2, 0.4, 0.6, 0.8]
    journal = journal_at(tmp_path / "ledger.jsonl", epochs=9, stopping=NoStopping())
    journal.start(planned(0))
    for epoch, value in enumerate(values, start=1):
        journal.report("0000", epoch, figures(value), last=False)
    for epoch in (1, 3):
        rung = Rung(epoch, Asha(grace_epochs=epoch, reduction_factor=2), "relaxed_f1")
        (judged,) = rung.advance([journal.records.trials["0000"]])
        assert (judged.rung_epoch, judged.value) == (epoch, values[epoch - 1])
        assert list(rung.advance([journal.records.trials["0000"]])) == []


def test_one_that_ended_before_the_rung_keeps_nobody_waiting_and_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    journal = journal_at(path, epochs=9)
    for index in range(3):
        journal.start(planned(index))
    for index in (1, 2):
        assert journal.report(f"{index:04d}", 1, figures(0.5), last=False) is Decision.WAIT
    journal.fail("0000", "the loss became nan")
    assert judged_in(path) == ["0001", "0002"]
    assert [journal.records.trials[f"000{n}"].judged[1].of for n in (1, 2)] == [1, 2]


def test_one_that_was_judged_but_not_ended_when_the_driver_died_is_ended_then(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    journal = journal_at(path, epochs=9)
    for index, value in enumerate([0.5, 0.3]):
        journal.start(planned(index))
        journal.report(f"{index:04d}", 1, figures(value), last=False)
    lines = path.read_bytes().splitlines(keepends=True)
    assert b'"event":"ended"' in lines[-1]
    path.write_bytes(b"".join(lines[:-1]))
    again = journal_at(path, epochs=9)
    assert again.decide("0001") is Decision.STOP
    assert again.decide("0000") is Decision.CONTINUE
    assert (again.records.trials["0001"].outcome, again.records.trials["0001"].rung_epoch) == ("stopped", 1)


def test_a_judgement_stands_though_the_rule_has_become_another(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    journal = journal_at(path, epochs=9, stopping=Median(grace_epochs=1))
    for index, value in enumerate([0.5, 0.9, 0.7]):
        journal.start(planned(index))
        assert journal.report(f"{index:04d}", 1, figures(value), last=False) is Decision.CONTINUE
    stricter = journal_at(path, epochs=9, stopping=Asha(grace_epochs=1, reduction_factor=4))
    assert [record.outcome for record in stricter.records.trials.values()] == [None] * 3
    assert stricter.decide("0002") is Decision.CONTINUE


RULE = """
class Improving:
    '''Goes on while the last epoch is the best, or no other trial was ever better.'''

    def __init__(self, first):
        self.first = first

    def rung_epochs(self, epochs):
        return range(self.first, epochs)

    def goes_on(self, costs, others):
        assert all(len(other) >= len(costs) for other in others)
        return costs[-1] == min(costs) or all(min(costs) <= min(other) for other in others)
"""


@pytest.mark.parametrize("metric", FIGURES)
def test_an_own_rule_sees_the_curves_that_came_before_in_the_plans_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metric: Metric
) -> None:
    (tmp_path / "ruled.py").write_text(RULE)
    monkeypatch.syspath_prepend(tmp_path)
    rule = OwnStopping.model_validate({"name": "ruled:Improving", "first": 2})
    assert rung_epochs(rule, 4) == (2, 3)
    sign = -1 if metric == "val_loss" else 1
    # The first is never worse than others, the second rises, the third neither leads nor rises.
    curves = {0: [0.5, 0.4, 0.4], 1: [0.1, 0.2, 0.3], 2: [0.3, 0.2, 0.1]}
    path = tmp_path / "ledger.jsonl"
    journal = journal_at(path, epochs=4, stopping=rule, metric=metric)
    for index in curves:
        journal.start(planned(index))

    def report(index: int, epoch: int) -> Decision:
        value = sign * curves[index][epoch - 1]
        return journal.report(planned(index).trial_id, epoch, told(metric, value), last=False)

    for index in (2, 1):
        report(index, 1)
        assert report(index, 2) is Decision.WAIT, "its turn comes after the first one's"
    report(0, 1)
    assert report(0, 2) is Decision.CONTINUE
    decided = [journal.decide(planned(index).trial_id) for index in (1, 2)]
    assert decided == [Decision.CONTINUE, Decision.STOP]
    assert journal.records.trials[planned(2).trial_id].rung_epoch == 2
    again = journal_at(path, epochs=4, stopping=rule, metric=metric)
    assert again.records.trials[planned(2).trial_id].outcome == "stopped"
    judged = again.records.trials[planned(1).trial_id].judged[2]
    assert judged.goes_on
    assert judged.rank == 2
