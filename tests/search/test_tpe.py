"""Optuna's proposals: seeded, conditional, never twice, and the same after an interruption."""

import warnings
from collections import Counter

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_configs import SPACE, space
from test_plan import RANDOM, SOURCE

from glsweep.errors import ConfigError
from glsweep.randomness import generator_for
from glsweep.search import make_plan
from glsweep.search.plan import EarlierTrial, NoProposal

TWO_STRATA = {**RANDOM, "patch_size_px": {"choices": [32]}}


def tpe_space(dimensions=RANDOM, *, parallel=3, first=(), rank_by="relaxed_f1"):
    search = {
        **SPACE["search"],
        "sampler": "tpe",
        "parallel": parallel,
        "budget": {"epochs": 1000},
        "first": list(first),
        "rank_by": rank_by,
    }
    return space(dimensions=dimensions, search=search)


def make(of, seed=0):
    return make_plan(of, seed=seed, source=SOURCE)


def past_of(trial):
    """What becomes of a trial, by its parameters alone: some are stopped, some fail."""
    p = trial.parameters
    value = 1 - abs(p.fn_weight - 0.6) - abs(p.learning_rate - 3e-3) * 30 - abs(p.bce_weight - 0.2)
    draw = generator_for(trial.seed).random()
    if draw < 0.1:
        return EarlierTrial(trial, "failed", {})
    if draw < 0.5:
        return EarlierTrial(trial, "stopped", {1: value / 2})
    return EarlierTrial(trial, "completed", {1: value / 2, 2: value})


def proposals(plan, count, known=()):
    """The first `count` trials, each over as soon as it is proposed; `known` are from an earlier run."""
    trials = list(known)
    while len(trials) < count:
        trial = plan.propose(len(trials), lambda index: past_of(trials[index]))
        if trial is NoProposal.END:
            break
        trials.append(trial)
    return trials


def test_proposals_are_seeded_distinct_and_within_the_space():
    trials = proposals(make(tpe_space(), 4), 70)
    assert trials == proposals(make(tpe_space(), 4), 70)
    parameters = [trial.parameters for trial in trials]
    assert len(set(parameters)) == 70
    assert not set(parameters) & {t.parameters for t in proposals(make(tpe_space(), 5), 30)}
    for trial in trials:
        p = trial.parameters
        assert 1e-4 <= p.learning_rate <= 1e-2
        assert 0.5 <= p.fn_weight <= 0.9
        assert ("ds_weights" in trial.choices) == (p.architecture == "unetpp")
        assert trial.choices["learning_rate"] == p.learning_rate


def test_every_stratum_has_its_share():
    plan = make(tpe_space())
    assert [s.key for s in plan.strata] == ["unet-32", "unet-64", "unetpp-32", "unetpp-64"]
    strata = [trial.stratum for trial in proposals(plan, 40)]
    assert set(Counter(strata).values()) == {10}
    rounds = [tuple(strata[start : start + 4]) for start in range(0, 40, 4)]
    assert all(len(set(one)) == 4 for one in rounds)
    assert len(set(rounds)) > 1


def test_proposals_learn_what_is_good():
    dimensions = {**RANDOM, "architecture": {"choices": ["unet"]}, "patch_size_px": {"choices": [32]}}
    trials = proposals(make(tpe_space(dimensions, parallel=1)), 80)
    early, late = trials[:20], trials[-20:]

    def off(part):
        return sum(abs(trial.parameters.fn_weight - 0.6) for trial in part) / len(part)

    assert off(late) < 0.6 * off(early)


