"""The numbers of the line drawn without learning, chosen on validation as a threshold is."""

from dataclasses import replace
from math import log

import numpy as np
import torch

from glsweep.config.trial import Channel
from glsweep.metrics.thresholds import count_at_thresholds
from glsweep.nets.phase_gradient import SOFTNESS_CYCLES, Numbers, PhaseGradient
from glsweep.patches import PatchArrays
from glsweep.training.memory import predict_patches, truth_of

CHANNELS: tuple[Channel, ...] = ("cos", "sin")
GRID = tuple(
    Numbers(frequency_px=frequency_px, level_cycles=level_cycles, dense_cycles=dense_cycles)
    for frequency_px in (7, 9, 11)
    for level_cycles in (0.16, 0.2, 0.24)
    for dense_cycles in (0.3, 0.45)
)
"""Averages of the interferogram are not tried: they blot out the fringes in strong tides."""
THRESHOLDS = torch.linspace(0.02, 0.98, 49)
MOST_PX = 2**20
"""Pixels that are looked at, of patches spread evenly: seconds on a CPU."""


def tune_phase_gradient(val: PatchArrays, *, tolerance_m: float) -> PhaseGradient:
    """Return the best of a small grid by the relaxed F1, all of which is tried.

    `strong_cycles` is what the best threshold comes to, so that the best is .5.

    Parameters
    ----------
    val : PatchArrays
        Patches of validation.
    tolerance_m : float
        Of the relaxed F1.
    """
    some = _some(val)
    truth = truth_of(some, tolerance_m, "cpu")
    best, chosen = -1.0, Numbers()
    for numbers in GRID:
        probability = torch.from_numpy(predict_patches(PhaseGradient(numbers), some, CHANNELS))
        counts = count_at_thresholds(probability, truth, THRESHOLDS)
        at = counts.best("relaxed_f1")
        found, tau = float(counts.curve("relaxed_f1")[at]), float(THRESHOLDS[at])
        if found > best:
            rise = numbers.strong_cycles + SOFTNESS_CYCLES * log(tau / (1 - tau))
            best, chosen = found, numbers._replace(strong_cycles=round(rise, 4))
    return PhaseGradient(chosen)


def _some(val: PatchArrays) -> PatchArrays:
    count = max(1, min(len(val), MOST_PX // val.mask[0].size))
    at = np.linspace(0, len(val) - 1, count).round().astype(np.int64)
    target = None if val.target is None else val.target[at]
    return replace(val, image=val.image[at], mask=val.mask[at], target=target, scene=None)
