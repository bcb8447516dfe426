import numpy as np
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from synthetic_study import MEDIAN, NONE

from glsweep.config.trial import Stratum
from glsweep.report.figures import house_style
from glsweep.report.figures.importance import draw_importance, missing_importance
from glsweep.report.importance import TrialDimension, importance_panels, importance_shares
from glsweep.report.results import read_results

UNETPP = (Stratum("unetpp", 128),)


def labels(names, rng, count):
    return TrialDimension(rng.choice(list(names), count).astype(object), CategoricalDistribution(list(names)))


def numbers(rng, count):
    return TrialDimension(rng.uniform(0, 1, count).astype(object), FloatDistribution(0, 1))


def levels(count, rng, trials):
    return TrialDimension(
        rng.integers(count, size=trials).astype(object), FloatDistribution(-0.5, count - 0.5)
    )


def test_what_decides_comes_first_and_what_does_not_stays_at_chance():
    rng = np.random.default_rng(2)
    coordinates = {
        "dummy": labels("wxyz", rng, 60),
        "strong": numbers(rng, 60),
        "weak": labels("abc", rng, 60),
        "noise": numbers(rng, 60),
    }
    places = {name: coordinate.places for name, coordinate in coordinates.items()}
    figures = places["strong"].astype(float) + 0.4 * (places["weak"] == "a") + rng.normal(0, 0.05, 60)
    found = {share.name: share for share in importance_shares(coordinates, figures, rng)}
    assert list(found) == list(coordinates)
    assert sorted(found, key=lambda name: -found[name].median)[:2] == ["strong", "weak"]
    assert found["strong"].low > found["weak"].high > found["weak"].low > found["weak"].chance
    for name in ("dummy", "noise"):
        assert found[name].high < 0.05
        assert found[name].low <= found[name].chance


def test_shares_agree_with_the_variances_of_an_additive_objective():
    rng = np.random.default_rng(3)
    coordinates = {"one": levels(2, rng, 200), "two": levels(2, rng, 200), "three": levels(3, rng, 200)}
    one, two, three = (coordinate.places.astype(float) for coordinate in coordinates.values())
    found = importance_shares(coordinates, 2 * one + two + three, rng)
    variances = np.array([4 * 1 / 4, 1 / 4, 2 / 3])
    assert [share.median for share in found] == pytest.approx(variances / variances.sum(), abs=0.04)


@pytest.mark.parametrize("sign", [1, -1])
def test_what_only_tells_bad_from_worse_matters_over_all_and_not_among_the_best(sign):
    rng = np.random.default_rng(6)
    coordinates = {"ruins": levels(4, rng, 200), "tunes": levels(4, rng, 200)}
    ruins, tunes = (coordinate.places.astype(float) for coordinate in coordinates.values())
    values = sign * (0.1 * tunes - 2 * (ruins == 0))
    found = importance_shares(coordinates, values, rng, higher_is_better=sign > 0)
    ruin, tune = found
    assert ruin.median > 0.9
    assert tune.among_best > 0.8
    assert sum(share.among_best for share in found) == pytest.approx(1, abs=0.05)


def test_the_same_seed_gives_the_same_shares():
    one, two = (
        importance_shares({"a": labels("ab", rng, 20)}, rng.normal(size=20), rng)
        for rng in (np.random.default_rng(4), np.random.default_rng(4))
    )
    assert one == two


def test_tied_parameters_are_one_dimension_and_conditional_ones_stay_in_their_stratum(make_study):
    results = read_results(make_study(strata=(*UNETPP, Stratum("unet", 128)), repeats=2))
    panels = {panel.title: panel for panel in importance_panels(results)}
    assert list(panels) == ["All networks 128", "U-Net 128", "U-Net++ 128"]
    dimensions = {title: [share.name for share in panel.shares] for title, panel in panels.items()}
    assert dimensions == {
        "All networks 128": ["architecture", "ftl", "bce_weight", "learning_rate"],
        "U-Net 128": [],
        "U-Net++ 128": ["ftl", "bce_weight", "ds_weights", "learning_rate"],
    }
    assert panels["U-Net 128"].remark == "11 trials, 12 needed"
    strongest = max(panels["All networks 128"].shares, key=lambda share: share.median)
    assert strongest.name == "architecture"
    with house_style():
        plate = draw_importance(results, list(panels.values()))
    assert "until epoch 1, the last that all trials of a panel reached" in plate.caption
    assert "architecture" in plate.alt
    assert missing_importance(list(panels.values())) == ""


@pytest.mark.parametrize(("scheduler", "epoch"), [(MEDIAN, 2), (NONE, 9)], ids=["median", "none"])
def test_trials_are_compared_at_the_last_epoch_that_all_reached(make_study, scheduler, epoch):
    study = make_study(strata=UNETPP, repeats=1, scheduler=scheduler, replicates=2, failures=False)
    results = read_results(study)
    (panel,) = importance_panels(results)
    assert (panel.epoch, panel.trials) == (epoch, 12)


def test_with_too_few_trials_a_sentence_stands_for_the_figure(make_study):
    results = read_results(make_study(strata=(Stratum("unet", 32),), repeats=1))
    panels = importance_panels(results)
    assert draw_importance(results, panels) is None
    assert "U-Net 32 (5 trials, 12 needed)" in missing_importance(panels)


def test_trials_that_are_all_equal_have_no_importance(make_study):
    results = read_results(make_study(strata=UNETPP, repeats=1, failures=False))
    results.history.epochs["metric"] = 0.0
    (panel,) = importance_panels(results)
    assert panel.remark == "all trials are equal"
