"""Many rungs, as the median rule has them: each trial's judgements joined to a course."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from glsweep.report.style import INK, draw_star, hollow


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
    axes.plot(stopped["rung_epoch"], stopped["value"], **hollow(3.4))
    axes.plot([epochs[-1]] * len(ends), ends, "o", color=colour, markersize=3.4, zorder=4)
    cutoffs = judged.groupby("rung_epoch")["cutoff"].last()
    axes.plot(cutoffs.index, cutoffs, color=INK, linewidth=1.3, zorder=2)
    won = full[full["won"]]
    draw_star(axes, [epochs[-1]] * len(won), won["best"], colour)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
