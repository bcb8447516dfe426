"""What a reader must know before believing a figure of this study."""

from collections.abc import Iterator

from glsweep.metrics.trivial import best_trivial, is_better_than_trivial
from glsweep.report.data_facts import SPLIT_TITLES, DataFacts
from glsweep.report.results import Results
from glsweep.report.sweep_cautions import sweep_cautions
from glsweep.report.table import networks_of, patch_sizes
from glsweep.report.words import counted, joined

FEW_PATCHES = 30
GREAT_FALL = 0.2


def cautions(results: Results, facts: DataFacts) -> list[str]:
    """Return one plain sentence or two for each thing to mind, the gravest first."""
    return [
        *_about_the_split(facts),
        *_about_failures(results),
        *_about_the_baselines(results),
        *_about_tau(results),
        *_about_training(results),
        *_about_validation(results),
        *_about_few_patches(facts),
        *sweep_cautions(results),
        *_about_the_scenes(facts),
    ]


def _about_the_split(facts: DataFacts) -> Iterator[str]:
    if facts.rule == "patch":
        shares = [
            f"{share:.0%} of the {SPLIT_TITLES[split]} patches of {size} px"
            for size, by_split in (facts.leak or {}).items()
            for split, share in by_split.items()
        ]
        told = f" Here {joined(shares)} share ground with a training patch." if shares else ""
        yield (
            "The split leaks. Its rule is patch, which repeats the published protocol: overlapping "
            f"patches fall into different splits, so test figures are too good.{told}"
        )
    elif facts.rule != facts.asked_rule:
        yield (
            f"The ground was split by the rule {facts.rule} instead of {facts.asked_rule}: {facts.reason}."
        )


def _about_the_baselines(results: Results) -> Iterator[str]:
    for size in patch_sizes(results.table):
        trivial = best_trivial(results.table, size)
        beaten = [
            str(row["title"])
            for row in networks_of(results.table, size)
            if not is_better_than_trivial(row, trivial)
        ]
        if beaten and trivial is not None:
            yield (
                f"No better than a trivial predictor on relaxed F1: {joined(beaten)} ({trivial.title}, the "
                f"best of what needs no training, reaches {trivial.relaxed_f1:.3f})."
            )


def _about_failures(results: Results) -> Iterator[str]:
    for row in results.table.get("failed", []):
        yield f"{row['title']} is not in the table: it failed in stage {row['stage']} ({row['reason']})."


def _about_tau(results: Results) -> Iterator[str]:
    edges = [s for s in results.members if results.calibration.get(s.key, {}).get("on_grid_edge")]
    if edges:
        settings = results.config.space.calibration
        named = joined([f"{s.title} (tau {results.calibration[s.key]['tau']:.2f})" for s in edges])
        yield (
            f"The best tau lies on the edge of the grid for {named}. The optimum may lie beyond "
            f"{settings.lowest:g} to {settings.highest:g}; widen the calibration's grid in the search space."
        )


def _about_training(results: Results) -> Iterator[str]:
    budget = results.config.space.retraining.epochs
    growing = [s.title for s, m in results.members.items() if m.card.get("best_epoch") == budget]
    if growing:
        yield (
            f"Still improving when the budget of {counted(budget, 'epoch')} ended: {joined(growing)}. More "
            "epochs may give better figures."
        )


def _about_few_patches(facts: DataFacts) -> Iterator[str]:
    consequence = {
        "validation": "the choice of trials, epochs and tau rests on little",
        "test": "small differences between networks mean nothing",
    }
    for row in facts.patches:
        if row.with_line < FEW_PATCHES and row.split in consequence:
            yield (
                f"Only {counted(row.with_line, f'{row.split} patch', f'{row.split} patches')} of "
                f"{row.patch_size_px} px {'holds' if row.with_line == 1 else 'hold'} a line: "
                f"{consequence[row.split]}."
            )


def _about_validation(results: Results) -> Iterator[str]:
    """Compare the figure that chose a member with the one that it reached on test."""
    fallen = []
    tested = {row["stratum"]: row.get("relaxed_f1") for row in results.table["rows"]}
    for stratum, member in results.members.items():
        kept = member.history["epoch"] == member.card["best_epoch"]
        before, after = member.history.loc[kept, "relaxed_f1"].max(), tested[stratum.key]
        if after is not None and before - after > GREAT_FALL:
            fallen.append(f"{stratum.title} ({before:.2f} to {after:.2f})")
    if fallen:
        yield (
            f"Relaxed F1 falls by more than {GREAT_FALL:g} from validation to test for {joined(fallen)}: "
            "the two splits differ, so what was best on validation need not be on other ground."
        )


def _about_the_scenes(facts: DataFacts) -> Iterator[str]:
    if facts.left_out:
        named = joined([f"{name} ({reason})" for name, reason in facts.left_out.items()])
        yield f"{counted(len(facts.left_out), 'scene was', 'scenes were')} left out: {named}."
    if facts.rows_without_geometry:
        yield (
            f"{counted(facts.rows_without_geometry, 'row')} of the file of lines "
            f"{'has' if facts.rows_without_geometry == 1 else 'have'} no geometry and could not be used."
        )
    for size, names in facts.too_small.items():
        yield f"Smaller than a patch of {size} px, and so not in its figures: {joined(names)}."
