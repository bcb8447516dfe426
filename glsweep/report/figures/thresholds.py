"""Figures over all thresholds: calibration, precision and recall, reliability, lines."""

import numpy as np
from matplotlib.axes import Axes

from glsweep.config.trial import Stratum
from glsweep.report import METRIC_WORDS, joined, sentence
from glsweep.report.figures import (
    HAIRLINE,
    INK,
    SOFT_INK,
    VERMILLION,
    CaptionedFigure,
    architecture_colour,
    architecture_dashes,
    new_figure,
    note,
    small_multiples,
)
from glsweep.report.results import Results
from glsweep.report.scene_tables import line_rows
from glsweep.report.table import short_title
from glsweep.study.artifacts import ThresholdCurve
from glsweep.study.evaluation_artifacts import (
    LineMetrics,
    LinesOnDataSet,
    MemberCurves,
    MemberLines,
    ReliabilityCurve,
)


def draw_calibration(results: Results) -> CaptionedFigure:
    """Draw the criterion against the threshold for every member."""

    def draw(axes: Axes, stratum: Stratum) -> None:
        curve = results.calibration.get(stratum.key)
        if curve is None:
            note(axes, "was not calibrated")
        else:
            _draw_curve(axes, curve, architecture_colour(stratum.architecture))

    settings = results.config.space.calibration
    chosen = {s: results.calibration[s.key] for s in results.members if s.key in results.calibration}
    edges = joined([s.title for s, curve in chosen.items() if curve.on_grid_edge])
    taus = joined([f"{s.title} {curve.tau:.2f}" for s, curve in chosen.items()])
    remark = f" For {edges} it lies on the grid's edge: the optimum may lie beyond it." if edges else ""
    return CaptionedFigure(
        name="calibration",
        title="Choice of tau",
        figure=small_multiples(list(results.members), draw),
        caption=(
            f"{sentence(METRIC_WORDS[settings.criterion])} on the validation patches against the threshold "
            f"tau, at {settings.count} values from {settings.lowest:g} to {settings.highest:g}. The dashed "
            f"line marks the best value, which is used on the test split.{remark}"
        ),
        alt=f"Criterion against tau. Chosen: {taus}.",
    )


def _draw_curve(axes: Axes, curve: ThresholdCurve, colour: str) -> None:
    tau, on_edge, values = curve.tau, curve.on_grid_edge, np.array(curve.values)
    mark = VERMILLION if on_edge else INK
    axes.plot(curve.thresholds, values, color=colour, marker="o", markersize=3.5, linewidth=1.3)
    axes.axvline(tau, color=mark, linewidth=1.1, linestyle=(0, (3, 2)))
    at_tau = float(np.interp(tau, curve.thresholds, values))
    axes.plot([tau], [at_tau], marker="o", markersize=7, color=mark, linestyle="none", zorder=5)
    left = tau > 0.5
    axes.annotate(
        f"tau = {tau:.2f}" + ("\non the grid's edge" if on_edge else ""),
        (tau, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-7 if left else 7, -6),
        textcoords="offset points",
        ha="right" if left else "left",
        va="top",
        color=mark,
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.4 * float(np.nanmax(values, initial=0.05)))
    axes.set_xlabel("tau")
    axes.set_ylabel(METRIC_WORDS[curve.criterion])


# --- Precision against recall

EQUAL_F1 = (0.2, 0.4, 0.6, 0.8)


def draw_precision_recall(results: Results) -> CaptionedFigure:
    """Draw one panel a patch size, one curve a member."""
    members = results.curves.members
    sizes = sorted({member.patch_size_px for member in members})
    figure = new_figure(4.6)
    panels = figure.subplots(1, max(2, len(sizes)), squeeze=False, sharey=True).ravel()
    for axes, size in zip(panels, sizes, strict=False):
        _draw_equal_f1(axes)
        for member in members:
            if member.patch_size_px == size:
                _draw_precision_recall_of(axes, member)
        axes.set_title(f"Patches of {size} px")
        axes.set_xlabel("relaxed recall")
        axes.set_xlim(0, 1.01)
        axes.set_ylim(0, 1.01)
        axes.legend(loc="best", frameon=False)
    for axes in panels[len(sizes) :]:
        axes.set_visible(False)
    panels[0].set_ylabel("relaxed precision")
    areas = [f"{member.title} {member.precision_recall.area:.3f}" for member in members]
    return CaptionedFigure(
        name="precision-recall",
        title="Precision against recall at every threshold",
        figure=figure,
        caption=(
            f"Both within {results.curves.tolerance_m:g} m, over all pixels of the test patches. Up and "
            "right is better; the area below the curve depends on no threshold. The dot is the tau that was "
            "chosen on validation patches; along each thin line the relaxed F1 is the same. "
            + results.between_sizes("The panels have test sets of their own and cannot be compared.")
        ),
        alt=f"One curve a member: relaxed precision against relaxed recall. Areas: {'; '.join(areas)}.",
        defined=("relaxed_f1", "average-precision", "tau"),
    )


