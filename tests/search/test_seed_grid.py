"""The published study's protocol, value by value, as docs/study_protocol.md puts it beside the settings."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glsweep.config.data_card import DataCard, Split
from glsweep.config.space import load_space
from glsweep.config.stopping import NoStopping
from glsweep.patches.index import assign_patches
from glsweep.scenes.cards import load_card
from glsweep.search import make_plan, plan_trials

ROOT = Path(__file__).resolve().parents[2]
SPACES = ROOT / "search_spaces"
PATH = SPACES / "seed_grid.yaml"

TVERSKY = [(0.7, 0.3, 1.33), (0.8, 0.2, 1.33), (0.75, 0.25, 1.33), (0.85, 0.15, 1.33)]
BCE_WEIGHTS = [0.20, 0.25, 0.30, 0.35]
DEEP_SUPERVISION = [None, (0.1, 0.2, 0.3, 0.4), (0.05, 0.1, 0.2, 0.65)]


@pytest.fixture(scope="module")
def published():
    return load_space(PATH)


@pytest.fixture(scope="module")
def parameters(published):
    return [trial.parameters for trial in plan_trials(published, seed=0, source=PATH)]


def test_there_are_160_configurations_80_a_patch_size(parameters):
    assert len(parameters) == len(set(parameters)) == 160
    assert Counter(p.stratum for p in parameters) == {
        ("unet", 128): 16,
        ("unet", 256): 16,
        ("attention_unet", 128): 16,
        ("attention_unet", 256): 16,
        ("unetpp", 128): 48,
        ("unetpp", 256): 48,
    }


def test_the_configurations_are_exactly_the_published_ones(parameters):
    plain = itertools.product(["unet", "attention_unet"], [128, 256], TVERSKY, BCE_WEIGHTS, [None])
    supervised = itertools.product(["unetpp"], [128, 256], TVERSKY, BCE_WEIGHTS, DEEP_SUPERVISION)
    planned = [
        (p.architecture, p.patch_size_px, (p.fn_weight, p.fp_weight, p.gamma), p.bce_weight, p.ds_weights)
        for p in parameters
    ]
    assert Counter(planned) == Counter([*plain, *supervised])


def test_everything_else_is_fixed_as_published(parameters):
    fixed = {
        (p.learning_rate, p.weight_decay, p.batch_size, p.gradient_clip, p.channels, p.augmentation)
        for p in parameters
    }
    assert fixed == {(1e-4, 1e-5, 25, 1.0, ("phase", "magnitude"), ())}
    assert {(p.architecture, p.base_width) for p in parameters} == {
        ("unet", 4),
        ("attention_unet", 4),
        ("unetpp", 32),
    }


def test_patches_are_drawn_as_published(published):
    assert published.patches.model_dump() == {
        "rule": "published",
        "with_line": 15_000,
        "without_line": 1_000,
        "tries_without_line": 100,
        "valid_share": 0.2,
        "box_px": 31,
        "box_coverage": 200,
        "fresh_share": 0.4,
        "fresh_coverage": 3,
        "near_share": None,
    }


@pytest.mark.parametrize("card", ["getz", "study_patches"])
def test_masks_are_burnt_where_a_line_touches(card, tmp_path):
    assert load_card(ROOT / "datasets" / f"{card}.yaml", root=tmp_path).label == "all_touched"


def test_a_split_by_patch_shares_70_15_15_out_over_patches_with_a_line_and_without():
    split = DataCard.model_validate({"name": "a", "root": "b", "split": {"rule": "patch"}}).split
    assert (split.rule, split.train, split.val, split.test) == ("patch", 0.70, 0.15, 0.15)
    has_line = pd.Series([True] * 15_000 + [False] * 1_000)
    shared = assign_patches(has_line, Split(rule="patch"), np.random.default_rng(0))
    assert Counter(zip(shared.tolist(), has_line, strict=True)) == {
        ("train", True): 10_500,
        ("val", True): 2_250,
        ("test", True): 2_250,
        ("train", False): 700,
        ("val", False): 150,
        ("test", False): 150,
    }


def test_the_sweep_runs_every_configuration_for_8_epochs_and_ranks_by_validation_loss(published):
    search = published.search
    assert (search.sampler, search.epochs, search.rank_by, search.replicates) == ("grid", 8, "val_loss", 1)
    assert search.scheduler == NoStopping()
    assert not search.budget.is_limited


def test_winners_are_retrained_as_published(published):
    assert published.retraining.model_dump() == {
        "epochs": 500,
        "patience": 12,
        "monitor": "val_loss",
        "learning_rate": 1e-4,
        "weight_decay": 1e-5,
        "batch_size": 25,
        "gradient_clip": 1.0,
        "annealing": "none",
    }


def test_thresholds_are_chosen_among_the_published_17_by_the_best_mean_dice(published):
    calibration = published.calibration
    tried = np.linspace(calibration.lowest, calibration.highest, calibration.count)
    np.testing.assert_array_equal(tried, np.linspace(0.1, 0.9, 17))
    assert calibration.criterion == "dice"


def test_the_grid_under_early_stopping_differs_in_nothing_but_its_search(published):
    stopped = load_space(SPACES / "seed_asha.yaml")
    for part in ("dimensions", "fixed", "patches", "resources", "retraining", "calibration"):
        assert getattr(stopped, part) == getattr(published, part)
    assert (stopped.search.rank_by, stopped.search.epochs) == ("relaxed_f1", 8)


def test_the_wide_search_tries_the_published_settings_first_in_each_stratum():
    path = SPACES / "wide.yaml"
    plan = make_plan(load_space(path), seed=0, source=path)
    first = [plan.propose(index, lambda _: None).parameters for index in range(6)]
    assert {p.stratum for p in first} == set(plan.strata)
    assert {(p.learning_rate, p.weight_decay, p.channels, p.augmentation) for p in first} == {
        (1e-4, 1e-5, ("phase", "magnitude"), ())
    }
    assert {(p.fn_weight, p.fp_weight, p.gamma, p.bce_weight, p.ds_weights) for p in first} == {
        (0.7, 0.3, 1.33, 0.2, None)
    }
    assert {(p.architecture, p.base_width) for p in first} == {
        ("unet", 4),
        ("attention_unet", 4),
        ("unetpp", 32),
    }


def test_the_demo_sees_the_published_channels():
    path = SPACES / "demo.yaml"
    assert {t.parameters.channels for t in plan_trials(load_space(path), seed=0, source=path)} == {
        ("phase", "magnitude")
    }
