"""How each member's threshold was chosen."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from glsweep.config.trial import Stratum
from glsweep.report.results import Results
from glsweep.report.small_multiples import small_multiples
from glsweep.report.style import INK, VERMILLION, Plate, architecture_colour, note
from glsweep.report.words import FIGURE_WORDS, joined, sentence


def draw_calibration(results: Results) -> Plate:
    """Draw the criterion against the threshold for every member."""

    def draw(axes: Axes, stratum: Stratum) -> None:
        curve = results.calibration.get(stratum.key)
        if curve is None:
            note(axes, "was not calibrated")
        else:
            _draw_curve(axes, curve, architecture_colour(stratum.architecture))

    settings = results.config.space.calibration
    chosen = {s: results.calibration[s.key] for s in results.members if s.key in results.calibration}
    edges = joined([s.title for s, curve in chosen.items() if curve["on_grid_edge"]])
    taus = joined([f"{s.title} {curve['tau']:.2f}" for s, curve in chosen.items()])
    remark = f" For {edges} it lies on the grid's edge: the optimum may lie beyond it." if edges else ""
    return Plate(
        name="calibration",
        title="Choice of tau",
        figure=small_multiples(list(results.members), draw),
        caption=(
            f"{sentence(FIGURE_WORDS[settings.criterion])} on the validation patches against the threshold "
            f"tau, at {settings.count} values from {settings.lowest:g} to {settings.highest:g}. The dashed "
            f"line marks the best value, which is used on the test split.{remark}"
        ),
        alt=f"Criterion against tau. Chosen: {taus}.",
    )


def _draw_curve(axes: Axes, curve: Mapping[str, Any], colour: str) -> None:
    tau, on_edge = float(curve["tau"]), bool(curve["on_grid_edge"])
    values = np.array(curve["values"], dtype=float)
    mark = VERMILLION if on_edge else INK
    axes.plot(curve["thresholds"], values, color=colour, marker="o", markersize=3.5, linewidth=1.3)
    axes.axvline(tau, color=mark, linewidth=1.1, linestyle=(0, (3, 2)))
    at_tau = float(np.interp(tau, curve["thresholds"], values))
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
    axes.set_ylabel(FIGURE_WORDS[curve["criterion"]])
