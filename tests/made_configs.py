"""Small configurations made for the tests, and a way to change one value of them."""

import copy
from pathlib import Path

import yaml

from glsweep.config.data_card import DataCard
from glsweep.config.space import SearchSpace
from glsweep.study.configuration import StudyConfig

SPACE = {
    "name": "small",
    "dimensions": {
        "architecture": {"choices": ["unet", "unetpp"]},
        "patch_size_px": {"choices": [32]},
        "bce_weight": {"choices": [0.2, 0.35]},
        "ds_weights": {"choices": [None, [0.1, 0.2, 0.3, 0.4]], "when": {"architecture": "unetpp"}},
    },
    "fixed": {
        "channels": ["real", "imag"],
        "fn_weight": 0.7,
        "fp_weight": 0.3,
        "gamma": 1.33,
        "base_width": 2,
        "learning_rate": 1.0e-3,
        "weight_decay": 1.0e-5,
        "batch_size": 4,
        "gradient_clip": 1.0,
        "augmentation": [],
    },
    "patches": {
        "with_line": 8,
        "without_line": 4,
        "valid_share": 0.2,
        "box_px": 5,
        "box_coverage": 100,
        "fresh_share": 0.4,
        "fresh_coverage": 3,
    },
    "search": {
        "sampler": "grid",
        "epochs": 4,
        "rank_by": "relaxed_f1",
        "tolerance_m": 200.0,
        "scheduler": {"name": "asha", "grace_epochs": 1, "reduction_factor": 2},
    },
    "resources": {"cpus": 1, "gpus": 0},
    "retraining": {
        "epochs": 2,
        "patience": 2,
        "monitor": "val_loss",
        "learning_rate": 1.0e-3,
        "weight_decay": 1.0e-5,
        "batch_size": 4,
        "gradient_clip": 1.0,
    },
    "calibration": {"lowest": 0.1, "highest": 0.9, "count": 17, "criterion": "dice"},
}

CARD = {"name": "sim", "simulation": {"scenes": 3, "rows": 96, "cols": 96}}

REMOVED = object()


def changed(value: dict, key: str, to: object) -> dict:
    """A copy of `value` in which `key` (`search.epochs`) is `to`, or is gone where `to` is REMOVED."""
    result = copy.deepcopy(value)
    *parents, last = key.split(".")
    inner = result
    for parent in parents:
        inner = inner[parent]
    if to is REMOVED:
        del inner[last]
    else:
        inner[last] = to
    return result


def write_yaml(path: Path, value: object) -> Path:
    path.write_text(yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
    return path


def space(**changes: object) -> SearchSpace:
    """The small space; a double underscore stands for a dot: `search__epochs=3`."""
    value = SPACE
    for key, to in changes.items():
        value = changed(value, key.replace("__", "."), to)
    return SearchSpace.model_validate(value)


def study_config(*, seed: int = 0, card: dict = CARD, **changes: object) -> StudyConfig:
    """A study of simulated scenes and the small space with `changes`."""
    return StudyConfig(name="test", seed=seed, card=DataCard.model_validate(card), space=space(**changes))
