"""Figures over all thresholds: calibration, precision and recall, reliability, lines."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from glsweep.config.trial import Stratum
from glsweep.registry import ARCHITECTURES
from glsweep.report import METRIC_WORDS, joined, sentence
from glsweep.report.figures import GREY, VERMILLION, CaptionedFigure, Look, architecture_look
from glsweep.report.figures.captioned import captioned
from glsweep.report.figures.chart import Chart, Panel, Series, by_stratum, in_rows
from glsweep.report.results import Results
from glsweep.report.scene_tables import line_rows
from glsweep.study.artifacts import ThresholdCurve
from glsweep.study.evaluation_artifacts import (
    LineMetrics,
    LinesOnDataSet,
    MemberCurves,
    MemberLines,
    ReliabilityCurve,
)

FAINT = Look(GREY, "dotted")
CHANCE = 0.02
"""A criterion that is better by no more is as good as the same."""


def draw_calibration(results: Results) -> CaptionedFigure:
    """Draw the criterion against the threshold for every member."""
    settings = results.config.space.calibration
    chosen = {s: results.calibration[s.key] for s in results.members if s.key in results.calibration}
    remarks = {stratum: _remarks(results, stratum) for stratum in chosen}
    top = 1.4 * max([0.05, *(max(curve.values) for curve in chosen.values())])

    def panel(stratum: Stratum) -> Panel:
        if stratum not in chosen:
            return Panel(stratum.title, note="was not calibrated")
        nothing = score_of_nothing(results, stratum)
        return Panel(
            stratum.title,
            tuple(_calibrated(chosen[stratum], stratum, nothing, list(remarks[stratum]), top)),
            "tau",
            METRIC_WORDS[settings.criterion],
            x_limits=(0, 1),
            y_limits=(0, top),
        )

    taus = joined([f"{s.title} {curve.tau:.2f}" for s, curve in chosen.items()])
    level = "; the dotted level is what drawing nothing scores" if settings.criterion == "dice" else ""
    told = [f" The tau of {s.title} {meaning}." for s, of in remarks.items() for meaning in of.values()]
    return captioned(
        Chart(*by_stratum(list(results.members), panel), shared_x=True, shared_y=True),
        name="calibration",
        title="Choice of tau",
        caption=(
            f"{sentence(METRIC_WORDS[settings.criterion])} on the validation patches against the threshold "
            f"tau, at {settings.count} values from {settings.lowest:g} to {settings.highest:g}. The dashed "
            f"line marks the best value, which is used on the test split{level}." + "".join(told)
        ),
        alt=f"Criterion against tau. Chosen: {taus}.",
    )


def score_of_nothing(results: Results, stratum: Stratum) -> float:
    """Return the criterion on the validation patches of an empty prediction.

    The mean Dice of a patch without a line is then 1, and the relaxed scores of all pixels together are 0.
    """
    counts = results.data.patches[stratum.patch_size_px]["val"]
    total = counts.with_line + counts.without_line
    is_dice = results.config.space.calibration.criterion == "dice"
    return counts.without_line / total if is_dice and total else 0.0


def _remarks(results: Results, stratum: Stratum) -> dict[str, str]:
    """Return what to mind about a member's tau, each in a few words, with what it means."""
    curve, nothing = results.calibration[stratum.key], score_of_nothing(results, stratum)
    after = [value for tau, value in zip(curve.thresholds, curve.values, strict=True) if tau > curve.tau]
    remarks = {}
    if curve.on_grid_edge:
        remarks["on the grid's edge"] = "lies on the grid's edge: the optimum may lie beyond it"
    if _at_tau(curve) <= nothing + CHANCE:
        remarks["no better than nothing"] = f"is no better than drawing nothing, which scores {nothing:.3f}"
    elif after and after[0] <= nothing + CHANCE:
        remarks["then nothing"] = "is the last threshold before the network draws nothing, or hardly anything"
    return remarks


def _at_tau(curve: ThresholdCurve) -> float:
    return float(np.interp(curve.tau, curve.thresholds, curve.values))


