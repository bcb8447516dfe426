"""Trials that are trained on some of the scenes: which patches they see, and how often."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from made_patches import bands, parameters, schedule

from glsweep.patches.store import scene_places
from glsweep.training.cohort import CohortTrial, cohort_key, fit_cohort
from glsweep.training.fit import batches, fit, make_task
from glsweep.training.state import fresh_state

SCENE = np.array([2, 0, 1, 0, 2, 1, 3, 0])
CPU = torch.device("cpu")


def seen(scenes, **changes):
    """How often each training patch is in an epoch, and how many validation patches there are."""
    train, val = replace(bands(len(SCENE), seed=1), scene=SCENE), bands(3, seed=2)
    task = make_task(
        parameters(train_scenes=scenes, augmentation=(), batch_size=3, **changes),
        train,
        val,
        schedule(1),
        CPU,
    )
    every = torch.cat([image for image, _ in batches(task, seed=4)])
    patches = task.train.channels(torch.from_numpy(train.image), task.parameters.channels)
    return [int((every == patch).flatten(1).all(1).sum()) for patch in patches], len(task.val)


def test_an_epoch_takes_patches_of_the_first_scenes_alone_and_as_many_for_any_number():
    for scenes in (1, 2, 3, 4, None):
        times, validated = seen(scenes)
        used = np.array(times) > 0
        np.testing.assert_array_equal(used, (scenes or 4) > SCENE)
        assert sum(times) == len(SCENE)
        assert max(times) - min(np.array(times)[used]) <= 1
        assert validated == 3


def test_all_scenes_by_their_number_train_as_all_do_that_are_not_counted():
    train, val = replace(bands(seed=1), scene=SCENE), bands(seed=2)

    def losses(scenes):
        trial = parameters(train_scenes=scenes)
        state = fresh_state(trial, seed=3, device=CPU)
        return [report.train_loss for report in fit(state, trial, train, val, schedule(2), seed=5)]

    assert losses(4) == losses(None)
    assert losses(1) != losses(None)


def test_trials_of_a_cohort_see_the_same_scenes_as_alone():
    train, val = replace(bands(seed=1), scene=SCENE), bands(seed=2)
    assert cohort_key(parameters(train_scenes=1)) != cohort_key(parameters(train_scenes=2))
    members = {}
    for seed, weight in ((3, 0.2), (4, 0.6)):
        trial = parameters(train_scenes=2, bce_weight=weight)
        members[str(seed)] = CohortTrial(fresh_state(trial, seed=seed, device=CPU), trial, seed)
    alone = []
    for seed, weight in ((3, 0.2), (4, 0.6)):
        trial = parameters(train_scenes=2, bce_weight=weight)
        state = fresh_state(trial, seed=seed, device=CPU)
        alone += [report.train_loss for report in fit(state, trial, train, val, schedule(1), seed=seed)]
    (reports,) = fit_cohort(members, train, val, schedule(1))
    assert [report.train_loss for report in reports.values()] == pytest.approx(alone, rel=1e-4)


def test_the_order_of_scenes_follows_from_the_seed_and_their_own_names_alone():
    names = [f"s{number}" for number in range(12)]
    scenes = pd.Series([*names, *names[::-1]])
    places = scene_places(scenes, seed=0)
    assert sorted(places[:12]) == list(range(12))
    np.testing.assert_array_equal(places[:12], places[12:][::-1])
    np.testing.assert_array_equal(places, scene_places("set/" + scenes, seed=0))
    assert (places != scene_places(scenes, seed=1)).any()
    # One that is left out moves up those behind it and changes no order.
    fewer = scene_places(scenes[scenes != names[3]], seed=0)
    kept = places[scenes != names[3]]
    np.testing.assert_array_equal(np.argsort(fewer[:11]), np.argsort(kept[:11]))
