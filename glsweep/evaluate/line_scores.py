"""Figures of lines in metres: by scene, and pooled with bootstrap intervals over scenes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from glsweep.evaluate.bootstrap import FEWEST_SCENES, interval, resampled
from glsweep.metrics.line_uncertainty import PiecesInBand
from glsweep.metrics.lines import TOLERANCES_M, LineDistances
from glsweep.nets.member import LineUncertainty
from glsweep.randomness import generator_for

__all__ = ["FEWEST_SCENES", "bands_held", "intervals", "line_scores"]


def line_scores(distances: LineDistances) -> dict[str, Any]:
    """Return every figure of one scene or of several pooled; None where there is nothing to measure."""
    figures: dict[str, Any] = {
        "lines_km": distances.drawn_km,
        "reference_km": distances.reference_km,
        "mean_m": _known(distances.mean_m()),
        "median_m": _known(distances.median_m()),
        "mad_m": _known(distances.mad_m()),
    }
    for tolerance_m in TOLERANCES_M:
        figures[f"completeness_{tolerance_m:g}"] = _known(distances.completeness(tolerance_m))
        figures[f"correctness_{tolerance_m:g}"] = _known(distances.correctness(tolerance_m))
        figures[f"false_km_{tolerance_m:g}"] = distances.false_km(tolerance_m)
    return figures


def intervals(by_scene: Sequence[LineDistances], *, seed: int) -> dict[str, tuple[float, float] | None]:
    """Return 95 % bootstrap intervals over scenes of the pooled figures, None with too few scenes.

    Scenes are what is drawn anew, not points along a line: neighbouring points err alike.
    """
    shares = [f"{name}_{t:g}" for name in ("completeness", "correctness") for t in TOLERANCES_M]
    names = ["mean_m", *shares]
    if len(by_scene) < FEWEST_SCENES:
        return dict.fromkeys(names)
    sums = np.array([_sums(scene) for scene in by_scene])
    drawn = resampled(sums, generator_for(seed, "bootstrap of scenes"))
    drawn_m, drawn_sum, reference_m, reference_sum, *within = drawn.T
    count = len(TOLERANCES_M)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = [
            (drawn_sum / drawn_m + reference_sum / reference_m) / 2,
            *(found / reference_m for found in within[:count]),
            *(right / drawn_m for right in within[count:]),
        ]
    return {name: interval(value) for name, value in zip(names, values, strict=True)}


def bands_held(
    by_scene: Sequence[PiecesInBand], uncertainty: LineUncertainty | None, *, unknown_because: str, seed: int
) -> dict[str, Any]:
    """Return in what share of the drawn length near true lines these lie within the band, and as stated.

    Returns
    -------
    dict
        `km` of drawn lines near true ones and the number of `scenes` that have such; `band`: the share that
        `held`, with `low` and `high` of its 95 % bootstrap interval over scenes, and `mean_m`, half a band's
        mean width; `uncertainty`: the same of `uncert_m`, with the `share` that is stated, None without a
        calibration, and then why in `unknown_because`. Figures of no line, and intervals of too few scenes,
        are None.
    """
    drawn = [one for one in by_scene if len(one.length_m)]
    found = {
        "km": sum(float(one.length_m.sum()) for one in drawn) / 1000,
        "scenes": len(drawn),
        "band": _held(drawn, 1.0, seed),
        "uncertainty": None,
        "unknown_because": unknown_because,
    }
    if uncertainty:
        found["uncertainty"] = {"share": uncertainty.share, **_held(drawn, uncertainty.factor, seed)}
    return found


def _held(by_scene: Sequence[PiecesInBand], factor: float, seed: int) -> dict[str, float | None]:
    if not by_scene:
        return dict.fromkeys(("held", "low", "high", "mean_m"))
    sums = np.array(
        [
            (
                one.length_m[one.held(factor)].sum(),
                one.length_m.sum(),
                (one.length_m * one.half_width_m).sum(),
            )
            for one in by_scene
        ]
    )
    low, high = None, None
    if len(by_scene) >= FEWEST_SCENES:
        drawn = resampled(sums, generator_for(seed, "bootstrap of scenes"))
        low, high = interval(drawn[:, 0] / drawn[:, 1]) or (None, None)
    held_m, near_m, width_m2 = sums.sum(axis=0)
    return {
        "held": float(held_m / near_m),
        "low": low,
        "high": high,
        "mean_m": float(factor * width_m2 / near_m),
    }


def _sums(scene: LineDistances) -> list[float]:
    """Return what the pooled figures are quotients of."""
    return [
        scene.drawn_length_m.sum(),
        (scene.drawn_m * scene.drawn_length_m).sum(),
        scene.reference_length_m.sum(),
        (scene.reference_m * scene.reference_length_m).sum(),
        *(scene.reference_length_m[scene.reference_m <= t].sum() for t in TOLERANCES_M),
        *(scene.drawn_length_m[scene.drawn_m <= t].sum() for t in TOLERANCES_M),
    ]


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None
