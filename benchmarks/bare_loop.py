"""The bare loop that the sweep is measured against: train a study's trials and nothing else.

python benchmarks/bare_loop.py STUDY WORKERS
"""

import multiprocessing
import sys
from pathlib import Path

import torch

from glsweep.patches.store import open_patches
from glsweep.search import plan_trials
from glsweep.search.plan import PlannedTrial
from glsweep.study import open_study
from glsweep.training.fit import Schedule, fit
from glsweep.training.state import fresh_state


def train(directory: Path, trial: PlannedTrial) -> float:
    """Train one trial in full and return its last figure."""
    torch.set_num_threads(1)
    study = open_study(directory)
    search = study.config.space.search
    store = open_patches(study, trial.parameters.patch_size_px)
    state = fresh_state(trial.parameters, seed=trial.seed, device=torch.device("cpu"))
    schedule = Schedule(search.epochs, search.tolerance_m, search.rank_by)
    train, val = store.arrays("train"), store.arrays("val")
    return [
        report.relaxed_f1 for report in fit(state, trial.parameters, train, val, schedule, seed=trial.seed)
    ][-1]


def main() -> None:
    directory, workers = Path(sys.argv[1]), int(sys.argv[2])
    study = open_study(directory)
    trials = plan_trials(study.config.space, seed=study.config.seed, source=study.config_yaml)
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        figures = pool.starmap(train, [(directory, trial) for trial in trials], chunksize=1)
    print(figures)


if __name__ == "__main__":
    main()
