"""Precision against recall, both within the tolerance, at every threshold."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from glsweep.report.results import Results
from glsweep.report.style import (
    HAIRLINE,
    SOFT_INK,
    Plate,
    architecture_colour,
    architecture_dashes,
    new_figure,
)

EQUAL_F1 = (0.2, 0.4, 0.6, 0.8)


def draw_precision_recall(results: Results) -> Plate | None:
    """Draw one panel a patch size, one curve a member; None in a study without curves."""
    if results.curves is None:
        return None
    members = results.curves["members"]
    sizes = sorted({member["patch_size_px"] for member in members})
    figure = new_figure(4.6)
    panels = figure.subplots(1, max(2, len(sizes)), squeeze=False, sharey=True).ravel()
    for axes, size in zip(panels, sizes, strict=False):
        _draw_equal_f1(axes)
        for member in members:
            if member["patch_size_px"] == size:
                _draw_member(axes, member)
        axes.set_title(f"Patches of {size} px")
        axes.set_xlabel("relaxed recall")
        axes.set_xlim(0, 1.01)
        axes.set_ylim(0, 1.01)
        axes.legend(loc="best", frameon=False)
    for axes in panels[len(sizes) :]:
        axes.set_visible(False)
    panels[0].set_ylabel("relaxed precision")
    areas = [f"{member['title']} {member['precision_recall']['area']:.3f}" for member in members]
    return Plate(
        name="precision-recall",
        title="Precision against recall at every threshold",
        figure=figure,
        caption=(
            f"Both within {results.curves['tolerance_m']:g} m, over all pixels of the test patches. Up and "
            "right is better; the area below the curve depends on no threshold. The dot is the tau that was "
            "chosen on validation patches; along each thin line the relaxed F1 is the same. "
            + results.between_sizes("The panels have test sets of their own and cannot be compared.")
        ),
        alt=f"One curve a member: relaxed precision against relaxed recall. Areas: {'; '.join(areas)}.",
        defined=("relaxed_f1", "average-precision", "tau"),
    )


def _draw_member(axes: Axes, member: Mapping[str, Any]) -> None:
    curve, colour = member["precision_recall"], architecture_colour(member["architecture"])
    name = member["title"].removesuffix(f" {member['patch_size_px']}")
    axes.plot(
        curve["recall"],
        curve["precision"],
        color=colour,
        linestyle=architecture_dashes(member["architecture"]),
        label=f"{name}, area {curve['area']:.3f}",
    )
    at_tau = curve["at_tau"]
    axes.plot(
        at_tau["recall"], at_tau["precision"], "o", color=colour, markeredgecolor="white", markersize=7.5
    )


def _draw_equal_f1(axes: Axes) -> None:
    for f1 in EQUAL_F1:
        recall = np.linspace(f1 / 2 + 1e-3, 1, 200)
        precision = f1 * recall / (2 * recall - f1)
        shown = precision <= 1
        axes.plot(recall[shown], precision[shown], color=HAIRLINE, linewidth=0.9, zorder=0)
        axes.text(1.0, precision[-1], f"F1 {f1:g}", color=SOFT_INK, fontsize=8, ha="right", va="bottom")
