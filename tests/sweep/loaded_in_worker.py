"""Trains a trial for an epoch on a real Ray, and prints which packages its worker has loaded then."""

import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sweeps import planned

from glsweep.config.space import Resources
from glsweep.config.stopping import NoStopping
from glsweep.doctor.connection import connected
from glsweep.patches import PatchArrays
from glsweep.search.plan import ListedPlan
from glsweep.sweep.checkpoints import CheckpointStore
from glsweep.sweep.engine import Job, run_trials
from glsweep.sweep.tune import train_cohort
from glsweep.training.fit import Schedule

SIZE_PX = 32
LOADED = "loaded"


class TellingStore(CheckpointStore):
    """Writes beside the checkpoints what has been loaded when one is saved."""

    def save(self, *arguments: Any, **named: Any) -> None:
        super().save(*arguments, **named)
        packages = sorted({name.partition(".")[0] for name in sys.modules})
        Path(self.root, LOADED).write_text(" ".join(packages))


def train_and_tell(config: dict[str, Any], *, checkpoints: CheckpointStore, **given: Any) -> None:
    train_cohort(config, checkpoints=TellingStore(checkpoints.root), **given)


def main() -> None:
    mask = np.zeros((4, SIZE_PX, SIZE_PX), np.uint8)
    mask[:, :, SIZE_PX // 2] = 1
    image = np.random.default_rng(0).normal(size=(4, 2, SIZE_PX, SIZE_PX)).astype(np.float32)
    patches = PatchArrays(image, mask, posting_m=100.0, amplitude_scale=1.0)
    with tempfile.TemporaryDirectory() as folder, connected(None):
        job = Job(
            plan=ListedPlan([planned(0, patch_size_px=SIZE_PX)]),
            schedule=Schedule(1, 200.0, "relaxed_f1"),
            stopping=NoStopping(),
            resources=Resources(cpus=1, gpus=0),
            ledger_jsonl=Path(folder) / "ledger.jsonl",
            storage=folder,
            trainable=train_and_tell,
        )
        run_trials(job, {SIZE_PX: (patches, patches)}, [])
        sys.stdout.write(Path(folder, LOADED).read_text())


if __name__ == "__main__":
    main()
