"""Figures over parameters: every trial as one line, and the importance of each dimension."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, PercentFormatter

from glsweep.config.space import HIGHER_IS_BETTER
from glsweep.registry import ARCHITECTURES
from glsweep.report import METRIC_WORDS, counted, joined, sentence
from glsweep.report.figures import INK, CaptionedFigure, architecture_colour, cut_colours, new_figure, note
from glsweep.report.importance import DRAWS, Axis, Panel, axis_for, labels_of, tied_columns, varying
from glsweep.report.results import Results

COLOURS = "viridis_r"  # dark is good, and yellow lines on white would vanish
STEPS = 24


def draw_parallel_coordinates(results: Results) -> CaptionedFigure:
    """Draw one panel for each patch size, since metrics of different sizes do not compare."""
    trials = results.configurations
    sizes = sorted(trials["patch_size_px"].dropna().astype(int).unique())
    figure = new_figure(0.2 + 3.6 * max(len(sizes), 1))
    grid = figure.subplots(max(len(sizes), 1), 1, squeeze=False)[:, 0]
    for axes, size in zip(grid, sizes, strict=False):
        _draw_coordinates(axes, results, trials[trials["patch_size_px"] == size].reset_index(drop=True))
        axes.set_title(f"Patches of {size} px", pad=30)
    rank_by = results.config.space.search.rank_by
    seeds = ", mean over its seeds" if results.config.space.search.replicates > 1 else ""
    with_metric = int(trials["best"].notna().sum())
    return CaptionedFigure(
        name="parallel-coordinates",
        title="Configurations across their parameters",
        figure=figure,
        caption=(
            f"Each of {counted(with_metric, 'configuration')} with a metric is one line, from its parameters "
            f"to its best {METRIC_WORDS[rank_by]} on validation (right{seeds}); darker is better. Solid "
            "lines ran their full budget, faint ones were stopped early. Lines that share a value are "
            "spread a little, best on top. Dimensions in which trials do not differ are left out."
        ),
        alt=f"Parallel coordinates of {counted(len(trials), 'configuration')}, coloured by "
        f"{METRIC_WORDS[rank_by]}.",
    )


def _draw_coordinates(axes: Axes, results: Results, trials: pd.DataFrame) -> None:
    rank_by = results.config.space.search.rank_by
    trials = trials[trials["best"].notna()]
    if trials.empty:
        axes.set_axis_off()
        note(axes, "no trial reported a metric")
        return
    higher = HIGHER_IS_BETTER[rank_by]
    trials = trials.sort_values("best", ascending=higher).reset_index(drop=True)
    verticals = [*_parameter_axes(results, trials), _metric_axis(rank_by, trials["best"])]
    heights = np.stack([_spread(axis) for axis in verticals], axis=1)
    scale = _scale_of(trials["best"])
    colours = cut_colours(COLOURS if higher else COLOURS.removesuffix("_r"), 0.08, 1.0)
    _draw_lines(axes, heights, trials, scale, colours)
    _draw_verticals(axes, verticals)
    bar = axes.figure.colorbar(ScalarMappable(scale, colours), ax=axes, pad=0.015, aspect=28, fraction=0.03)
    bar.outline.set_visible(False)
    bar.set_label(sentence(METRIC_WORDS[rank_by]))


def _parameter_axes(results: Results, trials: pd.DataFrame) -> list[Axis]:
    space = results.config.space
    named = trials.assign(architecture=trials["architecture"].map(ARCHITECTURES.title))
    columns = ["architecture", *results.parameter_columns]
    groups = varying(named, tied_columns(space, columns))
    logs = {name for name, dimension in space.dimensions.items() if dimension.log}
    return [axis_for(name, labels_of(named, group), log=name in logs) for name, group in groups.items()]


def _metric_axis(rank_by: str, best: pd.Series) -> Axis:
    scale = _scale_of(best)
    positions = np.asarray(scale(best.to_numpy(dtype=float)), dtype=float)
    ticks = tuple((place, f"{scale.inverse(place):.3f}") for place in (0.0, 0.5, 1.0))
    return Axis(METRIC_WORDS[rank_by], positions, ticks, room=0.0)


def _scale_of(best: pd.Series) -> Normalize:
    low, high = float(best.min()), float(best.max())
    return Normalize(low, high) if high > low else Normalize(low - 0.5, high + 0.5)


def _spread(axis: Axis) -> npt.NDArray[np.float64]:
    """Move trials of one category apart, in the order in which they stand."""
    heights = axis.positions.copy()
    for place in np.unique(axis.positions) if axis.room else ():
        here = np.flatnonzero(axis.positions == place)
        heights[here] += axis.room * ((np.arange(len(here)) + 0.5) / len(here) - 0.5)
    return heights


def _draw_lines(
    axes: Axes, heights: npt.NDArray[np.float64], trials: pd.DataFrame, scale: Normalize, colours: Colormap
) -> None:
    """Draw curves that leave each axis level, so that they can be followed across it."""
    along = np.linspace(0, 1, STEPS)
    ease = along * along * (3 - 2 * along)
    columns = np.arange(heights.shape[1] - 1)
    x = (columns[:, None] + along).ravel()
    y = (heights[:, :-1, None] + (heights[:, 1:] - heights[:, :-1])[:, :, None] * ease).reshape(
        len(heights), -1
    )
    completed = (trials["outcome"] == "completed").to_numpy()
    rgba = colours(scale(trials["best"].to_numpy(dtype=float)))
    rgba[:, 3] = np.where(completed, 0.95, 0.28)
    lines = [np.column_stack([x, row]) for row in y]
    order = np.argsort(completed, kind="stable")
    axes.add_collection(
        LineCollection(
            [lines[i] for i in order],
            colors=rgba[order],
            linewidths=np.where(completed, 1.7, 1.0)[order],
            capstyle="round",
        )
    )


def _draw_verticals(axes: Axes, verticals: list[Axis]) -> None:
    halo = {"facecolor": "white", "edgecolor": "none", "alpha": 0.82, "boxstyle": "round,pad=0.15"}
    last = len(verticals) - 1
    for place, axis in enumerate(verticals):
        axes.axvline(place, color=INK, linewidth=0.9, zorder=3)
        axes.text(place, 1.05, axis.title, ha="center", va="bottom", fontweight="bold", fontsize=9)
        for height, label in axis.ticks:
            side, align = (0.02, "left") if place < last else (-0.02, "right")
            axes.text(place + side, height, label, ha=align, va="center", fontsize=8.5, bbox=halo, zorder=4)
    axes.set_xlim(-0.02 * max(last, 1), last + 0.02 * max(last, 1) if last else 1)
    axes.set_ylim(-0.02, 1.02)
    axes.set_axis_off()


# --- Importance of each dimension, with its interval, beside that of chance

ROW_IN, ROOM_IN = 0.34, 1.0
CHANCE = "#cfd5da"


def draw_importance(results: Results, panels: list[Panel]) -> CaptionedFigure | None:
    """Draw a row of panels for each patch size; None where no panel has enough trials."""
    shown = [panel for panel in panels if panel.shares]
    if not shown:
        return None
    return CaptionedFigure(
        name="importance",
        title="Importance of the dimensions",
        figure=_figure(panels),
        caption=_caption(results, shown),
        alt="Importance of the dimensions. " + "; ".join(_in_words(panel) for panel in shown) + ".",
    )


def missing_importance(panels: list[Panel]) -> str:
    """Return why importance is not shown, where it is shown for no panel."""
    if any(panel.shares for panel in panels):
        return ""
    reasons = joined([f"{panel.title} ({panel.remark})" for panel in panels])
    return f"The importance of the dimensions is not shown, for want of trials: {reasons}."


def _figure(panels: list[Panel]) -> Figure:
    """Lay panels out: a row for each patch size, a column for each architecture, dimensions shared."""
    sizes = sorted({panel.patch_size_px for panel in panels})
    columns = list(dict.fromkeys(panel.architecture for panel in panels))
    names = {size: _dimensions([p for p in panels if p.patch_size_px == size]) for size in sizes}
    heights = [ROOM_IN + ROW_IN * max(len(names[size]), 2) for size in sizes]
    figure = new_figure(0.35 + sum(heights))
    grid = figure.subplots(
        len(sizes), len(columns), squeeze=False, sharex=True, sharey="row", height_ratios=heights
    )
    for axes in grid.flat:
        axes.set_axis_off()
    for panel in panels:
        axes = grid[sizes.index(panel.patch_size_px), columns.index(panel.architecture)]
        axes.set_axis_on()
        _draw_intervals(axes, panel, names[panel.patch_size_px])
    figure.legend(handles=_legend(), loc="outside upper right", ncols=3, frameon=False)
    return figure


def _dimensions(panels: list[Panel]) -> list[str]:
    """Names of the dimensions of a row, in the order in which panels bring them."""
    return list(dict.fromkeys(share.name for panel in panels for share in panel.shares))


def _draw_intervals(axes: Axes, panel: Panel, names: list[str]) -> None:
    colour = INK if panel.architecture is None else architecture_colour(panel.architecture)
    for share in panel.shares:
        place = names.index(share.name)
        axes.barh(place, share.chance, height=0.7, color=CHANCE, zorder=1)
        axes.plot([share.low, share.high], [place, place], color=colour, linewidth=1.6, zorder=3)
        axes.plot([share.median], [place], "o", color=colour, markersize=6.5, zorder=4)
    if not panel.shares:
        note(axes, panel.remark)
    axes.set_title(panel.title)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 2) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_locator(FixedLocator([0, 0.25, 0.5, 0.75, 1]))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.tick_params(axis="x", labelbottom=True)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("share of variance" if panel.shares else "")


def _legend() -> list[Line2D | Patch]:
    return [
        Line2D([], [], marker="o", color=INK, linestyle="none", markersize=6, label="median of draws"),
        Line2D([], [], color=INK, linewidth=1.6, label="10 to 90 % of draws"),
        Patch(color=CHANCE, label="given to a dimension without effect"),
    ]


def _caption(results: Results, shown: list[Panel]) -> str:
    search = results.config.space.search
    epochs = sorted({panel.epoch for panel in shown})
    until = f"epoch {epochs[0]}" if len(epochs) == 1 else f"epochs {joined(list(map(str, epochs)))}"
    early = (
        ", so that stopped trials count like others. It thus tells what matters early, which need not be "
        "what matters in the end"
        if epochs[0] < search.epochs
        else ""
    )
    text = (
        "How much of the variance between trials each dimension explains by itself, by functional analysis "
        "of variance with random forests (Hutter et al. 2014) of each trial's best "
        f"{METRIC_WORDS[search.rank_by]} until {until}, the last that all trials of a panel reached{early}. "
        f"The dot is the median of {DRAWS} bootstrap draws of the trials, each with another forest, and the "
        "line reaches from their 10th to their 90th percentile. The grey bar is what a shuffled copy of "
        "the dimension, which cannot matter, stays below in 90 % of the draws: a line that does not leave "
        "it shows no effect. What is missing to 100 % lies in combinations of dimensions and in noise. "
        "Tied parameters make one dimension; one that exists under conditions stands where all trials have "
        "it."
    )
    if search.rank_by == "val_loss":
        text += (
            " Settings of the loss change what the loss measures, so part of their share is by definition."
        )
    if search.sampler == "tpe":
        text += " Most trials were proposed near good ones: what is far from them rests on few."
    return text


def _in_words(panel: Panel) -> str:
    ordered = sorted(panel.shares, key=lambda share: -share.median)
    return f"{panel.title}: " + joined(
        [f"{s.name} {s.median:.0%} ({s.low:.0%} to {s.high:.0%}; chance {s.chance:.0%})" for s in ordered]
    )
