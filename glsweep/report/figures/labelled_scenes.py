"""The figure of what labelled scenes buy: how good trials are that saw few scenes or many."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import cycle

from glsweep.config.space import Metric
from glsweep.config.start import EMBEDDED_START
from glsweep.config.trial import NO_START, Stratum
from glsweep.report import METRIC_WORDS, counted, joined
from glsweep.report.figures import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, CaptionedFigure, Look
from glsweep.report.figures.captioned import captioned
from glsweep.report.figures.chart import Chart, Panel, Series, by_stratum
from glsweep.report.results import Results
from glsweep.sweep.rungs import SeedScores, first_best

LOOKS = (
    Look(VERMILLION, "dashed", "s"),
    Look(BLUE, "solid", "o"),
    Look(GREEN, "dotted", "^"),
    Look(PURPLE, "dash-dot", "D"),
    Look(SKY, "long", "v"),
    Look(ORANGE, "short", "P"),
)
"""Of each start, told apart in grey print too; the first is from scratch."""

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

    def panel(stratum: Stratum) -> Panel:
        return _panel(stratum, shown[stratum], results.at_start.get(stratum.key, {}), metric)

    return captioned(
        Chart(*by_stratum(list(shown), panel), panel_height_cm=5.0),
        name="labelled-scenes",
        title="What labelled scenes buy",
        caption=f"The {metric} {EXPLAINED}",
        alt="What labelled scenes buy. "
        + "; ".join(
            _in_words(stratum, of, metric, results.at_start.get(stratum.key, {}))
            for stratum, of in shown.items()
        )
        + ".",
        defined=(results.config.space.search.rank_by,),
    )


def _panel(
    stratum: Stratum, curves: Mapping[str, Curve], at_start: Mapping[str, float], metric: str
) -> Panel:
    numbers = sorted({number for curve in curves.values() for number in curve})
    reach = (numbers[0] / 1.15, numbers[-1] * 1.15)
    return Panel(
        stratum.title,
        tuple(
            series
            for (start, curve), look in zip(curves.items(), cycle(LOOKS), strict=False)
            for series in _curve(start, curve, look, at_start.get(start), reach)
        ),
        "labelled scenes trained on",
        metric,
        x_limits=reach,
        x_ticks=tuple((number, str(number)) for number in numbers),
        log_x=True,
    )


def _curve(
    start: str, curve: Curve, look: Look, at_start: float | None, reach: tuple[float, float]
) -> Iterator[Series]:
    """Yield the means with the reach of their seeds, the seeds, and the level of the weights as they are."""
    words = start_words(start)
    yield Series(
        list(curve),
        [scores.mean for scores in curve.values()],
        look=look,
        name=words,
        size=4.0,
        low=[min(scores.values) for scores in curve.values()],
        high=[max(scores.values) for scores in curve.values()],
        texts=[f"{counted(number, 'scene')}, mean over seeds" for number in curve],
    )
    if at_start is not None:
        level = Look(look.colour, "dotted")
        yield Series(reach, [at_start] * 2, look=level, name=f"{words}, with no scene", width=0.7)
    seeds = [(number, value) for number, scores in curve.items() for value in scores.values]
    if len(seeds) > len(curve):
        yield Series(
            [number for number, _ in seeds],
            [value for _, value in seeds],
            kind="dots",
            look=replace(look, dash="solid"),
            told=f"{words}, one seed",
            size=2.0,
            opacity=0.6,
            texts=[counted(number, "scene") for number, _ in seeds],
        )


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
