"""What it costs and gains to draw from a U-Net++'s shallower outputs, x01 to x03, in place of its last, x04.

A network that was trained with deep supervision can be cut down to its first columns (Zhou et al. 2018; 2020,
figure 2): it is smaller and faster, and answers as that head of the whole does. For each U-Net++ of a study
and each depth: parameters; processor time of one thread for a batch of test patches, the depths in turn, and
the median ratio to the whole network's; relaxed F1 and Dice on test patches, at its own threshold,
chosen on validation as the study chooses its members'. The gain in relaxed F1 over the whole network is on
the same draws of scenes.

With `--temperature`, for every member: how reliable its probability is on test patches before and after its
logits are divided by what fits validation best. The calibration errors leave out what is below .1, so that
they are not of the same pixels before and after; the cross-entropy is of all.

Run: `python benchmarks/pruning.py --study DIR [--temperature]` (half a minute for a narrow one of 128 px).
"""

import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import truediv
from pathlib import Path
from typing import NamedTuple

import torch
import tyro
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from glsweep.config.trial import Channel, Stratum, TrialParameters
from glsweep.evaluate import patches_to_score
from glsweep.evaluate.patches import HeldOut, Values, interval
from glsweep.losses.heads import HeadsLoss
from glsweep.metrics.reliability import measure_reliability
from glsweep.nets import count_parameters, derive_channels
from glsweep.nets.ensemble import networks_of
from glsweep.nets.member import ModelCard, load_member, tempered, untrained_network
from glsweep.nets.unetpp import UNetPlusPlus, pruned
from glsweep.opened_study import open_study
from glsweep.patches import PatchArrays
from glsweep.patches.store import open_patches
from glsweep.study import Study
from glsweep.study.evaluation_artifacts import HeldOutMetrics
from glsweep.training.memory import (
    BATCH_PATCHES,
    calibrate_on,
    fitted_temperature,
    keep_freed_memory,
    logits_of,
    predict_patches,
)


@dataclass(frozen=True)
class Options:
    """Whose members are measured, and how."""

    study: Path
    """A study that has been evaluated, with a U-Net++ trained with deep supervision."""
    repetitions: int = 15
    """Batches that each depth is timed on."""
    temperature: bool = False
    """Measure too what a temperature does for the probability of every member."""


class Member(NamedTuple):
    """A trained network, and the patches that decide and judge."""

    title: str
    network: nn.Module
    card: ModelCard
    val: PatchArrays
    test: HeldOut


def members_of(study: Study, names: list[str]) -> Iterator[Member]:
    """Yield a study's members by the keys of their strata."""
    for stratum in map(Stratum.parse, names):
        network, card = load_member(study.member(stratum))
        val = open_patches(study, stratum.patch_size_px).arrays("val")
        test = patches_to_score(study, stratum.patch_size_px).own
        yield Member(stratum.title, network, card, val, test)


def cut_down(member: Member, depth: int) -> nn.Module:
    """Return the part of a member's U-Net++, or of each of its networks, that ends in the head x0`depth`."""
    own = {**member.card.network_parameters, "depth": depth}
    part = untrained_network(member.card.model_copy(update={"network_parameters": own}))
    for small, whole in zip(networks_of(part), networks_of(member.network), strict=True):
        small.load_state_dict(pruned(whole.state_dict(), depth))
    return part.eval()


def score(
    network: nn.Module, channels: tuple[Channel, ...], val: PatchArrays, test: HeldOut, study: Study
) -> tuple[float, HeldOutMetrics, Values]:
    """Choose a threshold as the study does; return it, the metrics on test patches, and their draws."""
    settings = study.config.space.calibration
    curve = calibrate_on(val, network, channels, settings, tolerance_m=test.tolerance_m)
    probability = predict_patches(network, test.patches, channels, temperature=curve.temperature)
    return curve.tau, *test.score_and_draw(probability, curve.tau)


@torch.inference_mode()
def taken_in_turns(parts: Mapping[int, nn.Module], batch: Tensor, repetitions: int) -> dict[int, list[float]]:
    """Return the processor seconds of each network's passes, after one that is not counted."""
    taken_s: dict[int, list[float]] = {depth: [] for depth in parts}
    for _ in range(1 + repetitions):
        for depth, part in parts.items():
            begun_s = time.process_time()
            part(batch)
            taken_s[depth].append(time.process_time() - begun_s)
    return {depth: one[1:] for depth, one in taken_s.items()}


