"""Metrics on test patches: of all, of each data set, with intervals and curves."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import distance_transform_edt

from glsweep.config.space import Calibration
from glsweep.metrics.counts import pooled_relaxed_f1, pooled_share
from glsweep.metrics.distances import radius_px
from glsweep.metrics.patches import MACRO, PatchMetrics, patch_metrics
from glsweep.metrics.reliability import measure_reliability, relaxed_precision_recall
from glsweep.metrics.thresholds import Truth, choose_threshold, count_at_thresholds
from glsweep.nets import has_data
from glsweep.patches import PatchArrays
from glsweep.randomness import generator_for
from glsweep.scenes.resample import local_coherence
from glsweep.study.evaluation_artifacts import (
    CoherenceClass,
    DataSetMetrics,
    HeldOutMetrics,
    NetworkCurves,
    PatchFacts,
    PrecisionRecallCurve,
    PrecisionRecallPoint,
    ReliabilityCurve,
)
from glsweep.training.memory import truth_of

DRAWS = 1000
FEWEST_SCENES = 3
"""An interval over fewer scenes would say nothing."""

Values = npt.NDArray[np.float64]


def resampled(sums: Values, generator: np.random.Generator) -> Values:
    """Draw units anew and add up what each brings.

    Parameters
    ----------
    sums : array (units, K)
        What each scene or patch adds to the K sums that metrics are quotients of.
    generator : numpy Generator
        Source of randomness.

    Returns
    -------
    array (DRAWS, K)
    """
    draws = generator.integers(len(sums), size=(DRAWS, len(sums)))
    return np.stack([column[draws].sum(axis=1) for column in np.ascontiguousarray(sums.T)], axis=1)


def interval(values: Values) -> tuple[float, float] | None:
    """Return the 95 % interval of a metric's draws, None where half of them have no value."""
    known = values[np.isfinite(values)]
    if len(known) < DRAWS / 2:
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return float(low), float(high)


# --- Test patches, and every metric of the table for predictions on them

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
        Of relaxed metrics and BF.
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
        """Which pixels hold data and are known, (N, S, S): no metric is of any other."""
        return has_data(self.patches.image) & self.patches.is_known

    @cached_property
    def truth(self) -> Truth:
        """The true lines and their surroundings, for metrics at many thresholds."""
        return truth_of(self.patches, self.tolerance_m)

    def select(self, chosen: npt.NDArray[np.bool_]) -> "HeldOut":
        """Return the patches that `chosen` (N,) marks."""
        patches = self.patches
        target = None if patches.target is None else patches.target[chosen]
        kept = replace(
            patches,
            image=patches.image[chosen],
            mask=patches.mask[chosen],
            target=target,
            distance_px2=None,
            thin=None,
            zone=None,
        )
        return replace(self, patches=kept, scenes=None if self.scenes is None else self.scenes[chosen])

    def score(self, probability: npt.NDArray[np.float32], tau: float) -> HeldOutMetrics:
        """Return every metric of the table for probabilities (N, S, S) at one threshold."""
        return self.score_and_draw(probability, tau)[0]

    def score_and_draw(
        self, probability: npt.NDArray[np.float32], tau: float
    ) -> tuple[HeldOutMetrics, Values]:
        """Return what `score` does, and the relaxed F1 of each draw (DRAWS,) of its bootstrap."""
        metrics = patch_metrics(
            probability,
            tau,
            self.patches.mask.view(np.bool_),
            tolerance_m=self.tolerance_m,
            posting_m=self.patches.posting_m,
            has_data=self.has_data,
        )
        draws = self._relaxed_draws(metrics)
        return self._metrics_of(metrics, interval(draws)), draws

    def _metrics_of(self, metrics: PatchMetrics, relaxed: tuple[float, float] | None) -> HeldOutMetrics:
        has_line = metrics["truth_px"] > 0
        is_empty = metrics["predicted_px"] == 0
        macro = {name: float(metrics[name].mean()) for name in MACRO}
        low, high = relaxed or (None, None)
        return HeldOutMetrics.model_validate(
            {
                **macro,
                **{f"{name}_with_line": _mean(metrics[name][has_line]) for name in MACRO},
                **_micro(metrics),
                "hd95_m": macro["hd95_px"] * self.patches.posting_m,
                "relaxed_f1": float(pooled_relaxed_f1(*(metrics[name].sum() for name in RELAXED))),
                "relaxed_f1_low": low,
                "relaxed_f1_high": high,
                "interval_over": "patches" if self._scene_names is None else "scenes",
                "empty_predictions": int(is_empty.sum()),
                "empty_with_line": _mean(is_empty[has_line]),
                "empty_without_line": _mean(is_empty[~has_line]),
                "patches_with_line": int(has_line.sum()),
                "patches_without_line": int((~has_line).sum()),
            }
        )

    def _relaxed_draws(self, metrics: PatchMetrics) -> Values:
        """Return the relaxed F1 of each draw (DRAWS,) of the bootstrap; the same draws for every prediction.

        Scenes are drawn anew, since patches of one scene overlap and err alike; patches where scenes are
        too few or unknown, and then the true interval is wider.
        """
        units = np.stack([metrics[name] for name in RELAXED], axis=1)
        if self._scene_names is not None:
            units = np.stack([units[self.scenes == name].sum(axis=0) for name in self._scene_names])
        drawn = resampled(units, generator_for(self.seed, "bootstrap", len(units)))
        return np.asarray(pooled_relaxed_f1(*drawn.T))

    @cached_property
    def _scene_names(self) -> npt.NDArray[np.str_] | None:
        """The scenes that are drawn anew, None where they are too few or unknown."""
        names = None if self.scenes is None else np.unique(self.scenes)
        return None if names is None or len(names) < FEWEST_SCENES else names


