"""The choice of a threshold on validation."""

from typing import Any

import torch

from glsweep.config.space import Calibration
from glsweep.metrics.thresholds import Truth, count_at_thresholds


def choose_threshold(probability: torch.Tensor, truth: Truth, settings: Calibration) -> dict[str, Any]:
    """Find the threshold with the best criterion, the lowest of equals, all in one pass.

    Returns
    -------
    dict
        `tau`, the criterion and its value at each of the `thresholds`, and `on_grid_edge`: whether
        tau is the first or the last of them, so that a better one may lie outside.
    """
    thresholds = torch.linspace(settings.lowest, settings.highest, settings.count)
    counts = count_at_thresholds(probability, truth, thresholds)
    values = counts.curve(settings.criterion)
    best = counts.best(settings.criterion)
    return {
        "criterion": settings.criterion,
        "tau": round(float(thresholds[best]), 4),
        "on_grid_edge": best in (0, settings.count - 1),
        "thresholds": [round(float(tau), 4) for tau in thresholds],
        "values": [float(value) for value in values],
    }
