"""Losses: what training makes small.

`tversky` holds the one whose weights are dimensions of their own; `weighted` and `shapes` hold functions
with parameters of their own, as a user's are, and `heads` makes one number of a network's heads. What a
network predicts for pixels without data counts in none of them.
"""

from glsweep.losses.heads import FunctionLoss, HeadsLoss
from glsweep.losses.pixels import NO_DATA, NO_LINE_LOGIT
from glsweep.losses.tversky import (
    SMALLEST_SHORTFALL,
    SMOOTH,
    GroundingLineLoss,
    focal_tversky,
    loss_from_sums,
    pixel_sums,
    tversky_index,
    tversky_sums,
)

__all__ = [
    "NO_DATA",
    "NO_LINE_LOGIT",
    "SMALLEST_SHORTFALL",
    "SMOOTH",
    "FunctionLoss",
    "GroundingLineLoss",
    "HeadsLoss",
    "focal_tversky",
    "loss_from_sums",
    "pixel_sums",
    "tversky_index",
    "tversky_sums",
]
