"""Evaluated members of untrained networks, and the patches on which they were scored."""

from pathlib import Path

import numpy as np
import pandas as pd
from made_artifacts import network_row, study_table

from glsweep.config.data_card import SPLITS
from glsweep.config.trial import Stratum
from glsweep.evaluate.patches import HeldOut
from glsweep.nets import build_network
from glsweep.nets.member import ModelCard, load_member, save_member
from glsweep.patches.store import open_patches, store_folder
from glsweep.study import Study
from glsweep.study.artifacts import PatchCounts, PatchMeta, write_artifact
from glsweep.study.evaluation_artifacts import HeldOutMetrics
from glsweep.training.memory import predict_patches

UNET = Stratum("unet", 64)
POSTING_M = 100.0


def write_patches(study: Study, size_px: int = 64) -> None:
    """Noise with a slanting line, written as the stage `prepare` writes it."""
    folder = store_folder(study, size_px)
    generator = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        (folder / split).mkdir(parents=True)
        image = generator.normal(size=(6, 2, size_px, size_px)).astype(np.float32)
        mask = np.stack([np.eye(size_px, k=5 * k, dtype=np.uint8) for k in range(6)])
        np.save(folder / split / "image.npy", image)
        np.save(folder / split / "mask.npy", mask)
        (folder / split / "index.csv").write_text("scene\n" + "a\nb\n" * 3)
    counts = {split: PatchCounts(with_line=6, without_line=0) for split in SPLITS}
    meta = PatchMeta(size_px=size_px, posting_m=POSTING_M, amplitude_scale=1.5, hash="", counts=counts)
    write_artifact(folder / "meta.json", meta)


def write_member(
    study: Study, *, seed: int, stratum: Stratum = UNET, tau: float = 0.5, **card: object
) -> float:
    """Write a member as the stages up to `evaluate` leave it; return its relaxed F1 on test."""
    folder = study.member(stratum)
    folder.mkdir(parents=True, exist_ok=True)
    values = {
        "architecture": stratum.architecture,
        "patch_size_px": stratum.patch_size_px,
        "base_width": 4,
        "channels": ("real", "imag"),
        "amplitude_scale": 1.5,
        "posting_m": POSTING_M,
        "wavelength_m": study.config.card.wavelength_m,
        "tau": tau,
        "data_card_hash": study.config.card.content_hash(),
        "seed": seed,
        "trial_id": "0003-abcd",
        "parameters": {"learning_rate": 1e-3},
        "best_epoch": 2,
        "figures": {"val_loss": 0.5},
        "glsweep_version": "0.1.0",
    }
    model_card = ModelCard.model_validate({**values, **card})
    network = build_network(
        stratum.architecture, in_channels=len(model_card.channels), base_width=4, seed=seed
    )
    save_member(folder, network, model_card)
    pd.DataFrame({"epoch": [1, 2], "val_loss": [0.6, 0.5]}).to_csv(folder / "history.csv", index=False)
    row = network_row(stratum, **scores(study, folder, stratum).model_dump(), tau=tau)
    write_artifact(study.table_json, study_table(row))
    return row.relaxed_f1


def scores(study: Study, folder: Path, stratum: Stratum = UNET) -> HeldOutMetrics:
    """As the stage `evaluate` does."""
    network, card = load_member(folder)
    test = open_patches(study, stratum.patch_size_px).arrays("test")
    held_out = HeldOut(test, study.config.space.search.tolerance_m, seed=0)
    return held_out.score(predict_patches(network, test, card.channels), card.tau)
