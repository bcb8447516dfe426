"""A chart for the page: a figure of Plotly as plain JSON, to zoom and point at.

Text, axes and grid have no colour here: they take that of the page, light or dark, from Plotly's template.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from glsweep.report.figures import DASHES
from glsweep.report.figures.chart import BAR_HEIGHT, Chart, Limits, Panel, Series, Ticks

INK = "var(--ink)"
"""The page's colour of text, which its script puts here."""
PX_PER_POINT = 2.0
PX_PER_CM, PX_PER_CM_ALONE = 46, 60
"""Of a panel's height; one that fills the width is taller."""
SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "x",
    "*": "star",
    "|": "line-ns",
}
PLACES = {
    "left": "middle left",
    "right": "middle right",
    "top left": "top left",
    "top right": "top right",
}
SIGNIFICANT = 5
MANY = 500
GRID = (1600, 800)
"""Pixels across and down a panel on a large screen: of many points those not seen there are left out."""
TITLE_PX, NUMBERS_PX, LABEL_PX = 26, 22, 20
ENTRY_PX, LETTER_PX, HANDLE_PX = 20, 6.8, 50
"""Height of an entry of the legend, and its width: that of its letters and of what it explains."""
SPACE = "\N{NO-BREAK SPACE}"
WIDE_PX, NARROW_PX = 1000, 330
NARROW_COLUMNS = 2
"""Where panels share an upright axis, so that its numbers stand there but once; otherwise one."""

Json = dict[str, Any]


def plotly_json(chart: Chart) -> Json:
    """Return `data` and `layout` of the chart for Plotly.

    A trace's `meta` is the title of its network, if it is one's. On a narrow screen `layout.meta.narrow`
    may take the layout's place: there the same panels stand below one another.
    """
    layout = _layout(chart, WIDE_PX)
    panels = tuple(panel for _, panel in chart.placed())
    columns = min(NARROW_COLUMNS if chart.shared_y else 1, chart.columns)
    layout["meta"] = {"narrow": _layout(replace(chart, panels=panels, columns=columns), NARROW_PX)}
    traces = [_trace(chart, end, panel, series) for end, panel in _numbered(chart) for series in panel.series]
    entries = chart.entries()
    if len(entries) > 1:
        traces += [_legend_entry(chart, entry) for entry in entries]
    return {"data": traces, "layout": layout}


def _numbered(chart: Chart) -> list[tuple[str, Panel]]:
    """Return each panel with the end of its axes' names."""
    return [("" if n == 1 else str(n), panel) for n, (_, panel) in enumerate(chart.placed(), start=1)]


# --- Where panels lie


