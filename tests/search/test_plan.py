import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from made_configs import SPACE, changed, space, write_yaml

from glsweep.config.space import load_space
from glsweep.config.trial import TrialParameters
from glsweep.errors import ConfigError
from glsweep.search import make_plan
from glsweep.search.plan import NoProposal, patch_sizes_px

SPACES = Path(__file__).resolve().parents[2] / "search_spaces"
SOURCE = Path("some/space.yaml")

RANDOM = {
    "architecture": {"choices": ["unet", "unetpp"]},
    "patch_size_px": {"choices": [32, 64]},
    "bce_weight": {"choices": [0.2, 0.35]},
    "learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
    "fn_weight": {"low": 0.5, "high": 0.9},
    "ds_weights": {"choices": [None, [0.1, 0.2, 0.3, 0.4]], "when": {"architecture": "unetpp"}},
}


def random_space(samples, dimensions=RANDOM):
    return space(dimensions=dimensions, search__sampler="random", search__budget={"trials": samples})


def plan(of, seed=0):
    """All trials of a plan that needs no results, as many as its budget allows."""
    made = make_plan(of, seed=seed, source=SOURCE)
    trials = []
    while len(trials) < (of.search.budget.trials or 10**6):
        trial = made.propose(len(trials), nothing)
        if trial is NoProposal.END:
            break
        trials.append(trial)
    return trials


def nothing(index):
    raise AssertionError("such a plan asks for no results")


def configurations(trials):
    return [trial.parameters for trial in trials]


def refusal(**changes):
    with pytest.raises(ConfigError) as caught:
        plan(space(**changes))
    assert str(caught.value).startswith(f"{SOURCE}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{SOURCE}: ")


@pytest.mark.parametrize("path", sorted(SPACES.glob("*.yaml")), ids=lambda p: p.stem)
def test_every_shipped_space_can_be_planned(path):
    shipped = load_space(path)
    made = make_plan(shipped, seed=0, source=path)
    assert shipped.name == path.stem
    trials = [made.propose(0, nothing), made.propose(1, nothing)]
    if shipped.search.sampler == "grid":
        trials = [made.propose(index, nothing) for index in range(made.size)]
        assert made.propose(made.size, nothing) is NoProposal.END
    assert {trial.stratum for trial in trials} <= set(made.strata)
    assert [trial.index for trial in trials] == list(range(len(trials)))
    assert len(set(configurations(trials))) == len({trial.trial_id for trial in trials}) == len(trials)
    assert len(trials) > 1 or path.stem == "embedded", "a search that chooses among nothing"
    assert all(t.parameters.ds_weights is None or t.stratum.architecture == "unetpp" for t in trials)


def test_the_small_grid_is_planned_with_its_conditions():
    trials = plan(space())
    assert Counter(t.stratum.key for t in trials) == {"unet-32": 2, "unetpp-32": 4}
    assert patch_sizes_px(t.stratum for t in trials) == [32]


def test_the_order_is_shuffled_by_the_seed_alone():
    first, again, other = plan(space(), 0), plan(space(), 0), plan(space(), 1)
    assert first == again
    assert set(configurations(first)) == set(configurations(other))
    assert configurations(first) != configurations(other)
    # Settings that decide how trials are run do not decide which comes when.
    assert configurations(plan(space(search__epochs=9, name="other"), 0)) == configurations(first)


def test_a_grid_is_not_planned_in_the_order_of_its_file():
    orders = {tuple(p.architecture for p in configurations(plan(space(), seed))) for seed in range(5)}
    assert len(orders) > 1


def test_each_trial_has_its_own_seed_which_its_place_does_not_change():
    trials = plan(space(), 5)
    seeds = {t.parameters: t.seed for t in trials}
    assert len(set(seeds.values())) == len(trials)
    fewer = plan(space(dimensions__bce_weight__choices=[0.35]), 5)
    assert 0 < len(fewer) < len(trials)
    assert all(t.seed == seeds[t.parameters] for t in fewer)
    assert not {t.seed for t in plan(space(), 6)} & set(seeds.values())


