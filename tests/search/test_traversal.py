"""The enumeration against a brute-force twin, and the draws against their distributions."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from glsweep.config.dimension import Dimension, dimension_settings
from glsweep.errors import ConfigError
from glsweep.randomness import generator_for
from glsweep.search.plan import draw, enumerate_grid, grid_points, traverse

VALUES = st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True)


@st.composite
def conditional_spaces(drawn):
    """Up to five dimensions, plain, tied in pairs or ranges; each may depend on any earlier parameters."""
    dimensions, earlier = {}, []
    for i in range(drawn(st.integers(1, 5))):
        named = drawn(st.lists(st.sampled_from(earlier), max_size=2, unique=True)) if earlier else []
        when = {name: drawn(st.integers(0, 5) | VALUES) for name in named}
        kind = drawn(st.sampled_from(["plain", "tied", "range"]))
        if kind == "plain":
            dimensions[f"d{i}"] = Dimension(choices=drawn(VALUES), when=when)
            earlier.append(f"d{i}")
        elif kind == "tied":
            pairs = st.lists(
                st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=3, unique=True
            )
            dimensions[f"d{i}"] = Dimension(choices=drawn(pairs), keys=(f"d{i}a", f"d{i}b"), when=when)
            earlier += [f"d{i}a", f"d{i}b"]
        else:
            dimensions[f"d{i}"] = Dimension(low=0, high=5, grid=drawn(VALUES), when=when)
            earlier.append(f"d{i}")
    return dimensions


def brute_force(dimensions):
    """Every full product with what its conditions rule out taken away, without repeats."""
    seen = {}
    for values in itertools.product(*(d.choices or d.grid for d in dimensions.values())):
        chosen = {}
        for (name, dimension), value in zip(dimensions.items(), values, strict=True):
            wanted = {k: v if isinstance(v, list) else [v] for k, v in dimension.when.items()}
            if all(k in chosen and chosen[k] in v for k, v in wanted.items()):
                chosen |= dict(zip(dimension.keys, value, strict=True)) if dimension.keys else {name: value}
        seen.setdefault(tuple(chosen.items()), chosen)
    return list(seen.values())


@given(conditional_spaces())
@settings(max_examples=150, deadline=None)
def test_a_conditional_grid_is_that_of_its_brute_force_twin_in_the_same_order(dimensions):
    assert list(enumerate_grid(dimensions)) == brute_force(dimensions)


@given(conditional_spaces())
@settings(max_examples=150, deadline=None)
def test_the_dimensions_that_may_exist_together_are_those_of_some_point_of_the_grid(dimensions):
    situations = dimension_settings(dimensions, enumerated=True)
    points = list(grid_points(dimensions))
    assert {s.names for s in situations} == {frozenset(point.picked) for point in points}
    asked = {key for dimension in dimensions.values() for key in dimension.when}
    assert {(s.names, s.values) for s in situations} == {
        (
            frozenset(point.picked),
            tuple(sorted((key, value) for key, value in point.values.items() if key in asked)),
        )
        for point in points
    }


@given(conditional_spaces(), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_a_draw_sets_the_parameters_of_some_combination_of_the_grid(dimensions, seed):
    drawn = draw(dimensions, generator_for(seed))
    chosen = drawn.values
    for name, dimension in dimensions.items():
        if name in drawn.picked and dimension.choices is not None:
            assert value_of(chosen, name, dimension) == dimension.choices[drawn.picked[name]]


@given(conditional_spaces(), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_a_point_is_found_again_by_what_was_picked(dimensions, seed):
    for point in [draw(dimensions, generator_for(seed)), *grid_points(dimensions)][:30]:
        assert traverse(dimensions, lambda name, _, point=point: point.picked[name]) == point


def value_of(chosen, name, dimension):
    return tuple(chosen[key] for key in dimension.keys) if dimension.keys else chosen[name]


def test_a_dimension_without_its_condition_is_absent():
    dimensions = {
        "architecture": Dimension(choices=("unet", "unetpp")),
        "ds_weights": Dimension(choices=(None, "ramp"), when={"architecture": "unetpp"}),
    }
    assert list(enumerate_grid(dimensions)) == [
        {"architecture": "unet"},
        {"architecture": "unetpp", "ds_weights": None},
        {"architecture": "unetpp", "ds_weights": "ramp"},
    ]


def test_a_condition_on_nothing_is_not_met_where_the_parameter_is_absent():
    dimensions = {
        "architecture": Dimension(choices=("unet", "unetpp")),
        "ds_weights": Dimension(choices=(None,), when={"architecture": "unetpp"}),
        "gamma": Dimension(choices=(1,), when={"ds_weights": None}),
    }
    assert ["gamma" in chosen for chosen in enumerate_grid(dimensions)] == [False, True]


def test_alpha_beta_and_patch_size_are_other_names_of_parameters():
    dimensions = {
        "patch_size": Dimension(choices=(32, 64)),
        "ftl": Dimension(
            choices=([0.7, 0.3, 1.33],), keys=("alpha", "beta", "gamma"), when={"patch_size": 32}
        ),
        "bce_weight": Dimension(choices=(0.2,), when={"alpha": [0.7, 0.8]}),
    }
    assert list(enumerate_grid(dimensions)) == [
        {"patch_size_px": 32, "fn_weight": 0.7, "fp_weight": 0.3, "gamma": 1.33, "bce_weight": 0.2},
        {"patch_size_px": 64},
    ]


def test_a_range_without_a_grid_cannot_be_enumerated():
    with pytest.raises(ConfigError, match=r"dimensions\.learning_rate: a range needs `grid`"):
        list(enumerate_grid({"learning_rate": Dimension(low=1e-4, high=1e-2)}))


@pytest.mark.parametrize("log", [False, True])
def test_draws_follow_the_distribution_of_their_range(log):
    low, high = 1e-5, 1e-1
    dimensions = {"x": Dimension(low=low, high=high, log=log)}
    generator = generator_for(3)
    values = np.array([draw(dimensions, generator).values["x"] for _ in range(2000)])
    assert low <= values.min() < values.max() <= high
    right, wrong = stats.loguniform(low, high), stats.uniform(low, high - low)
    right, wrong = (right, wrong) if log else (wrong, right)
    assert stats.kstest(values, right.cdf).pvalue > 0.05
    assert stats.kstest(values, wrong.cdf).pvalue < 1e-6


@given(st.floats(1e-8, 1e3), st.floats(1.001, 1e6), st.booleans(), st.integers(0, 100))
@settings(deadline=None)
def test_draws_stay_inside_their_range(low, factor, log, seed):
    dimension = Dimension(low=low, high=low * factor, log=log)
    value = draw({"x": dimension}, generator_for(seed)).values["x"]
    assert dimension.low <= value <= dimension.high


def test_a_range_around_0_is_drawn_evenly():
    generator = generator_for(0)
    values = [draw({"x": Dimension(low=-1, high=0)}, generator).values["x"] for _ in range(500)]
    assert stats.kstest(values, stats.uniform(-1, 1).cdf).pvalue > 0.05


def test_choices_are_drawn_evenly():
    generator = generator_for(1)
    values = [draw({"x": Dimension(choices=("a", "b", "c"))}, generator).values["x"] for _ in range(1500)]
    counts = [values.count(v) for v in "abc"]
    assert sum(counts) == 1500
    assert stats.chisquare(counts).pvalue > 0.05
