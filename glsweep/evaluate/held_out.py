"""Patches that no network has seen, and every figure of the table for predictions on them."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from glsweep.evaluate.bootstrap import FEWEST_SCENES, interval, resampled
from glsweep.metrics.patch_figures import MACRO, Figures, patch_figures
from glsweep.metrics.pooled import pooled_relaxed_f1, pooled_share
from glsweep.metrics.thresholds import Truth
from glsweep.nets.channels import has_data
from glsweep.patches.arrays import PatchArrays
from glsweep.randomness import generator_for
from glsweep.training.patches_on_device import truth_of

RELAXED = ("near_px", "predicted_px", "found_px", "truth_px")
"""The counts that the relaxed F1 follows from."""


@dataclass(frozen=True)
class HeldOut:
    """The test patches of one size, and what is needed to score predictions on them.

    Attributes
    ----------
    patches : PatchArrays
        N patches.
    tolerance_m : float
        Of relaxed figures and BF.
    seed : int
        Of the bootstrap.
    scenes : str array (N,) or None
        The scene of each patch, if it is known.
    """

    patches: PatchArrays
    tolerance_m: float
    seed: int
    scenes: npt.NDArray[np.str_] | None = None

    @cached_property
    def has_data(self) -> npt.NDArray[np.bool_]:
        """Which pixels hold data, (N, S, S): no figure is of any other."""
        return has_data(self.patches.image)

    @cached_property
    def truth(self) -> Truth:
        """The true lines and their surroundings, for figures at many thresholds."""
        return truth_of(self.patches, self.tolerance_m)

    def select(self, chosen: npt.NDArray[np.bool_]) -> "HeldOut":
        """Return the patches that `chosen` (N,) marks."""
        patches = self.patches
        kept = replace(patches, image=patches.image[chosen], mask=patches.mask[chosen], target=None)
        return replace(self, patches=kept, scenes=None if self.scenes is None else self.scenes[chosen])

    def score(self, probability: npt.NDArray[np.float32], tau: float) -> dict[str, Any]:
        """Return every figure of the table for probabilities (N, S, S) at one threshold.

        Figures without a suffix are means over patches; those that end in `_micro` are of all pixels
        together, those in `_with_line` means over patches with a line alone. Of patches without one
        `empty_without_line` tells in which share nothing was invented, of those with one
        `empty_with_line` in which share nothing was found. A figure of no patch is None.
        """
        posting_m = self.patches.posting_m
        figures = patch_figures(
            probability,
            tau,
            self.patches.mask.view(np.bool_),
            tolerance_m=self.tolerance_m,
            posting_m=posting_m,
            has_data=self.has_data,
        )
        has_line = figures["truth_px"] > 0
        is_empty = figures["predicted_px"] == 0
        macro = {name: float(figures[name].mean()) for name in MACRO}
        return {
            **macro,
            **{f"{name}_with_line": _mean(figures[name][has_line]) for name in MACRO},
            **_micro(figures),
            "hd95_m": macro["hd95_px"] * posting_m,
            **self._relaxed(figures),
            "empty_predictions": int(is_empty.sum()),
            "empty_with_line": _mean(is_empty[has_line]),
            "empty_without_line": _mean(is_empty[~has_line]),
            "patches_with_line": int(has_line.sum()),
            "patches_without_line": int((~has_line).sum()),
        }

    def _relaxed(self, figures: Figures) -> dict[str, Any]:
        """Return the relaxed F1 with its 95 % bootstrap interval, and what was drawn anew for it.

        That is scenes, since patches of one scene overlap and err alike; patches where scenes are
        too few or unknown, and then the true interval is wider.
        """
        counts = np.stack([figures[name] for name in RELAXED], axis=1)
        names = np.unique(self.scenes) if self.scenes is not None else np.array([])
        over_scenes = len(names) >= FEWEST_SCENES
        units = (
            np.stack([counts[self.scenes == name].sum(axis=0) for name in names]) if over_scenes else counts
        )
        drawn = resampled(units, generator_for(self.seed, "bootstrap", len(units)))
        low, high = interval(pooled_relaxed_f1(*drawn.T)) or (None, None)
        return {
            "relaxed_f1": float(pooled_relaxed_f1(*counts.sum(axis=0))),
            "relaxed_f1_low": low,
            "relaxed_f1_high": high,
            "interval_over": "scenes" if over_scenes else "patches",
        }


def _micro(figures: Figures) -> dict[str, float]:
    hits, predicted, truth = (figures[name].sum() for name in ("hits_px", "predicted_px", "truth_px"))
    return {
        "dice_micro": float(pooled_share(2 * hits, predicted + truth, predicted + truth)),
        "precision_micro": float(pooled_share(hits, predicted, truth)),
        "recall_micro": float(pooled_share(hits, truth, predicted)),
    }


def _mean(values: npt.NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None