def _layout(chart: Chart, width_px: int) -> Json:
    below_px = NUMBERS_PX + LABEL_PX
    is_full = len(chart.panels) % chart.columns == 0 and None not in chart.panels
    gap_px = TITLE_PX + (NUMBERS_PX // 2 if chart.shared_x and is_full else below_px)
    is_alone = len(chart.panels) == 1
    panel_px = round(chart.panel_height_cm * (PX_PER_CM_ALONE if is_alone else PX_PER_CM))
    inner_px = chart.rows * panel_px + (chart.rows - 1) * gap_px
    across = _domains(chart.columns, 0.03 if chart.shared_y else 0.07)
    down = _domains(chart.rows, gap_px / inner_px)[::-1]
    legend_px = _legend_px([entry.name for entry in chart.entries()], width_px)
    bottom_px = below_px + legend_px
    layout: Json = {
        "height": inner_px + TITLE_PX + bottom_px,
        "margin": {"l": 56, "r": 10, "t": TITLE_PX, "b": bottom_px},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "barmode": "overlay",
        "hovermode": "closest",
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 0,
            "yref": "container",
            "yanchor": "bottom",
            "maxheight": max(legend_px, 1),
            "tracegroupgap": 0,
            "groupclick": "togglegroup",
        },
        "annotations": [],
    }
    for (place, _), (end, panel) in zip(chart.placed(), _numbered(chart), strict=True):
        layout[f"xaxis{end}"] = {
            **_axis(panel.x_label, panel.x_limits, panel.x_ticks, is_log=panel.log_x),
            **_at_the_edge(panel.x_label, chart.is_bottom(place), chart.shared_x, "x", end),
            "domain": across[place % chart.columns],
            "anchor": f"y{end}",
            "showgrid": panel.y_ticks is not None,
        }
        layout[f"yaxis{end}"] = {
            **_axis(panel.y_label, panel.y_limits, panel.y_ticks),
            **_at_the_edge(panel.y_label, chart.is_left(place), chart.shared_y, "y", end),
            "domain": down[place // chart.columns],
            "anchor": f"x{end}",
            "showgrid": panel.y_ticks is None,
        }
        layout["annotations"] += _annotations(end, panel)
    return layout


def _legend_px(names: list[str], width_px: int) -> int:
    if len(names) < 2:
        return 0
    across = max(int(width_px // (HANDLE_PX + LETTER_PX * max(map(len, names)))), 1)
    return ENTRY_PX * -(-len(names) // across) + ENTRY_PX // 2


def _domains(count: int, gap: float) -> list[list[float]]:
    """Return start and end of each of `count` equal parts of [0, 1]."""
    part = (1 - gap * (count - 1)) / count
    return [[round(n * (part + gap), 4), round(n * (part + gap) + part, 4)] for n in range(count)]


def _axis(label: str, limits: Limits | None, ticks: Ticks | None, *, is_log: bool = False) -> Json:
    axis: Json = {"zeroline": False, "automargin": True}
    if limits is not None:
        axis["range"] = [_rounded(math.log10(value) if is_log else value) for value in limits]
    if is_log:
        axis["type"] = "log"
    if ticks is not None:
        axis |= {"tickvals": [at for at, _ in ticks], "ticktext": [_text(text) for _, text in ticks]}
    elif label.startswith("epoch"):
        axis["tickformat"] = ",d"
    return axis


def _at_the_edge(label: str, is_edge: bool, is_shared: bool, letter: str, end: str) -> Json:
    """Name an axis at the chart's edge alone, and number a shared one there alone."""
    axis: Json = {"title": {"text": _text(label), "standoff": 6}} if is_edge else {}
    if is_shared:
        axis["showticklabels"] = is_edge
        if end:
            axis["matches"] = letter
    return axis


def _annotations(end: str, panel: Panel) -> list[Json]:
    within = {"xref": f"x{end} domain", "yref": f"y{end} domain", "showarrow": False}
    title = {"text": f"<b>{_text(panel.title)}</b>", "x": 0, "y": 1, "xanchor": "left", "yanchor": "bottom"}
    notes = [{**within, "text": _text(panel.note), "x": 0.5, "y": 0.5}] if panel.note else []
    return [{**within, **title}, *notes]


# --- What is drawn in them


def _trace(chart: Chart, end: str, panel: Panel, series: Series) -> Json:
    kept = _kept(series)
    trace: Json = {
        **_style(series, kept),
        "x": _numbers(series.x, kept),
        "y": _numbers(series.y, kept),
        "xaxis": f"x{end}",
        "yaxis": f"y{end}",
        "showlegend": False,
        "legendgroup": chart.group_of(series),
    }
    if series.opacity < 1:
        trace["opacity"] = series.opacity
    if series.network:
        trace["meta"] = series.network
    if series.texts:
        trace["text"] = [_text(_spaced(series.texts[place], series)) for place in kept]
    if len(series.low):
        trace["error_x" if series.lies else "error_y"] = _reach(series, kept)
    if series.silent or series.kind == "words":
        trace["hoverinfo"] = "skip"
    else:
        trace["hovertemplate"] = _pointed_at(chart, panel, series)
    return trace


def _legend_entry(chart: Chart, entry: Series) -> Json:
    """Return a trace without points that stands in the legend for all of its group."""
    meta = {"meta": entry.network} if chart.by_network else {}
    one = replace(entry, size=3.0)
    return {
        **_style(one, [0]),
        "x": [None],
        "y": [None],
        "name": _text(entry.name),
        "legendgroup": chart.group_of(entry),
        "showlegend": True,
        "hoverinfo": "skip",
        **meta,
    }


def _style(series: Series, kept: Sequence[int]) -> Json:
    look = series.look
    colour = look.colour or INK
    if series.kind == "bars":
        return {
            "type": "bar",
            "orientation": "h",
            "width": BAR_HEIGHT,
            "textposition": "none",
            "marker": {"color": colour},
        }
    if series.kind == "words":
        font = {"size": 11} | ({"color": look.colour} if look.colour else {})
        places = {"mode": "text", "textposition": PLACES[series.place], "textfont": font}
        return {"type": "scatter", "cliponaxis": False, **places}
    width_px = PX_PER_POINT * series.width
    dashes = ",".join(f"{width_px * length:.3g}px" for length in DASHES[look.dash])
    line = {"color": colour, "width": round(width_px, 2)} | ({"dash": dashes} if dashes else {})
    if series.kind == "steps":
        return {"type": "scatter", "mode": "lines", "line": {**line, "shape": "hv"}}
    marker = _marker(series, kept, colour) if look.marker else {}
    if series.kind == "dots":
        return {"type": "scatter", "mode": "markers", "marker": marker}
    drawn = {"mode": "lines+markers", "marker": marker} if marker else {"mode": "lines"}
    return {"type": "scatter", **drawn, "line": line}


def _marker(series: Series, kept: Sequence[int], colour: str) -> Json:
    look = series.look
    sizes = series.size if isinstance(series.size, float) else [series.size[place] for place in kept]
    return {
        "symbol": SYMBOLS[look.marker] + ("-open" if look.hollow else ""),
        "size": np.round(PX_PER_POINT * np.asarray(sizes), 1).tolist(),
        "color": colour,
        "opacity": 1,
        "line": {"width": 2 if look.hollow or look.marker == "|" else 0, "color": colour},
    }


def _reach(series: Series, kept: Sequence[int]) -> Json:
    middle = np.asarray(series.x if series.lies else series.y, float)
    colour = INK if series.kind == "bars" else series.look.colour or INK
    return {
        "type": "data",
        "symmetric": False,
        "array": _numbers(np.maximum(np.asarray(series.high, float) - middle, 0), kept),
        "arrayminus": _numbers(np.maximum(middle - np.asarray(series.low, float), 0), kept),
        "color": colour,
        "thickness": 1.3,
        "width": 2 if series.kind == "bars" else 0,
    }


def _pointed_at(chart: Chart, panel: Panel, series: Series) -> str:
    """Return what the pointer says: of what it is, then each axis that has numbers, by its label."""
    of = [series.network] if chart.by_network else [series.network, series.name]
    lines = [f"<b>{_text(series.told or ', '.join(filter(None, of)))}</b>"]
    lines += ["%{text}"] if series.texts else []
    lines += [f"{_text(panel.x_label)}: %{{x:.4~r}}"] if panel.x_ticks is None else []
    lines += [f"{_text(panel.y_label)}: %{{y:.4~r}}"] if panel.y_ticks is None else []
    return "<br>".join(lines) + "<extra></extra>"


# --- Numbers and words


def _kept(series: Series) -> Sequence[int]:
    """Return which points are told: all, or of many those that would be seen."""
    count = len(series.x)
    if count <= MANY or series.texts or len(series.low):
        return range(count)
    cells = _cells(series)
    if series.kind == "dots":
        return [int(place) for place in np.sort(np.unique(cells, return_index=True)[1])]
    differs = cells[1:] != cells[:-1]
    seen = np.ones(count, bool)
    seen[1:-1] = differs[1:] | differs[:-1]
    return [int(place) for place in np.flatnonzero(seen)]


def _cells(series: Series) -> npt.NDArray[np.int64]:
    """Number the pixels in which the points lie, on axes that just hold them."""
    column, row = (
        _shares(np.asarray(values, float)) * (pixels - 1)
        for values, pixels in zip((series.x, series.y), GRID, strict=True)
    )
    cells: npt.NDArray[np.int64] = (column.round() * GRID[1] + row.round()).astype(np.int64)
    return cells


def _shares(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return values from 0 to 1, and a negative one where there is none."""
    low, high = np.nanmin(values), np.nanmax(values)
    shares: npt.NDArray[np.float64] = np.nan_to_num((values - low) / ((high - low) or 1.0), nan=-1.0)
    return shares


def _numbers(values: Sequence[float], kept: Sequence[int]) -> list[float | int | None]:
    return [_rounded(float(values[place])) for place in kept]


def _rounded(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.{SIGNIFICANT}g}")
    return int(rounded) if rounded.is_integer() else rounded


def _spaced(words: str, series: Series) -> str:
    """Keep words that stand beside their point away from it."""
    if series.kind != "words" or series.place not in ("left", "right"):
        return words
    before, after = (SPACE, "") if series.place == "right" else ("", SPACE)
    return "\n".join(f"{before}{line}{after}" for line in words.split("\n"))


def _text(words: str) -> str:
    """Return words for Plotly, which would take some of them for HTML."""
    return escape(words, quote=False).replace("\n", "<br>")
