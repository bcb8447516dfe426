"""A chart for papers: drawn by matplotlib, one or two columns of a journal wide."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

from glsweep.report.figures import (
    CM_PER_INCH,
    COLUMN_IN,
    DASHES,
    INK,
    SETTINGS,
    SOFT_INK,
    WIDTH_IN,
    Look,
    new_figure,
    note,
)
from glsweep.report.figures.chart import BAR_HEIGHT, Chart, Panel, Place, Series

POINTS_PER_INCH = 72
LETTER_EM = 0.62
"""Mean width of a letter of the typeface, of which a legend must know how many go beside one another."""
HANDLE_PT = 34.0
LEGEND_ROW_IN = 0.145
AROUND_IN = 0.1
WORDS_PT = 6.5
ALIGNMENT: dict[Place, dict[str, Any]] = {
    "left": {"ha": "right", "va": "center_baseline", "xytext": (-3, 0)},
    "right": {"ha": "left", "va": "center_baseline", "xytext": (3, 0)},
    "top left": {"ha": "right", "va": "bottom", "xytext": (0, 1)},
    "top right": {"ha": "left", "va": "bottom", "xytext": (0, 1)},
}


def drawn(chart: Chart) -> Figure:
    """Return the chart as a figure one column wide where it has one panel, and two where it has more."""
    width_in = COLUMN_IN if chart.columns == 1 else WIDTH_IN
    handles = {series.name: _handle(series) for series in chart.entries()}
    across = _entries_across(list(handles), width_in)
    legend_in = LEGEND_ROW_IN * -(-len(handles) // across) + AROUND_IN if len(handles) > 1 else 0.0
    figure = new_figure(chart.rows * chart.panel_height_cm / CM_PER_INCH + legend_in, width_in)
    grid = figure.subplots(
        chart.rows, chart.columns, squeeze=False, sharex=chart.shared_x, sharey=chart.shared_y
    ).ravel()
    for axes in grid:
        axes.set_visible(False)
    for place, panel in chart.placed():
        axes = grid[place]
        axes.set_visible(True)
        _draw_panel(axes, panel)
        _label(axes, chart, place, panel)
    if len(handles) > 1:
        figure.legend(
            list(handles.values()),
            list(handles),
            loc="outside lower center",
            ncols=across,
            handlelength=3.2,
            columnspacing=1.4,
            borderaxespad=0.1,
        )
    return figure


def _entries_across(names: list[str], width_in: float) -> int:
    widest_pt = HANDLE_PT + LETTER_EM * SETTINGS["legend.fontsize"] * max(map(len, names), default=0)
    return int(min(max(width_in * POINTS_PER_INCH // widest_pt, 1), max(len(names), 1)))


def _draw_panel(axes: Axes, panel: Panel) -> None:
    if panel.log_x:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    for order, series in enumerate(panel.series):
        _draw(axes, series, 2 + order / 100)
    if panel.note:
        note(axes, panel.note)
    if panel.x_ticks is None and not panel.log_x:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 5, 10]))
    elif panel.x_ticks is not None:
        axes.set_xticks([at for at, _ in panel.x_ticks], [text for _, text in panel.x_ticks])
    if panel.y_ticks is not None:
        axes.set_yticks([at for at, _ in panel.y_ticks], [text for _, text in panel.y_ticks])
        axes.tick_params(axis="y", length=0)
        axes.grid(visible=True, axis="x")
        axes.grid(visible=False, axis="y")
    if panel.x_limits is not None:
        axes.set_xlim(panel.x_limits)
    if panel.y_limits is not None:
        axes.set_ylim(panel.y_limits)
    axes.set_title(panel.title)


def _label(axes: Axes, chart: Chart, place: int, panel: Panel) -> None:
    """Name the axes at the left and below, and show numbers there where all panels share them."""
    if chart.is_left(place):
        axes.set_ylabel(panel.y_label)
    if chart.is_bottom(place):
        axes.set_xlabel(panel.x_label)
    if chart.shared_y:
        axes.tick_params(axis="y", labelleft=chart.is_left(place))
    if chart.shared_x:
        axes.tick_params(axis="x", labelbottom=chart.is_bottom(place))


def _draw(axes: Axes, series: Series, order: float) -> None:
    colour = series.look.colour or INK
    x, y = np.asarray(series.x, float), np.asarray(series.y, float)
    if series.kind == "words":
        for at_x, at_y, text in zip(x, y, series.texts, strict=True):
            _write(axes, at_x, at_y, text, series)
        return
    if series.kind == "bars":
        axes.barh(y, np.nan_to_num(x), BAR_HEIGHT, color=colour, alpha=series.opacity, zorder=order)
    elif series.kind == "dots" and not isinstance(series.size, float):
        face = "white" if series.look.hollow else colour
        areas = np.square(np.asarray(series.size, float))
        axes.scatter(x, y, areas, color=face, edgecolor=colour, linewidth=0.8, zorder=order + 1)
    else:
        axes.plot(x, y, **_style(series), zorder=order)
    if len(series.low):
        _draw_reach(axes, series, x, y, order)


def _draw_reach(axes: Axes, series: Series, x: Any, y: Any, order: float) -> None:
    values = x if series.lies else y
    reach = np.maximum([values - np.asarray(series.low), np.asarray(series.high) - values], 0)
    colour = INK if series.kind == "bars" else series.look.colour or INK
    axes.errorbar(
        x,
        y,
        xerr=reach if series.lies else None,
        yerr=None if series.lies else reach,
        fmt="none",
        ecolor=colour,
        elinewidth=0.7,
        capsize=1.5 if series.kind == "bars" else 0,
        zorder=order + 0.005,
    )


def _style(series: Series) -> dict[str, Any]:
    colour = series.look.colour or INK
    dashes = DASHES[series.look.dash]
    return {
        "color": colour,
        "alpha": series.opacity,
        "linestyle": "none" if series.kind == "dots" else (0, dashes) if dashes else "-",
        "linewidth": series.width,
        "drawstyle": "steps-post" if series.kind == "steps" else "default",
        "marker": (series.look.marker if series.kind in ("line", "dots") else "") or "None",
        "markersize": series.size,
        "markerfacecolor": "white" if series.look.hollow else colour,
        "markeredgewidth": 1.2 if series.look.marker == "|" else 0.6,
        "label": series.name or None,
    }


def _write(axes: Axes, x: float, y: float, text: str, series: Series) -> None:
    colour = series.look.colour or SOFT_INK
    axes.annotate(
        text, (x, y), textcoords="offset points", fontsize=WORDS_PT, color=colour, **ALIGNMENT[series.place]
    )


def _handle(series: Series) -> Line2D:
    look = Look(series.look.colour or SOFT_INK, series.look.dash, series.look.marker, series.look.hollow)
    style = {**_style(Series((), (), kind=series.kind, look=look, width=series.width)), "label": series.name}
    return Line2D([], [], **style)
