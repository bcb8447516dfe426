"""The engine: runs a plan's trials through Ray Tune until each is over, however often it is begun."""

import logging
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import ray
from ray import tune
from ray.tune import TuneError

from glsweep.config.space import Budget, Resources, Stopping
from glsweep.errors import ResourceError
from glsweep.patches.arrays import PatchArrays
from glsweep.spaces.plan import Plan
from glsweep.sweep.checkpoints import CheckpointStore
from glsweep.sweep.cleaner import CheckpointCleaner
from glsweep.sweep.cluster import trial_request, trials_at_once
from glsweep.sweep.cohorts import alike_strata, cohort_sizes
from glsweep.sweep.halt import HaltStopper
from glsweep.sweep.journal import Journal, Listener
from glsweep.sweep.ledger import Ledger
from glsweep.sweep.queue import TrialQueue
from glsweep.sweep.records import SweepRecords
from glsweep.sweep.scheduler import JournalScheduler
from glsweep.sweep.searcher import QueueSearcher
from glsweep.sweep.signals import kept_handlers
from glsweep.sweep.trainable import SplitRefs, train_cohort
from glsweep.training.fit import Schedule
from glsweep.training.start import Start

# Workers that may be starting up, or wait for a place on a cluster: an autoscaler starts nodes for them.
WORKERS_IN_WAITING = 32


@dataclass(frozen=True)
class Job:
    """Trials to be run, and how.

    `ledger_jsonl` and `storage`, where checkpoints are kept, belong to this job alone; running it
    again goes on from them. Checkpoints of trials that were stopped or failed are deleted unless all
    are kept; those of trials that ran in full stay, since more epochs may go on from them.
    `trainable` is what each worker runs; it reports as `train_cohort` does. Trials begin from the
    weights that `start` has for their architecture, else from random ones.
    """

    plan: Plan
    schedule: Schedule
    stopping: Stopping
    resources: Resources
    ledger_jsonl: Path
    storage: str
    budget: Budget = field(default_factory=Budget)
    replicates: int = 1
    keep_checkpoints: bool = False
    trainable: Callable[..., None] = train_cohort
    start: Start = field(default_factory=dict)


def run_trials(
    job: Job,
    patches: Mapping[int, tuple[PatchArrays, PatchArrays]],
    listeners: Sequence[Listener],
) -> SweepRecords:
    """Run every trial of `job` that is not over yet. Ray must be connected.

    Parameters
    ----------
    job : Job
        The trials and their rules.
    patches : mapping of int to (PatchArrays, PatchArrays)
        Training and validation patches for each patch size in pixels.
    listeners : sequence of Listener
        Told of every event.

    Returns
    -------
    SweepRecords
        What became of each trial.

    Raises
    ------
    ResourceError
        When checkpoints or the ledger cannot be written; nothing is lost, and the same call goes on.
    KeyboardInterrupt
        When the run was interrupted; the same call goes on where it was.
    """
    job.ledger_jsonl.parent.mkdir(parents=True, exist_ok=True)
    cleaner = [] if job.keep_checkpoints else [CheckpointCleaner(CheckpointStore(job.storage))]
    journal = Journal(
        Ledger(job.ledger_jsonl),
        stopping=job.stopping,
        epochs=job.schedule.epochs,
        figure=job.schedule.monitor,
        listeners=[*cleaner, *listeners],
        may_end_early=job.schedule.patience is not None,
    )
    queue = TrialQueue(
        job.plan, journal, budget=job.budget, replicates=job.replicates, epochs=job.schedule.epochs
    )
    if not queue.is_over():
        request = trial_request(job.resources)
        at_once, on_gpu = trials_at_once(request), bool(request.get("GPU"))
        journal.settle_cohorts(
            cohort_sizes(job.plan, job.budget, job.resources, places=at_once, on_gpu=on_gpu),
            alike=alike_strata(job.plan, job.budget),
        )
        # With one in waiting, a place that falls free is taken at once.
        searcher = QueueSearcher(queue, journal, most_at_once=None if at_once is None else at_once + 1)
        _tune(job, patches, journal, searcher, request)
    if journal.halted is not None:
        raise ResourceError(journal.halted)
    if not queue.is_over():
        # Tune returns as if nothing were amiss when it is interrupted.
        raise KeyboardInterrupt
    return journal.records


def _tune(
    job: Job,
    patches: Mapping[int, tuple[PatchArrays, PatchArrays]],
    journal: Journal,
    searcher: QueueSearcher,
    request: Mapping[str, float],
) -> None:
    refs = {size: SplitRefs(ray.put(train), ray.put(val)) for size, (train, val) in patches.items()}
    trainable = tune.with_parameters(
        job.trainable,
        patches=refs,
        schedule=job.schedule,
        cpus=job.resources.cpus,
        capture=job.resources.cuda_graphs,
        checkpoints=CheckpointStore(job.storage),
        start=job.start,
    )
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(WORKERS_IN_WAITING)
    # Whatever happens to a trial is in the ledger, and told from there.
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="glsweep-tune-") as folder, kept_handlers():
        tuner = tune.Tuner(
            tune.with_resources(trainable, dict(request)),
            tune_config=tune.TuneConfig(
                num_samples=-1,
                search_alg=searcher,
                scheduler=JournalScheduler(journal),
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="sweep",
                # Tune's own files are of no use after this run, and no node but this one needs them.
                storage_path=folder,
                stop=HaltStopper(journal),
                failure_config=tune.FailureConfig(max_failures=0),
                verbose=0,
            ),
        )
        try:
            tuner.fit()
        except (TuneError, ResourceError):
            if journal.halted is None:
                raise
