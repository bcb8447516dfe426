"""Few rungs: a column of dots for each, with the cut-off at the time of each judgement."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes

from glsweep.report.style import HAIRLINE, INK, SOFT_INK, draw_star, hollow

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
    axes.plot(x[~on], values[~on], **hollow(size))
    axes.plot(x[on], values[on], "o", markersize=size, color=colour, zorder=4)
    edges = [place - COLUMN_WIDTH / 2, *x, place + COLUMN_WIDTH / 2]
    cutoffs = here["cutoff"].to_numpy(dtype=float)
    axes.step(edges, [cutoffs[0], *cutoffs, cutoffs[-1]], where="mid", color=INK, linewidth=1.1, zorder=3)


def _spread(place: int, count: int) -> npt.NDArray[np.float64]:
    """Return where `count` trials stand side by side in a column."""
    return place + COLUMN_WIDTH * ((np.arange(count) + 0.5) / max(count, 1) - 0.5)