def test_trial_ids_are_the_same_in_every_process(tmp_path):
    path = write_yaml(tmp_path / "space.yaml", SPACE)
    code = (
        "import sys; from pathlib import Path; from glsweep.config.space import load_space;"
        "from glsweep.search import plan_trials; path = Path(sys.argv[1]);"
        "print(*[t.trial_id for t in plan_trials(load_space(path), seed=3, source=path)])"
    )
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        run = subprocess.run(
            [sys.executable, "-c", code, str(path)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert run.stdout.split() == [t.trial_id for t in plan(load_space(path), 3)]


def test_a_configuration_that_is_listed_twice_is_tried_once():
    twice = space(dimensions__bce_weight__choices=[0.2, 0.35, 0.2])
    assert configurations(plan(twice)).count(configurations(plan(twice))[0]) == 1
    assert len(plan(twice)) == len(plan(space())) == 6


def test_random_draws_are_distinct_seeded_and_inside_their_ranges():
    trials = plan(random_space(40), 2)
    drawn = configurations(trials)
    assert len(set(drawn)) == 40
    assert drawn == configurations(plan(random_space(40), 2))
    assert not set(drawn) & set(configurations(plan(random_space(40), 3)))
    for parameters in drawn:
        assert 1e-4 <= parameters.learning_rate <= 1e-2
        assert 0.5 <= parameters.fn_weight <= 0.9
        assert parameters.bce_weight in (0.2, 0.35)
        assert parameters.ds_weights is None or parameters.architecture == "unetpp"
    assert {p.architecture for p in drawn} == {"unet", "unetpp"}
    assert {p.patch_size_px for p in drawn} == {32, 64}


def test_a_space_smaller_than_the_samples_is_drawn_out():
    small = {key: SPACE["dimensions"][key] for key in SPACE["dimensions"]}
    drawn = configurations(plan(random_space(50, small)))
    assert set(drawn) == set(configurations(plan(space())))
    assert len(drawn) == 6


def test_aliases_serve_in_dimensions_and_in_what_is_fixed():
    fixed = {k: v for k, v in SPACE["fixed"].items() if k not in ("fn_weight", "fp_weight")}
    aliased = space(fixed={**fixed, "alpha": 0.7, "beta": 0.3})
    assert plan(aliased) == plan(space())
    tied = {"keys": ["alpha", "beta"], "choices": [[0.9, 0.1]]}
    varied = plan(space(fixed=fixed, dimensions={**SPACE["dimensions"], "tversky": tied}))
    assert {(p.fn_weight, p.fp_weight) for p in configurations(varied)} == {(0.9, 0.1)}


def test_a_dimension_takes_precedence_over_what_is_fixed():
    trials = plan(space(dimensions__learning_rate={"choices": [0.5]}))
    assert {p.learning_rate for p in configurations(trials)} == {0.5}


@pytest.mark.parametrize(
    "dimension",
    [{"momentum": {"choices": [0.9]}}, {"tied": {"keys": ["gamma", "momentum"], "choices": [[1, 2]]}}],
)
def test_an_unknown_parameter_is_told_with_the_known_ones(dimension):
    message = refusal(dimensions={**SPACE["dimensions"], **dimension})
    assert message.startswith(f"dimensions.{next(iter(dimension))}: 'momentum' is not a parameter; known: ")
    assert message.endswith(", ".join(sorted(set(TrialParameters.model_fields) - {"own"})))


@pytest.mark.parametrize("named", ["ds_weights", "bce_weight", "nothing", "gamma"])
def test_a_condition_may_name_earlier_dimensions_only(named):
    message = refusal(dimensions__bce_weight__when={named: 0.2})
    told = f"{named!r} is set by no earlier dimension; those set: architecture, patch_size_px"
    assert message == f"dimensions.bce_weight.when.{named}: {told}"


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ({"architecture": "unet++"}, "architecture: 'unet++' can never be met; input should be 'unet', "),
        ({"patch_size": [32, "big"]}, "patch_size: 'big' can never be met; input should be a valid integer"),
        # One list of values is a choice among numbers; the weights themselves would be a list in it.
        (
            {"ds_weights": [0.1, 0.2, 0.3, 0.4]},
            "ds_weights: 0.1 can never be met; input should be a valid tuple",
        ),
    ],
)
def test_a_condition_that_can_never_be_met_is_refused(when, told):
    dimensions = {k: v for k, v in SPACE["dimensions"].items() if k != "bce_weight"}
    message = refusal(dimensions={**dimensions, "bce_weight": {"choices": [0.2], "when": when}})
    assert message.startswith(f"dimensions.bce_weight.when.{told}")


def test_an_architecture_may_be_left_out_without_mending_the_conditions_on_it():
    trials = plan(space(dimensions__architecture__choices=["unet"]))
    assert Counter(t.stratum.key for t in trials) == {"unet-32": 2}


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("fixed__learning_rate", [1e-3], "learning_rate: input should be a valid number (it is [0.001])"),
        ("fixed__learning_rate", -1, "(it is -1)"),
        ("fixed__lerning_rate", 1, "lerning_rate: unknown key; known here: architecture, "),
        (
            "dimensions__patch_size_px__choices",
            [100],
            "patch_size_px: input should be a multiple of 16 (it is 100)",
        ),
        ("dimensions__architecture__choices", ["vnet"], "(it is 'vnet')"),
        ("dimensions__ds_weights__when", {}, "ds_weights exist for unetpp only"),
        ("dimensions__bce_weight", {"low": 0.1, "high": 0.4}, "dimensions.bce_weight: a range needs `grid`"),
    ],
)
def test_a_value_that_cannot_be_trained_with_is_refused_when_planned(key, value, told):
    assert told in refusal(**{key: value})


def test_what_is_neither_varied_nor_fixed_is_told():
    fixed = changed(SPACE, "fixed.gamma", None)["fixed"]
    del fixed["gamma"]
    assert refusal(fixed=fixed) == "fixed.gamma: is missing; add it"
