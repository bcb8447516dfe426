"""Curves of the retrained members: losses and validation scores."""

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from glsweep.config.trial import Stratum
from glsweep.report.results import Member, Results
from glsweep.report.small_multiples import small_multiples
from glsweep.report.style import INK, SOFT_INK, Plate, architecture_colour
from glsweep.report.words import FIGURE_WORDS


def draw_losses(results: Results) -> Plate:
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
    return Plate(
        name="losses",
        title="Loss of every member",
        figure=small_multiples(list(results.members), draw),
        caption=(
            "Training (grey) and validation loss (colour) while the winners were retrained. The dot marks "
            f"the best epoch by {FIGURE_WORDS[monitor]}, whose weights were kept. Members have different "
            "loss settings, so the height of one curve says nothing about another's."
        ),
        alt="Training and validation loss against epoch. " + "; ".join(epochs) + ".",
    )


def draw_scores(results: Results) -> Plate:
    """Draw the validation figures of every member, which can be compared between members."""

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
    return Plate(
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


def best_epoch_words(member: Member) -> str:
    """Return `best epoch 7 of 20` for one member."""
    return f"best epoch {member.card['best_epoch']} of {len(member.history)}"


def epochs_in_words(results: Results) -> list[str]:
    """Say for each member how its validation relaxed F1 stood at its highest."""
    return [f"{s.title}: highest {m.history['relaxed_f1'].max():.3f}" for s, m in results.members.items()]


def _highest_score(results: Results, patch_size_px: int) -> float:
    histories = [m.history for s, m in results.members.items() if s.patch_size_px == patch_size_px]
    return 1.08 * max(float(h[["relaxed_f1", "dice"]].to_numpy().max()) for h in histories) + 0.01


def _mark_best_epoch(axes: Axes, member: Member, column: str) -> None:
    epoch = int(member.card["best_epoch"])
    value = member.history.loc[member.history["epoch"] == epoch, column]
    if not value.empty:
        axes.axvline(epoch, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
        axes.plot([epoch], value, marker="o", markersize=6, color=INK, linestyle="none", zorder=5)


def _dress_epochs(axes: Axes, label: str) -> None:
    axes.set_xlabel("epoch")
    axes.set_ylabel(label)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.legend(loc="best", handlelength=1.6)
