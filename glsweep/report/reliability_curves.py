"""How far a predicted probability can be taken at its word."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from glsweep.config.trial import Stratum
from glsweep.report.results import Results
from glsweep.report.small_multiples import small_multiples
from glsweep.report.style import SOFT_INK, Plate, architecture_colour, note

FEWEST_PX = 50
"""The share of fewer pixels is chance."""


def draw_reliability(results: Results) -> Plate | None:
    """Draw observed shares against the probability for every member; None in a study without curves."""
    if results.curves is None:
        return None
    within = f"within {results.curves['tolerance_m']:g} m of the line"
    by_stratum = {member["stratum"]: member["reliability"] for member in results.curves["members"]}

    def draw(axes: Axes, stratum: Stratum) -> None:
        measured = by_stratum.get(stratum.key)
        if measured is None:
            note(axes, "was not measured")
        else:
            _draw_member(axes, measured, architecture_colour(stratum.architecture), within)

    errors = [
        f"{stratum.title} {by_stratum[stratum.key]['near_error']:.2f}"
        for stratum in results.members
        if stratum.key in by_stratum
    ]
    return Plate(
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


def _draw_member(axes: Axes, measured: Mapping[str, Any], colour: str, within: str) -> None:
    enough = np.array(measured["pixels"]) >= FEWEST_PX
    probability, near, line = (
        np.array(measured[name], dtype=float)[enough]
        for name in ("mean_probability", "near_share", "line_share")
    )
    axes.plot([0, 1], [0, 1], color=SOFT_INK, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
    axes.plot(
        probability,
        near,
        color=colour,
        marker="o",
        markersize=5,
        label=f"{within}: {measured['near_error']:.2f}",
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
        label=f"on it: {measured['line_error']:.2f}",
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.4)  # room for the legend
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_xlabel("predicted probability")
    axes.set_ylabel("observed share")
    axes.legend(loc="upper left", handlelength=2.4)
