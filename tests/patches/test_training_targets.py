"""Training targets wider or softer than the line, from the card to the loss."""

import json
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pytest
import torch
from made_scenes import numbered_folder, study_of
from shapely import LineString

from glsweep.config.data_card import SPLITS
from glsweep.metrics.thresholds import count_at_thresholds
from glsweep.patches.prepare import prepare_patches
from glsweep.patches.store import open_patches, store_folder
from glsweep.scenes import FULL, UNSURE
from glsweep.scenes.masks import mark_unsure, training_target
from glsweep.training.memory import place, truth_of


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
    np.testing.assert_allclose(target / FULL, wanted, atol=0.5 / FULL + 1e-9)
    assert (target[mask > 0] == FULL).all()


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
    assert (arrays.target[arrays.mask > 0] == FULL).all()
    assert not arrays.target[~arrays.image.any(axis=1)].any()
    wider = (arrays.target > 0).sum() / arrays.mask.sum()
    assert wider > 2
    without = ~arrays.has_line
    assert without.any()


@pytest.mark.parametrize("name", ["hard", "soft"])
def test_what_is_trained_on_lies_between_0_and_1_and_is_the_stored_label(studies, name):
    arrays = open_patches(studies[name], 32).arrays("train")
    image, label = place(arrays, torch.device("cpu")).batch(torch.tensor([2, 0]))
    wanted = arrays.mask if arrays.target is None else arrays.target / FULL
    np.testing.assert_allclose(label.numpy(), wanted[[2, 0]], atol=1e-6)
    np.testing.assert_array_equal(image.numpy(), arrays.image[[2, 0]])


def test_near_an_unsure_line_nothing_is_known_but_a_line_that_was_drawn():
    target, unsure = np.zeros((20, 30), np.uint8), np.zeros((20, 30), np.uint8)
    target[10, :15] = FULL
    unsure[10, 12:] = 1
    marked = mark_unsure(target, unsure, 300.0, 100.0)
    np.testing.assert_array_equal(marked == FULL, target == FULL)
    near = nearest_m(unsure, 100.0) <= 300
    np.testing.assert_array_equal(marked == UNSURE, near & (target == 0))
    assert mark_unsure(target, np.zeros_like(unsure), 300.0, 100.0) is target


def test_what_nobody_can_tell_is_neither_trained_on_nor_judged(tmp_path):
    folder = numbered_folder(tmp_path / "scenes")
    # Down every scene at its hundredth column, where no line was drawn.
    unsure = [LineString([(18_000 * i + 10_000, 0), (18_000 * i + 10_000, -9_600)]) for i in range(4)]
    names = [f"s{i}.shp" for i in range(4)]
    table = gpd.GeoDataFrame({"source_file": names}, geometry=unsure, crs="EPSG:3031")
    table.to_file(folder / "unsure_lines.gpkg", driver="GPKG")
    study = study_of(folder, tmp_path / "study")
    prepare_patches(study, [32])
    store = open_patches(study, 32)
    arrays, index = store.arrays("train"), store.index("train")
    columns = index["col"].to_numpy()[:, None] + np.arange(32) + 0.5
    is_near = np.broadcast_to((np.abs(columns - 100) < 5)[:, None], arrays.mask.shape)
    assert is_near.any()
    known = arrays.is_known
    assert not known[is_near & (arrays.mask == 0) & arrays.image.any(axis=1)].any()
    assert known[~np.broadcast_to((np.abs(columns - 100) < 6)[:, None], arrays.mask.shape)].all()
    _, label = place(arrays, torch.device("cpu")).batch(torch.arange(len(arrays)))
    assert (label.numpy()[~known] < 0).all(), "as where there is no data"
    assert set(np.unique(label.numpy()[known & arrays.image.any(axis=1)])) == {0, 1}
    everywhere = torch.ones(arrays.mask.shape)
    counts = count_at_thresholds(everywhere, truth_of(arrays, 200.0), torch.tensor([0.5]))
    drawn = int((known & arrays.image.any(axis=1)).sum())
    assert int(counts.predicted.sum()) == drawn, "what is drawn where nobody can tell does not count"