def _calibrated(
    curve: ThresholdCurve, stratum: Stratum, nothing: float, remarks: list[str], top: float
) -> Iterator[Series]:
    look, title = architecture_look(stratum.architecture), stratum.title
    mark = Look(VERMILLION if remarks else None, "dashed", "o")
    if nothing > 0:
        yield Series([0, 1], [nothing] * 2, look=FAINT, network=title, told="drawing nothing", width=0.7)
    yield Series(curve.thresholds, curve.values, look=Look(look.colour), network=title)
    yield Series([curve.tau] * 2, [0, top], look=replace(mark, marker=""), network=title, silent=True)
    yield Series(
        [curve.tau], [_at_tau(curve)], "dots", mark, network=title, told=f"{title}, chosen", size=3.5
    )
    yield Series(
        [curve.tau],
        [top * (0.95 - 0.04 * len(remarks))],
        "words",
        mark,
        network=title,
        texts=["\n".join([f"tau = {curve.tau:.2f}", *remarks])],
        place="left" if curve.tau > 0.5 else "right",
    )


# --- Precision against recall

EQUAL_F1 = (0.2, 0.4, 0.6, 0.8)


def draw_precision_recall(results: Results) -> CaptionedFigure:
    """Draw one panel a patch size, one curve a member."""
    members = sorted(results.curves.members, key=lambda member: ARCHITECTURES.rank(member.architecture))
    panels = [
        Panel(
            f"Patches of {size} px",
            (*_equal_f1(), *(s for m in members if m.patch_size_px == size for s in _precision_recall(m))),
            "relaxed recall",
            "relaxed precision",
            x_limits=(0, 1.01),
            y_limits=(0, 1.01),
        )
        for size in sorted({member.patch_size_px for member in members})
    ]
    areas = [f"{member.title} {member.precision_recall.area:.3f}" for member in members]
    return captioned(
        Chart(*in_rows(panels), panel_height_cm=6.5, shared_y=True, by_network=True),
        name="precision-recall",
        title="Precision against recall at every threshold",
        caption=(
            f"Both within {results.curves.tolerance_m:g} m, over all pixels of the test patches. Up and "
            "right is better; the area below the curve depends on no threshold. The dot is the tau that was "
            "chosen on validation patches; along each thin line the relaxed F1 is the same. "
            + results.between_sizes("The panels have test sets of their own and cannot be compared.")
        ),
        alt=f"One curve a member: relaxed precision against relaxed recall. Areas: {'; '.join(areas)}.",
        defined=("relaxed_f1", "average-precision", "tau"),
    )


def _precision_recall(member: MemberCurves) -> Iterator[Series]:
    curve, look, title = member.precision_recall, architecture_look(member.architecture), member.title
    named = f"{title}, area {curve.area:.3f}"
    yield Series(curve.recall, curve.precision, look=replace(look, marker=""), name=named, network=title)
    told, at = f"{title}, at tau = {curve.at_tau.tau:.2f}", curve.at_tau
    yield Series([at.recall], [at.precision], "dots", look, network=title, told=told, size=4.0)


def _equal_f1() -> Iterator[Series]:
    for f1 in EQUAL_F1:
        larger = np.linspace(f1, 1, 25)
        smaller = f1 * larger / (2 * larger - f1)
        recall, precision = [*smaller[::-1], *larger[1:]], [*larger[::-1], *smaller[1:]]
        yield Series(recall, precision, look=Look(GREY), width=0.4, opacity=0.6, silent=True)
        yield Series([f1], [f1], "words", texts=[f"F1 {f1:g}"], place="top right")


# --- Reliability

FEWEST_PX = 50
"""The share of fewer pixels is chance."""


