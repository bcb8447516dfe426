"""What is found against what is invented, at every threshold, on whole scenes."""

from matplotlib.axes import Axes

from glsweep.report.line_tables import TOLERANCE_M, line_rows
from glsweep.report.results import Results
from glsweep.report.style import Plate, architecture_colour, architecture_dashes, new_figure


def draw_line_curves(results: Results) -> Plate | None:
    """Draw one panel a data set, one curve a member; None without whole test scenes."""
    rows = line_rows(results.lines)
    if results.lines is None or not rows:
        return None
    data_sets = list(dict.fromkeys(row.data_set for row in rows))
    figure = new_figure(3.6)
    panels = figure.subplots(1, max(2, len(data_sets)), squeeze=False, sharey=True).ravel()
    for axes, name in zip(panels, data_sets, strict=False):
        for member in results.lines["members"]:
            group = next(group for group in member["data_sets"] if group["data_set"] == name)
            _draw_member(axes, member, group)
        axes.set_title(name)
        axes.set_xlabel("kilometres invented for each true kilometre")
        axes.set_xlim(left=0)
        axes.set_ylim(0, 1)
        axes.legend()
    for axes in panels[len(data_sets) :]:
        axes.set_visible(False)
    panels[0].set_ylabel(f"share of the true line found within {TOLERANCE_M} m")
    return Plate(
        name="line-curves",
        title="Found against invented",
        figure=figure,
        caption=(
            f"Completeness against false length, both within {TOLERANCE_M} m, on all whole test scenes, as "
            "the threshold falls from 0.9 to 0.1. Up and left is better. The dot is the threshold that "
            "was chosen on validation patches."
        ),
        alt="One curve a member: share of the line found against kilometres invented.",
        defined=("line-completeness", "line-false", "tau"),
    )


def _draw_member(axes: Axes, member: dict, group: dict) -> None:  # type: ignore[type-arg]
    colour = architecture_colour(member["architecture"])
    points = [_point(figures) for figures in group["curve"]]
    x, y = zip(*points, strict=True)
    dashes = architecture_dashes(member["architecture"])
    axes.plot(x, y, color=colour, linestyle=dashes, marker="|", markersize=5, label=member["title"])
    axes.plot(*_point(group["pooled"]), "o", color=colour, markersize=6)


def _point(figures: dict) -> tuple[float, float]:  # type: ignore[type-arg]
    total_km = max(figures["reference_km"], 1e-9)
    return figures[f"false_km_{TOLERANCE_M}"] / total_km, figures[f"completeness_{TOLERANCE_M}"] or 0.0
