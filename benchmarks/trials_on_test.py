"""What the choices of a dimension, and the seeds of members, score on the test scenes.

A sweep must never choose by test scenes. But its few validation scenes are the same for every seed, so that
intervals over seeds say nothing of other scenes. Here each trial that ran in full is scored on the test
patches, with the weights of its last epoch, which are those that a sweep keeps, and a threshold of its own
from validation. The interval of a difference is a bootstrap that draws
scenes anew, the same for all trials, and of each choice the seeds.

Without `--of`, each network of each member (`retraining.seeds`) is scored by itself, and all together.

Run: `python benchmarks/trials_on_test.py --study DIR [--of channels]` (seconds a trial)
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import tyro
from pruning import members_of, score
from rich.console import Console
from rich.table import Table

from glsweep.evaluate import patches_to_score
from glsweep.evaluate.patches import HeldOut, Values, interval
from glsweep.nets.ensemble import networks_of
from glsweep.opened_study import OpenedStudy, open_study
from glsweep.patches import PatchArrays
from glsweep.patches.store import open_patches
from glsweep.randomness import generator_for
from glsweep.report.effects import labels_of_choices
from glsweep.study import Study
from glsweep.sweep.checkpoints import CheckpointStore
from glsweep.sweep.records import TrialRecord, read_records
from glsweep.training.state import fresh_state, load_state


@dataclass(frozen=True)
class Options:
    """Which study, and which of its dimensions; without one its members."""

    study: Path
    of: str | None = None


class Scored(NamedTuple):
    """A trial's relaxed F1 on test patches, and the same of each draw of scenes."""

    relaxed_f1: float
    draws: Values


class Ground(NamedTuple):
    """Patches of one size: those that choose a threshold, and those that judge."""

    val: PatchArrays
    test: HeldOut


def score_trial(record: TrialRecord, study: Study, checkpoints: CheckpointStore, ground: Ground) -> Scored:
    """Score the last weights of a trial on the test patches."""
    parameters = record.trial.parameters
    state = fresh_state(parameters, seed=record.trial.seed, device=torch.device("cpu"))
    with checkpoints.newest(record.trial.trial_id) as checkpoint:
        if checkpoint is None:
            raise SystemExit(f"{study.directory}: the checkpoints of its sweep were deleted; sweep anew")
        load_state(state, checkpoint)
    _, metrics, draws = score(state.network.eval(), parameters.channels, *ground, study)
    return Scored(metrics.relaxed_f1, draws)


def difference(of: Sequence[Scored], first: Sequence[Scored], name: str) -> tuple[float, str]:
    """Return the mean difference between two choices, and its interval over scenes and seeds."""
    generator = generator_for(0, "seeds", name)

    def drawn(scored: Sequence[Scored]) -> Values:
        draws = np.stack([one.draws for one in scored])
        seeds = generator.integers(len(scored), size=(len(scored), draws.shape[1]))
        return np.take_along_axis(draws, seeds, axis=0).mean(axis=0)

    low, high = interval(drawn(of) - drawn(first)) or (np.nan, np.nan)
    mean = np.mean([one.relaxed_f1 for one in of]) - np.mean([one.relaxed_f1 for one in first])
    return float(mean), f"{low:+.3f} to {high:+.3f}"


def tabulated_members(opened: OpenedStudy) -> Table:
    """Return a row for each member, with the relaxed F1 of each of its networks and of all together."""
    table = Table("member", "each seed", "all together", "95 %", title="members")
    for title, network, card, val, test in members_of(opened.study, list(opened.members)):
        each = [score(one, card.channels, val, test, opened.study)[1] for one in networks_of(network)]
        _, together, _ = score(network, card.channels, val, test, opened.study)
        between = f"{together.relaxed_f1_low:.3f} to {together.relaxed_f1_high:.3f}"
        seeds = ", ".join(f"{one.relaxed_f1:.3f}" for one in each)
        table.add_row(title, seeds, f"{together.relaxed_f1:.3f}", between)
    return table


def tabulated_choices(study: Study, of: str) -> Table:
    """Return a row for each choice of a dimension, over the trials that ran in full."""
    checkpoints = CheckpointStore(study.checkpoints(None, "sweep"))
    labels = labels_of_choices(study.config.space.dimensions[of])
    trials = read_records(study.ledger_jsonl).trials.values()
    ground = {
        size: Ground(open_patches(study, size).arrays("val"), patches_to_score(study, size).own)
        for size in {record.trial.stratum.patch_size_px for record in trials}
    }
    scored: dict[str, list[Scored]] = defaultdict(list)
    for record in trials:
        choice, size = record.trial.choices.get(of), record.trial.stratum.patch_size_px
        if record.outcome == "completed" and isinstance(choice, int):
            scored[labels[choice]].append(score_trial(record, study, checkpoints, ground[size]))
    table = Table("choice", "trials", "relaxed F1", "worst", "best", "difference", "95 %", title=of)
    present = [label for label in labels if label in scored]
    for label in present:
        values = [one.relaxed_f1 for one in scored[label]]
        row = [label, str(len(values)), f"{np.mean(values):.3f}", f"{min(values):.3f}", f"{max(values):.3f}"]
        if label != present[0]:
            mean, between = difference(scored[label], scored[present[0]], label)
            row += [f"{mean:+.3f}", between]
        table.add_row(*row)
    return table


def main(options: Options) -> None:
    """Score every trial that ran in full, or every member, and print a row for each choice or member."""
    torch.set_num_threads(1)
    opened = open_study(options.study)
    of = options.of
    table = tabulated_members(opened) if of is None else tabulated_choices(opened.study, of)
    Console(width=120).print(table)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
