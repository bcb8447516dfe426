"""Importance of each dimension as a dot with its interval, beside what chance alone would give."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, PercentFormatter

from glsweep.report.importance import DRAWS
from glsweep.report.importance_panels import Panel
from glsweep.report.results import Results
from glsweep.report.style import INK, Plate, architecture_colour, new_figure, note
from glsweep.report.words import FIGURE_WORDS, joined

ROW_IN, ROOM_IN = 0.34, 1.0
CHANCE = "#cfd5da"


def draw_importance(results: Results, panels: list[Panel]) -> Plate | None:
    """Draw a row of panels for each patch size; None where no panel has enough trials."""
    told = [panel for panel in panels if panel.shares]
    if not told:
        return None
    return Plate(
        name="importance",
        title="Importance of the dimensions",
        figure=_figure(panels),
        caption=_caption(results, told),
        alt="Importance of the dimensions. " + "; ".join(_in_words(panel) for panel in told) + ".",
    )


def missing_importance(panels: list[Panel]) -> str:
    """Return why importance is not shown, where it is shown for no panel."""
    if any(panel.shares for panel in panels):
        return ""
    reasons = joined([f"{panel.title} ({panel.remark})" for panel in panels])
    return f"The importance of the dimensions is not shown, for want of trials to tell it from: {reasons}."


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
        _draw_panel(axes, panel, names[panel.patch_size_px])
    figure.legend(handles=_legend(), loc="outside upper right", ncols=3, frameon=False)
    return figure


def _dimensions(panels: list[Panel]) -> list[str]:
    """Names of the dimensions of a row, in the order in which panels bring them."""
    return list(dict.fromkeys(share.name for panel in panels for share in panel.shares))


def _draw_panel(axes: Axes, panel: Panel, names: list[str]) -> None:
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


def _caption(results: Results, told: list[Panel]) -> str:
    search = results.config.space.search
    epochs = sorted({panel.epoch for panel in told})
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
        f"{FIGURE_WORDS[search.rank_by]} until {until}, the last that all trials of a panel reached{early}. "
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
