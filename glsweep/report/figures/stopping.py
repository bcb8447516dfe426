"""Figures of early stopping: every judgement at the rungs, and other rules replayed."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from glsweep.config.space import HIGHER_IS_BETTER, Metric
from glsweep.config.trial import Stratum
from glsweep.report import METRIC_WORDS, joined
from glsweep.report.figures import (
    BLUE,
    GREEN,
    HAIRLINE,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    SOFT_INK,
    VERMILLION,
    CaptionedFigure,
    architecture_colour,
    draw_star,
    hollow_dots,
    note,
    small_multiples,
)
from glsweep.report.results import Results
from glsweep.report.sweep_facts import judgements, ran_in_full, rule_words

COLUMN_WIDTH = 0.78  # of the distance between two rungs


def draw_columns(
    axes: Axes, judged: pd.DataFrame, full: pd.DataFrame, epochs: list[int], colour: str
) -> None:
    """Draw the judgements of one stratum, and at the right the trials that ran in full.

    Parameters
    ----------
    judged, full : DataFrame
        As `judgements` and `ran_in_full` return them.
    epochs : list of int
        Those of the rungs, and the full budget.
    """
    size = 4.6 if len(epochs) <= 5 else 3.2
    for place, epoch in enumerate(epochs[:-1]):
        here = judged[judged["rung_epoch"] == epoch]
        if len(here):
            _draw_rung(axes, place, here, colour, size)
    last = len(epochs) - 1
    x, values = _spread(last, len(full)), full["best"].to_numpy(dtype=float)
    axes.plot(x, values, "o", markersize=size, color=colour, zorder=4)
    won = full["won"].to_numpy(dtype=bool)
    draw_star(axes, x[won], values[won], colour)
    axes.set_xticks(range(len(epochs)), list(map(str, epochs)))
    axes.tick_params(axis="x", length=0)
    for place in range(last - 1):
        axes.axvline(place + 0.5, color=HAIRLINE, linewidth=0.8, zorder=0)
    axes.axvline(last - 0.5, color=SOFT_INK, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
    axes.set_xlim(-0.5, last + 0.5)


def _draw_rung(axes: Axes, place: int, here: pd.DataFrame, colour: str, size: float) -> None:
    x, values = _spread(place, len(here)), here["value"].to_numpy(dtype=float)
    on = here["went_on"].to_numpy(dtype=bool)
    axes.plot(x[~on], values[~on], **hollow_dots(size))
    axes.plot(x[on], values[on], "o", markersize=size, color=colour, zorder=4)
    edges = [place - COLUMN_WIDTH / 2, *x, place + COLUMN_WIDTH / 2]
    cutoffs = here["cutoff"].to_numpy(dtype=float)
    axes.step(edges, [cutoffs[0], *cutoffs, cutoffs[-1]], where="mid", color=INK, linewidth=1.1, zorder=3)


def _spread(place: int, count: int) -> npt.NDArray[np.float64]:
    """Return where `count` trials stand side by side in a column."""
    return place + COLUMN_WIDTH * ((np.arange(count) + 0.5) / max(count, 1) - 0.5)


# --- Many rungs: each trial's judgements joined to a course


def draw_courses(
    axes: Axes, judged: pd.DataFrame, full: pd.DataFrame, epochs: list[int], colour: str
) -> None:
    """Draw each trial of one stratum from rung to rung to where it was stopped or ran in full.

    Parameters
    ----------
    judged, full : DataFrame
        As `judgements` and `ran_in_full` return them.
    epochs : list of int
        Those of the rungs, and the full budget.
    """
    ends = full.set_index("trial_id")["best"]
    for trial_id, course in judged.groupby("trial_id"):
        x, values = course["rung_epoch"].tolist(), course["value"].tolist()
        if trial_id in ends.index:
            x, values = [*x, epochs[-1]], [*values, ends[trial_id]]
        axes.plot(x, values, "-", color=colour, linewidth=0.8, alpha=0.55, zorder=1)
    stopped = judged[~judged["went_on"]]
    axes.plot(stopped["rung_epoch"], stopped["value"], **hollow_dots(3.4))
    axes.plot([epochs[-1]] * len(ends), ends, "o", color=colour, markersize=3.4, zorder=4)
    cutoffs = judged.groupby("rung_epoch")["cutoff"].last()
    axes.plot(cutoffs.index, cutoffs, color=INK, linewidth=1.3, zorder=2)
    won = full[full["won"]]
    draw_star(axes, [epochs[-1]] * len(won), won["best"], colour)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))


# --- The figure of early stopping

MOST_COLUMNS = 9


def draw_rungs(results: Results) -> CaptionedFigure | None:
    """Draw the rungs of every stratum; None where no trial was ever judged."""
    if results.history.judged.empty:
        return None
    search = results.config.space.search
    epochs = [*sorted({int(epoch) for epoch in results.history.judged["rung_epoch"]}), search.epochs]
    in_columns = len(epochs) <= MOST_COLUMNS
    draw_stratum = draw_columns if in_columns else draw_courses

    def draw(axes: Axes, stratum: Stratum) -> None:
        judged, colour = judgements(results, stratum), architecture_colour(stratum.architecture)
        draw_stratum(axes, judged, ran_in_full(results, stratum), epochs, colour)
        axes.margins(y=0.09)
        axes.set_xlabel("epoch")
        axes.set_ylabel(METRIC_WORDS[search.rank_by])
        if judged.empty:
            note(axes, "no trial reached a rung")

    figure = small_multiples(results.trial_strata, draw)
    figure.legend(
        handles=_rung_legend("went on" if in_columns else "ran in full"),
        loc="outside upper right",
        ncols=4,
        frameon=False,
    )
    return CaptionedFigure(
        name="rungs",
        title="Early stopping at its rungs",
        figure=figure,
        caption=_rung_caption(results, COLUMNS_WORDS if in_columns else COURSES_WORDS),
        alt="Early stopping at its rungs. "
        + "; ".join(f"{s.title}: {_in_words(results, s)}" for s in results.trial_strata)
        + ".",
    )


COLUMNS_WORDS = (
    "Within a rung, trials stand in the plan's order from left to right. Filled ones went on, hollow ones "
    "were stopped. The line is the cut-off at the time of each judgement, the value of the last that goes "
    "on: who lies on it or {better} goes on. The column at the right holds the trials that ran in full"
)
COURSES_WORDS = (
    "Each faint line is a trial, from rung to rung; it ends with a hollow dot where it was stopped, with a "
    "filled one where it ran in full. The black line is the cut-off at the last judgement of each rung, the "
    "value of the last that goes on; earlier trials met that of fewer trials"
)


def _rung_caption(results: Results, how_it_is_drawn: str) -> str:
    search = results.config.space.search
    better = "above" if HIGHER_IS_BETTER[search.rank_by] else "below"
    caption = (
        "At each rung (an epoch) a trial is compared with those trials of its stratum that come earlier in "
        f"the plan, each by its best {METRIC_WORDS[search.rank_by]} so far: {rule_words(search.scheduler)}. "
        f"{how_it_is_drawn.format(better=better)}; the star marks the winner."
    )
    if search.replicates > 1:
        caption += (
            " Only first seeds are judged and drawn; the winner is chosen by the mean of its seeds, and need "
            "not be the first here."
        )
    return caption


def _rung_legend(filled: str) -> list[Line2D]:
    return [
        Line2D([], [], marker="o", linestyle="none", color=INK, markersize=5, label=filled),
        Line2D([], [], label="stopped", **hollow_dots(5)),
        Line2D([], [], color=INK, linewidth=1.1, label="cut-off"),
        Line2D([], [], marker="*", linestyle="none", color=INK, markersize=10, label="winner"),
    ]


def _in_words(results: Results, stratum: Stratum) -> str:
    judged = judgements(results, stratum)
    if judged.empty:
        return "none judged"
    rungs = judged.groupby("rung_epoch")["went_on"].agg(["sum", "count"])
    shown = rungs if len(rungs) <= 4 else rungs.iloc[[0, -1]]
    return joined([f"{int(r['sum'])} of {int(r['count'])} went on at epoch {e}" for e, r in shown.iterrows()])


# --- Other stopping rules replayed: epochs spent against metric lost

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, VERMILLION, SKY)
SHARE_TICKS = (1, 2, 5, 10, 15, 20, 30, 40, 60, 80, 100)
SHAPES = ("o", "s", "^", "D", "v", "P")


def draw_replay(plays: pd.DataFrame, metric: Metric, *, recorded: str) -> CaptionedFigure:
    """Draw every rule as a mark in each stratum.

    Parameters
    ----------
    plays : DataFrame
        As `glsweep.sweep.replay.replay` returns it.
    metric : str
        The one that ranks.
    recorded : str
        Name of the sweep's own rule, which is ringed.
    """
    families = {family: place for place, family in enumerate(dict.fromkeys(map(_family, plays["rule"])))}
    orders = int(plays["order"].max())
    points = _points(plays)
    least = float(points["share"].min())
    most = float(np.nanmax([0.0, *points["regret"], *points["high"]])) or 1.0
    ticks = [tick for tick in SHARE_TICKS if tick >= 0.85 * least]

    def draw(axes: Axes, stratum: Stratum) -> None:
        here = points[points["stratum"] == stratum.key]
        for family, place in families.items():
            rules = here[here["rule"].map(_family) == family].sort_values("share")
            _draw_family(axes, rules, COLOURS[place % len(COLOURS)], SHAPES[place % len(SHAPES)])
        own = here[here["rule"] == recorded]
        axes.plot(
            own["share"], own["regret"], "o", markersize=15, markerfacecolor="none", color=INK, zorder=6
        )
        axes.axhline(0, color=SOFT_INK, linewidth=0.8, zorder=1)
        axes.set_xscale("log", base=2)
        axes.set_xticks(ticks, [f"{tick}" for tick in ticks])
        axes.set_xlim(0.85 * least, 115)
        axes.set_ylim(-0.08 * most, 1.08 * most)
        axes.set_xlabel("epochs spent, % of full")
        axes.set_ylabel(f"{METRIC_WORDS[metric]} lost")

    keys = list(dict.fromkeys(plays["stratum"]))
    drawing = small_multiples([Stratum.parse(key) for key in keys], draw)
    drawing.set_figheight(1.25 * drawing.get_figheight())
    drawing.legend(
        handles=_replay_legend(families), loc="outside upper center", ncols=len(families) + 1, frameon=False
    )
    return CaptionedFigure(
        name="replay",
        title="Other stopping rules on the same learning curves",
        figure=drawing,
        caption=_replay_caption(metric, orders),
        alt=f"Epochs spent against metric lost, for {joined(list(families))}.",
    )


def _family(rule: str) -> str:
    """Return what a rule is called apart from its grace: `asha, 1 in 3`, `median`."""
    kind, *numbers = rule.split(":")
    return f"{kind}, 1 in {numbers[1]}" if len(numbers) == 2 else kind


def _points(plays: pd.DataFrame) -> pd.DataFrame:
    """Return one row a rule and stratum: means over the orders, and the regret's 10 and 90 % quantiles."""
    plays = plays.assign(share=100 * plays["epochs"] / plays["full_epochs"])
    grouped = plays.groupby(["rule", "stratum"], sort=False)
    return pd.DataFrame(
        {
            "share": grouped["share"].mean(),
            "regret": grouped["regret"].mean(),
            "low": grouped["regret"].quantile(0.1),
            "high": grouped["regret"].quantile(0.9),
        }
    ).reset_index()


