"""What a table is worth whose patches leak: the same scenes split by patch, as published, and by scene.

Patches are cut at random places along the line, so that they overlap. Split patch by patch, most patches of
test share ground with some that were trained on; split by scene, none does. Each network is trained both
ways, with several seeds (of scenes, patches and weights), and scored on its own test patches and on those of
scenes that nobody has seen. What its own test promises beyond those is the leak.

Run: `python benchmarks/split_leak.py --folder studies/leak [--figure FILE.png]`
(a quarter of an hour on two cores; studies that are there are read)
"""

import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import tyro
import yaml
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from scipy.stats import t

from glsweep.config import SHIPPED
from glsweep.report.table import StudyTable
from glsweep.study.artifacts import read_artifact

Rule = Literal["patch", "scene"]
SHARE = 0.95


@dataclass(frozen=True)
class Options:
    """What is trained, and where it is kept."""

    folder: Path
    networks: tuple[str, ...] = ("unet", "unetpp")
    seeds: int = 2
    scenes: int = 12
    patches_with_line: int = 300
    epochs: int = 24
    figure: Path | None = None


class Found(NamedTuple):
    """Of one study, the relaxed F1 of each network on its own test and on scenes that nobody has seen."""

    rule: Rule
    own: Mapping[str, float]
    unseen: Mapping[str, float]


def write_card(path: Path, name: str, rule: Rule, options: Options) -> Path:
    """Write a card of scenes as noisy as real ones."""
    card: dict[str, Any] = yaml.safe_load((SHIPPED / "datasets/noisy.yaml").read_text())
    card |= {"name": name, "split": {**card["split"], "rule": rule}}
    card["simulation"]["scenes"] = options.scenes
    path.write_text(yaml.safe_dump(card))
    return path


def write_space(path: Path, options: Options) -> Path:
    """Write the demo's space with one configuration of each network, for which the sweep chooses nothing."""
    space: dict[str, Any] = yaml.safe_load((SHIPPED / "search_spaces/demo.yaml").read_text())
    space["dimensions"] = {
        "architecture": {"choices": list(options.networks)},
        "patch_size_px": {"choices": [128]},
        "base_width": {"choices": [4], "when": {"architecture": "unetpp"}},
    }
    space["fixed"] |= {"fn_weight": 0.7, "fp_weight": 0.3, "gamma": 1.33, "bce_weight": 0.2}
    space["patches"] |= {
        "with_line": options.patches_with_line,
        "without_line": options.patches_with_line // 5,
    }
    space["search"] |= {"epochs": 1, "replicates": 1, "scheduler": {"name": "none"}}
    space["retraining"] |= {"epochs": options.epochs, "patience": options.epochs}
    if "unetpp" not in options.networks:
        del space["dimensions"]["base_width"]
    path.write_text(yaml.safe_dump(space))
    return path


def run_study(rule: Rule, seed: int, options: Options) -> Found:
    """Train the networks on scenes that are split by a rule, and read what they score."""
    study = options.folder / f"{rule}_{seed}"
    if not (study / "table.json").exists():
        inputs = options.folder / "inputs"
        inputs.mkdir(parents=True, exist_ok=True)
        card = write_card(inputs / f"{rule}.yaml", "own", rule, options)
        unseen = write_card(inputs / "unseen.yaml", "unseen", "scene", options)
        space = write_space(inputs / "space.yaml", options)
        words = ["--data", card, "--test-data", unseen, "--space", space, "--study", study, "--seed", seed]
        subprocess.run([sys.executable, "-m", "glsweep.run", *map(str, words)], check=True)
    table = read_artifact(study / "table.json", StudyTable)
    scores: dict[str, dict[str, float]] = {"own": {}, "unseen": {}}
    for row in table.by_data_set:
        if row.kind == "network" and row.relaxed_f1 is not None:
            scores[row.data_set][row.title] = row.relaxed_f1
    return Found(rule, scores["own"], scores["unseen"])


def with_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean over seeds, and the half width of its interval by Student's t."""
    if len(values) < 2:
        return values[0], float("nan")
    error = statistics.stdev(values) / len(values) ** 0.5
    return statistics.mean(values), float(t.ppf((1 + SHARE) / 2, len(values) - 1) * error)


def tabulated(found: Sequence[Found]) -> Table:
    """Return a row for each network and rule."""
    table = Table(
        title="Relaxed F1 within 200 m: what a study's own test says, and scenes that nobody has seen"
    )
    for heading in ("network", "split by", "its own test", "unseen scenes", "promised too much"):
        table.add_column(heading)
    for network in found[0].own:
        for rule in get_args(Rule):
            of_rule = [study for study in found if study.rule == rule]
            own = [study.own[network] for study in of_rule]
            unseen = [study.unseen[network] for study in of_rule]
            leaks = [a - b for a, b in zip(own, unseen, strict=True)]
            cells = ("{:.3f} ± {:.3f}".format(*with_interval(values)) for values in (own, unseen, leaks))
            table.add_row(network, rule, *cells)
    return table


def draw_figure(path: Path, found: Sequence[Found]) -> None:
    """Draw each study as a line from its own test to unseen scenes, a panel for each network."""
    networks = list(found[0].own)
    figure = Figure(figsize=(3.4 * len(networks), 3.6), layout="constrained")
    panels = figure.subplots(1, len(networks), sharey=True, squeeze=False)[0]
    looks = {"patch": ("tab:orange", "split by patch, as published"), "scene": ("tab:blue", "split by scene")}
    for panel, network in zip(panels, networks, strict=True):
        for rule, (colour, label) in looks.items():
            of_rule = [study for study in found if study.rule == rule]
            for study in of_rule:
                panel.plot((0, 1), (study.own[network], study.unseen[network]), "o-", color=colour, alpha=0.3)
            means = [
                statistics.mean(getattr(study, test)[network] for study in of_rule)
                for test in ("own", "unseen")
            ]
            panel.plot((0, 1), means, "o-", color=colour, linewidth=2.5, label=label)
        panel.set_title(network)
        panel.set_xticks((0, 1), ("its own test", "unseen scenes"))
        panel.set_xlim(-0.25, 1.25)
        panel.grid(axis="y", alpha=0.3)
    panels[0].set_ylabel("relaxed F1 within 200 m")
    panels[0].legend(loc="lower left", frameon=False)
    figure.savefig(path, dpi=130)


def main(options: Options) -> None:
    """Run what is missing, then print the table and draw the figure."""
    found = [run_study(rule, seed, options) for seed in range(options.seeds) for rule in get_args(Rule)]
    Console().print(tabulated(found))
    if options.figure is not None:
        draw_figure(options.figure, found)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
