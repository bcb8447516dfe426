"""Figures over epochs and seeds: members' losses and scores, the sweep's progress, the spread over seeds."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from glsweep.config.space import HIGHER_IS_BETTER
from glsweep.config.trial import Stratum
from glsweep.registry import ARCHITECTURES
from glsweep.report import METRIC_WORDS, counted, joined, sentence
from glsweep.report.figures import GREY, CaptionedFigure, Look, architecture_look
from glsweep.report.figures.captioned import captioned
from glsweep.report.figures.chart import PLAIN, ROW_CM, Chart, Panel, Series, by_stratum, in_rows
from glsweep.report.results import MemberResults, Results
from glsweep.report.sweep_facts import SeedRow, pooled_spread, seed_rows

TRAINING = Look(GREY, "short")
RULE = replace(PLAIN, dash="dotted")


def draw_losses(results: Results) -> CaptionedFigure:
    """Draw training and validation loss of every member."""

    def panel(stratum: Stratum) -> Panel:
        looks = {"train_loss": TRAINING, "val_loss": Look(architecture_look(stratum.architecture).colour)}
        return _panel(stratum, results.members[stratum], looks, "val_loss", "loss")

    monitor = results.config.space.retraining.monitor
    epochs = [f"{s.title}: {best_epoch_words(member)}" for s, member in results.members.items()]
    return captioned(
        Chart(*by_stratum(list(results.members), panel), shared_x=True),
        name="losses",
        title="Loss of every member",
        caption=(
            "Training (grey, dashed) and validation loss (colour) while the winners were retrained. The dot "
            f"marks the best epoch by {METRIC_WORDS[monitor]}, whose weights were kept. Members have "
            "different loss settings, so the height of one curve says nothing about another's."
        ),
        alt="Training and validation loss against epoch. " + "; ".join(epochs) + ".",
    )


def draw_scores(results: Results) -> CaptionedFigure:
    """Draw the validation metrics of every member, which can be compared between members."""

    def panel(stratum: Stratum) -> Panel:
        colour = architecture_look(stratum.architecture).colour
        looks = {"relaxed_f1": Look(colour), "dice": Look(colour, "dashed")}
        drawn = _panel(stratum, results.members[stratum], looks, "relaxed_f1", "validation score")
        return replace(drawn, y_limits=(0, top))

    top = _highest_score(results)
    tolerance_m = results.config.space.search.tolerance_m
    return captioned(
        Chart(*by_stratum(list(results.members), panel), shared_x=True, shared_y=True),
        name="scores",
        title="Validation scores of every member",
        caption=(
            f"Relaxed F1 within {tolerance_m:g} m (solid) and Dice (dashed) on the validation patches "
            "during retraining; the dot marks the epoch that was kept. These do not depend on the loss "
            "settings, so members of one patch size may be compared. "
            + results.between_sizes("Members of different patch sizes may not: their patches differ.")
        ),
        alt="Validation relaxed F1 and Dice against epoch. " + "; ".join(epochs_in_words(results)) + ".",
    )


NAMES = {"train_loss": "training", "val_loss": "validation", "relaxed_f1": "relaxed F1", "dice": "Dice"}


def _panel(
    stratum: Stratum, member: MemberResults, looks: dict[str, Look], marked: str, y_label: str
) -> Panel:
    """Draw columns of a member's history against its epochs, with the best epoch marked on one of them."""
    history, title = member.history, stratum.title
    epochs = history["epoch"].tolist()
    curves = [
        Series(epochs, history[column].tolist(), look=look, name=NAMES[column], network=title)
        for column, look in looks.items()
    ]
    reach = [float(of([curve.y for curve in curves])) for of in (np.nanmin, np.nanmax)]
    best = history[history["epoch"] == member.card.best_epoch]
    marks = [
        mark
        for epoch, value in zip(best["epoch"], best[marked], strict=True)
        for mark in (
            Series([epoch] * 2, reach, look=RULE, network=title, width=0.6, silent=True),
            _dot(epoch, value, replace(PLAIN, marker="o"), title, told=f"{title}, the epoch that was kept"),
        )
    ]
    return Panel(title, (*curves, *marks), "epoch", y_label)


def _dot(x: float, y: float, look: Look, network: str, told: str = "") -> Series:
    return Series([x], [y], kind="dots", look=look, network=network, told=told, size=3.5)


def best_epoch_words(member: MemberResults) -> str:
    """Return `best epoch 7 of 20` for one member."""
    return f"best epoch {member.card.best_epoch} of {len(member.history)}"


def epochs_in_words(results: Results) -> list[str]:
    """Say for each member how its validation relaxed F1 stood at its highest."""
    return [f"{s.title}: highest {m.history['relaxed_f1'].max():.3f}" for s, m in results.members.items()]


def _highest_score(results: Results) -> float:
    histories = [member.history for member in results.members.values()]
    return 1.08 * max(float(h[["relaxed_f1", "dice"]].to_numpy().max()) for h in histories) + 0.01


# --- The sweep's progress: the best metric so far against epochs spent