def _draw_family(axes: Axes, rules: pd.DataFrame, colour: str, shape: str) -> None:
    axes.vlines(rules["share"], rules["low"], rules["high"], color=colour, alpha=0.3, linewidth=1.2)
    axes.plot(rules["share"], rules["regret"], color=colour, linewidth=0.9, alpha=0.6)
    axes.plot(rules["share"], rules["regret"], shape, color=colour, markersize=9, alpha=0.9, zorder=4)
    for rule, share, regret in zip(rules["rule"], rules["share"], rules["regret"], strict=True):
        if ":" in rule and not math.isnan(regret):
            grace = rule.split(":")[1]
            axes.text(share, regret, grace, ha="center", va="center", fontsize=6.5, color="white", zorder=5)


def _replay_legend(families: dict[str, int]) -> list[Line2D]:
    marks = [
        Line2D(
            [],
            [],
            color=COLOURS[place % len(COLOURS)],
            marker=SHAPES[place % len(SHAPES)],
            linewidth=0.9,
            markersize=7,
            label=family,
        )
        for family, place in families.items()
    ]
    ring = Line2D([], [], color=INK, marker="o", linestyle="none", markerfacecolor="none", markersize=11)
    ring.set_label("this study's rule")
    return [*marks, ring]


def _replay_caption(metric: Metric, orders: int) -> str:
    spread = (
        f"Marks are means over the plan's order and {orders} shuffled ones, bars hold 80 % of them."
        if orders
        else "In the plan's order."
    )
    return (
        "What other rules of early stopping would have done with the same trials, without any training. "
        "Across: epochs spent on the stratum, of those without early stopping. Up: how much worse, in "
        f"{METRIC_WORDS[metric]}, the stratum's winner would be. Low and to the left is good. The number at "
        f"a mark is the grace in epochs. {spread}"
    )
