"""Charts of Plotly drawn by matplotlib: what is on the page and what is on paper are the same."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from glsweep.report.figures import INK, SOFT_INK, WIDTH_IN, CaptionedFigure
from glsweep.report.figures.composed import (
    SHADES,
    Cell,
    Chart,
    axis_key,
    axis_name,
    composed,
    number_of,
    titled_axis,
)

PX_PER_IN = 150
"""A chart is as wide as 1080 pixels of a screen, and 18.3 cm on paper."""
POINTS_PER_PX = 72 / PX_PER_IN
INCHES_A_LETTER = 0.055


def captioned(
    name: str,
    title: str,
    cells: Sequence[Cell],
    *,
    caption: str,
    alt: str,
    row_px: int = 300,
    legend: bool = False,
) -> CaptionedFigure | None:
    """Return the figure of some cells, for the page and for paper; None where there are none."""
    if not cells:
        return None
    chart = composed(cells, row_px=row_px, legend=legend)
    figure = painted(chart)
    return CaptionedFigure(name=name, title=title, figure=figure, caption=caption, alt=alt, interactive=chart)


def painted(chart: Chart) -> Figure:
    """Draw a chart of scatters, bars and contours with matplotlib."""
    layout = chart["layout"]
    height_in = layout["height"] / PX_PER_IN
    figure = Figure(figsize=(WIDTH_IN, height_in))
    margin = layout["margin"]
    left, right = _room_for_labels(chart), 0.15
    below, above = margin["b"] / PX_PER_IN, margin["t"] / PX_PER_IN
    wide, high = WIDTH_IN - left - right, height_in - below - above
    axes_of: dict[str, Axes] = {}
    for key in [key for key in layout if key.startswith("xaxis")]:
        number = number_of(key)
        across, up = layout[key], layout[axis_key("y", number)]
        (x0, x1), (y0, y1) = across["domain"], up["domain"]
        box = (left + x0 * wide, below + y0 * high, (x1 - x0) * wide, (y1 - y0) * high)
        axes = figure.add_axes(
            (box[0] / WIDTH_IN, box[1] / height_in, box[2] / WIDTH_IN, box[3] / height_in),
            sharey=axes_of.get(up.get("matches", "")),
        )
        axes_of[axis_name("y", number)] = axes
        _paint_axes(axes, across, up, [t for t in chart["data"] if t["xaxis"] == axis_name("x", number)])
    _paint_words(figure, chart, axes_of)
    if layout["showlegend"]:
        _paint_legend(figure, axes_of.values(), height_in)
    return figure


def _room_for_labels(chart: Chart) -> float:
    """Return the width of what stands left of the first column of axes, in inches."""
    layout = chart["layout"]
    first = [number_of(k) for k, axis in layout.items() if k.startswith("xaxis") and axis["domain"][0] == 0]
    shown = [axis for number in first if "categoryarray" in (axis := layout[axis_key("y", number)])]
    names = [name for axis in shown for name in axis["ticktext"]]
    return 0.6 + INCHES_A_LETTER * max((len(name) - 4 for name in names), default=0)


def _paint_axes(axes: Axes, across: Chart, up: Chart, traces: list[Chart]) -> None:
    across, up = _with_places(across), _with_places(up)
    for letter, axis in (("x", across), ("y", up)):
        places = axis["places"]
        if places:
            slanted = letter == "x" and not _fit(axis["ticktext"], axis)
            slant: Any = {"rotation": 30, "ha": "right", "size": 6} if slanted else {}
            getattr(axes, f"set_{letter}ticks")(range(len(places)), axis["ticktext"], **slant)
            getattr(axes, f"set_{letter}lim")(-0.5, len(places) - 0.5)
        elif "tickvals" in axis:
            getattr(axes, f"set_{letter}ticks")(axis["tickvals"], axis["ticktext"])
        if axis.get("type") == "log":
            getattr(axes, f"set_{letter}scale")("log")
            scale: Axis = getattr(axes, f"{letter}axis")
            scale.set_major_formatter("{x:g}")
            scale.set_minor_formatter(NullFormatter())
        if axis.get("range") and not places:
            getattr(axes, f"set_{letter}lim")(*_limits(axis))
        getattr(axes, f"set_{letter}label")((axis.get("title") or {}).get("text", ""))
    for trace in traces:
        _PAINTERS[trace["type"]](axes, trace, across, up)
    if across.get("type") == "date":
        locator = AutoDateLocator()
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    axes.tick_params(labelleft=up.get("showticklabels", True))
    if not up.get("visible", True):
        axes.yaxis.set_visible(False)
        axes.spines[:].set_visible(False)


def _fit(names: Sequence[str], axis: Chart) -> bool:
    """Whether labels stand beside each other without touching."""
    start, end = axis["domain"]
    return sum(len(name) + 2 for name in names) * INCHES_A_LETTER < float(end - start) * (WIDTH_IN - 0.7)


def _limits(axis: Chart) -> list[float]:
    return [10**end for end in axis["range"]] if axis.get("type") == "log" else axis["range"]


def _with_places(axis: Chart) -> Chart:
    """Return an axis with the place of each of its categories; none where it has numbers."""
    return {**axis, "places": {str(name): at for at, name in enumerate(axis.get("categoryarray", ()))}}


def _places(values: Iterable[Any], axis: Chart) -> list[float]:
    if axis["places"]:
        return [np.nan if value is None else axis["places"][str(value)] for value in values]
    return [np.nan if value is None else float(value) for value in values]


def _paint_scatter(axes: Axes, trace: Chart, across: Chart, up: Chart) -> None:
    x, y = _places(trace["x"], across), _places(trace["y"], up)
    mode, line, marker = trace.get("mode", "lines"), trace.get("line", {}), trace.get("marker", {})
    label, opacity = trace.get("name") if trace.get("showlegend", True) else None, trace.get("opacity", 1)
    if "lines" in mode:
        step = {"hv": "steps-post"}.get(line.get("shape", ""), "default")
        axes.plot(
            x,
            y,
            color=line.get("color"),
            linewidth=POINTS_PER_PX * line.get("width", 2),
            linestyle={"dash": "--", "dot": ":"}.get(line.get("dash", ""), "-"),
            drawstyle=step,
            alpha=opacity,
            label=label,
        )
    if "markers" in mode:
        colour = marker.get("color", SOFT_INK)
        is_numeric = isinstance(colour, list) and all(isinstance(c, int | float) for c in colour)
        hollow = str(marker.get("symbol", "")).endswith("-open")
        shape = {"star": "*", "diamond": "D"}.get(str(marker.get("symbol", "")).split("-")[0], "o")
        axes.scatter(
            x,
            y,
            s=(POINTS_PER_PX * marker.get("size", 6)) ** 2,
            c=None if hollow else colour,
            cmap=SHADES if is_numeric else None,
            facecolors="none" if hollow else None,
            edgecolors=colour if hollow else SOFT_INK,
            linewidths=0.5 if hollow else 0.3,
            marker=shape,
            alpha=opacity,
            label=label if "lines" not in mode else None,
            zorder=4 if shape == "*" else 3,
        )


def _paint_bar(axes: Axes, trace: Chart, across: Chart, up: Chart) -> None:
    """Draw horizontal bars; of dates, as long as their milliseconds."""
    places = _places(trace["y"], up)
    widths, starts = np.asarray(trace["x"], dtype=float), np.zeros(len(places))
    if across.get("type") == "date":
        widths = widths / 86_400_000
        starts = np.array([date2num(datetime.fromisoformat(base)) for base in trace["base"]])
    axes.barh(
        places, widths, left=starts, height=0.8, color=trace["marker"]["color"], label=trace.get("name")
    )


def _paint_contour(axes: Axes, trace: Chart, _across: Chart, _up: Chart) -> None:
    z = np.array([[np.nan if at is None else at for at in row] for row in trace["z"]], dtype=float)
    values = np.ma.masked_invalid(z)
    axes.contourf(trace["x"], trace["y"], values, levels=9, cmap=SHADES, alpha=0.75)
    axes.clabel(axes.contour(trace["x"], trace["y"], values, levels=9, colors=INK, linewidths=0.4))


_PAINTERS = {"scatter": _paint_scatter, "bar": _paint_bar, "contour": _paint_contour}


def _paint_words(figure: Figure, chart: Chart, axes_of: Mapping[str, Axes]) -> None:
    """Write the annotations and draw the lines that belong to no trace."""
    layout = chart["layout"]
    for one in layout["annotations"]:
        if (number := titled_axis(one)) is not None:
            box = axes_of[axis_name("y", number)].get_position()
            text = one["text"].removeprefix("<b>").removesuffix("</b>")
            figure.text(box.x0, box.y1 + 0.012, text, fontweight="bold", fontsize=7.5)
    for one in layout["annotations"]:
        if one.get("yref") in axes_of:
            axes_of[one["yref"]].annotate(
                str(one["text"]).replace("<br>", "\n"),
                (one["x"], one["y"]),
                xytext=(POINTS_PER_PX * one.get("xshift", 0), POINTS_PER_PX * one.get("yshift", 0)),
                textcoords="offset points",
                ha={"auto": "center"}.get(one.get("xanchor", "center"), one.get("xanchor", "center")),
                va={"middle": "center"}.get(one.get("yanchor", "middle"), one.get("yanchor", "middle")),
                fontsize=6,
                rotation=-one.get("textangle", 0),
                annotation_clip=False,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "boxstyle": "round,pad=0.1"},
                zorder=5,
            )
    for one in layout["shapes"]:
        axes_of[one["yref"]].plot([one["x0"], one["x1"]], [one["y0"], one["y1"]], color=INK, linewidth=0.8)


def _paint_legend(figure: Figure, all_axes: Iterable[Axes], height_in: float) -> None:
    handles: dict[str, Any] = {}
    for axes in all_axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="upper right",
        bbox_to_anchor=(1 - 0.15 / WIDTH_IN, 1 - 0.02 / height_in),
        ncols=len(handles),
        frameon=False,
    )