def draw_progress(results: Results) -> CaptionedFigure:
    """Draw the best so far of every stratum, one panel a patch size."""
    strata = results.trial_strata
    rank_by = results.config.space.search.rank_by
    panels = [
        Panel(
            f"Patches of {size} px",
            tuple(
                s for stratum in strata if stratum.patch_size_px == size for s in _course(results, stratum)
            ),
            "epochs spent on the stratum",
            METRIC_WORDS[rank_by],
        )
        for size in sorted({stratum.patch_size_px for stratum in strata})
    ]
    told = [panel if panel.series else replace(panel, note="no epoch was reported") for panel in panels]
    return captioned(
        Chart(*in_rows(told), panel_height_cm=5.5, by_network=True),
        name="sweep-progress",
        title="Best so far against epochs spent",
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


def _course(results: Results, stratum: Stratum) -> list[Series]:
    """Return single epochs of a stratum, the best so far, and where it ends; nothing without a metric."""
    course, title = best_so_far(results, stratum), stratum.title
    if course["best"].isna().all():
        return []
    look, spent, best = (
        architecture_look(stratum.architecture),
        course["spent"].tolist(),
        course["best"].tolist(),
    )
    epochs = Series(
        spent,
        course["metric"].tolist(),
        kind="dots",
        look=replace(look, marker="o"),
        network=title,
        told=f"{title}, one epoch of a trial",
        size=1.6,
        opacity=0.25,
    )
    line = Series(spent, best, kind="steps", look=look, name=title, network=title)
    return [epochs, line, _dot(spent[-1], best[-1], look, title)]


def _best_words(course: pd.DataFrame) -> str:
    best = course["best"].dropna()
    return f"{best.iloc[-1]:.3f} after {len(course)} epochs" if len(best) else "no metric"


# --- The spread over seeds of the best configurations

SHOWN = 4


@dataclass(frozen=True)
class Row:
    """One row of the figure of seeds; without a configuration where none ran in full."""

    stratum: Stratum
    found: SeedRow | None

    @property
    def title(self) -> str:
        """What stands beside it: the patch size is the panel's."""
        architecture = ARCHITECTURES.title(self.stratum.architecture)
        return f"{architecture}, none" if self.found is None else f"{architecture} {self.configuration}"

    @property
    def configuration(self) -> str:
        """The number of the configuration's first trial."""
        return self.found.configuration.partition("-")[0] if self.found else ""


def draw_seeds(results: Results) -> CaptionedFigure | None:
    """Draw means and single seeds; None where each configuration ran with one seed."""
    search = results.config.space.search
    if search.replicates == 1:
        return None
    strata = results.trial_strata
    by_size = {
        size: [row for s in strata if s.patch_size_px == size for row in _rows(results, s)]
        for size in sorted({stratum.patch_size_px for stratum in strata})
    }
    most = max(map(len, by_size.values()), default=0)
    panels = [_seeds_panel(size, rows, METRIC_WORDS[search.rank_by], most) for size, rows in by_size.items()]
    return captioned(
        Chart(*in_rows(panels), panel_height_cm=1.5 + ROW_CM * most, by_network=True),
        name="seeds",
        title="Spread over seeds",
        caption=(
            f"The best {SHOWN} configurations of each stratum (fewer where fewer ran in full), each with up "
            f"to {counted(search.replicates, 'seed')}, by their best {METRIC_WORDS[search.rank_by]} on "
            "validation; the winner is on top. Dots are seeds, the upright bar is their mean, by which "
            "configurations are ranked, and the level line reaches one standard deviation to either side. "
            "The first of many is partly so by luck: expect it to do a little worse when run again."
        ),
        alt="Spread over seeds. " + "; ".join(_in_words(results, s) for s in strata) + ".",
    )


def _rows(results: Results, stratum: Stratum) -> list[Row]:
    return [Row(stratum, row) for row in seed_rows(results, stratum)[:SHOWN]] or [Row(stratum, None)]


def _seeds_panel(size: int, rows: list[Row], metric: str, most: int) -> Panel:
    return Panel(
        f"Patches of {size} px",
        tuple(
            series
            for place, row in enumerate(rows)
            if row.found is not None
            for series in _mean_and_seeds(place, row, row.found)
        ),
        metric,
        y_limits=(most - 0.4, -0.6),
        y_ticks=tuple((place, row.title) for place, row in enumerate(rows)),
    )


def _mean_and_seeds(place: int, row: Row, found: SeedRow) -> list[Series]:
    spread, title = found.scores.spread, row.stratum.title
    mean = Series(
        [found.mean],
        [place],
        kind="dots",
        look=replace(PLAIN, marker="|"),
        network=title,
        told=f"{title}, configuration {row.configuration}: mean over seeds",
        size=6.0,
        low=[] if spread is None else [found.mean - spread],
        high=[] if spread is None else [found.mean + spread],
        level=True,
    )
    seeds = Series(
        found.values.tolist(),
        [place] * len(found.values),
        kind="dots",
        look=replace(architecture_look(row.stratum.architecture), marker="o"),
        network=title,
        told=f"{title}, configuration {row.configuration}: one seed",
    )
    return [mean, seeds]


def _in_words(results: Results, stratum: Stratum) -> str:
    rows = seed_rows(results, stratum)
    spread = pooled_spread(rows)
    if not rows:
        return f"{stratum.title} none ran in full"
    deviation = "not known" if spread is None else f"{spread.sd:.3f}"
    return f"{stratum.title} best mean {rows[0].mean:.3f}, standard deviation over seeds {deviation}"