def _micro(metrics: PatchMetrics) -> dict[str, float]:
    hits, predicted, truth = (metrics[name].sum() for name in ("hits_px", "predicted_px", "truth_px"))
    return {
        "dice_micro": float(pooled_share(2 * hits, predicted + truth, predicted + truth)),
        "precision_micro": float(pooled_share(hits, predicted, truth)),
        "recall_micro": float(pooled_share(hits, truth, predicted)),
    }


def _mean(values: npt.NDArray[Any]) -> float | None:
    return float(values.mean()) if len(values) else None


# --- A member's curves over all thresholds


def member_curves(test: HeldOut, probability: npt.NDArray[np.float32], tau: float) -> NetworkCurves:
    """Return the curves of one member for probabilities (N, S, S)."""
    given = torch.from_numpy(probability)
    curve = relaxed_precision_recall(given, test.truth)
    counts = count_at_thresholds(given, test.truth, torch.tensor([tau]))
    reliability = measure_reliability(given, test.truth)
    drawn = curve.thinned()
    at_tau = PrecisionRecallPoint(
        tau=tau,
        precision=float(counts.relaxed_precision()[0]),
        recall=float(counts.relaxed_recall()[0]),
    )
    return NetworkCurves(
        precision_recall=PrecisionRecallCurve(
            thresholds=drawn.thresholds.tolist(),
            precision=drawn.precision.tolist(),
            recall=drawn.recall.tolist(),
            area=curve.area,
            at_tau=at_tau,
        ),
        reliability=ReliabilityCurve(
            **asdict(reliability),
            line_error=reliability.error(reliability.line_share),
            near_error=reliability.error(reliability.near_share),
        ),
    )


# --- How clear patches are, all over and along the line

NEAR_LINE_PX = 3
COHERENCE_EDGES = (0.3, 0.6)
"""Below the first fringes can hardly be seen, above the last they are clear."""


def patch_coherence(patches: PatchArrays) -> npt.NDArray[np.float32]:
    """Return the local coherence of every pixel, (N, S, S); NaN where data is missing nearby."""
    return np.stack([local_coherence(real + 1j * imaginary) for real, imaginary in patches.image])


def data_facts_of(patches: PatchArrays, coherence: npt.NDArray[np.float32]) -> PatchFacts:
    """Return facts about patches: their number, data, lines and coherence.

    Parameters
    ----------
    patches : PatchArrays
        Of one data set.
    coherence : float32 array (N, S, S)
        As `patch_coherence` gives it.
    """
    with_line, seen = patches.has_line, has_data(patches.image)
    near = np.stack([_distance_px(mask > 0) <= NEAR_LINE_PX for mask in patches.mask])
    return PatchFacts(
        patches_with_line=int(with_line.sum()),
        patches_without_line=int((~with_line).sum()),
        valid_share=float(seen.mean()),
        line_share=float(patches.mask[seen & with_line[:, None, None]].mean()) if with_line.any() else 0.0,
        coherence=_median(coherence),
        line_coherence=_median(coherence[near]),
    )


