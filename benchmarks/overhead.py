"""What the platform costs: a sweep's wall time over that of a bare PyTorch loop on the same trials.

    python benchmarks/overhead.py [--minutes-a-trial 1] [--trials 4] [--repetitions 2]

Both sides train the same configurations with the same seeds on the same prepared patches, side by
side on the same cores, one thread each, each from a cold start of the interpreter. The sweep is
`python -m glsweep.run sweep` with all that belongs to it: Ray, a checkpoint each epoch, the ledger,
MLflow. The bare loop (bare_loop.py) only trains. Their order changes from repetition to repetition.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import tyro
import yaml
from measured import Measured, MeasuredFile, add

HERE = Path(__file__).parent
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
# About one second an epoch on a slow core.
PATCHES = 96
WIDTH = 8

CARD = {
    "name": "overhead",
    "split": {"rule": "scene", "train": 0.5, "val": 0.25, "test": 0.25},
    "simulation": {"scenes": 4, "rows": 256, "cols": 256, "looks": 12},
}
OPTIMISER = {"learning_rate": 1.0e-3, "weight_decay": 0.0, "batch_size": 8, "gradient_clip": 1.0}


def space(trials: int, epochs: int) -> dict[str, object]:
    """A grid of that many U-Nets that differ in their loss, with no early stopping."""
    return {
        "name": "overhead",
        "dimensions": {
            "architecture": {"choices": ["unet"]},
            "patch_size_px": {"choices": [64]},
            "bce_weight": {"choices": [round(0.1 + 0.8 * number / trials, 3) for number in range(trials)]},
        },
        "fixed": {
            "channels": ["real", "imag"],
            "fn_weight": 0.7,
            "fp_weight": 0.3,
            "gamma": 1.33,
            "base_width": WIDTH,
            "augmentation": ["dihedral", "conjugation"],
            **OPTIMISER,
        },
        "patches": {
            "with_line": PATCHES,
            "without_line": PATCHES // 4,
            "valid_share": 0.2,
            "box_px": 31,
            "box_coverage": 200,
            "fresh_share": 0.4,
            "fresh_coverage": 3,
        },
        "search": {
            "sampler": "grid",
            "epochs": epochs,
            "rank_by": "relaxed_f1",
            "tolerance_m": 200.0,
            "scheduler": {"name": "none"},
        },
        "resources": {"cpus": 1, "gpus": 0},
        "retraining": {"epochs": 1, "patience": 1, "monitor": "val_loss", **OPTIMISER},
        "calibration": {"lowest": 0.1, "highest": 0.9, "count": 17, "criterion": "dice"},
    }


@dataclass
class Options:
    """How much is trained."""

    minutes_a_trial: float = 1.0
    """Least wall time of a trial in the bare loop; epochs are chosen to fit."""
    trials: int = 4
    repetitions: int = 2
    workers: int = os.cpu_count() or 1
    """Trials side by side; the sweep takes as many as there are cores."""
    measured: MeasuredFile = None


def main(options: Options) -> None:
    with tempfile.TemporaryDirectory(prefix="glsweep-overhead-") as folder:
        root = Path(folder)
        epoch_s = seconds_an_epoch(root / "probe", options)
        epochs = max(2, round(60 * options.minutes_a_trial / epoch_s))
        ratios, lines = [], []
        for repetition in range(options.repetitions):
            study = prepare(root / f"study-{repetition}", options.trials, epochs)
            took = both(study, options, sweep_first=repetition % 2 == 1)
            ratios.append(took["sweep"] / took["bare"])
            lines.append((took["bare"], took["sweep"], ratios[-1]))
    print(
        f"\n{options.trials} trials of {epochs} epochs of about {epoch_s:.2f} s, {options.workers} at a time"
    )
    print(f"Python {sys.version.split()[0]}, torch {version('torch')}, ray {version('ray')}, ", end="")
    print(f"mlflow {version('mlflow')}, {os.cpu_count()} cores, {os.uname().machine}")
    print("| bare loop (s) | sweep (s) | ratio |\n|---|---|---|")
    for bare_s, sweep_s, ratio in lines:
        print(f"| {bare_s:.1f} | {sweep_s:.1f} | {ratio:.3f} |")
    ratio = statistics.median(ratios)
    add([Measured("sweep of long trials", "bare loop", ratio, at_most=1.1)], options.measured)
    print(f"median ratio {ratio:.3f}")


def both(study: Path, options: Options, *, sweep_first: bool) -> dict[str, float]:
    """Time both sides on one study."""
    names = ("sweep", "bare") if sweep_first else ("bare", "sweep")
    return {name: bare(study, options) if name == "bare" else sweep(study) for name in names}


def prepare(folder: Path, trials: int, epochs: int) -> Path:
    """Make a study whose patches are ready."""
    folder.mkdir(parents=True)
    card, space_yaml, study = folder / "card.yaml", folder / "space.yaml", folder / "study"
    card.write_text(yaml.safe_dump(CARD))
    space_yaml.write_text(yaml.safe_dump(space(trials, epochs), sort_keys=False))
    timed("-m", "glsweep.run", "prepare", "--data", card, "--space", space_yaml, "--study", study)
    return study


def seconds_an_epoch(folder: Path, options: Options) -> float:
    """Measure the slope of the bare loop's wall time over its epochs."""
    few, more = (bare(prepare(folder / str(epochs), options.workers, epochs), options) for epochs in (2, 12))
    return (more - few) / 10


def bare(study: Path, options: Options) -> float:
    return timed(HERE / "bare_loop.py", study, options.workers)


def sweep(study: Path) -> float:
    return timed("-m", "glsweep.run", "sweep", "--study", study)


def timed(*arguments: object) -> float:
    start_s = time.perf_counter()
    environment = {**{k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}, **THREADS}
    subprocess.run(
        [sys.executable, *map(str, arguments)], check=True, env=environment, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - start_s


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