def draw_reliability(results: Results) -> CaptionedFigure:
    """Draw observed shares against the probability for every member."""
    within = f"within {results.curves.tolerance_m:g} m of the line"
    by_stratum_key = {member.stratum: member.reliability for member in results.curves.members}

    def panel(stratum: Stratum) -> Panel:
        measured = by_stratum_key.get(stratum.key)
        return Panel(
            stratum.title,
            tuple(_reliability(measured, stratum, within)) if measured else (),
            "predicted probability",
            "observed share",
            x_limits=(0, 1),
            y_limits=(0, 1.2),  # room for the numbers
            note="" if measured else "was not measured",
        )

    errors = [
        f"{stratum.title} {by_stratum_key[stratum.key].near_error:.2f}"
        for stratum in results.members
        if stratum.key in by_stratum_key
    ]
    return captioned(
        Chart(*by_stratum(list(results.members), panel), shared_x=True, shared_y=True),
        name="reliability",
        title="Reliability of the probabilities",
        caption=(
            f"Share of test pixels {within} (filled) and exactly on it (hollow, dashed) against their "
            "predicted probability. Above the dotted diagonal more is true than was claimed, below it less. "
            f"The numbers are calibration errors, in this order. Bins of fewer than {FEWEST_PX} pixels are "
            "left out."
        ),
        alt=f"Observed share of line against probability. Calibration error {within}: {'; '.join(errors)}.",
        defined=("reliability", "calibration-error"),
    )


def _reliability(measured: ReliabilityCurve, stratum: Stratum, within: str) -> Iterator[Series]:
    enough = np.array(measured.pixels) >= FEWEST_PX
    probability, near, line, pixels = (
        np.array(values, dtype=float)[enough].tolist()
        for values in (measured.mean_probability, measured.near_share, measured.line_share, measured.pixels)
    )
    colour, title = architecture_look(stratum.architecture).colour, stratum.title
    texts = [f"{count:,.0f} pixels" for count in pixels]
    yield Series([0, 1], [0, 1], look=FAINT, network=title, width=0.7, silent=True)
    filled, hollow = Look(colour, "solid", "o"), Look(colour, "dashed", "s", hollow=True)
    yield Series(probability, near, look=filled, name=within, network=title, texts=texts)
    yield Series(probability, line, look=hollow, name="exactly on it", network=title, texts=texts)
    errors = f"errors {measured.near_error:.2f}, {measured.line_error:.2f}"
    yield Series([0], [1.11], "words", network=title, texts=[errors])


# --- Found against invented, on whole scenes


def draw_line_curves(results: Results) -> CaptionedFigure | None:
    """Draw one panel a data set, one curve a member; None without whole test scenes."""
    rows = line_rows(results.lines)
    if results.lines is None or not rows:
        return None
    data_sets = list(dict.fromkeys(row.data_set for row in rows))
    members = sorted(results.lines.members, key=lambda member: ARCHITECTURES.rank(member.architecture))
    panels = [
        Panel(
            name,
            tuple(
                series
                for member in members
                for group in member.data_sets
                if group.data_set == name
                for series in _line_curve(member, group)
            ),
            "kilometres invented for each true kilometre",
            "share of the true line found within 200 m",
            y_limits=(0, 1),
        )
        for name in data_sets
    ]
    return captioned(
        Chart(*in_rows(panels), panel_height_cm=6.0, shared_y=True, by_network=True),
        name="line-curves",
        title="Found against invented",
        caption=(
            "Completeness against false length, both within 200 m, on all whole test scenes, as "
            "the threshold falls from 0.9 to 0.1. Up and left is better. The dot is the threshold that "
            "was chosen on validation patches."
        ),
        alt="One curve a member: share of the line found against kilometres invented.",
        defined=("line-completeness", "line-false", "tau"),
    )


def _line_curve(member: MemberLines, group: LinesOnDataSet) -> Iterator[Series]:
    look, title = architecture_look(member.architecture), member.title
    x, y = zip(*(_point(metrics) for metrics in group.curve), strict=True)
    yield Series(x, y, look=replace(look, marker="|"), name=title, network=title)
    at_x, at_y = _point(group.pooled)
    yield Series([at_x], [at_y], "dots", look, network=title, told=f"{title}, at its tau", size=4.0)


def _point(metrics: LineMetrics) -> tuple[float, float]:
    return metrics.false_km_200 / max(metrics.reference_km, 1e-9), metrics.completeness_200 or 0.0
