"""A member's curves on the test patches: what no single threshold tells."""

from dataclasses import asdict
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from glsweep.evaluate.held_out import HeldOut
from glsweep.metrics.precision_recall import relaxed_precision_recall
from glsweep.metrics.reliability import measure_reliability
from glsweep.metrics.thresholds import count_at_thresholds


def member_curves(test: HeldOut, probability: npt.NDArray[np.float32], tau: float) -> dict[str, Any]:
    """Return the curves of one member for probabilities (N, S, S).

    Returns
    -------
    dict
        `precision_recall`: relaxed, at some `thresholds`, with the exact `area` below the whole curve
        and both figures `at_tau`. `reliability`: the fields of `Reliability`, and its error against
        either share.
    """
    given = torch.from_numpy(probability)
    curve = relaxed_precision_recall(given, test.truth)
    counts = count_at_thresholds(given, test.truth, torch.tensor([tau]))
    reliability = measure_reliability(given, test.truth)
    drawn = curve.thinned()
    return {
        "precision_recall": {
            "thresholds": drawn.thresholds.tolist(),
            "precision": drawn.precision.tolist(),
            "recall": drawn.recall.tolist(),
            "area": curve.area,
            "at_tau": {
                "tau": tau,
                "precision": float(counts.relaxed_precision()[0]),
                "recall": float(counts.relaxed_recall()[0]),
            },
        },
        "reliability": {
            **asdict(reliability),
            "line_error": reliability.error(reliability.line_share),
            "near_error": reliability.error(reliability.near_share),
        },
    }
