"""The figure of other stopping rules replayed: epochs spent against metric lost."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from glsweep.config.space import Metric
from glsweep.config.trial import Stratum
from glsweep.report import METRIC_WORDS, joined
from glsweep.report.figures import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    SOFT_INK,
    VERMILLION,
    CaptionedFigure,
    small_multiples,
)

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
