"""Patches that no network has seen, and every figure of the table for predictions on them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from glsweep.metrics.boundary import boundary_scores
from glsweep.metrics.pixel import pixel_scores
from glsweep.metrics.thresholds import ThresholdCounts, count_at_thresholds, truth_within
from glsweep.patches.arrays import PatchArrays
from glsweep.randomness import generator_for

BOOTSTRAP_DRAWS = 1000


@dataclass(frozen=True)
class HeldOut:
    """The test patches of one size, and what is needed to score predictions on them."""

    patches: PatchArrays
    tolerance_m: float
    seed: int

    def select(self, chosen: npt.NDArray[np.bool_]) -> "HeldOut":
        """Return the patches that `chosen` (N,) marks."""
        patches = self.patches
        kept = replace(patches, image=patches.image[chosen], mask=patches.mask[chosen], target=None)
        return replace(self, patches=kept)

    def score(self, probability: npt.NDArray[np.float32], tau: float) -> dict[str, Any]:
        """Return every figure of the table for probabilities (N, S, S) at one threshold."""
        predicted = probability >= np.float32(tau)
        truth = self.patches.mask.astype(bool)
        posting_m = self.patches.posting_m
        rows = []
        for one, line in zip(predicted, truth, strict=True):
            boundary = boundary_scores(one, line, tolerance_m=self.tolerance_m, posting_m=posting_m)
            rows.append({**pixel_scores(one, line)._asdict(), **vars(boundary)})
        scores = pd.DataFrame(rows).rename(columns={"bf_score": "bf"})
        has_line = self.patches.has_line
        counts = count_at_thresholds(
            torch.from_numpy(predicted.astype(np.float32)),
            truth_within(self.patches.mask, self.tolerance_m, posting_m),
            torch.tensor([0.5]),
        )
        low, high = self._interval(counts)
        return {
            **{str(name): float(value) for name, value in scores.mean().items()},
            "dice_with_line": float(scores["dice"][has_line].mean()),
            "dice_micro": float(counts.dice()[0]),
            "hd95_m": float(scores["hd95_px"].mean()) * posting_m,
            "relaxed_f1": float(counts.relaxed_f1()[0]),
            "relaxed_f1_low": low,
            "relaxed_f1_high": high,
            "empty_predictions": int((~predicted.any(axis=(1, 2))).sum()),
            "patches_with_line": int(has_line.sum()),
            "patches_without_line": int((~has_line).sum()),
        }

    def _interval(self, counts: ThresholdCounts) -> tuple[float, float]:
        """Return the 95 % bootstrap interval of the relaxed F1 over patches.

        Patches that overlap are not independent, so that the true interval is wider.
        """
        generator = generator_for(self.seed, "bootstrap", len(counts))
        draws = torch.from_numpy(generator.integers(len(counts), size=(BOOTSTRAP_DRAWS, len(counts))))
        values = [float(counts.select(draw).relaxed_f1()[0]) for draw in draws]
        low, high = np.percentile(values, [2.5, 97.5])
        return float(low), float(high)
