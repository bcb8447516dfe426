"""Charts that are drawn twice: for papers by matplotlib, and for the page by Plotly."""

import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np
import plotly.graph_objects as go
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from scipy.spatial import cKDTree
from synthetic_data_sets import add_data_set
from synthetic_lines import add_lines
from synthetic_study import ALL_STRATA, NONE, write_study

from glsweep.config.trial import Stratum
from glsweep.registry import ARCHITECTURES
from glsweep.report.figures import CaptionedFigure, architecture_look, house_style, png_bytes, svg_bytes
from glsweep.report.figures.chart import Chart, Panel, Series, by_stratum, in_rows
from glsweep.report.figures.interactive import GRID, plotly_json
from glsweep.report.figures.learning_curves import draw_losses, draw_progress, draw_scores, draw_seeds
from glsweep.report.figures.scores import draw_data_sets, draw_distance_bars, draw_metric_bars
from glsweep.report.figures.static import drawn
from glsweep.report.figures.thresholds import (
    draw_calibration,
    draw_line_curves,
    draw_precision_recall,
    draw_reliability,
)
from glsweep.report.results import Results, read_results

BUILT_IN = tuple(Stratum(name, 128) for name in ARCHITECTURES.built_in)
DRAWING: tuple[Callable[[Results], CaptionedFigure | None], ...] = (
    draw_metric_bars,
    draw_distance_bars,
    draw_losses,
    draw_scores,
    draw_progress,
    draw_seeds,
    draw_calibration,
    draw_precision_recall,
    draw_reliability,
    draw_line_curves,
    draw_data_sets,
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A study of every built-in network, and of one with larger patches."""
    strata = (*BUILT_IN, Stratum("unet", 256))
    folder = tmp_path_factory.mktemp("charts") / "study"
    study = write_study(folder, strata=strata, repeats=1, replicates=2, epochs=3, scheduler=NONE)
    add_lines(study, strata, scenes=2)
    add_data_set(study)
    return read_results(study)


@pytest.fixture(scope="module")
def figures(results):
    with house_style():
        found = [draw(results) for draw in DRAWING]
    assert None not in found
    return found


def on_paper(figure: Figure) -> list[np.ndarray]:
    """The points of each panel in order, those of lines, dots, bars, words and the ends of error bars."""
    panels = []
    for axes in figure.axes:
        if not axes.get_visible():
            continue
        lines = [line for line in axes.lines if line.get_label() != "_nolegend_"]  # which caps have
        reach = [c for c in axes.collections if isinstance(c, LineCollection)]
        dots = [c for c in axes.collections if isinstance(c, PathCollection)]
        found = [
            *(line.get_xydata() for line in lines),
            *(np.array([[bar.get_width(), bar.get_y() + bar.get_height() / 2]]) for bar in axes.patches),
            *(np.array(c.get_offsets()) for c in dots),
            *(np.array([text.xy]) for text in axes.texts if hasattr(text, "xy")),
            *(np.concatenate(c.get_segments()) for c in reach),
        ]
        panels.append(finite(found))
    return panels


def on_page(interactive) -> list[np.ndarray]:
    panels: dict[str, list[np.ndarray]] = {}
    for trace in interactive["data"]:
        if trace["x"] == [None]:  # an entry of the legend
            continue
        x, y = np.array(trace["x"], float), np.array(trace["y"], float)
        found = panels.setdefault(trace["xaxis"], [])
        found.append(np.column_stack([x, y]))
        for name, along in (("error_x", [1, 0]), ("error_y", [0, 1])):
            for side, sign in (("array", 1), ("arrayminus", -1)) if name in trace else ():
                found.append(found[-1 if side == "array" else -2] + sign * np.outer(trace[name][side], along))
    return [finite(found) for found in panels.values()]


def finite(found: list[np.ndarray]) -> np.ndarray:
    points = np.concatenate(found).astype(float)
    return points[np.isfinite(points).all(axis=1)]


def test_page_and_paper_show_the_same_numbers(figures):
    for figure in figures:
        paper, page = on_paper(figure.figure), on_page(figure.interactive)
        assert len(paper) == len(page) > 0, figure.name
        for there, here in zip(paper, page, strict=True):
            assert there.shape == here.shape, figure.name
            assert cKDTree(there).query(here)[0].max() < 1e-3 * np.abs(here).max(), figure.name
            assert cKDTree(here).query(there)[0].max() < 1e-3 * np.abs(here).max(), figure.name


def test_plotly_takes_every_chart_on_screens_wide_and_narrow(figures):
    for figure in figures:
        json.dumps(figure.interactive, allow_nan=False)
        go.Figure(figure.interactive)
        narrow = go.Figure(figure.interactive["data"], figure.interactive["layout"]["meta"]["narrow"])
        assert narrow.layout.height >= figure.interactive["layout"]["height"] * 0.9, figure.name


def test_a_network_is_hidden_in_all_panels_at_once_and_named_by_every_trace_of_it(figures):
    titles = {stratum.title for stratum in (*BUILT_IN, Stratum("unet", 256))}
    for figure in figures:
        traces = figure.interactive["data"]
        named = {trace["meta"] for trace in traces if "meta" in trace}
        assert named == titles, figure.name
        entries = [trace for trace in traces if trace["showlegend"]]
        groups = [trace["legendgroup"] for trace in entries]
        assert len(groups) == len(set(groups)), figure.name
        assert set(groups) <= {trace["legendgroup"] for trace in traces if not trace["showlegend"]}


def test_what_the_pointer_says_names_the_network_and_the_axis(figures):
    by_name = {figure.name: figure for figure in figures}
    told = [t["hovertemplate"] for t in by_name["losses"].interactive["data"] if "hovertemplate" in t]
    assert "<b>HED 128, validation</b><br>epoch: %{x:.4~r}<br>loss: %{y:.4~r}<extra></extra>" in told
    bar = next(t for t in by_name["metric-bars"].interactive["data"] if t["type"] == "bar")
    assert bar["hovertemplate"].startswith("<b>U-Net 128</b><br>%{text}")
    assert re.fullmatch(r"relaxed F1 0\.\d{3} \(0\.\d{3}.0\.\d{3}\)", bar["text"][0])


def test_colours_of_text_and_grid_are_left_to_the_page(figures):
    def keys(value):
        if isinstance(value, dict):
            return {*value, *(key for one in value.values() for key in keys(one))}
        return {key for one in value for key in keys(one)} if isinstance(value, list) else set()

    for figure in figures:
        layout = figure.interactive["layout"]
        assert not keys(layout) & {"color", "gridcolor", "font", "tickfont", "linecolor", "template"}
        assert layout["paper_bgcolor"] == layout["plot_bgcolor"] == "rgba(0,0,0,0)"


# --- On paper


def test_figures_are_one_or_two_columns_of_a_journal_wide(figures):
    widths_cm = {}
    for figure in figures:
        image = Image.open(io.BytesIO(png_bytes(figure.figure)))
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        svg = svg_bytes(figure.figure).decode()
        width_pt = float(re.search(r'<svg[^>]* width="([\d.]+)pt"', svg)[1])
        widths_cm[figure.name] = width_pt / 72 * 2.54
        assert image.width / 300 * 2.54 == pytest.approx(widths_cm[figure.name], abs=0.01)
        assert "<text" in svg, "text stays text"
    assert widths_cm["line-curves"] == pytest.approx(8.9)
    assert widths_cm["losses"] == pytest.approx(18.3)
    assert all(round(width, 1) in (8.9, 18.3) for width in widths_cm.values())


def test_equal_charts_are_equal_files(results):
    with house_style():
        first, second = (draw_calibration(results) for _ in range(2))
        assert png_bytes(first.figure) == png_bytes(second.figure)
        assert svg_bytes(first.figure) == svg_bytes(second.figure)
    assert first.interactive == second.interactive


def test_nothing_that_is_written_overlaps_or_is_cut_off(figures):
    for figure in figures:
        with house_style():
            canvas = figure.figure
            canvas.draw_without_rendering()
            boxes = [(text.get_text(), text.get_window_extent()) for text in written(canvas)]
        for words, box in boxes:
            assert box.x0 >= 0 and box.y0 >= 0, (figure.name, words)
            assert box.x1 <= canvas.bbox.width + 1 and box.y1 <= canvas.bbox.height + 1, (figure.name, words)
        for (one, box), (other, beside) in combinations(boxes, 2):
            width = min(box.x1, beside.x1) - max(box.x0, beside.x0)
            height = min(box.y1, beside.y1) - max(box.y0, beside.y0)
            assert width < 2 or height < 3, (figure.name, one, other)


def written(figure: Figure) -> list[Text]:
    """The texts that are seen, without the labels of ticks beyond the axes."""
    beyond = {
        label
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
        for tick in axis.get_major_ticks()
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
        for label in (tick.label1, tick.label2)
    }
    hidden = {text for axes in figure.axes if not axes.get_visible() for text in axes.findobj(Text)}
    texts = set(figure.findobj(Text)) - beyond - hidden
    return [text for text in texts if text.get_visible() and text.get_text()]


def contrast(colour: str, ground: str) -> float:
    def luminance(name: str) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(name)]
        return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))

    darker, lighter = sorted((luminance(colour), luminance(ground)))
    return (lighter + 0.05) / (darker + 0.05)


def test_every_built_in_network_has_a_look_of_its_own_that_is_seen_on_white_and_on_a_dark_page():
    looks = [architecture_look(name) for name in ARCHITECTURES.built_in]
    for part in ("colour", "dash", "marker"):
        assert len({getattr(look, part) for look in looks}) == len(looks), part
    for look in looks:
        assert contrast(look.colour, "white") > 2 and contrast(look.colour, "#14181c") > 2
    assert architecture_look("mine.nets:Mine") in looks


# --- What is said at the chart about a threshold


def told_of(results: Results, values: list[float], tau_at: int) -> tuple[str, set[str]]:
    """The caption and the words in the panel when U-Net 128 was calibrated so."""
    curve = results.calibration["unet-128"]
    changed = curve.model_copy(
        update={
            "values": tuple(values),
            "tau": curve.thresholds[tau_at],
            "on_grid_edge": tau_at in (0, len(values) - 1),
        }
    )
    with house_style():
        plate = draw_calibration(replace(results, calibration={"unet-128": changed}))
    return plate.caption, {text.get_text() for axes in plate.figure.axes for text in axes.texts}


def test_a_threshold_that_is_won_by_drawing_nothing_is_said_to_be_at_the_chart(results):
    count = len(results.calibration["unet-128"].values)
    nothing = 15 / 76  # of the patches of validation 15 have no line
    caption, words = told_of(results, [0.1] * (count - 2) + [nothing] * 2, count - 2)
    assert "The tau of U-Net 128 is no better than drawing nothing, which scores 0.197." in caption
    assert any("no better than nothing" in text for text in words)
    caption, words = told_of(results, [0.6] * (count - 2) + [nothing] * 2, count - 3)
    assert "The tau of U-Net 128 is the last threshold before the network draws nothing" in caption
    caption, words = told_of(results, list(np.linspace(0.5, 0.6, count)), count - 1)
    assert "lies on the grid's edge" in caption
    assert any("on the grid's edge" in text for text in words)
    caption, words = told_of(results, [0.5] * count, count // 2)
    assert "The tau of" not in caption
    assert "was not calibrated" in words


# --- The description


def one_panel(series: Series, **panel) -> Chart:
    return Chart((Panel("A < B & C", (series,), "x", "y", **panel),), 1)


def test_of_many_points_those_are_left_out_that_no_one_would_see():
    rng = np.random.default_rng(3)
    x, y = rng.random((2, 30_000))
    (trace,) = plotly_json(one_panel(Series(x, y, kind="dots", look=architecture_look("hed"))))["data"]
    assert len(trace["x"]) < len(x)
    shown = {(round(a * (GRID[0] - 1)), round(b * (GRID[1] - 1))) for a, b in zip(x, y, strict=True)}
    assert len(trace["x"]) == pytest.approx(len(shown), rel=0.01)
    steps = np.repeat([0.1, 0.5, 0.6], 1000)
    (trace,) = plotly_json(one_panel(Series(np.arange(3000), steps, kind="steps")))["data"]
    kept = dict(zip(trace["x"], trace["y"], strict=True))
    assert kept[999] == 0.1 and kept[1000] == 0.5 and kept[2999] == 0.6


def test_numbers_have_five_digits_and_none_where_there_is_no_value():
    (trace,) = plotly_json(one_panel(Series([1.0, 2.0, 3.0], [1 / 3, np.nan, 1234567.0])))["data"]
    assert trace["x"] == [1, 2, 3]
    assert trace["y"] == [0.33333, None, 1234600]


def test_names_that_look_like_html_are_only_words():
    layout = plotly_json(one_panel(Series([1], [1], told="<script>")))["layout"]
    assert layout["annotations"][0]["text"] == "<b>A &lt; B &amp; C</b>"


def test_a_note_stands_in_an_empty_panel_in_both():
    chart = Chart((Panel("empty", note="no epoch was reported"),), 1)
    with house_style():
        assert [text.get_text() for text in drawn(chart).axes[0].texts] == ["no epoch was reported"]
    assert plotly_json(chart)["layout"]["annotations"][1]["text"] == "no epoch was reported"


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (4, 4), (5, 3), (7, 4), (8, 4), (9, 3)])
def test_rows_are_as_full_as_can_be(count, columns):
    assert in_rows([Panel("one")] * count)[1] == columns


def test_each_patch_size_has_rows_and_each_network_a_column_of_its_own():
    panels, columns = by_stratum(ALL_STRATA[:4], lambda stratum: Panel(stratum.title))
    titles = [panel and panel.title for panel in panels]
    assert columns == 3
    assert titles == ["U-Net 128", "Attention U-Net 128", "U-Net++ 128", "U-Net 256", None, None]


def test_a_patch_size_has_no_rows_for_networks_that_it_lacks():
    panels, columns = by_stratum((*BUILT_IN, Stratum("unet", 256)), lambda stratum: Panel(stratum.title))
    assert (len(panels), columns) == (12, 4)
    assert panels[9:] == (None, None, None)
