"""Relaxed recall in noisy, fair and clear surroundings, on each data set."""

import numpy as np
from matplotlib.axes import Axes

from glsweep.report.data_sets import CLASS_TITLES, data_set_tables
from glsweep.report.results import Results
from glsweep.report.style import Plate, architecture_colour, new_figure

OWN_DASHES, OTHER_DASHES = "-", ((0, (4, 1.5)), (0, (1.2, 1)))


def draw_data_sets(results: Results) -> Plate | None:
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
        names = [fact["data_set"] for fact in table.facts]
        _draw_panel(axes, [row for row in table.rows if row["title"] == title], names)
        axes.set_title(title)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    grid[0].set_ylabel("relaxed recall")
    return Plate(
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


def _networks(rows: list) -> list[str]:  # type: ignore[type-arg]
    return list(dict.fromkeys(row["title"] for row in rows if row["kind"] == "network"))


def _draw_panel(axes: Axes, rows: list, names: list[str]) -> None:  # type: ignore[type-arg]
    places = np.arange(len(CLASS_TITLES))
    for number, name in enumerate(names):
        row = next(row for row in rows if row["data_set"] == name)
        classes = row["recall_by_coherence"]
        values = [np.nan if c["recall"] is None else c["recall"] for c in classes]
        total = max(1, sum(c["line_px"] for c in classes))
        sizes = [12 + 160 * c["line_px"] / total for c in classes]
        colour = architecture_colour(row["architecture"])
        dashes = OWN_DASHES if number == 0 else OTHER_DASHES[(number - 1) % len(OTHER_DASHES)]
        axes.plot(places, values, linestyle=dashes, color=colour, label=name)
        face = colour if number == 0 else "white"
        axes.scatter(places, values, sizes, color=face, edgecolor=colour, linewidth=1.4, zorder=3)
    axes.set_xticks(places, [title.replace(" (", "\n(") for title in CLASS_TITLES])
    axes.set_ylim(-0.04, 1.04)
    axes.set_xlim(-0.35, len(CLASS_TITLES) - 0.65)
    axes.legend(loc="upper left")
