"""The figure of early stopping: every judgement beside its cut-off, one panel a stratum."""

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from glsweep.config.trial import Stratum
from glsweep.report.results import Results
from glsweep.report.rung_columns import draw_columns
from glsweep.report.rung_courses import draw_courses
from glsweep.report.rungs import judgements, ran_in_full, rule_words
from glsweep.report.small_multiples import small_multiples
from glsweep.report.style import INK, Plate, architecture_colour, hollow, note
from glsweep.report.words import FIGURE_WORDS, joined
from glsweep.training.report import HIGHER_IS_BETTER

MOST_COLUMNS = 9


def draw_rungs(results: Results) -> Plate | None:
    """Draw the rungs of every stratum; None where no trial was ever judged."""
    if results.history.judged.empty:
        return None
    search = results.config.space.search
    epochs = [*sorted({int(epoch) for epoch in results.history.judged["rung_epoch"]}), search.epochs]
    in_columns = len(epochs) <= MOST_COLUMNS
    draw_stratum = draw_columns if in_columns else draw_courses

    def draw(axes: Axes, stratum: Stratum) -> None:
        judged, colour = judgements(results, stratum), architecture_colour(stratum.architecture)
        draw_stratum(axes, judged, ran_in_full(results, stratum), epochs, colour)
        axes.margins(y=0.09)
        axes.set_xlabel("epoch")
        axes.set_ylabel(FIGURE_WORDS[search.rank_by])
        if judged.empty:
            note(axes, "no trial reached a rung")

    figure = small_multiples(results.trial_strata, draw)
    figure.legend(
        handles=_legend("went on" if in_columns else "ran in full"),
        loc="outside upper right",
        ncols=4,
        frameon=False,
    )
    return Plate(
        name="rungs",
        title="Early stopping at its rungs",
        figure=figure,
        caption=_caption(results, COLUMNS_WORDS if in_columns else COURSES_WORDS),
        alt="Early stopping at its rungs. "
        + "; ".join(f"{s.title}: {_in_words(results, s)}" for s in results.trial_strata)
        + ".",
    )


COLUMNS_WORDS = (
    "Within a rung, trials stand in the plan's order from left to right. Filled ones went on, hollow ones "
    "were stopped. The line is the cut-off at the time of each judgement, the value of the last that goes "
    "on: who lies on it or {better} goes on. The column at the right holds the trials that ran in full"
)
COURSES_WORDS = (
    "Each faint line is a trial, from rung to rung; it ends with a hollow dot where it was stopped, with a "
    "filled one where it ran in full. The black line is the cut-off at the last judgement of each rung, the "
    "value of the last that goes on; earlier trials met that of fewer trials"
)


def _caption(results: Results, how_it_is_drawn: str) -> str:
    search = results.config.space.search
    better = "above" if HIGHER_IS_BETTER[search.rank_by] else "below"
    caption = (
        "At each rung (an epoch) a trial is compared with those trials of its stratum that come earlier in "
        f"the plan, each by its best {FIGURE_WORDS[search.rank_by]} so far: {rule_words(search.scheduler)}. "
        f"{how_it_is_drawn.format(better=better)}; the star marks the winner."
    )
    if search.replicates > 1:
        caption += (
            " Only first seeds are judged and drawn; the winner is chosen by the mean of its seeds, and need "
            "not be the first here."
        )
    return caption


def _legend(filled: str) -> list[Line2D]:
    return [
        Line2D([], [], marker="o", linestyle="none", color=INK, markersize=5, label=filled),
        Line2D([], [], label="stopped", **hollow(5)),
        Line2D([], [], color=INK, linewidth=1.1, label="cut-off"),
        Line2D([], [], marker="*", linestyle="none", color=INK, markersize=10, label="winner"),
    ]


def _in_words(results: Results, stratum: Stratum) -> str:
    judged = judgements(results, stratum)
    if judged.empty:
        return "none judged"
    rungs = judged.groupby("rung_epoch")["went_on"].agg(["sum", "count"])
    shown = rungs if len(rungs) <= 4 else rungs.iloc[[0, -1]]
    return joined([f"{int(r['sum'])} of {int(r['count'])} went on at epoch {e}" for e, r in shown.iterrows()])
