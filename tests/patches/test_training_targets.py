"""Training targets wider or softer than the line, from the card to the loss."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_scenes import numbered_folder, study_of

from glsweep.config.data_card import SPLITS
from glsweep.patches.prepare import prepare_patches
from glsweep.patches.store import open_patches, store_folder
from glsweep.scenes.masks import training_target
from glsweep.training.memory import place


def nearest_m(mask, posting_m):
    """Distance to the nearest line pixel, pixel by pixel."""
    line = np.argwhere(mask)
    distance = np.empty(mask.shape)
    for row, col in np.ndindex(mask.shape):
        distance[row, col] = np.hypot(*(line - (row, col)).T).min() * posting_m
    return distance


@pytest.mark.parametrize("rule", ["buffered", "soft"])
def test_a_target_is_what_its_definition_says(rule):
    mask = np.zeros((20, 30), np.uint8)
    mask[np.arange(5, 15), np.arange(8, 18)] = 1
    target = training_target(mask, rule, 150.0, 100.0)
    distance_m = nearest_m(mask, 100.0)
    wanted = distance_m <= 150 if rule == "buffered" else np.exp(-(distance_m**2) / (2 * 150**2))
    np.testing.assert_allclose(target / 255, wanted, atol=0.5 / 255 + 1e-9)
    assert (target[mask > 0] == 255).all()


def test_no_line_gives_no_target():
    assert not training_target(np.zeros((4, 5), np.uint8), "soft", 100.0, 100.0).any()


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    folder = numbered_folder(tmp_path_factory.mktemp("numbered"))

    def study(name, **card):
        made = study_of(folder, tmp_path_factory.mktemp(name) / "s")
        config = made.config.model_copy(update={"card": made.config.card.model_copy(update=card)})
        made = replace(made, config=config)
        prepare_patches(made, [32])
        return made

    return {
        "hard": study("hard"),
        "soft": study("soft", label="soft", label_width_m=150.0),
        "buffered": study("buffered", label="buffered", label_width_m=200.0),
    }


def test_the_scored_mask_and_the_patches_do_not_depend_on_the_label(studies):
    for split in SPLITS:
        hard, soft = (open_patches(studies[name], 32).arrays(split) for name in ("hard", "soft"))
        np.testing.assert_array_equal(hard.mask, soft.mask)
        np.testing.assert_array_equal(hard.image, soft.image)
        assert hard.target is None
    hashes = {json.loads((store_folder(s, 32) / "meta.json").read_text())["hash"] for s in studies.values()}
    assert len(hashes) == 3


@pytest.mark.parametrize("name", ["soft", "buffered"])
def test_a_stored_target_covers_the_line_reaches_over_patch_edges_and_no_empty_ground(studies, name):
    arrays = open_patches(studies[name], 32).arrays("train")
    assert (arrays.target[arrays.mask > 0] == 255).all()
    assert not arrays.target[~arrays.image.any(axis=1)].any()
    wider = (arrays.target > 0).sum() / arrays.mask.sum()
    assert wider > 2
    without = ~arrays.has_line
    assert without.any()


@pytest.mark.parametrize("name", ["hard", "soft"])
def test_what_is_trained_on_lies_between_0_and_1_and_is_the_stored_label(studies, name):
    arrays = open_patches(studies[name], 32).arrays("train")
    image, label = place(arrays, torch.device("cpu")).batch(torch.tensor([2, 0]))
    wanted = arrays.mask if arrays.target is None else arrays.target / 255
    np.testing.assert_allclose(label.numpy(), wanted[[2, 0]], atol=1e-6)
    np.testing.assert_array_equal(image.numpy(), arrays.image[[2, 0]])
