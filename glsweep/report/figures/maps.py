"""Example patches of each member."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.patches import Patch
from scipy.ndimage import distance_transform_edt

from glsweep.config.trial import Stratum
from glsweep.metrics.distances import radius_px
from glsweep.report.figures import (
    INK,
    NO_DATA,
    ORANGE,
    SKY,
    WIDTH_IN,
    CaptionedFigure,
    new_figure,
)
from glsweep.report.results import Examples, Results

MOST_EXAMPLES = 3
PHASE_COLOURS = "twilight_shifted"
PROBABILITY_COLOURS = "cividis"
COLUMN_TITLES = ("Wrapped phase", "True line", "Prediction at tau", "Probability")
AGREEMENT_COLOURS = ListedColormap(["white", INK, ORANGE, SKY])  # the classes of `agreement`


def draw_samples(results: Results, stratum: Stratum) -> CaptionedFigure:
    """Draw up to three example patches of one member."""
    member = results.members[stratum]
    row = next(row for row in results.table.rows if row.stratum == stratum.key)
    tau, posting_m, tolerance_m = row.tau, results.table.posting_m, results.table.tolerance_m
    count = min(len(member.examples.mask), MOST_EXAMPLES)
    figure = new_figure(0.75 + count * (WIDTH_IN - 0.1) / 4)
    grid = figure.subplots(count + 1, 4, squeeze=False, height_ratios=[1.0] * count + [0.05])
    for index in range(count):
        _draw_example(grid[index], member.examples, index, tau, radius_px(tolerance_m, posting_m))
    for axes, title in zip(grid[0], COLUMN_TITLES, strict=True):
        axes.set_title(title.replace("tau", f"tau = {tau:.2f}"))
    _add_keys(grid[-1])
    return CaptionedFigure(
        name=f"samples-{stratum.key}",
        title=stratum.title,
        figure=figure,
        caption=(
            "Patches of the test split. From left to right: wrapped phase (cyclic colours, grey where "
            f"there is no data); the true line; the prediction, black where it lies within {tolerance_m:g} "
            "m of the truth (found), orange where it does not (false), with the parts of the truth that "
            f"have no prediction within {tolerance_m:g} m in blue (missed); the probability before the "
            f"threshold. A patch is {stratum.patch_size_px * posting_m / 1000:g} km wide."
        ),
        alt=f"{count} example patches with phase, true line, prediction and probability of {stratum.title}.",
    )


def _draw_example(
    row: npt.NDArray[np.object_], examples: Examples, index: int, tau: float, tolerance_px: float
) -> None:
    real, imaginary = examples.image[index]
    truth = examples.mask[index] > 0
    no_data = (real == 0) & (imaginary == 0)
    prediction = examples.probability[index] >= tau
    phase_rad = np.ma.masked_array(np.arctan2(imaginary, real), no_data)
    _show(row[0], phase_rad, PHASE_COLOURS, (-np.pi, np.pi))
    _show(row[1], np.ma.masked_array(truth, no_data & ~truth), ListedColormap(["white", INK]), (0, 1))
    _show(row[2], agreement(truth, prediction, tolerance_px), AGREEMENT_COLOURS, (0, 3))
    _show(row[3], examples.probability[index], PROBABILITY_COLOURS, (0, 1))


def agreement(
    truth: npt.NDArray[np.bool_], prediction: npt.NDArray[np.bool_], tolerance_px: float
) -> npt.NDArray[np.uint8]:
    """Class of every pixel, (S, S): 0 neither, 1 found, 2 false, 3 missed.

    Found: predicted within the tolerance of the truth. False: predicted beyond it. Missed: true, and
    no prediction within the tolerance.
    """
    near_truth = _distance_px(truth) <= tolerance_px
    near_prediction = _distance_px(prediction) <= tolerance_px
    classes = np.zeros(truth.shape, dtype=np.uint8)
    classes[truth & ~near_prediction] = 3
    classes[prediction & ~near_truth] = 2
    classes[prediction & near_truth] = 1
    return classes


def _distance_px(line: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Distance to the nearest pixel of `line`; infinite where there is none."""
    return np.asarray(distance_transform_edt(~line)) if line.any() else np.full(line.shape, np.inf)


def _show(
    axes: Axes, image: npt.NDArray[np.generic], colours: str | Colormap, limits: tuple[float, float]
) -> None:
    shown = axes.imshow(image, cmap=colours, vmin=limits[0], vmax=limits[1])
    shown.set_cmap(shown.get_cmap().with_extremes(bad=NO_DATA))
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set(visible=True, color=NO_DATA, linewidth=0.8)


def _add_keys(row: npt.NDArray[np.object_]) -> None:
    """Draw the keys of the four columns below them."""
    _add_bar(
        row[0], Normalize(-np.pi, np.pi), PHASE_COLOURS, {-np.pi: "\N{MINUS SIGN}π", 0: "0 rad", np.pi: "π"}
    )
    _add_bar(row[3], Normalize(0, 1), PROBABILITY_COLOURS, {0: "0", 0.5: "0.5", 1: "1"})
    for axes, words, colours in (
        (row[1], ["line", "no data"], [INK, NO_DATA]),
        (row[2], ["found", "false", "missed"], [INK, ORANGE, SKY]),
    ):
        axes.set_axis_off()
        axes.legend(
            [Patch(color=colour) for colour in colours],
            words,
            loc="upper center",
            bbox_to_anchor=(0.5, 1.9),
            ncols=len(words),
            handlelength=0.9,
            handletextpad=0.5,
            columnspacing=0.9,
            borderaxespad=0,
        ).set_in_layout(False)


def _add_bar(axes: Axes, scale: Normalize, colours: str, ticks: dict[float, str]) -> None:
    Colorbar(axes, ScalarMappable(scale, colours), orientation="horizontal", ticks=list(ticks))
    axes.set_xticklabels(list(ticks.values()))
    axes.spines[:].set_visible(False)
