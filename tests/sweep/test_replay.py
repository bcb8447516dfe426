"""Other stopping rules over recorded curves: the very decisions that the sweep would have taken."""

import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sweeps import SCRATCH, journal_at, planned, run
from told_sweeps import Telling, told

from glsweep.config.stopping import Asha, Halving, Median, NoStopping
from glsweep.errors import ConfigError
from glsweep.sweep.replay import configurations, replay, replay_stratum, replay_trials, summarise
from glsweep.sweep.rungs import parse_rules, rule_name

EPOCHS = 9
RULES = [
    Asha(grace_epochs=1, reduction_factor=3),
    Asha(grace_epochs=2, reduction_factor=2),
    Halving(grace_epochs=1, reduction_factor=3),
    Halving(grace_epochs=2, reduction_factor=2),
    Median(grace_epochs=1),
    Median(grace_epochs=4),
    NoStopping(),
]


def grid(generator, trials=12, strata=("unet", "unetpp")):
    """A full grid of random learning curves."""
    steps = generator.random((trials, EPOCHS))
    return [(planned(i, strata[i % len(strata)]), list(steps[i])) for i in range(trials)]


def all_endings(records, rule, metric="relaxed_f1"):
    return {
        ending.trial_id: (ending.outcome, ending.epochs)
        for ordered in configurations(records).values()
        for ending in replay_trials(ordered, rule, metric, EPOCHS)
    }


