"""What the choices of a dimension score on the test scenes, where a sweep judges them on validation.

A sweep must never choose by test scenes. But its few validation scenes are the same for every seed, so that
intervals over seeds say nothing of other scenes. Here each trial that ran in full is scored on the test
patches, with the weights of its last epoch, which are those that a sweep keeps, and a threshold of its own
from validation. The interval of a difference is a bootstrap that draws
scenes anew, the same for all trials, and of each choice the seeds.

Run: `python benchmarks/trials_on_test.py --study DIR --of channels` (seconds a trial)
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import tyro
from pruning import score
from rich.console import Console
from rich.table import Table

from glsweep.evaluate import patches_to_score
from glsweep.evaluate.patches import Values, interval
from glsweep.nets import network_of
from glsweep.opened_study import open_study
from glsweep.patches.store import open_patches
from glsweep.randomness import generator_for
from glsweep.report.effects import labels_of_choices
from glsweep.study import Study
from glsweep.sweep.checkpoints import CheckpointStore
from glsweep.sweep.records import TrialRecord, read_records
from glsweep.training.state import read_tensors

PREFIX = "network."
"""Of the network's tensors in a checkpoint, beside which lie the optimiser's."""


@dataclass(frozen=True)
class Options:
    """Which study, and which of its dimensions."""

    study: Path
    of: str


class Scored(NamedTuple):
    """A trial's relaxed F1 on test patches, and the same of each draw of scenes."""

    relaxed_f1: float
    draws: Values


def score_trial(record: TrialRecord, study: Study, checkpoints: CheckpointStore) -> Scored:
    """Score the last weights of a trial on the test patches."""
    parameters = record.trial.parameters
    network = network_of(parameters, seed=record.trial.seed)
    with checkpoints.newest(record.trial.trial_id) as checkpoint:
        if checkpoint is None:
            raise SystemExit(f"{study.directory}: the checkpoints of its sweep were deleted; sweep anew")
        _, tensors = read_tensors(checkpoint)
    mine = {name: tensor for name, tensor in tensors.items() if name.startswith(PREFIX)}
    network.load_state_dict({name.removeprefix(PREFIX): tensor for name, tensor in mine.items()})
    val = open_patches(study, parameters.patch_size_px).arrays("val")
    test = patches_to_score(study, parameters.patch_size_px).own
    _, metrics, draws = score(network.eval(), parameters.channels, val, test, study)
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


def main(options: Options) -> None:
    """Score every trial that ran in full, and print a row for each choice."""
    torch.set_num_threads(1)
    study = open_study(options.study).study
    checkpoints = CheckpointStore(study.checkpoints(None, "sweep"))
    labels = labels_of_choices(study.config.space.dimensions[options.of])
    scored: dict[str, list[Scored]] = defaultdict(list)
    for record in read_records(study.ledger_jsonl).trials.values():
        choice = record.trial.choices.get(options.of)
        if record.outcome == "completed" and isinstance(choice, int):
            scored[labels[choice]].append(score_trial(record, study, checkpoints))
    table = Table("choice", "trials", "relaxed F1", "worst", "best", "difference", "95 %", title=options.of)
    present = [label for label in labels if label in scored]
    for label in present:
        values = [one.relaxed_f1 for one in scored[label]]
        row = [label, str(len(values)), f"{np.mean(values):.3f}", f"{min(values):.3f}", f"{max(values):.3f}"]
        if label != present[0]:
            mean, between = difference(scored[label], scored[present[0]], label)
            row += [f"{mean:+.3f}", between]
        table.add_row(*row)
    Console(width=120).print(table)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