def recall_by_coherence(
    patches: PatchArrays,
    coherence: npt.NDArray[np.float32],
    predicted: npt.NDArray[np.bool_],
    tolerance_m: float,
) -> tuple[CoherenceClass, ...]:
    """Return the relaxed recall apart for line pixels in noisy, fair and clear surroundings.

    Parameters
    ----------
    patches : PatchArrays
        Of one data set.
    coherence : float32 array (N, S, S)
        As `patch_coherence` gives it; line pixels where it is NaN count as noisy.
    predicted : bool array (N, S, S)
        The prediction at its threshold, where there is data.
    tolerance_m : float
        A line pixel is found when a prediction lies within.

    Returns
    -------
    tuple of CoherenceClass
        One a class, the noisiest first; `recall` is None without line pixels.
    """
    radius = radius_px(tolerance_m, patches.posting_m)
    on_line = patches.mask > 0
    hits = np.concatenate(
        [_distance_px(one)[line] <= radius for one, line in zip(predicted, on_line, strict=True)]
    )
    classes = np.digitize(np.nan_to_num(coherence[on_line]), COHERENCE_EDGES)
    parted = [hits[classes == number] for number in range(len(COHERENCE_EDGES) + 1)]
    return tuple(
        CoherenceClass(line_px=len(here), recall=float(here.mean()) if len(here) else None) for here in parted
    )


def _distance_px(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Return each pixel's distance to the nearest true one of `mask` (S, S); infinite if there is none."""
    if not mask.any():
        return np.full(mask.shape, np.inf)
    return np.asarray(distance_transform_edt(~mask))


def _median(values: npt.NDArray[np.float32]) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None


# --- Each data set apart

Probability = npt.NDArray[np.float32]


@dataclass(frozen=True)
class DataSets:
    """The test patches of one size, parted by the data set that they are from.

    Attributes
    ----------
    of_patch : str array (N,)
        The data set of each test patch.
    tests : mapping of str to HeldOut
        The patches of each data set, the study's own before those that are for test alone.
    coherence : mapping of str to float32 array (N, S, S)
        Local coherence of the same patches.
    """

    of_patch: npt.NDArray[np.str_]
    tests: Mapping[str, HeldOut]
    coherence: Mapping[str, npt.NDArray[np.float32]]

    def facts(self) -> dict[str, PatchFacts]:
        """Return facts about each data set's patches."""
        return {name: data_facts_of(t.patches, self.coherence[name]) for name, t in self.tests.items()}

    def score(self, probability: Probability, tau: float, settings: Calibration) -> dict[str, DataSetMetrics]:
        """Score one network's probabilities (N, S, S) on each data set apart, at `tau`."""
        return {
            name: self._score_one(name, probability[self.of_patch == name], tau, settings)
            for name in self.tests
        }

    def _score_one(
        self, name: str, probability: Probability, tau: float, settings: Calibration
    ) -> DataSetMetrics:
        test = self.tests[name]
        given = torch.from_numpy(probability)
        counts = count_at_thresholds(given, test.truth, torch.tensor([tau]))
        own = choose_threshold(given, test.truth, settings.model_copy(update={"criterion": "relaxed_f1"}))
        predicted = (probability >= np.float32(tau)) & test.has_data
        return DataSetMetrics(
            **test.score(probability, tau).model_dump(),
            relaxed_precision=float(counts.relaxed_precision()[0]),
            relaxed_recall=float(counts.relaxed_recall()[0]),
            best_tau=own.tau,
            best_relaxed_f1=max(own.values),
            recall_by_coherence=recall_by_coherence(
                test.patches, self.coherence[name], predicted, test.tolerance_m
            ),
        )


def part_data_sets(test: HeldOut, of_patch: npt.NDArray[np.str_], order: list[str]) -> DataSets:
    """Part all test patches by data set, in `order`; data sets without a patch are left out."""
    tests = {name: test.select(of_patch == name) for name in order if name in of_patch}
    return DataSets(of_patch, tests, {name: patch_coherence(part.patches) for name, part in tests.items()})
