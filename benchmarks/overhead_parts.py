"""What each part of a sweep costs by itself: each is the real thing, timed in a process of its own.

    python benchmarks/overhead_parts.py PART STUDY

STUDY has been swept. Prints a line of JSON for each row; overhead.py puts them into its table.
"""

import io
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import glsweep.sweep  # noqa: F401  sets what Ray reads when it is imported

# isort: split
import ray
import torch
from process_tree import tree_cpu_s
from ray import tune
from rich.console import Console

from glsweep.config.space import Resources
from glsweep.config.stopping import NoStopping
from glsweep.doctor.connection import connected
from glsweep.patches.store import open_patches
from glsweep.search import make_plan, plan_trials
from glsweep.search.plan import ListedPlan, PlannedTrial
from glsweep.study import Study, open_study
from glsweep.sweep.checkpoints import CheckpointStore
from glsweep.sweep.engine import Job, run_trials
from glsweep.sweep.journal import Journal
from glsweep.sweep.listener import ConsoleListener
from glsweep.sweep.mirror import track_study
from glsweep.sweep.overview import SweepTerms
from glsweep.sweep.records import Ledger, Reported, SweepRecords, TrialEvent, TrialRecord
from glsweep.sweep.tune import _save
from glsweep.training.fit import Schedule, fit
from glsweep.training.state import TrainingState, fresh_state

REPEATED = 20
REPORTS = 200
# Ray's servers go on starting for a while after the driver is connected.
SETTLED_S = 3.0
METRICS = {
    "relaxed_f1": 0.5,
    "dice": 0.5,
    "val_loss": 0.5,
    "train_loss": 0.5,
    "epoch_s": 1.0,
    "micro_batch": 4.0,
}


@dataclass(frozen=True)
class Row:
    """One part: how often it comes in the study's sweep, and what it costs each time."""

    part: str
    times: int
    wall_s: float
    cpu_s: float


class Timer:
    """Wall time and processor seconds since it was made, of this process or of its whole tree."""

    def __init__(self, used_s: Callable[[], float] = time.process_time) -> None:
        self._used_s = used_s
        self._begun = time.perf_counter(), used_s()

    def row(self, part: str, times: int, *, units: int = 1) -> Row:
        """Return the cost of one of the `units` that have passed."""
        wall_s, cpu_s = time.perf_counter() - self._begun[0], self._used_s() - self._begun[1]
        return Row(part, times, wall_s / units, cpu_s / units)


def trials_of(study: Study) -> list[PlannedTrial]:
    return plan_trials(study.config.space, seed=study.config.seed, source=study.config_yaml)


def ray_itself(study: Study) -> Iterator[Row]:
    """Time Ray's start, a worker's, and Ray's end."""
    timer = Timer(tree_cpu_s)
    with connected(None):
        start = timer.row("Ray's start", 1)
        time.sleep(SETTLED_S)
        yield replace(timer.row("Ray's start", 1), wall_s=start.wall_s)
        cores = int(ray.available_resources()["CPU"])
        timer = Timer()
        used_s = ray.get(ray.remote(worker_start).remote())
        yield replace(timer.row("a worker's start and imports", cores), cpu_s=used_s)
        timer = Timer()
    yield timer.row("Ray's end", 1)


def worker_start() -> float:
    """Import in a worker what a trial needs, and return the processor's seconds since its process began."""
    import_module("glsweep.sweep.tune")
    return time.process_time()


def checkpoints(study: Study) -> Iterator[Row]:
    """Time the checkpoint of each architecture after a first epoch, as every epoch writes it."""
    trials, search = trials_of(study), study.config.space.search
    counts = Counter(trial.parameters.architecture for trial in trials)
    for architecture, count in sorted(counts.items()):
        trial = next(one for one in trials if one.parameters.architecture == architecture)
        state = trained(study, trial)
        with tempfile.TemporaryDirectory() as folder:
            store, timer = CheckpointStore(folder), Timer()
            for _ in range(REPEATED):
                _save(state, store, trial.trial_id, keeps_earlier=False)
            part = f"a checkpoint of {architecture}, width {trial.parameters.base_width}"
            yield timer.row(part, count * search.epochs, units=REPEATED)


