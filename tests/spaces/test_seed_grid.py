"""The published study's grid, value by value."""

import itertools
from collections import Counter
from pathlib import Path

import pytest

from glsweep.config.space import NoStopping, load_space
from glsweep.spaces.samplers import plan_trials

PATH = Path(__file__).resolve().parents[2] / "search_spaces" / "seed_grid.yaml"

TVERSKY = [(0.7, 0.3, 1.33), (0.8, 0.2, 1.33), (0.75, 0.25, 1.33), (0.85, 0.15, 1.33)]
BCE_WEIGHTS = [0.20, 0.25, 0.30, 0.35]
DEEP_SUPERVISION = [None, (0.1, 0.2, 0.3, 0.4), (0.05, 0.1, 0.2, 0.65)]


@pytest.fixture(scope="module")
def parameters():
    return [trial.parameters for trial in plan_trials(load_space(PATH), seed=0, source=PATH)]


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
    assert fixed == {(1e-4, 1e-5, 25, 1.0, ("real", "imag"), ())}
    assert {(p.architecture, p.base_width) for p in parameters} == {
        ("unet", 4),
        ("attention_unet", 4),
        ("unetpp", 32),
    }


def test_the_stages_are_set_as_published():
    published = load_space(PATH)
    assert (published.search.epochs, published.search.rank_by) == (8, "val_loss")
    assert published.search.scheduler == NoStopping()
    retraining = published.retraining
    assert (retraining.epochs, retraining.patience, retraining.monitor) == (500, 12, "val_loss")
    assert (retraining.learning_rate, retraining.weight_decay, retraining.batch_size) == (1e-4, 1e-5, 25)
    assert retraining.gradient_clip == 1.0
    calibration = published.calibration
    assert (calibration.lowest, calibration.highest, calibration.count) == (0.1, 0.9, 17)
    assert calibration.criterion == "dice"
    assert published.patches.without_line == 1000
