"""Tiny patches in which a bright band marks the line, and settings and networks to train on them."""

import numpy as np
from torch import nn

from glsweep.config.trial import TrialParameters
from glsweep.nets import has_data
from glsweep.patches import PatchArrays
from glsweep.training.fit import Schedule

SIZE_PX = 32
POSTING_M = 100.0


def bands(count=8, seed=0, posting_m=POSTING_M, size_px=SIZE_PX):
    """Noise with one bright row a patch, which is the line; the last patch has none.

    The left end of two patches in three lies beyond the data.
    """
    generator = np.random.default_rng(seed)
    image = generator.normal(0, 0.3, (count, 2, size_px, size_px)).astype(np.float32)
    mask = np.zeros((count, size_px, size_px), np.uint8)
    for i in range(count - 1):
        row = generator.integers(4, size_px - 4)
        image[i, :, row] += 2
        mask[i, row] = 1
    for i in range(count):
        image[i, :, :, : i % 3 * size_px // 8] = 0
    mask[~has_data(image)] = 0
    return PatchArrays(image, mask, posting_m, amplitude_scale=0.7)


def parameters(**changes):
    values = {
        "architecture": "unet",
        "patch_size_px": SIZE_PX,
        "fn_weight": 0.7,
        "fp_weight": 0.3,
        "gamma": 1.33,
        "bce_weight": 0.3,
        "base_width": 4,
        "learning_rate": 1e-2,
        "weight_decay": 1e-5,
        "batch_size": 4,
        "gradient_clip": 1.0,
        "channels": ("real", "imag"),
        "augmentation": ("dihedral",),
        "precision": "float32",
    }
    return TrialParameters(**{**values, **changes})


def schedule(epochs, **changes):
    return Schedule(**{"epochs": epochs, "tolerance_m": 100.0, "monitor": "relaxed_f1", **changes})


def without_batch_norm(network):
    """Take batch normalisation out: what is left treats each patch on its own."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    return network
