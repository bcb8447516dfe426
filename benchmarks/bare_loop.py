"""The bare loop that the sweep is measured against: train a study's trials and nothing else.

python benchmarks/bare_loop.py STUDY WORKERS

It reads the patches by itself, since the package's own store brings what reads scenes along.
"""

import multiprocessing
import sys
from pathlib import Path

import numpy as np
import torch

from glsweep.patches import PatchArrays
from glsweep.search import plan_trials
from glsweep.search.plan import PlannedTrial
from glsweep.study import Study, open_study
from glsweep.study.artifacts import PatchMeta, read_artifact
from glsweep.training.fit import Schedule, fit
from glsweep.training.state import fresh_state


def train(directory: Path, trial: PlannedTrial) -> float:
    """Train one trial in full and return its last figure."""
    torch.set_num_threads(1)
    study = open_study(directory)
    search = study.config.space.search
    state = fresh_state(trial.parameters, seed=trial.seed, device=torch.device("cpu"))
    schedule = Schedule(search.epochs, search.tolerance_m, search.rank_by)
    train, val = (patches(study, trial.parameters.patch_size_px, split) for split in ("train", "val"))
    return [
        report.relaxed_f1 for report in fit(state, trial.parameters, train, val, schedule, seed=trial.seed)
    ][-1]


def patches(study: Study, size_px: int, split: str) -> PatchArrays:
    """Map the arrays of one size; its folder is the only one, as the study has just been prepared."""
    (folder,) = study.patches.glob(f"s{size_px}-*")
    meta = read_artifact(folder / "meta.json", PatchMeta)
    files = {path.stem: np.load(path, mmap_mode="r") for path in (folder / split).glob("*.npy")}
    return PatchArrays(
        files["image"], files["mask"], meta.posting_m, meta.amplitude_scale, files.get("target")
    )


def main() -> None:
    directory, workers = Path(sys.argv[1]), int(sys.argv[2])
    study = open_study(directory)
    trials = plan_trials(study.config.space, seed=study.config.seed, source=study.config_yaml)
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        figures = pool.starmap(train, [(directory, trial) for trial in trials], chunksize=1)
    print(figures)


if __name__ == "__main__":
    main()
