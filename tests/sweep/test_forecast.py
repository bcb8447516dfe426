"""The time left: exact where every trial is alike, and never beyond the budget."""

import pytest
from sweeps import planned
from told_sweeps import Telling, terms

from glsweep.config.space import Budget
from glsweep.config.stopping import NoStopping
from glsweep.sweep.overview import seconds_left


def left(telling, of):
    return seconds_left(telling.records, of, now_unix_s=telling.now_unix_s)


def after(trials, done, *, epochs=4, step_s=1.0):
    """A sweep of one trial after another, of which the first `done` ran in full."""
    telling = Telling(step_s)
    for trial in trials[:done]:
        telling.ran(trial, [0.5] * epochs)
    return telling


def test_nothing_is_foretold_before_the_first_epoch():
    telling = Telling()
    assert left(telling, terms([planned(0)])) is None
    telling.started(planned(0))
    assert left(telling, terms([planned(0)])) is None


@pytest.mark.parametrize("done", [1, 3, 9])
def test_equal_trials_one_after_another_take_as_long_as_those_before(done):
    trials = [planned(i) for i in range(10)]
    telling = after(trials, done)
    # Start, place, four epochs and end are a second each.
    assert left(telling, terms(trials, stopping=NoStopping())) == pytest.approx(7 * (10 - done))


def test_a_trial_that_is_under_way_has_less_left():
    trials = [planned(0), planned(1)]
    telling = after(trials, 1)
    before_s = left(telling, terms(trials))
    telling.started(trials[1])
    for epoch in (1, 2, 3):
        telling.reported(trials[1], 0.5, epoch=epoch)
    # Seven epochs in eleven seconds, and one epoch to go.
    assert left(telling, terms(trials)) == pytest.approx(11 / 7)
    assert left(telling, terms(trials)) < before_s


def test_stopped_trials_shorten_what_is_expected_of_the_others():
    trials = [planned(i) for i in range(10)]
    telling = Telling()
    for trial in trials[:5]:
        telling.ran(trial, [0.5], "stopped")
    assert left(telling, terms(trials, epochs=100)) == pytest.approx(5 * 4)


def test_a_stratum_is_judged_by_its_own_trials():
    fast, slow = [planned(i) for i in range(2)], [planned(i, "unetpp") for i in range(2, 4)]
    telling = Telling()
    telling.ran(fast[0], [0.5], "stopped")
    telling.ran(slow[0], [0.5] * 10)
    telling.ran(slow[1], [0.5] * 10)
    of = terms([*fast, *slow], epochs=10)
    # 21 epochs in 30 s, and one more epoch of the stratum in which trials stop at once.
    assert left(telling, of) == pytest.approx(30 / 21)


def test_the_other_seeds_count():
    trials = [planned(0), planned(1)]
    telling = after(trials, 1)
    of = terms(trials, replicates=3, stopping=NoStopping())
    assert left(telling, of) == pytest.approx((2 + 3) * 7)
    telling.ran(trials[0].replicated(1), [0.5] * 4)
    assert left(telling, of) == pytest.approx((1 + 3) * 7)


def test_a_pause_between_two_runs_does_not_count():
    trials = [planned(i) for i in range(4)]
    telling = after(trials, 2)
    telling.now_unix_s += 1e6
    telling.began()
    telling.ran(trials[2], [0.5] * 4)
    assert left(telling, terms(trials, stopping=NoStopping())) == pytest.approx(7)


def test_a_budget_of_epochs_ends_a_plan_without_a_size():
    telling = after([planned(0)], 1)
    assert left(telling, terms()) is None
    # Four epochs in seven seconds, and eight to go.
    assert left(telling, terms(budget=Budget(epochs=12))) == pytest.approx(14)


def test_a_plan_of_known_size_is_foretold_though_its_strata_are_not():
    telling = after([planned(0)], 1)
    assert left(telling, terms(size=3, stopping=NoStopping())) == pytest.approx(14)
    assert left(telling, terms(size=100, budget=Budget(epochs=12))) == pytest.approx(14)


def test_a_budget_of_hours_runs_out_and_what_is_under_way_is_finished():
    telling = after([planned(0)], 1)
    of = terms(budget=Budget(hours=1), stopping=NoStopping())
    assert left(telling, of) == pytest.approx(3600 - 7)
    telling.started(planned(1))
    telling.now_unix_s += 2 * 3600
    assert left(telling, of) == pytest.approx(4 * (2 * 3600 + 8) / 4)


def test_trials_side_by_side_take_less_time():
    trials = [planned(i) for i in range(8)]
    telling = Telling(step_s=0.25)
    for trial in trials[:4]:
        telling.ran(trial, [0.5] * 4)
    # 16 epochs of a second in seven seconds.
    assert left(telling, terms(trials, stopping=NoStopping())) == pytest.approx(7)
