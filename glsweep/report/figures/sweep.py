"""All that Optuna draws of a sweep, in the order in which it is read."""

from collections.abc import Iterator

from glsweep.report.figures import CaptionedFigure
from glsweep.report.figures.courses import (
    draw_distributions,
    draw_history,
    draw_intermediate_values,
    draw_timeline,
)
from glsweep.report.figures.parameters import (
    draw_contours,
    draw_parallel_coordinates,
    draw_ranks,
    draw_slices,
)
from glsweep.report.tuning import Tuning
from glsweep.search.distributions import quiet_optuna

DRAWS = (
    draw_intermediate_values,
    draw_history,
    draw_distributions,
    draw_slices,
    draw_ranks,
    draw_contours,
    draw_parallel_coordinates,
    draw_timeline,
)


def draw_tuning(tuning: Tuning) -> Iterator[CaptionedFigure]:
    """Draw what there is to draw of a sweep's Optuna studies, one figure at a time."""
    for draw in DRAWS:
        with quiet_optuna():
            figure = draw(tuning)
        if figure is not None:
            yield figure