def trained(study: Study, trial: PlannedTrial) -> TrainingState:
    """Return a trial's state after one epoch, with the optimiser's moments."""
    search, store = study.config.space.search, open_patches(study, trial.parameters.patch_size_px)
    state = fresh_state(trial.parameters, seed=trial.seed, device=torch.device("cpu"))
    schedule = Schedule(search.epochs, search.tolerance_m, search.rank_by)
    epochs = fit(
        state, trial.parameters, store.arrays("train"), store.arrays("val"), schedule, seed=trial.seed
    )
    next(iter(epochs))
    return state


def reports(study: Study) -> Iterator[Row]:
    """Time reports that come as fast as Ray passes them on: worker, Ray, journal and ledger together."""
    trials = trials_of(study)
    meter = ReportMeter()
    with tempfile.TemporaryDirectory() as folder, connected(None):
        job = Job(
            plan=ListedPlan(tuple(trials[:1])),
            schedule=Schedule(REPORTS, 200.0, "relaxed_f1"),
            stopping=NoStopping(),
            resources=Resources(cpus=1, gpus=0),
            ledger_jsonl=Path(folder) / "ledger.jsonl",
            storage=folder,
            trainable=report_only,
        )
        run_trials(job, {}, [meter])
    assert meter.row is not None, "all reports have come"
    yield replace(meter.row, times=len(trials) * study.config.space.search.epochs)


class ReportMeter:
    """Times the reports from the tenth to the last."""

    def __init__(self) -> None:
        self.row: Row | None = None

    def catch_up(self, records: SweepRecords) -> None:
        """Nothing has happened before."""

    def on_event(self, event: TrialEvent, record: TrialRecord) -> None:
        """Begin to time, or end."""
        if isinstance(event, Reported) and event.epoch == 10:
            self._timer = Timer(tree_cpu_s)
        elif isinstance(event, Reported) and event.last:
            self.row = self._timer.row("a report, through Ray to the ledger", 0, units=REPORTS - 10)


def report_only(config: dict[str, Any], **_unused: Any) -> None:
    """Report invented epochs and train nothing."""
    tune.report({"placed": "here", "device": "cpu"})
    (trial,) = config["cohort"]["trials"]
    for epoch in range(1, REPORTS + 1):
        message = {"trial_id": trial["trial_id"], "epoch": epoch, "last": epoch == REPORTS}
        tune.report({"reports": [{**message, "metrics": METRICS}]})


def driver(study: Study) -> Iterator[Row]:
    """Time the journal, the ledger and the console's table for all trials of the sweep."""
    space, trials = study.config.space, trials_of(study)
    plan = make_plan(space, seed=study.config.seed, source=study.config_yaml)
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    table = ConsoleListener(console, SweepTerms.of_search(plan, space), title="Sweep", stage="sweep")
    with tempfile.TemporaryDirectory() as folder, table:
        ledger, timer = Ledger(Path(folder) / "ledger.jsonl"), Timer()
        epochs, metric = space.search.epochs, space.search.rank_by
        journal = Journal(ledger, stopping=NoStopping(), epochs=epochs, metric=metric, listeners=[table])
        for trial in trials:
            journal.start(trial)
            journal.place(trial.trial_id, "here")
            for epoch in range(1, epochs + 1):
                journal.report(trial.trial_id, epoch, METRICS, last=epoch == epochs)
        # Within the block what is printed would go to the table.
        row = timer.row("journal, ledger and console, all trials", 1)
    yield row


def mlflow(study: Study) -> Iterator[Row]:
    """Time what MLflow is sent of the sweep, in a store that has to be made."""
    for file in study.directory.glob("mlflow*"):
        file.unlink() if file.is_file() else None
    timer = Timer()
    track_study(study)
    yield timer.row("MLflow's store and runs, all trials", 1)


PARTS: dict[str, Callable[[Study], Iterator[Row]]] = {
    "ray": ray_itself,
    "checkpoints": checkpoints,
    "reports": reports,
    "driver": driver,
    "mlflow": mlflow,
}

if __name__ == "__main__":
    torch.set_num_threads(1)
    for row in PARTS[sys.argv[1]](open_study(Path(sys.argv[2]))):
        print(json.dumps(asdict(row)), flush=True)
