"""Configurations that are named to be tried first."""

import pytest
from made_configs import SPACE, space
from test_plan import RANDOM, SOURCE, configurations, plan

from glsweep.errors import ConfigError

RAMP = [0.1, 0.2, 0.3, 0.4]
LABELLED = {**SPACE["dimensions"]["ds_weights"], "labels": ["none", "ramp"]}
DIMENSIONS = {**SPACE["dimensions"], "ds_weights": LABELLED}


def of_random(first, dimensions=RANDOM, **changes):
    search = {"search__sampler": "random", "search__budget": {"trials": 12}, "search__first": first}
    return space(dimensions=dimensions, **search, **changes)


def refusal(of):
    with pytest.raises(ConfigError) as caught:
        plan(of)
    assert str(caught.value).startswith(f"{SOURCE}: search.first.")
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{SOURCE}: search.first.")


@pytest.mark.parametrize("value", ["ramp", RAMP, tuple(RAMP)])
def test_a_configuration_is_named_by_labels_or_values(value):
    named = {"architecture": "unetpp", "patch_size": 32, "bce_weight": 0.35, "ds_weights": value}
    first = plan(space(dimensions=DIMENSIONS, search__first=[named]))[0].parameters
    assert (first.architecture, first.bce_weight, first.ds_weights) == ("unetpp", 0.35, tuple(RAMP))


def test_what_is_named_first_comes_first_and_once_and_the_grid_stays_whole():
    first = [{"architecture": "unet", "bce_weight": 0.35}, {"architecture": "unetpp", "ds_weights": None}] * 2
    trials = plan(space(search__first=first))
    assert [t.parameters.architecture for t in trials[:2]] == ["unet", "unetpp"]
    assert set(configurations(trials)) == set(configurations(plan(space())))
    assert len(trials) == 6


def test_what_is_left_out_is_drawn_from_the_grid_or_the_ranges():
    grid = {**SPACE["dimensions"], "learning_rate": {"low": 1e-4, "high": 1e-2, "grid": [1e-3, 2e-3]}}
    on_grid = plan(space(dimensions=grid, search__first=[{"architecture": "unet"}] * 3))
    assert {t.parameters.learning_rate for t in on_grid} == {1e-3, 2e-3}
    assert len(on_grid) == 12
    drawn = plan(of_random([{"learning_rate": 5e-3}] * 3))
    assert [t.parameters.learning_rate for t in drawn[:4]][:3] == [5e-3] * 3
    assert len({t.parameters.fn_weight for t in drawn}) == 12


def test_a_number_beside_the_grid_may_be_tried_first():
    grid = {**SPACE["dimensions"], "learning_rate": {"low": 1e-4, "high": 1e-2, "grid": [1e-3]}}
    trials = plan(space(dimensions=grid, search__first=[{"learning_rate": "3e-3"}]))
    assert trials[0].parameters.learning_rate == 3e-3
    assert len(trials) == 7


def test_named_configurations_are_the_same_for_the_same_seed_alone():
    of = of_random([{"architecture": "unetpp"}])
    assert plan(of, 1) == plan(of, 1)
    assert plan(of, 1)[0] != plan(of, 2)[0]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"momentum": 0.9}, "0.momentum: 'momentum' is not a dimension of this space; known: architecture, "),
        (
            {"ds_weights": "slope"},
            "0.ds_weights: 'slope' is none of its choices; known: None, [0.1, 0.2, 0.3, 0.4], none, ramp",
        ),
        ({"bce_weight": 0.3}, "0.bce_weight: 0.3 is none of its choices; known: 0.2, 0.35"),
        (
            {"architecture": "unet", "ds_weights": "ramp"},
            "0.ds_weights: does not exist beside the others named there; mind its `when`",
        ),
        ({"rate": 0.5}, "0.rate: 'rate' is not a dimension"),
    ],
)
def test_what_the_space_has_not_is_told_in_one_line(entry, told):
    assert refusal(space(dimensions=DIMENSIONS, search__first=[entry])).startswith(told)


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.5, "0.5 is out of range; choose a number from 0.0001 to 0.01"), ("fast", "'fast' is not a number")],
)
def test_a_number_out_of_its_range_is_told(value, told):
    assert refusal(of_random([{"learning_rate": value}])).startswith(f"0.learning_rate: {told}")
