"""What to mind about the sweep: failures, memory that ran out, and how far seeds decide."""

from collections.abc import Iterator

from glsweep.report.results import Results
from glsweep.report.seeds import CLEAR, leads
from glsweep.report.sweep_facts import failure_reasons
from glsweep.report.words import counted, joined

MOST_NAMED = 6


def sweep_cautions(results: Results) -> Iterator[str]:
    """Yield one sentence or two for each thing to mind about the sweep."""
    yield from _about_failures(results)
    yield from _about_memory(results)
    yield from _about_seeds(results)


def _about_failures(results: Results) -> Iterator[str]:
    reasons = failure_reasons(results)
    if reasons:
        told = "; ".join(f"{reason} ({count})" for reason, count in reasons.items())
        yield f"{counted(sum(reasons.values()), 'trial')} failed: {told}."


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
            "Each configuration ran with one seed. How far its figure is that seed's doing is not known, so "
            "small differences between trials may be chance (`replicates` in the search space repeats those "
            "that run in full with other seeds)."
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
