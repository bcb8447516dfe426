"""Plotly figures made small, and several of them put together in one chart.

Optuna draws one study a figure, in Plotly's own style. Here several become one chart, of plain numbers, whose
background and text are left to the page, so that it is read in the dark too.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_hex

from glsweep.report.figures import cut_colours

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as PlotlyFigure

Chart = dict[str, Any]
DIGITS = 4
CLEAR = "rgba(0, 0, 0, 0)"
SHADES = cut_colours("viridis_r", 0.1, 0.9)
"""From light to dark, without ends that vanish on white or on black."""
PLOTLYS_SHADES = [[step / 8, to_hex(SHADES(step / 8))] for step in range(9)]


def plain(figure: "PlotlyFigure") -> Chart:
    """Return a Plotly figure as plain lists and short numbers, without its template and its title."""
    whole = figure.to_plotly_json()
    layout = {key: value for key, value in whole["layout"].items() if key not in ("template", "title")}
    return {"data": [shortened(trace) for trace in whole["data"]], "layout": shortened(layout)}


def shortened(value: Any) -> Any:
    """Return JSON of a value in which no number is longer than a reader can use."""
    if isinstance(value, Mapping) and value.keys() >= {"dtype", "bdata"}:
        return shortened(_decoded(value))
    if isinstance(value, Mapping):
        return {key: shortened(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [shortened(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, np.integer):
        return int(value)
    return _short(float(value)) if isinstance(value, float | np.floating) else value


def _short(value: float) -> float | int | None:
    """Return a number with few digits; None for one that JSON does not know."""
    number = float(f"{value:.{DIGITS}g}")
    return None if not np.isfinite(number) else int(number) if number.is_integer() else number


def _decoded(array: Mapping[str, str]) -> np.ndarray[Any, Any]:
    """Return an array that Plotly has written as bytes, which are more than the few digits that count."""
    numbers = np.frombuffer(base64.b64decode(array["bdata"]), dtype=array["dtype"])
    shape = [int(length) for length in array.get("shape", str(len(numbers))).split(",")]
    return numbers.reshape(shape)


def shade(share: float) -> str:
    """Return the colour of a share between 0 and 1."""
    return to_hex(SHADES(float(np.clip(share, 0, 1))))


# --- Several charts in one


@dataclass(frozen=True)
class Cell:
    """A chart in its place: `row` counts from above; `columns` cells share a row, all of one width."""

    title: str
    chart: Chart
    row: int
    column: int = 0
    columns: int = 1


def composed(cells: Sequence[Cell], *, row_px: int = 300, legend: bool = False) -> Chart:
    """Return one chart that holds all `cells`."""
    rows = 1 + max(cell.row for cell in cells)
    data: list[Any] = []
    layout: Chart = {"annotations": [], "shapes": []}
    count = 0
    for cell in cells:
        box = _box(cell, rows, row_px)
        layout["annotations"].append(_title(cell, box, count + 1))
        count = _add(cell, box, data, layout, count)
    entries = len({trace.get("name") for trace in data if trace.get("showlegend", True)}) if legend else 0
    layout |= _house_layout(rows * row_px, legend=legend)
    return {"data": data, "layout": {**layout, "meta": {"narrow": _narrow(layout, count, row_px, entries)}}}


def _narrow(layout: Chart, count: int, row_px: int, entries: int) -> Chart:
    """Return the layout for a narrow screen: the same axes below one another, titles above their first."""
    narrow = dict(layout)
    tops: dict[int, float] = {}
    height_px = count * row_px - ROOM_PX
    for number in range(1, count + 1):
        across, up = (layout[axis_key(letter, number)] for letter in "xy")
        bottom = (count - number) * row_px / height_px
        domain = shortened([bottom, bottom + (row_px - ROOM_PX) / height_px])
        narrow[axis_key("x", number)] = {**across, "domain": [0, 1]}
        narrow[axis_key("y", number)] = {**up, "domain": domain, "showticklabels": True}
        tops[number] = domain[1]
    narrow["annotations"] = [
        {**one, "x": 0, "y": tops[titled]} if (titled := titled_axis(one)) else one
        for one in layout["annotations"]
    ]
    above_px = LEGEND_PX * entries  # one below another
    margin = {**layout["margin"], "t": TOP_PX + above_px}
    return {**narrow, "margin": margin, "height": count * row_px + above_px}


def titled_axis(annotation: Chart) -> int | None:
    """Return the number of the axes above which an annotation is a title; None where it is another."""
    name, _, number = str(annotation.get("name", "")).partition(" ")
    return int(number) if name == "title" else None


Box = tuple[float, float, float, float]
ROOM_PX = 100  # between rows: labels of one, and the title of the next


TOP_PX, LEGEND_PX = 36, 24
LONGEST_LABEL = 14
"""Characters of a category, of which many stand slanted in the room below a row."""


def _box(cell: Cell, rows: int, row_px: int) -> Box:
    gap = 0.08 if cell.columns > 1 else 0.0
    width = (1 - gap * (cell.columns - 1)) / cell.columns
    left = cell.column * (width + gap)
    height_px = rows * row_px - ROOM_PX  # without the margins above and below
    bottom_px = (rows - 1 - cell.row) * row_px
    return left, left + width, bottom_px / height_px, (bottom_px + row_px - ROOM_PX) / height_px


def _add(cell: Cell, box: Box, data: list[Any], layout: Chart, count: int) -> int:
    """Add the traces and axes of one cell under new numbers; return how many axes there are now."""
    inner = cell.chart["layout"]
    numbers = sorted({number_of(key) for key in inner if key.startswith(("xaxis", "yaxis"))} | {1})
    moved = {number: count + place for place, number in enumerate(numbers, start=1)}
    traces: dict[int, list[Chart]] = {number: [] for number in numbers}
    for trace in cell.chart["data"]:
        traces[number_of(trace.get("xaxis", "x"))].append(trace)
    for number in numbers:
        for letter, (low, high) in (("x", box[:2]), ("y", box[2:])):
            axis = dict(inner.get(axis_key(letter, number), {}))
            start, end = axis.get("domain", (0, 1))
            axis["domain"] = shortened([low + start * (high - low), low + end * (high - low)])
            axis["anchor"] = axis_name("y" if letter == "x" else "x", moved[number])
            if "matches" in axis:
                axis["matches"] = axis_name(letter, moved[number_of(axis["matches"])])
            axis["zeroline"] = False
            axis["automargin"] = True
            axis["title"] = {**axis.get("title", {}), "standoff": 8}
            axis |= _ticks(axis, [value for trace in traces[number] for value in trace.get(letter, ())])
            layout[axis_key(letter, moved[number])] = axis
    for trace in cell.chart["data"]:
        own = moved[number_of(trace.get("xaxis", "x"))]
        data.append({**trace, "xaxis": axis_name("x", own), "yaxis": axis_name("y", own)})
    for kind in ("annotations", "shapes"):
        for one in inner.get(kind, ()):
            refs = {f"{c}ref": axis_name(c, moved[1]) for c in "xy" if one.get(f"{c}ref", c) != "paper"}
            layout[kind].append({**one, **refs})
    return count + len(numbers)


def _ticks(axis: Chart, values: list[Any]) -> Chart:
    """Return what makes an axis readable: numbers written out, and room beside the outer categories."""
    known = [value for value in values if value is not None]
    if axis.get("type") == "category":
        names = axis.get("categoryarray") or list(dict.fromkeys(map(str, known)))
        return {
            "categoryorder": "array",
            "categoryarray": names,
            "range": [-0.5, len(names) - 0.5],
            "tickvals": names,
            "ticktext": [
                name if len(name) <= LONGEST_LABEL else f"{name[:LONGEST_LABEL]}…" for name in names
            ],
        }
    if axis.get("type") == "log":
        decades = {"dtick": 1} if known and max(known) >= 10 * min(known) else {}
        return {"tickformat": "~g", **decades}
    return {}


def number_of(name: str) -> int:
    """Return the number of an axis, from its name (`x2`) or its key in a layout (`xaxis2`)."""
    return int(name.removeprefix("xaxis").removeprefix("yaxis").lstrip("xy") or 1)


def axis_key(letter: str, number: int) -> str:
    """Return the key of an axis in a layout, such as `xaxis2`."""
    return f"{letter}axis{number if number > 1 else ''}"


def axis_name(letter: str, number: int) -> str:
    """Return the name by which a trace calls its axis, such as `x2`."""
    return f"{letter}{number if number > 1 else ''}"


def _title(cell: Cell, box: Box, number: int) -> Chart:
    return {
        "text": f"<b>{cell.title}</b>",
        "showarrow": False,
        "x": box[0],
        "y": box[3],
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "yshift": 6,
        "name": f"title {number}",
    }


def _house_layout(height_px: int, *, legend: bool) -> Chart:
    return {
        "height": height_px + LEGEND_PX * legend,
        "paper_bgcolor": CLEAR,
        "plot_bgcolor": CLEAR,
        "margin": {"l": 60, "r": 20, "t": TOP_PX + LEGEND_PX * legend, "b": ROOM_PX - TOP_PX},
        "hovermode": "closest",
        "showlegend": legend,
        "legend": {
            "orientation": "h",
            "x": 1,
            "xanchor": "right",
            "y": 1,
            "yanchor": "top",
            "yref": "container",
        },
    }