def tabulated_depths(member: Member, study: Study, repetitions: int) -> Table:
    """Return a row for each depth, the whole network last."""
    first = networks_of(member.network)[0]
    assert isinstance(first, UNetPlusPlus)
    whole = first.depth
    trained_as = TrialParameters.model_validate(member.card.parameters)
    weights = HeadsLoss(ds_weights=trained_as.ds_weights).head_weights(whole)
    parts = {depth: cut_down(member, depth) for depth in range(1, whole + 1)}
    image = torch.tensor(member.test.patches.image[:BATCH_PATCHES])
    batch = derive_channels(image, member.card.channels, member.card.amplitude_scale)
    taken_s = taken_in_turns(parts, batch, repetitions)
    scored = {
        depth: score(part, member.card.channels, member.val, member.test, study)
        for depth, part in parts.items()
    }
    _, whole_metrics, whole_draws = scored[whole]
    table = Table(
        *("output", "its weight", "parameters", "ms", "of the whole's", "tau"),
        *("relaxed F1", "95 %", "gain", "95 %", "Dice"),
        title=f"{member.title}, base width {member.card.base_width}, {len(batch)} patches at once, "
        f"{len(member.test.patches)} test patches, intervals over {whole_metrics.interval_over}",
    )
    for depth, (tau, metrics, draws) in scored.items():
        ratio = statistics.median(map(truediv, taken_s[depth], taken_s[whole]))
        table.add_row(
            f"x0{depth}",
            f"{weights[depth - 1]:.2g}",
            f"{count_parameters(parts[depth]):,}",
            f"{1e3 * statistics.median(taken_s[depth]):.1f}",
            f"{ratio:.2f}",
            f"{tau:g}",
            f"{metrics.relaxed_f1:.3f}",
            shown(interval(draws), ".3f"),
            f"{metrics.relaxed_f1 - whole_metrics.relaxed_f1:+.3f}",
            shown(interval(draws - whole_draws), "+.3f"),
            f"{metrics.dice:.3f}",
        )
    return table


def shown(ends: tuple[float, float] | None, form: str) -> str:
    """Write an interval, if there is one."""
    return "" if ends is None else f"{ends[0]:{form}} to {ends[1]:{form}}"


def tabulated_temperatures(members: Iterator[Member]) -> Table:
    """Return how reliable each member's probability is, before and after its temperature."""
    kinds = ("cross-entropy", "error, line", "error, near it")
    table = Table("member", "temperature", *(f"{kind}: before, after" for kind in kinds))
    for title, network, card, val, test in members:
        found = fitted_temperature(logits_of(network, val, card.channels), val)
        logits = torch.from_numpy(logits_of(network, test.patches, card.channels))
        before, after = reliability(logits, test, 1.0), reliability(logits, test, found)
        pairs = (f"{old:.4f}, {new:.4f}" for old, new in zip(before, after, strict=True))
        table.add_row(title, f"{found:.2f}", *pairs)
    return table


def reliability(logits: Tensor, test: HeldOut, temperature: float) -> tuple[float, float, float]:
    """Return cross-entropy, and the calibration errors against the line and its surroundings."""
    seen = test.truth.seen
    line = test.truth.mask[seen].float()
    image = torch.tensor(test.patches.image)
    said = measure_reliability(tempered(logits.unsqueeze(1), image, temperature), test.truth)
    return (
        float(binary_cross_entropy_with_logits(logits[seen] / temperature, line)),
        said.error(said.line_share),
        said.error(said.near_share),
    )


def main(options: Options) -> None:
    """Print a table of depths for each U-Net++, and where wanted one of temperatures."""
    torch.set_num_threads(1)
    keep_freed_memory()  # as the command that draws scenes does
    opened, console = open_study(options.study), Console(width=140)
    nested = [name for name in opened.members if Stratum.parse(name).architecture == "unetpp"]
    if not nested and not options.temperature:
        raise SystemExit(f"{options.study}: has no U-Net++; take a study whose search space has `unetpp`")
    for member in members_of(opened.study, nested):
        console.print(tabulated_depths(member, opened.study, options.repetitions))
    if options.temperature:
        console.print(tabulated_temperatures(members_of(opened.study, list(opened.members))))


if __name__ == "__main__":
    main(tyro.cli(Options))
