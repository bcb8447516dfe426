"""Ranges with a lattice: whole numbers, steps and logarithms, in every way of picking."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_configs import SPACE, changed, space, study_config, write_yaml
from test_plan import SOURCE, plan
from test_tpe import make, proposals, tpe_space

from glsweep.config.dimension import Dimension, span_of
from glsweep.config.space import load_space
from glsweep.doctor.memory import requirements_of
from glsweep.errors import ConfigError
from glsweep.randomness import generator_for
from glsweep.report.study_facts import setup_facts
from glsweep.search.plan import draw, enumerate_grid
from glsweep.search.tpe import StratumStudy

PARAMETERS = {"batch_size": 1, "base_width": 2, "patch_size_px": 16, "gamma": None}


@st.composite
def lattices(drawn):
    """A parameter, a range of it whose ends lie on a lattice, and all that the range holds."""
    name = drawn(st.sampled_from(sorted(PARAMETERS)))
    unit, is_log, count = PARAMETERS[name], drawn(st.booleans()), drawn(st.integers(2, 30))
    if unit is None:
        step = drawn(st.integers(1, 999)) * Decimal(10) ** drawn(st.integers(-5, 1))
    else:
        step = Decimal(unit * drawn(st.integers(1, 4)))
    first = drawn(st.integers(1, 40))
    low = first * step if is_log else Decimal(drawn(st.integers(-50, 50)) * (unit or 1)) / (1 if unit else 8)
    values = [low + number * step for number in range(count)]
    is_given = unit is None or step != unit or drawn(st.booleans())
    step_of = {"step": float(step)} if is_given else {}
    dimension = Dimension(low=float(values[0]), high=float(values[-1]), log=is_log, **step_of)
    return name, dimension, [float(value) for value in values]


@given(lattices(), st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_every_draw_lies_on_its_lattice_and_the_grid_is_the_lattice(lattice, seed):
    name, dimension, values = lattice
    assert [chosen[name] for chosen in enumerate_grid({name: dimension})] == values
    generator = generator_for(seed)
    drawn = [draw({name: dimension}, generator).values[name] for _ in range(20)]
    assert set(drawn) <= set(values)
    is_whole = PARAMETERS[name] is not None
    assert {type(value) for value in drawn} == {int if is_whole else float}


@given(lattices(), st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_what_optuna_proposes_lies_on_the_lattice_and_is_recalled_exactly(lattice, seed):
    name, dimension, values = lattice
    if name == "patch_size_px":  # decides over the stratum, and is not proposed
        return
    studies = [StratumStudy(tpe_strata()[0], {name: dimension}, "dice") for _ in range(2)]
    for index in range(6):
        point = studies[0].ask(seed + index, at_random=index < 3)
        studies[0].settle(index)
        assert point.values[name] in values
        studies[1].add(index, point.picked)
    known, recalled = ([trial.params for _, trial in study._trials] for study in studies)
    assert known == recalled


def tpe_strata():
    return make(tpe_space()).strata


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("batch_size", {"low": 2, "high": 5}),
        ("batch_size", {"low": 1, "high": 4, "log": True}),
        ("gamma", {"low": 0.1, "high": 0.4, "step": 0.1}),
        ("gamma", {"low": 0.1, "high": 0.4, "step": 0.1, "log": True}),
        ("base_width", {"low": 4, "high": 10}),
    ],
)
def test_every_value_is_reached_the_ends_too(name, given):
    dimension, generator = Dimension(**given), generator_for(3)
    drawn = [draw({name: dimension}, generator).values[name] for _ in range(400)]
    shares = {value: drawn.count(value) / 400 for value in span_of(name, dimension).values()}
    assert sum(shares.values()) == 1
    assert min(shares.values()) > 0.08
    if given.get("log"):  # a quarter of the numbers up to 4.5 in logarithms is rounded to the last
        assert shares[min(shares)] == pytest.approx(0.5, abs=0.08)
        assert shares[max(shares)] == pytest.approx(0.114, abs=0.05)


def test_decimals_are_those_that_were_written():
    assert span_of("gamma", Dimension(low=0.1, high=0.7, step=0.2)).values() == (0.1, 0.3, 0.5, 0.7)


@given(st.integers(1, 10**6), st.integers(1, 10**4), st.integers(2, 10**5))
def test_a_lattice_holds_its_points_and_nothing_between(low, step, number):
    span = span_of("gamma", Dimension(low=low, high=low + number * step, step=step))
    inside = float(low + Fraction(number // 2) * step)
    assert span.holds(inside)
    assert not span.holds(inside + step / 2)
    assert span.neighbours(inside + step / 2) == (inside, inside + step)


WHOLE = {
    "architecture": {"choices": ["unet"]},
    "patch_size_px": {"low": 32, "high": 64},
    "batch_size": {"low": 2, "high": 5},
    "base_width": {"low": 2, "high": 6},
    "gamma": {"low": 1, "high": 2, "step": 0.5},
}


def whole(**changes):
    fixed = {key: value for key, value in SPACE["fixed"].items() if key not in WHOLE}
    return space(dimensions=WHOLE, fixed={**fixed, "bce_weight": 0.2}, **changes)


def test_a_grid_takes_every_value_of_lattices():
    trials = plan(whole())
    assert len({trial.parameters for trial in trials}) == len(trials) == 3 * 4 * 3 * 3
    assert {trial.stratum.key for trial in trials} == {"unet-32", "unet-48", "unet-64"}


def test_random_search_draws_lattices_out():
    drawn = plan(whole(search__sampler="random", search__budget={"trials": 500}))
    assert {trial.parameters for trial in drawn} == {trial.parameters for trial in plan(whole())}


def test_tpe_gives_each_patch_size_of_a_range_its_share_and_goes_on_where_it_was():
    of = whole(search={**SPACE["search"], "sampler": "tpe", "parallel": 2, "budget": {"trials": 45}})
    trials = proposals(make(of), 45)
    assert [stratum.key for stratum in make(of).strata] == ["unet-32", "unet-48", "unet-64"]
    assert {trial.stratum.key for trial in trials[:3]} == {"unet-32", "unet-48", "unet-64"}
    assert {trial.parameters for trial in trials} <= {trial.parameters for trial in plan(whole())}
    for cut in (1, 20, 44):
        assert proposals(make(of), 45, trials[:cut]) == trials


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"batch_size": 2.5}, "2.5 lies between two steps; choose 2 or 3"),
        ({"base_width": 3}, "3 lies between two steps; choose 2 or 4"),
        ({"gamma": 1.2}, "1.2 lies between two steps; choose 1 or 1.5"),
        ({"batch_size": True}, "true is none of its values"),
        ({"patch_size": True}, "true is none of its values"),
        ({"batch_size": 6}, "6 is out of range; choose a number from 2 to 5"),
        ({"patch_size": 32, "patch_size_px": 64}, "sets patch_size_px, which is named there already"),
    ],
)
def test_what_is_tried_first_lies_on_the_lattice(entry, told):
    assert plan(whole(search__first=[{"batch_size": "4", "gamma": 1.5}]))[0].parameters.batch_size == 4
    with pytest.raises(ConfigError) as caught:
        plan(whole(search__first=[entry]))
    assert str(caught.value).startswith(f"{SOURCE}: search.first.0.{list(entry)[-1]}: {told}")


def test_the_doctor_asks_for_the_largest_of_each_patch_size():
    need = requirements_of(whole(), SOURCE)
    assert [(t.patch_size_px, t.base_width, t.batch_size) for t in need.trials] == [
        (size_px, 6, 5) for size_px in (32, 48, 64)
    ]


def test_the_report_says_what_kind_of_range_it_was():
    config = study_config().model_copy(update={"space": whole()})
    assert setup_facts(config)["What varied"] == {
        "architecture": "unet",
        "patch_size_px": "32 to 64, in steps of 16",
        "batch_size": "2 to 5, whole numbers",
        "base_width": "2 to 6, in steps of 2",
        "gamma": "1 to 2, in steps of 0.5",
    }


@pytest.mark.parametrize("sampler", ["grid", "random", "tpe"])
def test_a_constant_and_all_orders_of_tied_values_are_choices_to_every_sampler(tmp_path, sampler):
    dimensions = {
        "architecture": "unetpp",
        "patch_size": {"value": 32},
        "ds_weights": {"permutations": [0.1, 0.2, 0.7, 0.7]},
        "weights": {"keys": ["alpha", "beta", "gamma"], "permutations": [0.3, 0.7, 1.3]},
    }
    fixed = {k: v for k, v in SPACE["fixed"].items() if k not in ("fn_weight", "fp_weight", "gamma")}
    search = {**SPACE["search"], "sampler": sampler}
    if sampler != "grid":
        search["budget"] = {"trials": 500}
    if sampler == "tpe":
        search["parallel"] = 1
    value = {**SPACE, "dimensions": dimensions, "fixed": {**fixed, "bce_weight": 0.2}, "search": search}
    loaded = load_space(write_yaml(tmp_path / "space.yaml", value))
    trials = proposals(make(loaded), 90)
    assert len(trials) == len({trial.parameters for trial in trials}) == 12 * 6
    assert {trial.stratum.key for trial in trials} == {"unetpp-32"}
    assert "permutations" not in loaded.model_dump_json()


def test_a_space_without_steps_is_written_as_it_was_before_there_were_any(tmp_path):
    text = space().model_dump_json()
    assert "step" not in text
    assert "value" not in text
    stepped = changed(SPACE, "dimensions.bce_weight", {"low": 0.1, "high": 0.3, "step": 0.1})
    loaded = load_space(write_yaml(tmp_path / "space.yaml", stepped))
    assert loaded == type(loaded).model_validate(loaded.model_dump(mode="json"))
