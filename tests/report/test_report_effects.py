"""Effects of a dimension's choices: against a sweep whose effects are known, and a library's answer."""

from collections.abc import Callable

import numpy as np
import pytest
from made_configs import space
from scipy.stats import ttest_ind

from glsweep.config.trial import TrialParameters
from glsweep.errors import ConfigError
from glsweep.report.effects import effects_of
from glsweep.search import make_plan
from glsweep.search.plan import ListedPlan
from glsweep.sweep.records import Ended, Reported, Started, SweepRecords, records_of

METRICS = ("relaxed_f1", "dice", "val_loss", "relaxed_precision", "relaxed_recall", "tau", "epoch_s")
CHOICES = {"choices": [0.1, 0.2, 0.35]}


def swept(
    score: Callable[[TrialParameters, int], float], seeds: int, **changes: object
) -> tuple[object, SweepRecords]:
    """A sweep over the small space in which each trial of two epochs is best in its first."""
    own = space(search__epochs=2, **changes)
    plan = make_plan(own, seed=0, source="space.yaml")
    assert isinstance(plan, ListedPlan)
    events: list[Started | Reported | Ended] = []
    for number, planned in enumerate(trial for trial in plan.trials for _ in range(seeds)):
        trial = planned.model_copy(
            update={"trial_id": f"t{number}", "index": number, "replicate": number % seeds}
        )
        events.append(Started(unix_s=0, trial=trial))
        value = score(trial.parameters, trial.replicate)
        for epoch, reached in ((1, value), (2, value - 0.1)):
            figures = dict.fromkeys(METRICS, 0.0) | {"relaxed_f1": reached}
            events.append(
                Reported(unix_s=0, trial_id=trial.trial_id, epoch=epoch, figures=figures, last=epoch == 2)
            )
        events.append(Ended(unix_s=0, trial_id=trial.trial_id, outcome="completed"))
    return own, records_of(events)


def test_the_effect_of_a_choice_is_found_whatever_other_dimensions_do() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, (3, 100))

    def score(parameters: TrialParameters, seed: int) -> float:
        choice = CHOICES["choices"].index(parameters.bce_weight)
        other = 0.3 if parameters.architecture == "unetpp" else 0.0
        return 0.4 + other + 0.1 * (choice == 1) + float(noise[choice, seed])

    own, records = swept(score, 5, dimensions__bce_weight=CHOICES)
    first, better, same = effects_of("bce_weight", own, records)
    assert first.difference is None
    assert better.low is not None and better.high is not None
    assert better.low < 0.1 < better.high
    assert better.is_told_apart
    assert not same.is_told_apart
    assert better.lost == pytest.approx(0.1)
    assert better.best_epoch == 1
    assert better.trials == 3 * 5  # U-Net once, U-Net++ with either weighting of its heads


def test_with_one_block_and_two_choices_it_is_the_t_test_of_scipy() -> None:
    draws = np.random.default_rng(1).normal(0.5, 0.05, (2, 6))

    def score(parameters: TrialParameters, seed: int) -> float:
        return float(draws[int(parameters.bce_weight == 0.35), seed])

    own, records = swept(score, 6, dimensions__architecture={"choices": ["unet"]})
    _, second = effects_of("bce_weight", own, records)
    interval = ttest_ind(draws[1], draws[0]).confidence_interval(0.95)
    assert second.difference == pytest.approx(draws[1].mean() - draws[0].mean())
    assert (second.low, second.high) == pytest.approx((interval.low, interval.high))


def test_parameters_that_go_with_a_choice_do_not_keep_it_from_being_compared() -> None:
    one_weighting = {"dimensions__ds_weights": {"choices": [None], "when": {"architecture": "unetpp"}}}
    own, records = swept(lambda p, _: 0.7 if p.architecture == "unetpp" else 0.5, 1, **one_weighting)
    _, unetpp = effects_of("architecture", own, records)
    assert unetpp.difference == pytest.approx(0.2)
    assert unetpp.low is None
    assert not unetpp.is_told_apart


def test_a_trial_that_the_dimension_is_not_for_does_not_count_though_it_has_the_same_value() -> None:
    own, records = swept(
        lambda p, _: 0.7 if p.architecture == "unetpp" else 0.5,
        1,
        dimensions__bce_weight={"choices": [0.1, 0.2], "when": {"architecture": "unetpp"}},
        dimensions__ds_weights={"choices": [None], "when": {"architecture": "unetpp"}},
        fixed__bce_weight=0.1,
    )
    counted = [(effect.trials, effect.mean) for effect in effects_of("bce_weight", own, records)]
    assert counted == [(1, 0.7), (1, 0.7)]


@pytest.mark.parametrize("name", ["learning_rate", "bce_wieght"])
def test_what_is_no_dimension_with_choices_is_refused_with_those_there_are(name: str) -> None:
    own, records = swept(lambda *_: 0.5, 1)
    with pytest.raises(ConfigError, match=r"here are architecture, bce_weight, ds_weights"):
        effects_of(name, own, records)
