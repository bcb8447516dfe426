"""What the driver costs: sweeps of trials that return at once, through the real engine with MLflow.

    python benchmarks/driver.py [--sizes 200 500 1000 2000]

Every trial reports one epoch and ends, so that all that remains is what the platform does: proposing,
placing, the ledger, early stopping, the console's records, MLflow's runs. Each size runs in a process of
its own, with Ray started before the clock. Seconds of the driver's processor are the steadier figure on
a busy machine. A cost that grows with the number of trials would show as a rising column.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tyro
from process_tree import resident_mib
from ray import tune
from rich.console import Console

import glsweep.sweep  # noqa: F401  sets what Ray reads when it is imported
from glsweep.config import DEMO_SPACE
from glsweep.config.data_card import DataCard
from glsweep.config.space import Resources, load_space
from glsweep.config.stopping import NoStopping
from glsweep.config.trial import TrialParameters
from glsweep.doctor.connection import connected
from glsweep.search.plan import ListedPlan, PlannedTrial
from glsweep.study import create_study
from glsweep.study.configuration import StudyConfig
from glsweep.sweep.engine import Job, run_trials
from glsweep.sweep.mirror import mirrored
from glsweep.training.fit import Schedule


@dataclass
class Options:
    sizes: tuple[int, ...] = (200, 500, 1000, 2000)
    """Numbers of trials."""
    trials: int | None = None
    """Run one size in this process and print its figures as JSON."""


def at_once(config: dict[str, Any], **_unused: Any) -> None:
    """Report one invented epoch and end."""
    tune.report({"placed": "here", "device": "cpu"})
    (trial,) = config["cohort"]["trials"]
    value = (trial["index"] * 37 % 101) / 101
    metrics = {"relaxed_f1": value, "dice": value, "val_loss": 1 - value, "train_loss": 1 - value}
    metrics |= {"epoch_s": 0.0, "micro_batch": 25.0}
    tune.report({"reports": [{"trial_id": trial["trial_id"], "epoch": 1, "last": True, "metrics": metrics}]})


def main(options: Options) -> None:
    if options.trials is not None:
        print(json.dumps(run(options.trials)))
        return
    print(f"Python {sys.version.split()[0]}, ray {version('ray')}, mlflow {version('mlflow')}, ", end="")
    print(f"{os.cpu_count()} cores, {os.uname().machine}\n")
    print("| trials | wall ms a trial | driver CPU ms a trial | memory grown (MiB) | MLflow calls a trial |")
    print("|---|---|---|---|---|")
    for size in options.sizes:
        command = [sys.executable, __file__, "--trials", str(size)]
        finished = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        row = json.loads(finished.stdout.splitlines()[-1])
        print(
            f"| {size} | {row['wall_ms']:.1f} | {row['cpu_ms']:.1f} | {row['grown_mib']:.0f} "
            f"| {row['calls']:.2f} |",
            flush=True,
        )


def run(trials: int) -> dict[str, float]:
    """Run one sweep and return its figures a trial."""
    space = load_space(DEMO_SPACE)
    with tempfile.TemporaryDirectory(prefix="glsweep-driver-") as folder, connected(None):
        study = create_study(
            Path(folder) / "study", StudyConfig(name="driver", seed=0, card=card(), space=space)
        )
        job = Job(
            plan=invented_plan(trials),
            schedule=Schedule(1, 200.0, "relaxed_f1"),
            stopping=NoStopping(),
            resources=Resources(cpus=1, gpus=0),
            ledger_jsonl=study.ledger_jsonl,
            storage=study.checkpoints(None, "sweep"),
            trainable=at_once,
        )
        with mirrored(study, Console(stderr=True)) as mirror:
            start = time.perf_counter(), cpu_s(), resident_mib()
            run_trials(job, {}, [mirror])
            wall_s, used_s, grown_mib = (
                now - then
                for now, then in zip((time.perf_counter(), cpu_s(), resident_mib()), start, strict=True)
            )
        return {
            "wall_ms": 1000 * wall_s / trials,
            "cpu_ms": 1000 * used_s / trials,
            "grown_mib": grown_mib,
            "calls": mirror.calls / trials,
        }


def card() -> DataCard:

    return DataCard.model_validate({"name": "driver", "simulation": {"scenes": 3, "rows": 96, "cols": 96}})


def invented_plan(trials: int) -> ListedPlan:
    """Return that many configurations of two strata that differ in their learning rate."""
    return ListedPlan(
        PlannedTrial(
            trial_id=f"{index:05d}",
            index=index,
            seed=index,
            parameters=TrialParameters.model_validate(
                {
                    "architecture": ("unet", "attention_unet")[index % 2],
                    "patch_size_px": 128,
                    "fn_weight": 0.7,
                    "fp_weight": 0.3,
                    "gamma": 1.33,
                    "bce_weight": 0.2,
                    "learning_rate": 1e-4 * (1 + index),
                    "weight_decay": 0.0,
                    "batch_size": 25,
                    "gradient_clip": 1.0,
                    "channels": ("real", "imag"),
                    "augmentation": (),
                }
            ),
        )
        for index in range(trials)
    )


def cpu_s() -> float:
    """Return the processor's seconds of this process, all threads together."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
