"""The study's answer in one sentence, and what a reader must know before believing it."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from scipy.stats import t as student_t

from glsweep.metrics.counts import best_trivial, is_better_than_trivial
from glsweep.report import counted, joined
from glsweep.report.results import Results
from glsweep.report.study_facts import SPLIT_TITLES, DataFacts
from glsweep.report.sweep_facts import CLEAR, SeedSpread, failure_reasons, leads, relaxed_spread
from glsweep.report.table import networks_of, patch_sizes, short_title
from glsweep.study.evaluation_artifacts import Lead, NetworkRow


@dataclass(frozen=True)
class Verdict:
    """Which network is best with one patch size, and how sure that is.

    Attributes
    ----------
    patch_size_px : int
        The size.
    title : str
        The best network; nothing where none is better than what needs no training, or chance may have put
        it before another.
    value : str
        Its relaxed F1.
    remark : str
        How sure that is; without a title a whole clause on why there is no best network.
    """

    patch_size_px: int
    title: str
    value: str
    remark: str

    def __str__(self) -> str:
        if not self.title:
            return f"{self.patch_size_px} px: {self.remark}"
        best = f"{self.title} draws the line best, relaxed F1 {self.value}"
        return f"{self.patch_size_px} px: {best} ({self.remark})"


def verdicts(results: Results) -> list[Verdict]:
    """Return the best network by relaxed F1 of each patch size of which a network was tested.

    A network that does not beat what needs no training is not the best, whoever else there is; nor is one
    whose lead other test patches or another seed of training might have turned round.
    """
    table = results.table
    sizes = [size for size in patch_sizes(table) if networks_of(table, size)]
    return [_verdict(results, size) for size in sizes]


def _verdict(results: Results, size: int) -> Verdict:
    rows, trivial = networks_of(results.table, size), best_trivial(results.table, size)
    if not any(row.patches_with_line for row in rows):
        return Verdict(size, "", "", "no test patch holds a line, so that networks cannot be told apart")
    best, *others = sorted(rows, key=lambda row: -row.relaxed_f1)
    if not is_better_than_trivial(best, trivial):
        assert trivial is not None, "without it every network is better"
        return Verdict(
            size,
            "",
            "",
            f"no network beats {trivial.words}: relaxed F1 {best.relaxed_f1:.3f} ({_interval_words(best)}) "
            f"of the best, {best.title}, against {trivial.relaxed_f1:.3f} of {trivial.title}",
        )
    spread = relaxed_spread(results, size)
    over = {lead.behind: lead for lead in results.table.leads if lead.stratum == best.stratum}
    if trivial is not None and _interval_holds(best, trivial.relaxed_f1):
        return Verdict(
            size,
            "",
            "",
            f"no network is told apart from {trivial.words}: relaxed F1 {best.relaxed_f1:.3f} of the best, "
            f"{best.title}, has a {_interval_words(best)}, which holds the {trivial.relaxed_f1:.3f} of "
            f"{trivial.title}",
        )
    near = [row for row in others if not _is_separated(over.get(row.stratum), spread)]
    beside = _beside_the_phase_gradient(results, best)
    if near:
        return Verdict(size, "", "", _why_not_told_apart(best, near, over, spread) + beside)
    remark = _interval_words(best)
    if others:
        remark += ", ahead of every other by more than other test ground and other seeds explain"
    return Verdict(size, short_title(best), f"{best.relaxed_f1:.3f}", remark + beside)


def _interval_holds(row: NetworkRow, value: float) -> bool:
    return row.relaxed_f1_low is not None and row.relaxed_f1_low <= value


def _beside_the_phase_gradient(results: Results, best: NetworkRow) -> str:
    """Return a clause where what needs no training, but knows what a fringe is, does as well."""
    for row in results.table.baselines:
        if row.kind == "phase_gradient" and row.patch_size_px == best.patch_size_px:
            if best.relaxed_f1 <= row.relaxed_f1:
                return f"; {row.title}, which needs no training, is better ({row.relaxed_f1:.3f})"
            if _interval_holds(best, row.relaxed_f1):
                return f"; not told apart from {row.title}, which needs no training ({row.relaxed_f1:.3f})"
    return ""


def _is_separated(lead: Lead | None, spread: SeedSpread | None) -> bool:
    """Whether a lead is more than test ground and seeds, which are independent, explain (95 %)."""
    if lead is None or lead.low is None or spread is None:
        return False
    return lead.lead > math.hypot(lead.lead - lead.low, _by_seeds(spread))


def _by_seeds(spread: SeedSpread) -> float:
    """Return by how much seeds alone put one of two trainings ahead (95 %): at most by the whole F1."""
    return min(float(student_t.ppf(0.975, spread.freedom)) * spread.sd * math.sqrt(2), 1.0)


def _why_not_told_apart(
    best: NetworkRow, near: list[NetworkRow], over: Mapping[str, Lead], spread: SeedSpread | None
) -> str:
    others = joined([f"{row.title} ({row.relaxed_f1:.3f})" for row in near])
    told = f"{best.title} (relaxed F1 {best.relaxed_f1:.3f}) is not told apart from {others}: "
    lead = over.get(near[0].stratum)
    if lead is not None and lead.low is not None and lead.high is not None:
        told += (
            f"on the same {best.interval_over} it is ahead of {near[0].title} by {lead.lead:.3f} "
            f"({lead.low:.3f} to {lead.high:.3f}), and "
        )
    if spread is None:
        return told + (
            "each was trained with one seed, and another may turn the order; `replicates` in the search "
            "space, with `rank_by: relaxed_f1`, shows by how much"
        )
    return told + f"seeds alone put one of two trainings ahead by up to {_by_seeds(spread):.3f}"


def _interval_words(row: NetworkRow) -> str:
    low, high = row.relaxed_f1_low, row.relaxed_f1_high
    if low is None or high is None:
        return "no interval was computed"
    return f"95\N{NO-BREAK SPACE}% interval {low:.3f} to {high:.3f}"


# --- Cautions about the sweep

MOST_NAMED = 6


def sweep_cautions(results: Results) -> Iterator[str]:
    """Yield one sentence or two for each thing to mind about the sweep."""
    yield from _about_failed_trials(results)
    yield from _about_memory(results)
    yield from _about_seeds(results)


def _about_failed_trials(results: Results) -> Iterator[str]:
    reasons = failure_reasons(results)
    if reasons:
        named = "; ".join(f"{reason} ({count})" for reason, count in reasons.items())
        yield f"{counted(sum(reasons.values()), 'trial')} failed: {named}."


def _about_memory(results: Results) -> Iterator[str]:
    """Name the trials of which some epoch went through the network in parts of a batch."""
    smallest = results.trials["trial_id"].map(results.history.epochs.groupby("trial_id")["micro_batch"].min())
    batch = results.trials["batch_size"].astype(int)
    short = smallest < batch
    if short.any():
        rows = zip(results.trials["trial_id"][short], smallest[short], batch[short], strict=True)
        named = [f"{trial} ({part:.0f} of {whole})" for trial, part, whole in rows]
        more = [f"{len(named) - MOST_NAMED} more"] if len(named) > MOST_NAMED else []
        yield (
            f"Memory ran out in {counted(len(named), 'trial')}, which went on with parts of a batch: "
            f"{joined(named[:MOST_NAMED] + more)} patches at once. Gradients were summed up to the whole "
            "batch, but batch normalisation saw the parts, so that results differ a little from those of a "
            "device with more memory."
        )


def _about_seeds(results: Results) -> Iterator[str]:
    if results.config.space.search.replicates == 1:
        yield (
            "Each configuration ran with one seed. How much of its metric is due to that seed is not known, "
            "so small differences between trials may be chance (`replicates` in the search space repeats "
            "those that run in full with other seeds)."
        )
    unclear = [
        f"{lead.stratum.title} ({lead.winner} leads {lead.second} by {lead.difference:.4f}, with a standard "
        f"error of {lead.error:.4f})"
        for lead in leads(results)
        if not lead.is_clear
    ]
    if unclear:
        yield (
            f"The winner is ahead of the next configuration by less than {CLEAR:g} standard errors of the "
            f"difference over seeds for {joined(unclear)}: which of them is better may be chance."
        )


# --- All cautions

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
        leaks = f" Here {joined(shares)} share ground with a training patch." if shares else ""
        yield (
            "The split leaks. Its rule is patch, which repeats the published protocol: overlapping "
            f"patches fall into different splits, so test metrics are too good.{leaks}"
        )
    elif facts.rule != facts.asked_rule:
        yield (
            f"The ground was split by the rule {facts.rule} instead of {facts.asked_rule}: {facts.reason}."
        )


def _about_the_baselines(results: Results) -> Iterator[str]:
    for size in patch_sizes(results.table):
        trivial = best_trivial(results.table, size)
        beaten = [
            row.title for row in networks_of(results.table, size) if not is_better_than_trivial(row, trivial)
        ]
        if beaten and trivial is not None:
            yield (
                f"No better than a trivial predictor on relaxed F1: {joined(beaten)} ({trivial.title}, the "
                f"best of what needs no training, reaches {trivial.relaxed_f1:.3f})."
            )


def _about_failures(results: Results) -> Iterator[str]:
    for row in results.table.failed:
        yield f"{row.title} is not in the table: it failed in stage {row.stage} ({row.reason})."


def _about_tau(results: Results) -> Iterator[str]:
    curves = results.calibration
    edges = [s for s in results.members if s.key in curves and curves[s.key].on_grid_edge]
    if edges:
        settings = results.config.space.calibration
        named = joined([f"{s.title} (tau {curves[s.key].tau:.2f})" for s in edges])
        yield (
            f"The best tau lies on the edge of the grid for {named}. The optimum may lie beyond "
            f"{settings.lowest:g} to {settings.highest:g}; widen the calibration's grid in the search space."
        )


def _about_training(results: Results) -> Iterator[str]:
    budget = results.config.space.retraining.epochs
    growing = [s.title for s, m in results.members.items() if m.card.best_epoch == budget]
    if growing:
        yield (
            f"Still improving when the budget of {counted(budget, 'epoch')} ended: {joined(growing)}. More "
            "epochs may give better metrics."
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
    """Compare the metric that chose a member with the one that it reached on test."""
    fallen = []
    tested = {row.stratum: row.relaxed_f1 for row in results.table.rows}
    for stratum, member in results.members.items():
        kept = member.history["epoch"] == member.card.best_epoch
        before, after = member.history.loc[kept, "relaxed_f1"].max(), tested[stratum.key]
        if before - after > GREAT_FALL:
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
        yield f"Smaller than a patch of {size} px, and so not in its metrics: {joined(names)}."
