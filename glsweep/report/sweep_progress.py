"""How the sweep went: the best figure so far against the epochs that were spent."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from glsweep.config.trial import Stratum
from glsweep.report.results import Results
from glsweep.report.style import Plate, architecture_colour, architecture_dashes, new_figure, note
from glsweep.report.words import FIGURE_WORDS, joined, sentence
from glsweep.training.report import HIGHER_IS_BETTER


def draw_progress(results: Results) -> Plate:
    """Draw the best so far of every stratum, one panel a patch size."""
    strata = results.trial_strata
    sizes = sorted({s.patch_size_px for s in strata})
    figure = new_figure(3.7)
    grid = figure.subplots(1, max(len(sizes), 1), squeeze=False)[0]
    rank_by = results.config.space.search.rank_by
    grid[0].set_ylabel(sentence(FIGURE_WORDS[rank_by]))
    for axes, size in zip(grid, sizes, strict=False):
        _draw_size(axes, results, [s for s in strata if s.patch_size_px == size])
        axes.set_title(f"Patches of {size} px")
    return Plate(
        name="sweep-progress",
        title="Best so far against epochs spent",
        figure=figure,
        caption=(
            f"{sentence(FIGURE_WORDS[rank_by])} of the best trial so far against the training epochs spent "
            "on its stratum, all trials counted in the order in which their epochs ended. Faint dots are "
            "single epochs of single trials. A curve that is flat for long says that more trials of that "
            "kind would bring little. "
            + results.between_sizes("Patch sizes are validated on different patches: compare within a panel.")
        ),
        alt="Best figure so far: "
        + joined([f"{s.title} {_best_words(best_so_far(results, s))}" for s in strata])
        + ".",
    )


def best_so_far(results: Results, stratum: Stratum) -> pd.DataFrame:
    """Return one row an epoch spent on `stratum`: spent (from 1), figure, best (so far).

    An epoch that was repeated after an interruption was spent twice, and counts twice.
    """
    mine = set(results.trials_of(stratum)["trial_id"])
    epochs = results.history.epochs
    figure = epochs.loc[epochs["trial_id"].isin(mine), "figure"].reset_index(drop=True)
    higher = HIGHER_IS_BETTER[results.config.space.search.rank_by]
    best = (figure.cummax() if higher else figure.cummin()).ffill()
    return pd.DataFrame({"spent": np.arange(1, len(figure) + 1), "figure": figure, "best": best})


def _draw_size(axes: Axes, results: Results, strata: list[Stratum]) -> None:
    drawn = 0
    for stratum in strata:
        course = best_so_far(results, stratum)
        if course["best"].notna().any():
            colour = architecture_colour(stratum.architecture)
            axes.plot(
                course["spent"], course["figure"], ".", color=colour, alpha=0.22, markersize=4, zorder=1
            )
            dashes = architecture_dashes(stratum.architecture)
            axes.step(
                course["spent"],
                course["best"],
                where="post",
                color=colour,
                linestyle=dashes,
                label=stratum.title,
            )
            axes.plot(course["spent"].iloc[-1], course["best"].iloc[-1], "o", color=colour, markersize=5)
            drawn += 1
    axes.set_xlabel("epochs spent on the stratum")
    if not drawn:
        note(axes, "no epoch was reported")
        return
    axes.set_xlim(left=0)
    axes.legend(loc="best", handlelength=2.4)


def _best_words(course: pd.DataFrame) -> str:
    best = course["best"].dropna()
    return f"{best.iloc[-1]:.3f} after {len(course)} epochs" if len(best) else "no figure"
