"""Every trial as one line across its parameters to the figure that it reached."""

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, Normalize

from glsweep.config.trial import ARCHITECTURE_TITLES
from glsweep.report.dimensions import Axis, axis_for, labels_of, tied_columns, varying
from glsweep.report.results import Results
from glsweep.report.style import INK, Plate, cut_colours, new_figure, note
from glsweep.report.words import FIGURE_WORDS, counted, sentence
from glsweep.training.report import HIGHER_IS_BETTER

COLOURS = "viridis_r"  # dark is good, and yellow lines on white would vanish
STEPS = 24


def draw_parallel_coordinates(results: Results) -> Plate:
    """Draw one panel for each patch size, since figures of different sizes do not compare."""
    trials = results.configurations
    sizes = sorted(trials["patch_size_px"].dropna().astype(int).unique())
    figure = new_figure(0.2 + 3.6 * max(len(sizes), 1))
    grid = figure.subplots(max(len(sizes), 1), 1, squeeze=False)[:, 0]
    for axes, size in zip(grid, sizes, strict=False):
        _draw_panel(axes, results, trials[trials["patch_size_px"] == size].reset_index(drop=True))
        axes.set_title(f"Patches of {size} px", pad=30)
    rank_by = results.config.space.search.rank_by
    seeds = ", mean over its seeds" if results.config.space.search.replicates > 1 else ""
    with_figure = int(trials["best"].notna().sum())
    return Plate(
        name="parallel-coordinates",
        title="Configurations across their parameters",
        figure=figure,
        caption=(
            f"Each of {counted(with_figure, 'configuration')} with a figure is one line, from its parameters "
            f"to its best {FIGURE_WORDS[rank_by]} on validation (right{seeds}); darker is better. Solid "
            "lines ran their full budget, faint ones were stopped early. Lines that share a value are "
            "spread a little, best on top. Dimensions in which trials do not differ are left out."
        ),
        alt=f"Parallel coordinates of {counted(len(trials), 'configuration')}, coloured by "
        f"{FIGURE_WORDS[rank_by]}.",
    )


def _draw_panel(axes: Axes, results: Results, trials: pd.DataFrame) -> None:
    rank_by = results.config.space.search.rank_by
    trials = trials[trials["best"].notna()]
    if trials.empty:
        axes.set_axis_off()
        note(axes, "no trial reported a figure")
        return
    higher = HIGHER_IS_BETTER[rank_by]
    trials = trials.sort_values("best", ascending=higher).reset_index(drop=True)
    verticals = [*_parameter_axes(results, trials), _figure_axis(rank_by, trials["best"])]
    heights = np.stack([_spread(axis) for axis in verticals], axis=1)
    scale = _scale_of(trials["best"])
    colours = cut_colours(COLOURS if higher else COLOURS.removesuffix("_r"), 0.08, 1.0)
    _draw_lines(axes, heights, trials, scale, colours)
    _draw_verticals(axes, verticals)
    bar = axes.figure.colorbar(ScalarMappable(scale, colours), ax=axes, pad=0.015, aspect=28, fraction=0.03)
    bar.outline.set_visible(False)
    bar.set_label(sentence(FIGURE_WORDS[rank_by]))


def _parameter_axes(results: Results, trials: pd.DataFrame) -> list[Axis]:
    space = results.config.space
    named = trials.assign(architecture=trials["architecture"].map(lambda a: ARCHITECTURE_TITLES.get(a, a)))
    columns = ["architecture", *results.parameter_columns]
    groups = varying(named, tied_columns(space, columns))
    logs = {name for name, dimension in space.dimensions.items() if dimension.log}
    return [axis_for(name, labels_of(named, group), log=name in logs) for name, group in groups.items()]


def _figure_axis(rank_by: str, best: pd.Series) -> Axis:
    scale = _scale_of(best)
    positions = np.asarray(scale(best.to_numpy(dtype=float)), dtype=float)
    ticks = tuple((place, f"{scale.inverse(place):.3f}") for place in (0.0, 0.5, 1.0))
    return Axis(FIGURE_WORDS[rank_by], positions, ticks, room=0.0)


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