def _draw_precision_recall_of(axes: Axes, member: MemberCurves) -> None:
    curve, colour = member.precision_recall, architecture_colour(member.architecture)
    axes.plot(
        curve.recall,
        curve.precision,
        color=colour,
        linestyle=architecture_dashes(member.architecture),
        label=f"{short_title(member)}, area {curve.area:.3f}",
    )
    at_tau = curve.at_tau
    axes.plot(at_tau.recall, at_tau.precision, "o", color=colour, markeredgecolor="white", markersize=7.5)


def _draw_equal_f1(axes: Axes) -> None:
    for f1 in EQUAL_F1:
        recall = np.linspace(f1 / 2 + 1e-3, 1, 200)
        precision = f1 * recall / (2 * recall - f1)
        shown = precision <= 1
        axes.plot(recall[shown], precision[shown], color=HAIRLINE, linewidth=0.9, zorder=0)
        axes.text(1.0, precision[-1], f"F1 {f1:g}", color=SOFT_INK, fontsize=8, ha="right", va="bottom")


# --- Reliability

FEWEST_PX = 50
"""The share of fewer pixels is chance."""


def draw_reliability(results: Results) -> CaptionedFigure:
    """Draw observed shares against the probability for every member."""
    within = f"within {results.curves.tolerance_m:g} m of the line"
    by_stratum = {member.stratum: member.reliability for member in results.curves.members}

    def draw(axes: Axes, stratum: Stratum) -> None:
        measured = by_stratum.get(stratum.key)
        if measured is None:
            note(axes, "was not measured")
        else:
            _draw_reliability_of(axes, measured, architecture_colour(stratum.architecture), within)

    errors = [
        f"{stratum.title} {by_stratum[stratum.key].near_error:.2f}"
        for stratum in results.members
        if stratum.key in by_stratum
    ]
    return CaptionedFigure(
        name="reliability",
        title="Reliability of the probabilities",
        figure=small_multiples(list(results.members), draw),
        caption=(
            f"Share of test pixels {within} (filled) and exactly on it (hollow, dashed) against their "
            "predicted probability. Above the dotted diagonal more is true than was claimed, below it less. "
            f"The numbers are calibration errors. Bins of fewer than {FEWEST_PX} pixels are not drawn."
        ),
        alt=f"Observed share of line against probability. Calibration error {within}: {'; '.join(errors)}.",
        defined=("reliability", "calibration-error"),
    )


def _draw_reliability_of(axes: Axes, measured: ReliabilityCurve, colour: str, within: str) -> None:
    enough = np.array(measured.pixels) >= FEWEST_PX
    probability, near, line = (
        np.array(values, dtype=float)[enough]
        for values in (measured.mean_probability, measured.near_share, measured.line_share)
    )
    axes.plot([0, 1], [0, 1], color=SOFT_INK, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
    axes.plot(
        probability,
        near,
        color=colour,
        marker="o",
        markersize=5,
        label=f"{within}: {measured.near_error:.2f}",
    )
    axes.plot(
        probability,
        line,
        color=colour,
        linestyle=(0, (4, 1.5)),
        linewidth=1.3,
        marker="s",
        markersize=4.5,
        markerfacecolor="white",
        label=f"on it: {measured.line_error:.2f}",
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.4)  # room for the legend
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("observed share")
    axes.legend(loc="upper left", handlelength=2.4)


# --- Found against invented, on whole scenes


def draw_line_curves(results: Results) -> CaptionedFigure | None:
    """Draw one panel a data set, one curve a member; None without whole test scenes."""
    rows = line_rows(results.lines)
    if results.lines is None or not rows:
        return None
    data_sets = list(dict.fromkeys(row.data_set for row in rows))
    figure = new_figure(3.6)
    panels = figure.subplots(1, max(2, len(data_sets)), squeeze=False, sharey=True).ravel()
    for axes, name in zip(panels, data_sets, strict=False):
        for member in results.lines.members:
            group = next(group for group in member.data_sets if group.data_set == name)
            _draw_line_curve_of(axes, member, group)
        axes.set_title(name)
        axes.set_xlabel("kilometres invented for each true kilometre")
        axes.set_xlim(left=0)
        axes.set_ylim(0, 1)
        axes.legend()
    for axes in panels[len(data_sets) :]:
        axes.set_visible(False)
    panels[0].set_ylabel("share of the true line found within 200 m")
    return CaptionedFigure(
        name="line-curves",
        title="Found against invented",
        figure=figure,
        caption=(
            "Completeness against false length, both within 200 m, on all whole test scenes, as "
            "the threshold falls from 0.9 to 0.1. Up and left is better. The dot is the threshold that "
            "was chosen on validation patches."
        ),
        alt="One curve a member: share of the line found against kilometres invented.",
        defined=("line-completeness", "line-false", "tau"),
    )


def _draw_line_curve_of(axes: Axes, member: MemberLines, group: LinesOnDataSet) -> None:
    colour = architecture_colour(member.architecture)
    points = [_point(metrics) for metrics in group.curve]
    x, y = zip(*points, strict=True)
    dashes = architecture_dashes(member.architecture)
    axes.plot(x, y, color=colour, linestyle=dashes, marker="|", markersize=5, label=member.title)
    axes.plot(*_point(group.pooled), "o", color=colour, markersize=6)


def _point(metrics: LineMetrics) -> tuple[float, float]:
    return metrics.false_km_200 / max(metrics.reference_km, 1e-9), metrics.completeness_200 or 0.0
