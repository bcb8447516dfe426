"""Layout of one small axes a stratum: a row for each patch size, a column for each architecture."""

from collections.abc import Callable, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from glsweep.config.trial import ARCHITECTURE_TITLES, Stratum
from glsweep.report.style import new_figure

Draw = Callable[[Axes, Stratum], None]


def small_multiples(strata: Sequence[Stratum], draw: Draw) -> Figure:
    """Call `draw` once for each stratum, on axes that carry its title.

    Parameters
    ----------
    strata : sequence of Stratum
        Any subset of architectures and patch sizes; places without one stay empty.
    draw : callable
        Draws one stratum on the axes it is given.
    """
    sizes = sorted({stratum.patch_size_px for stratum in strata})
    names = [name for name in ARCHITECTURE_TITLES if any(s.architecture == name for s in strata)]
    figure = new_figure(0.3 + 2.5 * len(sizes))
    grid = figure.subplots(len(sizes), len(names), squeeze=False)
    for row, size in enumerate(sizes):
        for col, name in enumerate(names):
            stratum, axes = Stratum(name, size), grid[row, col]
            if stratum not in strata:
                axes.set_axis_off()
                continue
            draw(axes, stratum)
            axes.set_title(stratum.title)
    return figure
