"""The figure of what labelled scenes buy: how good trials are that saw few scenes or many."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from glsweep.config.space import Metric
from glsweep.config.start import EMBEDDED_START
from glsweep.config.trial import NO_START, Stratum
from glsweep.report import METRIC_WORDS, counted, joined
from glsweep.report.figures import (
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    CaptionedFigure,
    small_multiples,
)
from glsweep.report.results import Results
from glsweep.sweep.rungs import SeedScores, first_best

STYLES: tuple[tuple[str, str, Any], ...] = (
    (VERMILLION, "s", (0, (5, 1.5))),
    (BLUE, "o", "-"),
    (GREEN, "^", (0, (1.2, 1))),
    (PURPLE, "D", "-."),
    (SKY, "v", "-"),
    (ORANGE, "P", "--"),
)
"""Colour, marker and dashes of each start, told apart in grey print too; the first is from scratch."""

EXPLAINED = (
    "of the best configuration for each start and each number of scenes that were trained on, by the mean "
    "over its seeds; small marks are seeds, and bars reach from the worst to the best of them. Dotted levels "
    "are those of the weights to begin from, before they were trained on any of these scenes. Fewer scenes "
    "are always among the more, and an epoch has as many steps for any number. All trials are judged on the "
    "same validation ground, each at its own best epoch and threshold, so that every point is a little too "
    "good. The bars do not cover which scenes were drawn. Validation and test need lines too, which do not "
    "count here."
)

Curve = dict[int, SeedScores]
"""By number of scenes."""


def scene_curves(results: Results, stratum: Stratum) -> dict[str, Curve]:
    """Return the best configuration for each start and number of scenes, from scratch first.

    The best is that with the best mean over seeds of those that ran in full.
    """
    every = len(results.data.split.scenes.get("train", ()))
    found: dict[str, dict[int, list[SeedScores]]] = {}
    for first, scores in results.seed_scores(stratum):
        trial = first.trial.parameters
        found.setdefault(trial.start, {}).setdefault(trial.train_scenes or every, []).append(scores)
    metric = results.config.space.search.rank_by
    starts = sorted(found, key=lambda start: (start != NO_START, start))
    return {
        start: {number: _best(found[start][number], metric) for number in sorted(found[start])}
        for start in starts
    }


def _best(several: list[SeedScores], metric: Metric) -> SeedScores:
    best = first_best(((scores, scores.mean) for scores in several), metric)
    assert best is not None, "there is one at least"
    return best[0]


def start_words(start: str) -> str:
    """Return where training began, as a legend says it."""
    if start == NO_START:
        return "from scratch"
    name, _, _ = start.rpartition("@")
    return "from the network in the package" if name == EMBEDDED_START else f"from {start}"


def draw_labelled_scenes(results: Results) -> CaptionedFigure | None:
    """Draw a panel for each stratum, a curve for each start; None where all trials saw as many scenes."""
    curves = {stratum: scene_curves(results, stratum) for stratum in results.trial_strata}
    shown = {stratum: of for stratum, of in curves.items() if any(len(curve) > 1 for curve in of.values())}
    if not shown:
        return None
    metric = METRIC_WORDS[results.config.space.search.rank_by]

    def draw(axes: Axes, stratum: Stratum) -> None:
        _draw_curves(axes, shown[stratum], results.at_start.get(stratum.key, {}))
        axes.set_xlabel("labelled scenes trained on")
        axes.set_ylabel(metric)

    return CaptionedFigure(
        name="labelled-scenes",
        title="What labelled scenes buy",
        figure=small_multiples(list(shown), draw),
        caption=f"The {metric} {EXPLAINED}",
        alt="What labelled scenes buy. "
        + "; ".join(
            _in_words(stratum, of, metric, results.at_start.get(stratum.key, {}))
            for stratum, of in shown.items()
        )
        + ".",
        defined=(results.config.space.search.rank_by,),
    )


def _draw_curves(axes: Axes, curves: Mapping[str, Curve], at_start: Mapping[str, float]) -> None:
    numbers = sorted({number for curve in curves.values() for number in curve})
    for (start, curve), (colour, marker, dashes) in zip(curves.items(), cycle(STYLES), strict=False):
        x, means = list(curve), [scores.mean for scores in curve.values()]
        axes.plot(
            x, means, linestyle=dashes, marker=marker, color=colour, markersize=6, label=start_words(start)
        )
        if start in at_start:
            label = f"{start_words(start)}, with no scene"
            axes.axhline(at_start[start], color=colour, linewidth=1.1, linestyle=(0, (1, 3)), label=label)
        for number, scores in curve.items():
            if len(scores.values) > 1:
                reach = [min(scores.values), max(scores.values)]
                axes.plot([number, number], reach, color=colour, linewidth=1.1, alpha=0.8)
                axes.plot(
                    [number] * len(scores.values),
                    scores.values,
                    marker,
                    color=colour,
                    markersize=3,
                    alpha=0.6,
                )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(numbers))
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(x=0.08, y=0.12)
    axes.legend(loc="best", handlelength=3)


def _in_words(
    stratum: Stratum, curves: Mapping[str, Curve], metric: str, at_start: Mapping[str, float]
) -> str:
    told = [
        f"{start_words(start)} {metric} "
        + (f"{at_start[start]:.3f} with no scene, " if start in at_start else "")
        + joined([f"{scores.mean:.3f} with {counted(number, 'scene')}" for number, scores in curve.items()])
        for start, curve in curves.items()
    ]
    return f"{stratum.title}: {', '.join(told)}"