def swept(curves, rule, generator):
    """What a real journal makes of these curves, with chance deciding who is fast."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        trials = [trial for trial, _ in curves]
        journal = journal_at(Path(folder) / "ledger.jsonl", epochs=EPOCHS, stopping=rule, trials=trials)
        return run(journal, trials, {trial.trial_id: values for trial, values in curves}, generator)


@given(seed=st.integers(0, 2**32), rule=st.sampled_from(RULES))
@settings(max_examples=40, deadline=None)
def test_a_replayed_rule_ends_each_trial_as_a_sweep_under_it_would(seed, rule):
    generator = np.random.default_rng(seed)
    curves = grid(generator)
    records = swept(curves, rule, generator)
    expected = {name: (record.outcome, record.reached) for name, record in records.trials.items()}
    assert all_endings(told(curves), rule) == expected


@given(seed=st.integers(0, 2**32), rule=st.sampled_from(RULES))
@settings(max_examples=20, deadline=None)
def test_the_sweeps_own_rule_is_known_in_full_from_its_cut_curves(seed, rule):
    generator = np.random.default_rng(seed)
    records = swept(grid(generator), rule, generator)
    plays = replay(records, [rule], metric="relaxed_f1", epochs=EPOCHS, orders=0, seed=0)
    assert plays["unknown"].sum() == 0
    assert (plays["regret"] == 0).all()
    assert plays["epochs"].sum() == records.epochs


def test_a_rule_weaker_than_the_sweeps_is_known_as_far_as_curves_go():
    generator = np.random.default_rng(0)
    strong = Asha(grace_epochs=1, reduction_factor=3)
    records = swept(grid(generator), strong, generator)
    stopped = sum(record.outcome == "stopped" for record in records.trials.values())
    plays = replay(records, [NoStopping(), strong], metric="relaxed_f1", epochs=EPOCHS, orders=0, seed=0)
    weak, own = summarise(plays[plays["rule"] == "none"]), summarise(plays[plays["rule"] != "none"])
    assert weak[0].unknown == stopped > 6
    assert weak[0].epochs == records.epochs
    assert (weak[0].is_conclusive, own[0].is_conclusive) == (False, True)


def test_winners_regret_and_cost_are_those_worked_out_by_hand():
    # The second one is behind at the rung and best in the end.
    curves = [(planned(0), [0.5, 0.6, 0.6]), (planned(1), [0.4, 0.7, 0.9]), (planned(2), [0.1, 0.2, 0.3])]
    ((stratum, ordered),) = configurations(told(curves)).items()
    rule = Asha(grace_epochs=1, reduction_factor=3)
    played = replay_stratum(stratum, ordered, rule, metric="relaxed_f1", epochs=3)
    assert (played.epochs, played.full_epochs, played.unknown) == (3 + 1 + 1, 9, 0)
    assert played.winner == "0000"
    assert played.regret == pytest.approx(0.3)
    turned = replay_stratum(stratum, ordered[::-1], rule, metric="relaxed_f1", epochs=3)
    assert (turned.winner, turned.regret, turned.epochs) == ("0001", 0, 3 + 3 + 3)


def test_a_loss_is_lower_for_the_better():
    curves = [(planned(0), [0.5, 0.6, 0.6]), (planned(1), [0.4, 0.7, 0.9])]
    ((stratum, ordered),) = configurations(told(curves)).items()
    played = replay_stratum(stratum, ordered, Median(grace_epochs=1), metric="val_loss", epochs=3)
    # The losses are one less these: the first leads at the rung, the second in the end.
    assert played.winner == "0000"
    assert played.regret == pytest.approx(0.3)


def test_a_failed_trial_fails_again_where_it_did_and_wins_nothing():
    telling = Telling()
    telling.ran(planned(0), [0.9, 0.9], "failed")
    telling.ran(planned(1), [0.1, 0.2, 0.3])
    ((stratum, ordered),) = configurations(telling.records).items()
    played = replay_stratum(stratum, ordered, NoStopping(), metric="relaxed_f1", epochs=3)
    assert (played.epochs, played.full_epochs, played.unknown) == (5, 5, 0)
    assert (played.winner, played.regret) == ("0001", 0)


def test_a_configuration_counts_with_the_mean_and_the_cost_of_its_seeds():
    telling = Telling()
    telling.ran(planned(0), [0.5, 0.8])
    telling.ran(planned(1), [0.4, 0.7])
    telling.ran(planned(0).replicated(1), [0.1, 0.2])
    telling.ran(planned(1).replicated(1), [0.1, 0.7])
    ((stratum, ordered),) = configurations(telling.records).items()
    played = replay_stratum(stratum, ordered, NoStopping(), metric="relaxed_f1", epochs=2)
    assert (played.winner, played.epochs, played.full_epochs) == ("0001", 8, 8)
    stopped = replay_stratum(
        stratum, ordered, Asha(grace_epochs=1, reduction_factor=2), metric="relaxed_f1", epochs=2
    )
    assert (stopped.winner, stopped.epochs) == ("0000", 5)
    assert stopped.regret == pytest.approx(0.2)


def test_shuffled_orders_are_the_same_for_the_same_seed_and_differ_from_each_other():
    records = told(grid(np.random.default_rng(1), trials=30))
    rules = [Asha(grace_epochs=1, reduction_factor=3)]
    some = replay(records, rules, metric="relaxed_f1", epochs=EPOCHS, orders=5, seed=3)
    assert some.equals(replay(records, rules, metric="relaxed_f1", epochs=EPOCHS, orders=5, seed=3))
    assert sorted(some["order"].unique()) == [0, 1, 2, 3, 4, 5]
    assert some.groupby("order")["epochs"].sum().nunique() > 1


def test_the_summary_is_that_of_all_strata_and_orders():
    records = told(grid(np.random.default_rng(2), trials=30, strata=("unet", "unetpp", "attention_unet")))
    rules = [NoStopping(), Asha(grace_epochs=1, reduction_factor=3), Median(grace_epochs=1)]
    plays = replay(records, rules, metric="relaxed_f1", epochs=EPOCHS, orders=10, seed=0)
    found = {summary.rule: summary for summary in summarise(plays)}
    assert (found["none"].share.planned, found["none"].kept.low, found["none"].strata) == (1, 3, 3)
    assert found["none"].worst_regret.high == 0
    asha, mine = found["asha:1:3"], plays[plays["rule"] == "asha:1:3"]
    planned_order = mine[mine["order"] == 0]
    assert asha.epochs == planned_order["epochs"].sum()
    assert asha.worst_regret.planned == planned_order["regret"].max()
    assert asha.median_regret.planned == planned_order["regret"].median()
    assert asha.kept.planned == (planned_order["regret"] == 0).sum()
    assert asha.share.low <= asha.share.median <= asha.share.high < 1
    assert asha.worst_regret.high == np.quantile(mine.groupby("order")["regret"].max(), 0.9, method="higher")
    assert found["none"].is_efficient
    assert list(found)[-1] == "none"


def test_a_rule_that_another_one_beats_is_not_efficient():
    # Whoever leads at the first epoch wins; whoever waits for the second only pays more.
    curves = [(planned(i), [i / 10, i / 10, i / 10]) for i in range(10)]
    rules = parse_rules(["asha:1:4", "asha:2:4", "none"], epochs=3)
    plays = replay(told(curves), rules, metric="relaxed_f1", epochs=3, orders=20, seed=0)
    assert [summary.rule for summary in summarise(plays) if summary.is_efficient] == ["asha:1:4"]


def test_a_winner_that_nobody_knows_is_told_as_unknown_not_as_lost_nothing():
    telling = Telling()
    telling.ran(planned(0), [0.9], "stopped")
    telling.ran(planned(1), [0.1, 0.2])
    ((stratum, ordered),) = configurations(telling.records).items()
    rule = Asha(grace_epochs=1, reduction_factor=2)
    played = replay_stratum(stratum, ordered, rule, metric="relaxed_f1", epochs=2)
    assert (played.winner, played.unknown) == ("", 1)
    assert math.isnan(played.regret)
    plays = replay(telling.records, [rule], metric="relaxed_f1", epochs=2, orders=0, seed=0)
    (summary,) = summarise(plays)
    assert math.isnan(summary.worst_regret.high)
    assert summary.kept.planned == 0


@pytest.mark.parametrize("rule", RULES)
def test_a_rules_short_name_reads_back(rule):
    assert parse_rules([rule_name(rule)], epochs=27) == [rule]


def test_without_names_every_sensible_rule_is_there_once():
    names = [rule_name(rule) for rule in parse_rules([], epochs=9)]
    assert names == [
        *(f"asha:{grace}:{reduction}" for reduction in (2, 3, 4) for grace in (1, 2, 4)),
        *(f"halving:{grace}:{reduction}" for reduction in (3, 4, 8) for grace in (1, 2, 4)),
        *(f"median:{grace}" for grace in (1, 2, 4)),
        "none",
    ]
    assert parse_rules(["asha:1:3", "asha:1:3", "asha"], epochs=2) == parse_rules(
        ["asha:1:3", "asha:1:2", "asha:1:4"], epochs=2
    )
    assert parse_rules([], epochs=1) == [NoStopping()]


@pytest.mark.parametrize(
    ("name", "told_words"),
    [
        ("hyperband:3", "is no rule of early stopping; known are asha:GRACE:REDUCTION, halving:GRACE:"),
        ("asha:2", "has 1 numbers in place of 2"),
        ("none:1", "has 1 numbers in place of 0"),
        ("asha:x:3", "grace_epochs: input should be a valid integer"),
        ("asha:1:1", "reduction_factor: input should be greater than or equal to 2 (it is '1')"),
        ("median:9", "never judges a trial of 9 epochs; choose a grace below 9"),
    ],
)
def test_a_rule_that_cannot_be_read_is_told(name, told_words):
    with pytest.raises(ConfigError) as caught:
        parse_rules([name], epochs=9)
    assert str(caught.value).startswith(f"--scheduler {name}: ")
    assert told_words in str(caught.value)
