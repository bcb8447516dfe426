"""A study whose truth is what its own network draws, at a threshold that differs between the splits."""

from pathlib import Path

import numpy as np
import torch
from made_artifacts import winner
from made_configs import SPACE
from made_input import card as model_card

from glsweep.config.data_card import DataCard, Simulation, Split
from glsweep.config.space import SearchSpace
from glsweep.config.trial import Stratum
from glsweep.nets import build_network
from glsweep.nets.member import save_member
from glsweep.patches.prepare import prepare_patches
from glsweep.patches.store import open_patches, store_folder
from glsweep.simulation import simulate_data
from glsweep.study import Study, create_study
from glsweep.study.artifacts import Winners, write_artifact
from glsweep.study.configuration import StudyConfig
from glsweep.training.memory import predict_patches

STRATUM = Stratum("unet", 32)
GRID = torch.linspace(0.1, 0.9, 17).tolist()
"""The thresholds of the small space's calibration."""
DRAWN_AT = {"train": GRID[8], "val": GRID[10], "test": GRID[14]}
LOUD = 300.0
"""Values so large that an untrained network's probabilities reach from 0 to 1."""


def write_study(folder: Path) -> Study:
    """A study with patches and one member, which is its network as it was before training."""
    root = folder / "scenes"
    simulate_data(Simulation(scenes=3, rows=96, cols=96, tides="resolved"), root, seed=3)
    # Patches that are shared out leave no test ground, so that no whole scene has to be drawn.
    data = DataCard(name="made", root=root, split=Split(rule="patch"))
    config = StudyConfig(name="made", seed=0, card=data, space=SearchSpace.model_validate(SPACE))
    study = create_study(folder / "study", config)
    prepare_patches(study, [STRATUM.patch_size_px])
    network = build_network("unet", in_channels=2, base_width=8, seed=1)
    made = model_card(patch_size_px=32, base_width=8, channels=("real", "imag"), seed=1, tau=None)
    save_member(study.member(STRATUM), network, made)
    write_artifact(study.winners_json, Winners(by_stratum={STRATUM.key: winner(STRATUM)}))
    generator = np.random.default_rng(0)
    for split, tau in DRAWN_AT.items():
        patches = open_patches(study, 32).arrays(split)
        stored = store_folder(study, 32) / split
        loud = generator.normal(0, LOUD, patches.image.shape).astype(np.float32)
        (stored / "image.npy").unlink()  # the old one is mapped
        np.save(stored / "image.npy", loud)
        probability = predict_patches(network, open_patches(study, 32).arrays(split), made.channels)
        (stored / "mask.npy").unlink()
        np.save(stored / "mask.npy", (probability >= np.float32(tau)).astype(np.uint8))
    return study
