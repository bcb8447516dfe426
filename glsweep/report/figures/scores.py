"""Bar charts of the test metrics, and recall by coherence on each data set."""

import math
from collections.abc import Mapping
from dataclasses import replace

from glsweep.registry import ARCHITECTURES
from glsweep.report.figures import BASELINE_COLOURS, CaptionedFigure, Dash, Look, architecture_look
from glsweep.report.figures.captioned import captioned
from glsweep.report.figures.chart import ROW_CM, Chart, Panel, Place, Series, in_rows
from glsweep.report.results import Results
from glsweep.report.scene_tables import CLASS_TITLES, data_set_tables
from glsweep.report.table import (
    METRICS,
    Column,
    baselines_of,
    interval_over,
    interval_text,
    networks_of,
    patch_sizes,
    short_title,
)
from glsweep.study.evaluation_artifacts import DataSetRow, TableRow

SCORES = tuple(column for column in METRICS if column.better == "high")
DISTANCE = next(column for column in METRICS if column.key == "hd95_px")
UNTRAINED_OPACITY = 0.4


def draw_metric_bars(results: Results) -> CaptionedFigure:
    """Draw a panel for each score in [0, 1], networks in colour and baselines in grey."""
    titles = _titles(results)
    panels = [
        _scores_panel(results, s, column, titles) for s in patch_sizes(results.table) for column in SCORES
    ]
    return captioned(
        Chart(tuple(panels), len(SCORES), 1.2 + ROW_CM * len(titles), shared_y=True, by_network=True),
        name="metric-bars",
        title="Scores on the test split",
        caption=(
            "Higher is better; networks in colour, untrained ones in a tint of it, other baselines in "
            f"grey. Relaxed F1 and BF accept {results.table.tolerance_m:g} m; the whisker is the 95 % "
            f"bootstrap interval over {interval_over(results.table)}. "
            + results.between_sizes("Each row has a test set of its own: compare bars within a row only.")
        ),
        alt="Bar charts of " + ", ".join(column.heading for column in SCORES) + ". " + _in_words(results),
        defined=tuple(column.key for column in SCORES),
    )


def _titles(results: Results) -> list[str]:
    """Return what the rows are of, the same for all patch sizes: networks, then baselines."""
    sizes = patch_sizes(results.table)
    networks = [row for size in sizes for row in networks_of(results.table, size)]
    baselines = [row for size in sizes for row in baselines_of(results.table, size)]
    in_order = [
        row
        for rows in (networks, baselines)
        for row in sorted(rows, key=lambda row: ARCHITECTURES.rank(row.architecture))
    ]
    return list(dict.fromkeys(short_title(row) for row in in_order))


def _scores_panel(results: Results, size: int, column: Column, titles: list[str]) -> Panel:
    rows = _rows(results, size, titles)
    numbers = {place: column.text_of(row).removeprefix("0") for place, row in rows.items()}
    return Panel(
        column.heading,
        (*_bars(rows, column), _beside(dict.fromkeys(rows, SCORE_END), numbers, "left")),
        y_label=f"Patches of {size} px",
        x_limits=(0, SCORE_END),
        y_limits=(len(titles) - 0.4, -0.6),
        x_ticks=((0, "0"), (0.5, ".5"), (1, "1")),
        y_ticks=tuple(enumerate(titles)),
    )


SCORE_END = 1.6
"""Behind 1 there is room for numbers, as in the column of a table."""

Rows = dict[int, TableRow]
"""By place."""


def _rows(results: Results, size: int, titles: list[str]) -> Rows:
    rows = (*networks_of(results.table, size), *baselines_of(results.table, size))
    return {titles.index(short_title(row)): row for row in rows}


def _bars(rows: Rows, column: Column) -> list[Series]:
    values = {place: column.value(row) for place, row in rows.items()}
    return [_bar(place, rows[place], column, value) for place, value in values.items() if value is not None]


def _bar(place: int, row: TableRow, column: Column, value: float) -> Series:
    look, opacity = _look(row)
    interval = interval_text(row) if column.key == "relaxed_f1" and value > 0 else ""
    return Series(
        [value],
        [place],
        kind="bars",
        look=look,
        network=row.title if row.kind == "network" else "",
        told=row.title,
        opacity=opacity,
        low=[row.relaxed_f1_low or 0.0] if interval else [],
        high=[row.relaxed_f1_high or 0.0] if interval else [],
        texts=[f"{column.heading} {column.text(value)}" + (f" ({interval})" if interval else "")],
    )


