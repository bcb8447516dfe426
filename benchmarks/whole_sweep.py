"""The published grid of 160 trials: a sweep with early stopping against the plain loop, trial by trial.

    python benchmarks/whole_sweep.py [--sizes-px 32 64] [--patches 200]

The plain loop trains every trial in full, one after another, with all the cores; of it only training and
validation count. The sweep is the command `sweep`, from the start of its process to its end: Ray, early
stopping, checkpoints, ledger and MLflow included. Both begin with prepared patches of simulated scenes.

`best` is the plain loop's best relaxed F1 of a stratum, `found` that of the sweep, and `again` what the
sweep's winner comes to in the plain loop, with other draws. The noise is by how much one configuration's
figures of the two runs differ (standard deviation over those that ran in full, divided by the root of two).

The published sizes, batches and widths are for a GPU: `--sizes-px 128 256 --batch-size 25 --patches 6000
--unetpp-width 32 --learning-rate 1e-4`. The defaults are what two cores do in a quarter of an hour.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
import tyro
import yaml
from measured import Measured, MeasuredFile, add
from rich.console import Console
from rich.table import Table

from glsweep.config.trial import Stratum
from glsweep.study.artifacts import Winner, Winners, read_artifact

HERE = Path(__file__).parent
SPACE = HERE.parent / "search_spaces" / "seed_asha.yaml"


@dataclass(frozen=True)
class Options:
    """What is trained."""

    sizes_px: tuple[int, ...] = (32, 64)
    unet_width: int = 4
    unetpp_width: int = 4
    batch_size: int = 8
    learning_rate: float = 5e-3
    patches: int = 200
    """Of each size, for all splits together."""
    scenes: int = 12
    epochs: int = 8
    gpus: float = 0.25
    """What a trial takes of a GPU."""
    cohort: int | None = None
    """Trials that train together; None leaves it to the package."""
    folder: Path | None = None
    """Where the study is kept; None for a temporary folder."""
    measured: MeasuredFile = None


def space(options: Options) -> dict[str, Any]:
    """Return the published grid under early stopping at another scale."""
    space: dict[str, Any] = yaml.safe_load(SPACE.read_text(encoding="utf-8"))
    space["dimensions"]["patch_size_px"] = {"choices": list(options.sizes_px)}
    space["dimensions"]["base_width"] = {
        "choices": [options.unetpp_width],
        "when": {"architecture": "unetpp"},
    }
    space["fixed"] |= {
        "base_width": options.unet_width,
        "batch_size": options.batch_size,
        "learning_rate": options.learning_rate,
        "augmentation": ["dihedral"],
    }
    space["patches"] = {
        "rule": "balanced",
        "with_line": round(options.patches * 5 / 6),
        "without_line": round(options.patches / 6),
        "valid_share": 0.2,
        "near_share": 0.5,
    }
    space["search"]["epochs"] = options.epochs
    space["resources"] = {"cpus": 1, "gpus": options.gpus, "cohort": options.cohort or "auto"}
    return space


def card(options: Options) -> dict[str, Any]:
    """Return the data set: simulated scenes, split by scene."""
    return {
        "name": "whole_sweep",
        "split": {"rule": "scene", "train": 0.5, "val": 0.25, "test": 0.25},
        "simulation": {"scenes": options.scenes, "rows": 512, "cols": 512, "noise": 0.5},
    }


def run(*arguments: object, output: int = subprocess.DEVNULL) -> tuple[float, str]:
    """Run Python and return how long it took, and what it printed."""
    environment = {k: v for k, v in os.environ.items() if k not in ("MLFLOW_TRACKING_URI", "OMP_NUM_THREADS")}
    begun_s = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], check=True, env=environment, stdout=output, text=True
    )
    return time.perf_counter() - begun_s, done.stdout or ""


def measure(options: Options, folder: Path) -> None:
    """Run both, and print the table."""
    files = {"card.yaml": card(options), "space.yaml": space(options)}
    for name, content in files.items():
        (folder / name).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    study = folder / "study"
    run(
        "-m",
        "glsweep.run",
        "prepare",
        *("--data", folder / "card.yaml", "--space", folder / "space.yaml", "--study", study),
    )
    sweep_s, _ = run("-m", "glsweep.run", "sweep", "--study", study)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    _, printed = run(HERE / "plain_sweep.py", study, device, output=subprocess.PIPE)
    plain = json.loads(printed)
    trials = pd.read_csv(study / "sweep" / "trials.csv", dtype={"trial_id": str}).set_index("trial_id")
    winners = read_artifact(study / "sweep" / "winners.json", Winners).by_stratum
    report(options, trials, winners, plain, sweep_s, device)


def report(
    options: Options,
    trials: pd.DataFrame,
    winners: dict[str, Winner],
    plain: dict[str, Any],
    sweep_s: float,
    device: str,
) -> None:
    """Print how fast the sweep was, and how good its winners are."""
    figures, found = pd.Series(plain["figures"]), []
    table = Table("stratum", "trials", "ran in full", "best", "found", "again", "noise")
    for key, won in sorted(winners.items()):
        mine = trials[trials["stratum"] == key]
        full = mine[mine["outcome"] == "completed"]
        apart = [figures[name] - full.loc[name, "best"] for name in full.index]
        best, winner = figures[mine.index].max(), figures[won.trial_id]
        title = Stratum.parse(key).title
        behind = full["best"].max() - best
        found.append(Measured(f"best relaxed F1 of the sweep, {title}", "plain loop, difference", behind))
        table.add_row(
            title,
            *(str(len(mine)), str(len(full))),
            *(f"{best:.3f}", f"{full['best'].max():.3f}", f"{winner:.3f}"),
            f"{statistics.stdev(apart) / 2**0.5:.3f}" if len(apart) > 1 else "",
        )
    Console(width=110).print(table)
    plain_s, epochs = plain["taken_s"], len(figures) * options.epochs
    print(
        f"plain loop {plain_s:.0f} s for {epochs} epochs, sweep {sweep_s:.0f} s for "
        f"{trials['epochs'].sum()}: {plain_s / sweep_s:.1f} times as fast"
    )
    speed = Measured(
        "sweep of the published grid, stopped early", "plain loop", plain_s / sweep_s, at_least=15
    )
    add([speed, *found], options.measured)
    print(
        f"on {torch.cuda.get_device_name() if device == 'cuda' else 'CPU'}, {os.cpu_count()} cores, "
        f"{platform.machine()}; torch {version('torch')}, ray {version('ray')}; {time.strftime('%d %B %Y')}; "
        f"{options}"
    )


def main(options: Options) -> None:
    """Measure in the folder that is given, or in a temporary one."""
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
        measure(options, options.folder)
        return
    with tempfile.TemporaryDirectory(prefix="glsweep-whole-sweep-") as folder:
        measure(options, Path(folder))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
