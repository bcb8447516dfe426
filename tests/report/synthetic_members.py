"""Members of a made study: their histories, cards and example patches, from formulas."""

from typing import Any

import numpy as np

from glsweep.config.trial import Stratum
from glsweep.nets.member import ModelCard, write_card
from glsweep.study import Study
from glsweep.study.artifacts import Winner

QUALITY = {
    "unet": 0.55,
    "attention_unet": 0.58,
    "unetpp": 0.74,
    "atrous_unet": 0.6,
    "segformer": 0.62,
    "two_head": 0.5,
    "hed": 0.45,
    "pretrained_unet": 0.7,
}


def write_member(study: Study, stratum: Stratum, winner: Winner | None, rng: np.random.Generator) -> None:
    folder = study.member(stratum)
    folder.mkdir(parents=True)
    epochs = np.arange(1, 31)
    train = 0.35 + 0.6 * np.exp(-epochs / 6) + rng.normal(0, 0.006, 30)
    val = 0.42 + 0.52 * np.exp(-epochs / 5) + 0.003 * np.maximum(epochs - 18, 0) + rng.normal(0, 0.01, 30)
    f1 = QUALITY[stratum.architecture] * (1 - np.exp(-epochs / 5)) + rng.normal(0, 0.012, 30)
    lines = [
        f"{e},{t:.5f},{v:.5f},{f:.5f},{f / 2:.5f},1.9"
        for e, t, v, f in zip(epochs, train, val, f1, strict=True)
    ]
    text = "epoch,train_loss,val_loss,relaxed_f1,dice,epoch_s\n" + "\n".join(lines) + "\n"
    (folder / "history.csv").write_text(text)
    card = ModelCard(
        architecture=stratum.architecture,
        patch_size_px=stratum.patch_size_px,
        channels=("real", "imag"),
        amplitude_scale=1.0,
        posting_m=100.0,
        wavelength_m=0.0555,
        tau=0.6,
        data_card_hash="",
        seed=7,
        best_epoch=int(epochs[f1.argmax()]),
        trial_id=winner.trial_id if winner else "",
        parameters={},
        figures={},
        glsweep_version="0.1.0",
    )
    write_card(folder, card)
    image, mask, probability = zip(
        *(example(stratum.patch_size_px, QUALITY[stratum.architecture], rng) for _ in range(4)), strict=True
    )
    np.savez(
        folder / "examples.npz", image=np.stack(image), mask=np.stack(mask), probability=np.stack(probability)
    )


def example(size: int, quality: float, rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """Return fringes seaward of a sinuous line, the line, and an answer that is partly right."""
    row, col = np.mgrid[:size, :size]
    shift, slope = rng.uniform(0.3, 0.6) * size, rng.uniform(-0.3, 0.3)
    line = shift + slope * row[:, 0] + 6 * np.sin(row[:, 0] / 17 + rng.uniform(0, 6))
    seaward = np.maximum(col - line[:, None], 0) * 0.07
    phase = 16 * (1 - np.exp(-seaward) * (np.cos(seaward) + np.sin(seaward)))
    noise = rng.normal(0, 0.55, (2, size, size))
    image = np.stack([np.cos(phase), np.sin(phase)]) + noise
    image[:, col + 2 * row < rng.integers(10, size // 2)] = 0
    mask = (np.abs(col - line[:, None]) < 0.7).astype(np.uint8)
    off = line + rng.normal(0, 0.6, size).cumsum() * (1 - quality)
    probability = (
        quality * 1.3 * np.exp(-(((col - off[:, None]) / 1.6) ** 2)) * (0.4 + 0.6 * rng.random(size)[:, None])
    )
    blob = (col - 0.8 * size) ** 2 + (row - 0.7 * size) ** 2 < (0.04 * size) ** 2
    probability = np.clip(probability + 0.7 * blob + 0.06 * rng.random((size, size)), 0, 1)
    return image.astype(np.float32), mask, probability.astype(np.float32)
