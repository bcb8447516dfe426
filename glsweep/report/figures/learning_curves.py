"""Figures over epochs and seeds: members' losses and scores, the sweep's progress, the spread over seeds."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from glsweep.config.space import HIGHER_IS_BETTER
from glsweep.config.trial import Stratum
from glsweep.report import METRIC_WORDS, counted, joined, sentence
from glsweep.report.figures import (
    INK,
    SOFT_INK,
    CaptionedFigure,
    architecture_colour,
    architecture_dashes,
    new_figure,
    note,
    small_multiples,
)
from glsweep.report.results import MemberResults, Results
from glsweep.report.sweep_facts import SeedRow, pooled_spread, seed_rows


def draw_losses(results: Results) -> CaptionedFigure:
    """Draw training and validation loss of every member."""

    def draw(axes: Axes, stratum: Stratum) -> None:
        member, colour = results.members[stratum], architecture_colour(stratum.architecture)
        epochs = member.history["epoch"]
        axes.plot(epochs, member.history["train_loss"], color=SOFT_INK, linewidth=1.3, label="training")
        axes.plot(epochs, member.history["val_loss"], color=colour, label="validation")
        _mark_best_epoch(axes, member, "val_loss")
        _dress_epochs(axes, "loss")

    monitor = results.config.space.retraining.monitor
    epochs = [f"{s.title}: {best_epoch_words(member)}" for s, member in results.members.items()]
    return CaptionedFigure(
        name="losses",
        title="Loss of every member",
        figure=small_multiples(list(results.members), draw),
        caption=(
            "Training (grey) and validation loss (colour) while the winners were retrained. The dot marks "
            f"the best epoch by {METRIC_WORDS[monitor]}, whose weights were kept. Members have different "
            "loss settings, so the height of one curve says nothing about another's."
        ),
        alt="Training and validation loss against epoch. " + "; ".join(epochs) + ".",
    )


def draw_scores(results: Results) -> CaptionedFigure:
    """Draw the validation metrics of every member, which can be compared between members."""

    def draw(axes: Axes, stratum: Stratum) -> None:
        member, colour = results.members[stratum], architecture_colour(stratum.architecture)
        epochs = member.history["epoch"]
        axes.plot(epochs, member.history["relaxed_f1"], color=colour, label="relaxed F1")
        axes.plot(epochs, member.history["dice"], color=colour, linewidth=1.2, dashes=(4, 2), label="Dice")
        _mark_best_epoch(axes, member, "relaxed_f1")
        _dress_epochs(axes, "validation score")
        axes.set_ylim(0, tops[stratum.patch_size_px])

    tops = {s.patch_size_px: _highest_score(results, s.patch_size_px) for s in results.members}
    tolerance_m = results.config.space.search.tolerance_m
    return CaptionedFigure(
        name="scores",
        title="Validation scores of every member",
        figure=small_multiples(list(results.members), draw),
        caption=(
            f"Relaxed F1 within {tolerance_m:g} m (solid) and Dice (dashed) on the validation patches "
            "during retraining; the dot marks the epoch that was kept. These do not depend on the loss "
            "settings, so members of one patch size may be compared. "
            + results.between_sizes("Members of different patch sizes may not: their patches differ.")
        ),
        alt="Validation relaxed F1 and Dice against epoch. " + "; ".join(epochs_in_words(results)) + ".",
    )


def best_epoch_words(member: MemberResults) -> str:
    """Return `best epoch 7 of 20` for one member."""
    return f"best epoch {member.card.best_epoch} of {len(member.history)}"


def epochs_in_words(results: Results) -> list[str]:
    """Say for each member how its validation relaxed F1 stood at its highest."""
    return [f"{s.title}: highest {m.history['relaxed_f1'].max():.3f}" for s, m in results.members.items()]


def _highest_score(results: Results, patch_size_px: int) -> float:
    histories = [m.history for s, m in results.members.items() if s.patch_size_px == patch_size_px]
    return 1.08 * max(float(h[["relaxed_f1", "dice"]].to_numpy().max()) for h in histories) + 0.01


def _mark_best_epoch(axes: Axes, member: MemberResults, column: str) -> None:
    epoch = member.card.best_epoch
    value = member.history.loc[member.history["epoch"] == epoch, column]
    if not value.empty:
        axes.axvline(epoch, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
        axes.plot([epoch], value, marker="o", markersize=6, color=INK, linestyle="none", zorder=5)


def _dress_epochs(axes: Axes, label: str) -> None:
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.legend(loc="best", handlelength=1.6)


# --- The sweep's progress: the best metric so far against epochs spent


def draw_progress(results: Results) -> CaptionedFigure:
    """Draw the best so far of every stratum, one panel a patch size."""
    strata = results.trial_strata
    sizes = sorted({s.patch_size_px for s in strata})
    figure = new_figure(3.7)
    grid = figure.subplots(1, max(len(sizes), 1), squeeze=False)[0]
    rank_by = results.config.space.search.rank_by
    grid[0].set_ylabel(sentence(METRIC_WORDS[rank_by]))
    for axes, size in zip(grid, sizes, strict=False):
        _draw_size(axes, results, [s for s in strata if s.patch_size_px == size])
        axes.set_title(f"Patches of {size} px")
    return CaptionedFigure(
        name="sweep-progress",
        title="Best so far against epochs spent",
        figure=figure,
        caption=(
            f"{sentence(METRIC_WORDS[rank_by])} of the best trial so far against the training epochs spent "
            "on its stratum, all trials counted in the order in which their epochs ended. Faint dots are "
            "single epochs of single trials. A curve that is flat for long says that more trials of that "
            "kind would bring little. "
            + results.between_sizes("Patch sizes are validated on different patches: compare within a panel.")
        ),
        alt="Best metric so far: "
        + joined([f"{s.title} {_best_words(best_so_far(results, s))}" for s in strata])
        + ".",
    )


def best_so_far(results: Results, stratum: Stratum) -> pd.DataFrame:
    """Return one row an epoch spent on `stratum`: spent (from 1), metric, best (so far).

    An epoch that was repeated after an interruption was spent twice, and counts twice.
    """
    trial_ids = set(results.trials_of(stratum)["trial_id"])
    epochs = results.history.epochs
    values = epochs.loc[epochs["trial_id"].isin(trial_ids), "metric"].reset_index(drop=True)
    higher = HIGHER_IS_BETTER[results.config.space.search.rank_by]
    best = (values.cummax() if higher else values.cummin()).ffill()
    return pd.DataFrame({"spent": np.arange(1, len(values) + 1), "metric": values, "best": best})


def _draw_size(axes: Axes, results: Results, strata: list[Stratum]) -> None:
    drawn = 0
    for stratum in strata:
        course = best_so_far(results, stratum)
        if course["best"].notna().any():
            colour = architecture_colour(stratum.architecture)
            axes.plot(
                course["spent"], course["metric"], ".", color=colour, alpha=0.22, markersize=4, zorder=1
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
    return f"{best.iloc[-1]:.3f} after {len(course)} epochs" if len(best) else "no metric"


# --- The spread over seeds of the best configurations

SHOWN = 6


def draw_seeds(results: Results) -> CaptionedFigure | None:
    """Draw means and single seeds; None where each configuration ran with one seed."""
    search = results.config.space.search
    if search.replicates == 1:
        return None

    def draw(axes: Axes, stratum: Stratum) -> None:
        rows = seed_rows(results, stratum)[:SHOWN]
        if not rows:
            axes.set_axis_off()
            note(axes, "no trial ran in full")
            return
        _draw_rows(axes, rows, architecture_colour(stratum.architecture))
        axes.set_xlabel(METRIC_WORDS[search.rank_by])

    return CaptionedFigure(
        name="seeds",
        title="Spread over seeds",
        figure=small_multiples(results.trial_strata, draw),
        caption=(
            f"The best {SHOWN} configurations of each stratum (fewer where fewer ran in full), each with up "
            f"to {counted(search.replicates, 'seed')}, by their best {METRIC_WORDS[search.rank_by]} on "
            "validation; the winner is on top. Dots are seeds, the upright bar is their mean, by which "
            "configurations are ranked, and the level line reaches one standard deviation to either side. "
            "The first of many is partly so by luck: expect it to do a little worse when run again."
        ),
        alt="Spread over seeds. " + "; ".join(_in_words(results, s) for s in results.trial_strata) + ".",
    )


def _draw_rows(axes: Axes, rows: list[SeedRow], colour: str) -> None:
    for place, row in enumerate(rows):
        if row.scores.spread is not None:
            reach = [row.mean - row.scores.spread, row.mean + row.scores.spread]
            axes.plot(reach, [place, place], color=INK, linewidth=1.2, zorder=2)
        axes.plot([row.mean], [place], "|", color=INK, markersize=13, markeredgewidth=2, zorder=3)
        axes.plot(
            row.values,
            [place] * len(row.values),
            "o",
            color=colour,
            markersize=5.5,
            markeredgecolor="white",
            markeredgewidth=0.6,
            zorder=4,
        )
    axes.set_yticks(range(len(rows)), [row.configuration.partition("-")[0] for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(len(rows), 3) - 0.5, -0.5)
    axes.set_ylabel("configuration")
    axes.margins(x=0.08)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5))


def _in_words(results: Results, stratum: Stratum) -> str:
    rows = seed_rows(results, stratum)
    spread = pooled_spread(rows)
    if not rows:
        return f"{stratum.title} none ran in full"
    deviation = "not known" if spread is None else f"{spread.sd:.3f}"
    return f"{stratum.title} best mean {rows[0].mean:.3f}, standard deviation over seeds {deviation}"