def test_a_lower_loss_is_better():
    of = tpe_space(rank_by="val_loss", parallel=1)
    trials = proposals(make(of), 120)
    late = [trial.parameters.fn_weight for trial in trials[-40:]]
    assert sum(late) / len(late) > 0.75  # `past_of` gives the worst figure to the largest weight


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 30), st.integers(0, 38), st.integers(1, 6))
def test_a_sweep_that_was_cut_off_goes_on_with_the_same_proposals(seed, cut, parallel):
    of = tpe_space(TWO_STRATA, parallel=parallel)
    undisturbed = proposals(make(of, seed), 40)
    assert proposals(make(of, seed), 40, known=undisturbed[:cut]) == undisturbed


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 30), st.integers(1, 5))
def test_a_proposal_depends_on_no_later_result(seed, parallel):
    """Those within `parallel` of each other count as running, whether or not they are over."""
    of = tpe_space(TWO_STRATA, parallel=parallel)
    undisturbed = proposals(make(of, seed), 40)
    plan, trials = make(of, seed), []

    def barely(index):
        later = sum(t.stratum == trials[index].stratum for t in trials[index + 1 :])
        is_needed = later >= parallel - 1
        return past_of(trials[index]) if is_needed else EarlierTrial(trials[index], None, {})

    while len(trials) < 40:
        trials.append(plan.propose(len(trials), barely))
    assert trials == undisturbed


def test_a_proposal_waits_for_the_results_it_needs():
    plan, trials = make(tpe_space(parallel=2)), []
    for _ in range(8):
        trials.append(plan.propose(len(trials), lambda index: EarlierTrial(trials[index], None, {})))
    assert plan.propose(8, lambda index: EarlierTrial(trials[index], None, {})) is NoProposal.WAIT
    trials.append(plan.propose(8, lambda index: past_of(trials[index])))
    assert trials == proposals(make(tpe_space(parallel=2)), 9)


def test_asking_again_gives_the_same():
    plan, trials = make(tpe_space()), []
    for index in range(30):
        asked = [plan.propose(index, lambda i: past_of(trials[i])) for _ in range(3)]
        assert asked[0] == asked[1] == asked[2]
        trials.append(asked[0])
    assert plan.propose(4, lambda i: past_of(trials[i])) == trials[4]


def test_a_small_space_is_tried_out_each_configuration_once():
    plan = make(tpe_space(SPACE["dimensions"]))
    trials = proposals(plan, 50)
    grid = make(space()).trials
    assert {t.parameters for t in trials} == {t.parameters for t in grid}
    assert len(trials) == 6
    assert plan.propose(6, lambda index: past_of(trials[index])) is NoProposal.END


def test_those_named_first_are_learnt_from_too():
    first = [{"architecture": "unetpp", "patch_size_px": 64, "fn_weight": 0.55}, {"architecture": "unet"}]
    trials = proposals(make(tpe_space(first=first)), 40)
    assert (trials[0].stratum.key, trials[0].parameters.fn_weight) == ("unetpp-64", 0.55)
    assert trials[1].stratum.architecture == "unet"
    assert set(Counter(trial.stratum for trial in trials).values()) == {10}


def test_an_architecture_that_is_tied_to_its_width_stays_within_its_stratum():
    tied = {"keys": ["architecture", "base_width"], "choices": [["unet", 2], ["unetpp", 2], ["unet", 4]]}
    dimensions = {"network": tied, **{k: v for k, v in RANDOM.items() if k != "architecture"}}
    trials = proposals(make(tpe_space(dimensions)), 60)
    assert set(Counter(trial.stratum for trial in trials).values()) == {15}
    assert {(t.parameters.architecture, t.parameters.base_width) for t in trials} == {
        ("unet", 2),
        ("unet", 4),
        ("unetpp", 2),
    }


def test_optuna_says_nothing(capfd):
    before = optuna.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        proposals(make(tpe_space()), 60)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before


@pytest.mark.parametrize("sampler", ["random", "tpe"])
@pytest.mark.parametrize(
    ("dimension", "told"),
    [
        ({"bce_weight": {"low": 0.5, "high": 1.5}}, "bce_weight: input should be less than or equal to 1"),
        ({"gamma": {"choices": [1.0, 0.0]}}, "gamma: input should be greater than 0 (it is 0.0)"),
        ({"ds_weights": {"choices": [None, [1, 0, 0, 0]]}}, "ds_weights exist for unetpp only"),
    ],
)
def test_what_no_trial_can_have_is_refused_before_the_sweep_begins(sampler, dimension, told):
    of = tpe_space({**RANDOM, **dimension})
    of = of.model_copy(update={"search": of.search.model_copy(update={"sampler": sampler})})
    with pytest.raises(ConfigError) as caught:
        make(of)
    assert told in str(caught.value)
    assert str(caught.value).startswith(f"{SOURCE}: ")
