"""Bar charts of the test figures: one row of axes for each patch size."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from glsweep.config.trial import ARCHITECTURE_TITLES
from glsweep.report.results import Results
from glsweep.report.style import BASELINE_COLOURS, INK, SOFT_INK, Plate, architecture_colour, new_figure, note
from glsweep.report.table import (
    FIGURES,
    Column,
    Row,
    baselines_of,
    interval_over,
    networks_of,
    patch_sizes,
)
from glsweep.report.words import DASH

SCORES = tuple(column for column in FIGURES if column.better == "high")
UNTRAINED_TINT = 0.38
Colour = tuple[float, float, float]
DISTANCE = next(column for column in FIGURES if column.key == "hd95_px")


def draw_metric_bars(results: Results) -> Plate:
    """Draw the scores in [0, 1], networks in colour and baselines in grey."""
    sizes = patch_sizes(results.table)
    figure = new_figure(0.4 + 2.75 * len(sizes))
    grid = figure.subplots(len(sizes), 1, squeeze=False)[:, 0]
    for axes, size in zip(grid, sizes, strict=True):
        _draw_scores(axes, networks_of(results.table, size), baselines_of(results.table, size))
        axes.set_title(f"Patches of {size} px")
    _add_legend(figure, results.table)
    return Plate(
        name="metric-bars",
        title="Scores on the test split",
        figure=figure,
        caption=(
            "Higher is better; networks in colour, untrained ones in a tint of it, trivial predictors in "
            f"grey. Relaxed F1 and BF accept {results.table['tolerance_m']:g} m; the whisker is the 95 % "
            f"bootstrap interval over {interval_over(results.table)}. "
            + results.between_sizes("Each row has a test set of its own: compare bars within a row only.")
        ),
        alt="Bar charts of " + ", ".join(column.heading for column in SCORES) + ". " + _in_words(results),
        defined=tuple(column.key for column in SCORES),
    )


def _draw_scores(axes: Axes, networks: Sequence[Row], baselines: Sequence[Row]) -> None:
    wide, narrow = 1.0, 0.42
    span = wide * len(networks) + narrow * len(baselines) + 1.1
    for index, column in enumerate(SCORES):
        left = index * span
        for place, row in enumerate(networks):
            _draw_bar(axes, left + (place + 0.5) * wide, 0.9 * wide, row, column)
        start = left + wide * len(networks) + 0.08
        for place, row in enumerate(baselines):
            height = row.get(column.key) or 0.0
            axes.bar(start + (place + 0.5) * narrow, height, 0.84 * narrow, color=_colour(row))
    centres = [index * span + (span - 1.1) / 2 for index in range(len(SCORES))]
    axes.set_xticks(centres, [column.heading for column in SCORES])
    axes.tick_params(axis="x", length=0, labelsize=10)
    axes.set_xlim(-0.7, len(SCORES) * span - 0.4)
    axes.set_ylim(0, 1.05 * max(_highest([*networks, *baselines]), 0.2) + 0.04)


def _draw_bar(axes: Axes, centre: float, width: float, row: Row, column: Column) -> None:
    value = row.get(column.key)
    if value is None:
        axes.text(centre, 0.01, DASH, ha="center", va="bottom", color=SOFT_INK)
        return
    axes.bar(centre, value, width, color=_colour(row))
    top = value
    low, high = row.get("relaxed_f1_low"), row.get("relaxed_f1_high")
    if column.key == "relaxed_f1" and low is not None and high is not None:
        spread = [[max(value - low, 0)], [max(high - value, 0)]]
        axes.errorbar(centre, value, yerr=spread, color=INK, linewidth=1.1, capsize=3)
        top = max(high, value)
    text = f"{value:.2f}".removeprefix("0") if value < 0.995 else f"{value:.1f}"
    axes.text(centre, top + 0.012, text, ha="center", va="bottom", fontsize=8.5)


def _highest(rows: Sequence[Row]) -> float:
    keys = [column.key for column in SCORES] + ["relaxed_f1_high"]
    return max((row[key] for row in rows for key in keys if row.get(key) is not None), default=1.0)


def draw_distance_bars(results: Results) -> Plate:
    """Draw HD95 in pixels as horizontal bars, one panel a patch size."""
    sizes = patch_sizes(results.table)
    most = max(len(_rows(results, size)) for size in sizes)
    figure = new_figure(0.75 + 0.34 * most)
    grid = figure.subplots(1, len(sizes), squeeze=False)[0]
    for axes, size in zip(grid, sizes, strict=True):
        _draw_distances(axes, _rows(results, size))
        axes.set_title(f"Patches of {size} px")
        axes.set_ylim(most - 0.4, -0.6)
    return Plate(
        name="hd95-bars",
        title="HD95 in pixels on the test split",
        figure=figure,
        caption=(
            "Lower is better: the larger of the two directed 95th percentiles of the distance between "
            f"predicted and true line, mean over patches (1 px = {results.table['posting_m']:g} m). Where "
            "only one of the two is empty the distance is the patch's diagonal, so it grows with the "
            "patch size. " + results.between_sizes("The panels cannot be compared with each other.")
        ),
        alt="Bar charts of HD95 in pixels. "
        + "; ".join(
            f"{row['title']} {DISTANCE.text(row.get('hd95_px'))}" for s in sizes for row in _rows(results, s)
        ),
        defined=("hd95_px",),
    )


def _rows(results: Results, size: int) -> list[Row]:
    return [*networks_of(results.table, size), *baselines_of(results.table, size)]


def _draw_distances(axes: Axes, rows: Sequence[Row]) -> None:
    values = [row.get(DISTANCE.key) for row in rows]
    longest = max((value for value in values if value is not None), default=1.0) or 1.0
    for place, (row, value) in enumerate(zip(rows, values, strict=True)):
        if value is not None:
            axes.barh(place, value, 0.72, color=_colour(row))
        axes.text((value or 0) + 0.015 * longest, place, DISTANCE.text(value), va="center", fontsize=9)
    if not rows:
        note(axes, "nothing was evaluated")
    axes.set_yticks(np.arange(len(rows)), [str(row["title"]) for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, 1.2 * longest)
    axes.set_xlabel("HD95 (px)")


def _colour(row: Row) -> Colour:
    """Networks in their colour, untrained ones in a tint of it, other baselines in grey."""
    kind = row.get("kind", "network")
    if kind in BASELINE_COLOURS:
        return to_rgb(BASELINE_COLOURS[kind])
    red, green, blue = to_rgb(architecture_colour(row["architecture"]))
    share = 1.0 if kind == "network" else UNTRAINED_TINT
    return (1 - share * (1 - red), 1 - share * (1 - green), 1 - share * (1 - blue))


def _add_legend(figure: Figure, table: Mapping[str, Any]) -> None:
    """Name each colour once, a network above its untrained twin, without the patch size."""
    names = [*ARCHITECTURE_TITLES, None]
    rows = sorted([*table["rows"], *table["baselines"]], key=lambda row: names.index(row.get("architecture")))
    colours = {_plain_title(row): _colour(row) for row in rows}
    handles = [Patch(color=colour) for colour in colours.values()]
    figure.legend(handles, list(colours), loc="outside lower center", ncols=(len(colours) + 1) // 2)


def _plain_title(row: Row) -> str:
    return str(row["title"]).removesuffix(f" {row['patch_size_px']}")


def _in_words(results: Results) -> str:
    parts = [
        f"{row['title']}: relaxed F1 {SCORES[0].text(row.get('relaxed_f1'))}" for row in results.table["rows"]
    ]
    return "; ".join(parts) + "."
