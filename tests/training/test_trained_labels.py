"""Training on labels of a trial's own."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_patches import bands, parameters, schedule

from glsweep.patches import FARTHEST_PX2
from glsweep.patches.augmentation import augment_dihedral
from glsweep.scenes import FULL
from glsweep.scenes.masks import squared_distance
from glsweep.training.cohort import cohort_key
from glsweep.training.fit import batches, fit, make_task, validate
from glsweep.training.memory import place
from glsweep.training.state import fresh_state

CPU = torch.device("cpu")
LABELS = [
    {"label": "bresenham"},
    {"label": "buffered", "label_width_m": 200.0},
    {"label": "soft", "label_width_m": 100.0, "label_smoothing": 0.1},
]


def with_distances(patches):
    distance_px2 = np.stack([squared_distance(mask, FARTHEST_PX2) for mask in patches.mask])
    return replace(patches, distance_px2=distance_px2, thin=patches.mask * np.uint8(FULL))


@pytest.mark.parametrize("label", LABELS)
def test_a_network_learns_from_each_label(label):
    train, val = with_distances(bands(16, seed=1)), with_distances(bands(4, seed=2))
    trial = parameters(**label)
    state = fresh_state(trial, seed=3, device=CPU)
    losses = [report.train_loss for report in fit(state, trial, train, val, schedule(3), seed=5)]
    assert losses[-1] < losses[0]


def test_training_and_validation_have_the_trial_s_label_and_ranking_the_line():
    train, val = with_distances(bands(8, seed=1)), with_distances(bands(4, seed=2))
    plain, wide = (
        make_task(parameters(augmentation=(), **label), train, val, schedule(1), CPU)
        for label in ({}, LABELS[1])
    )
    for task in (plain, wide):
        labels = torch.cat([label for _, label in batches(task, seed=4)])
        share = (labels > 0).sum() / train.mask.sum()
        assert share == 1 if task is plain else 4 < share <= 5
    network = fresh_state(parameters(), seed=3, device=CPU).network
    (loss, counts), (wide_loss, wide_counts) = (validate(network, task, 4) for task in (plain, wide))
    assert loss != wide_loss
    assert torch.equal(counts.relaxed_f1(), wide_counts.relaxed_f1())


def test_the_target_turns_with_the_image():
    patches = with_distances(bands(8, seed=1))
    # A plane of distances that is no mirror image of itself, and an image that says the same.
    patches.distance_px2[:] = np.arange(32 * 32, dtype=np.int16).reshape(32, 32)
    patches.image[:, 0] = patches.image[:, 1] = 1 + np.arange(32 * 32, dtype=np.float32).reshape(32, 32)
    trial = parameters(label="soft", label_width_m=1000.0)
    image, label = place(patches, CPU, trial=trial).batch(torch.arange(8))
    turned, turned_label = augment_dihedral(image, label, torch.Generator().manual_seed(1))
    assert not torch.equal(turned, image)
    wanted = torch.round(FULL * torch.exp(-(turned[:, 0] - 1) / 200)) / FULL
    torch.testing.assert_close(turned_label, wanted, rtol=0, atol=1.01 / FULL)


def test_only_trials_of_one_label_train_together():
    keys = {cohort_key(parameters(**label)) for label in ({}, *LABELS, {**LABELS[1], "label_width_m": 300.0})}
    assert len(keys) == 5
