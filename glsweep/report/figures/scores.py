"""Bar charts of the test metrics, and recall by coherence on each data set."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from glsweep.registry import ARCHITECTURES
from glsweep.report import DASH
from glsweep.report.figures import (
    BASELINE_COLOURS,
    INK,
    SOFT_INK,
    CaptionedFigure,
    architecture_colour,
    new_figure,
    note,
)
from glsweep.report.results import Results
from glsweep.report.scene_tables import CLASS_TITLES, data_set_tables
from glsweep.report.table import (
    INTERVAL,
    METRICS,
    Column,
    baselines_of,
    interval_over,
    networks_of,
    patch_sizes,
    short_title,
)
from glsweep.study.evaluation_artifacts import DataSetRow, StudyTable, TableRow

SCORES = tuple(column for column in METRICS if column.better == "high")
UNTRAINED_TINT = 0.38
Colour = tuple[float, float, float]
DISTANCE = next(column for column in METRICS if column.key == "hd95_px")


def draw_metric_bars(results: Results) -> CaptionedFigure:
    """Draw the scores in [0, 1], networks in colour and baselines in grey."""
    sizes = patch_sizes(results.table)
    figure = new_figure(0.4 + 2.75 * len(sizes))
    grid = figure.subplots(len(sizes), 1, squeeze=False)[:, 0]
    for axes, size in zip(grid, sizes, strict=True):
        _draw_scores(axes, networks_of(results.table, size), baselines_of(results.table, size))
        axes.set_title(f"Patches of {size} px")
    _add_legend(figure, results.table)
    return CaptionedFigure(
        name="metric-bars",
        title="Scores on the test split",
        figure=figure,
        caption=(
            "Higher is better; networks in colour, untrained ones in a tint of it, other baselines in "
            f"grey. Relaxed F1 and BF accept {results.table.tolerance_m:g} m; the whisker is the 95 % "
            f"bootstrap interval over {interval_over(results.table)}. "
            + results.between_sizes("Each row has a test set of its own: compare bars within a row only.")
        ),
        alt="Bar charts of " + ", ".join(column.heading for column in SCORES) + ". " + _in_words(results),
        defined=tuple(column.key for column in SCORES),
    )


def _draw_scores(axes: Axes, networks: Sequence[TableRow], baselines: Sequence[TableRow]) -> None:
    wide, narrow = 1.0, 0.42
    span = wide * len(networks) + narrow * len(baselines) + 1.1
    for index, column in enumerate(SCORES):
        left = index * span
        for place, row in enumerate(networks):
            _draw_bar(axes, left + (place + 0.5) * wide, 0.9 * wide, row, column)
        start = left + wide * len(networks) + 0.08
        for place, row in enumerate(baselines):
            height = column.value(row) or 0.0
            axes.bar(start + (place + 0.5) * narrow, height, 0.84 * narrow, color=_colour(row))
    centres = [index * span + (span - 1.1) / 2 for index in range(len(SCORES))]
    axes.set_xticks(centres, [column.heading for column in SCORES])
    axes.tick_params(axis="x", length=0, labelsize=10)
    axes.set_xlim(-0.7, len(SCORES) * span - 0.4)
    axes.set_ylim(0, 1.05 * max(_highest([*networks, *baselines]), 0.2) + 0.04)


def _draw_bar(axes: Axes, centre: float, width: float, row: TableRow, column: Column) -> None:
    value = column.value(row)
    if value is None:
        axes.text(centre, 0.01, DASH, ha="center", va="bottom", color=SOFT_INK)
        return
    axes.bar(centre, value, width, color=_colour(row))
    top = value
    low, high = row.relaxed_f1_low, row.relaxed_f1_high
    if column.key == "relaxed_f1" and low is not None and high is not None:
        spread = [[max(value - low, 0)], [max(high - value, 0)]]
        axes.errorbar(centre, value, yerr=spread, color=INK, linewidth=1.1, capsize=3)
        top = max(high, value)
    text = f"{value:.2f}".removeprefix("0") if value < 0.995 else f"{value:.1f}"
    axes.text(centre, top + 0.012, text, ha="center", va="bottom", fontsize=8.5)


def _highest(rows: Sequence[TableRow]) -> float:
    columns = (*SCORES, INTERVAL[1])
    values = (column.value(row) for row in rows for column in columns)
    return max((value for value in values if value is not None), default=1.0)


def draw_distance_bars(results: Results) -> CaptionedFigure:
    """Draw HD95 in pixels as horizontal bars, one panel a patch size."""
    sizes = patch_sizes(results.table)
    most = max(len(_rows(results, size)) for size in sizes)
    figure = new_figure(0.75 + 0.34 * most)
    grid = figure.subplots(1, len(sizes), squeeze=False)[0]
    for axes, size in zip(grid, sizes, strict=True):
        _draw_distances(axes, _rows(results, size))
        axes.set_title(f"Patches of {size} px")
        axes.set_ylim(most - 0.4, -0.6)
    return CaptionedFigure(
        name="hd95-bars",
        title="HD95 in pixels on the test split",
        figure=figure,
        caption=(
            "Lower is better: the larger of the two directed 95th percentiles of the distance between "
            f"predicted and true line, mean over patches (1 px = {results.table.posting_m:g} m). Where "
            "only one of the two is empty the distance is the patch's diagonal, so it grows with the "
            "patch size. " + results.between_sizes("The panels cannot be compared with each other.")
        ),
        alt="Bar charts of HD95 in pixels. "
        + "; ".join(f"{row.title} {DISTANCE.text_of(row)}" for s in sizes for row in _rows(results, s)),
        defined=("hd95_px",),
    )


def _rows(results: Results, size: int) -> list[TableRow]:
    return [*networks_of(results.table, size), *baselines_of(results.table, size)]


def _draw_distances(axes: Axes, rows: Sequence[TableRow]) -> None:
    values = [DISTANCE.value(row) for row in rows]
    longest = max((value for value in values if value is not None), default=1.0) or 1.0
    for place, (row, value) in enumerate(zip(rows, values, strict=True)):
        if value is not None:
            axes.barh(place, value, 0.72, color=_colour(row))
        axes.text((value or 0) + 0.015 * longest, place, DISTANCE.text(value), va="center", fontsize=9)
    if not rows:
        note(axes, "nothing was evaluated")
    axes.set_yticks(np.arange(len(rows)), [row.title for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, 1.2 * longest)
    axes.set_xlabel("HD95 (px)")


def _colour(row: TableRow) -> Colour:
    """Networks in their colour, untrained ones in a tint of it, other baselines in grey."""
    if row.architecture is None:
        return to_rgb(BASELINE_COLOURS[row.kind])
    red, green, blue = to_rgb(architecture_colour(row.architecture))
    share = 1.0 if row.kind == "network" else UNTRAINED_TINT
    return (1 - share * (1 - red), 1 - share * (1 - green), 1 - share * (1 - blue))


def _add_legend(figure: Figure, table: StudyTable) -> None:
    """Name each colour once, a network above its untrained twin, without the patch size."""
    every: list[TableRow] = [*table.rows, *table.baselines]
    rows = sorted(every, key=lambda row: (row.architecture is None, ARCHITECTURES.rank(row.architecture)))
    colours = {short_title(row): _colour(row) for row in rows}
    handles = [Patch(color=colour) for colour in colours.values()]
    figure.legend(handles, list(colours), loc="outside lower center", ncols=min((len(colours) + 1) // 2, 5))


def _in_words(results: Results) -> str:
    parts = [f"{row.title}: relaxed F1 {SCORES[0].text_of(row)}" for row in results.table.rows]
    return "; ".join(parts) + "."


# --- Relaxed recall by local coherence, on each data set

OWN_DASHES, OTHER_DASHES = "-", ((0, (4, 1.5)), (0, (1.2, 1)))


def draw_data_sets(results: Results) -> CaptionedFigure | None:
    """Draw one panel a network; None where there is but one data set."""
    tables = data_set_tables(results)
    panels = [(table, title) for table in tables for title in _networks(table.rows)]
    if not panels:
        return None
    across = min(3, len(panels))
    down = -(-len(panels) // across)
    figure = new_figure(0.4 + 2.9 * down)
    grid = figure.subplots(down, across, squeeze=False, sharey=True).ravel()
    for axes, (table, title) in zip(grid, panels, strict=False):
        names = [fact.data_set for fact in table.facts]
        _draw_panel(axes, [row for row in table.rows if row.title == title], names)
        axes.set_title(title)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    grid[0].set_ylabel("relaxed recall")
    return CaptionedFigure(
        name="data-sets",
        title="Recall by how clear the line's surroundings are",
        figure=figure,
        caption=(
            "Share of the true line's pixels that were found, apart for surroundings of low, middle and "
            "high local coherence (5 by 5 pixels), on each data set. Where the curves of two data sets lie "
            "together, their difference in the table is one of noise; where they lie apart, belts, lines or "
            "ground are of another kind. The size of a dot is the share of line pixels in that class."
        ),
        alt="Relaxed recall against local coherence for each network, one curve a data set.",
    )


def _networks(rows: list[DataSetRow]) -> list[str]:
    return list(dict.fromkeys(row.title for row in rows if row.kind == "network"))


def _draw_panel(axes: Axes, rows: list[DataSetRow], names: list[str]) -> None:
    places = np.arange(len(CLASS_TITLES))
    for number, name in enumerate(names):
        row = next(row for row in rows if row.data_set == name)
        classes = row.recall_by_coherence
        values = [np.nan if c.recall is None else c.recall for c in classes]
        total = max(1, sum(c.line_px for c in classes))
        sizes = [12 + 160 * c.line_px / total for c in classes]
        colour = architecture_colour(str(row.architecture))
        dashes = OWN_DASHES if number == 0 else OTHER_DASHES[(number - 1) % len(OTHER_DASHES)]
        axes.plot(places, values, linestyle=dashes, color=colour, label=name)
        face = colour if number == 0 else "white"
        axes.scatter(places, values, sizes, color=face, edgecolor=colour, linewidth=1.4, zorder=3)
    axes.set_xticks(places, [title.replace(" (", "\n(") for title in CLASS_TITLES])
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlim(-0.35, len(CLASS_TITLES) - 0.65)
    axes.legend(loc="upper left")