def _beside(x: Mapping[int, float], texts: Mapping[int, str], place: Place) -> Series:
    """Write the numbers of rows at `x`, both by the row's place."""
    return Series(list(x.values()), list(x), kind="words", texts=list(texts.values()), place=place)


def draw_distance_bars(results: Results) -> CaptionedFigure:
    """Draw HD95 in pixels as horizontal bars, one panel a patch size."""
    titles = _titles(results)
    by_size = {size: _rows(results, size, titles) for size in patch_sizes(results.table)}
    panels = [_distances_panel(size, rows, titles) for size, rows in by_size.items()]
    return captioned(
        Chart(*in_rows(panels), 1.6 + ROW_CM * len(titles), shared_y=True, by_network=True),
        name="hd95-bars",
        title="HD95 in pixels on the test split",
        caption=(
            "Lower is better: the larger of the two directed 95th percentiles of the distance between "
            f"predicted and true line, mean over patches (1 px = {results.table.posting_m:g} m). Where "
            "only one of the two is empty the distance is the patch's diagonal, so it grows with the "
            "patch size. " + results.between_sizes("The panels cannot be compared with each other.")
        ),
        alt="Bar charts of HD95 in pixels. "
        + "; ".join(
            f"{row.title} {DISTANCE.text_of(row)}" for rows in by_size.values() for row in rows.values()
        ),
        defined=("hd95_px",),
    )


def _distances_panel(size: int, rows: Rows, titles: list[str]) -> Panel:
    values = {place: DISTANCE.value(row) or 0.0 for place, row in rows.items()}
    numbers = {place: DISTANCE.text_of(row) for place, row in rows.items()}
    return Panel(
        f"Patches of {size} px",
        (*_bars(rows, DISTANCE), _beside(values, numbers, "right")),
        "HD95 (px)",
        x_limits=(0, 1.25 * max([*values.values(), 0.8])),
        y_limits=(len(titles) - 0.4, -0.6),
        y_ticks=tuple(enumerate(titles)),
    )


def _look(row: TableRow) -> tuple[Look, float]:
    """Networks in their colour, untrained ones in a tint of it, other baselines in grey."""
    if row.architecture is None:
        return Look(BASELINE_COLOURS[row.kind]), 1.0
    return architecture_look(row.architecture), 1.0 if row.kind == "network" else UNTRAINED_OPACITY


def _in_words(results: Results) -> str:
    parts = [f"{row.title}: relaxed F1 {SCORES[0].text_of(row)}" for row in results.table.rows]
    return "; ".join(parts) + "."


# --- Relaxed recall by local coherence, on each data set

DASHES_OF_DATA_SETS: tuple[Dash, ...] = ("solid", "dashed", "dotted")


def draw_data_sets(results: Results) -> CaptionedFigure | None:
    """Draw one panel a network; None where there is but one data set."""
    panels = [
        _recall_panel(title, [row for row in table.rows if row.title == title], names)
        for table in data_set_tables(results)
        for names in [[fact.data_set for fact in table.facts]]
        for title in _networks(table.rows)
    ]
    if not panels:
        return None
    return captioned(
        Chart(*in_rows(panels), panel_height_cm=4.4, shared_y=True),
        name="data-sets",
        title="Recall by how clear the line's surroundings are",
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


def _recall_panel(title: str, rows: list[DataSetRow], names: list[str]) -> Panel:
    places = list(range(len(CLASS_TITLES)))
    series = []
    for number, name in enumerate(names):
        row = next(row for row in rows if row.data_set == name)
        classes = row.recall_by_coherence
        recalls = [math.nan if c.recall is None else c.recall for c in classes]
        total = max(1, sum(c.line_px for c in classes))
        dash = DASHES_OF_DATA_SETS[number % len(DASHES_OF_DATA_SETS)]
        look = Look(architecture_look(str(row.architecture)).colour, dash, "o", hollow=number > 0)
        line = Series(places, recalls, look=replace(look, marker=""), name=name, network=title, silent=True)
        dots = replace(
            line,
            kind="dots",
            look=look,
            silent=False,
            size=[2.5 + 7 * math.sqrt(c.line_px / total) for c in classes],
            texts=[f"{c.line_px:,} pixels of line" for c in classes],
        )
        series += [line, dots]
    return Panel(
        title,
        tuple(series),
        "local coherence",
        "relaxed recall",
        x_limits=(-0.35, len(CLASS_TITLES) - 0.65),
        y_limits=(-0.04, 1.04),
        x_ticks=tuple((place, word.replace(" (", "\n(")) for place, word in enumerate(CLASS_TITLES)),
    )
