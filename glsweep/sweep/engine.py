"""The engine: runs planned trials through Ray Tune until each is over, however often it is begun."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ray
from ray import tune

from glsweep.config.space import Asha, NoStopping, Resources
from glsweep.patches.arrays import PatchArrays
from glsweep.spaces.plan import PlannedTrial
from glsweep.sweep.callback import FailureCallback
from glsweep.sweep.checkpoints import CheckpointFolder
from glsweep.sweep.cluster import trial_request
from glsweep.sweep.journal import Journal, Listener
from glsweep.sweep.ledger import Ledger
from glsweep.sweep.records import SweepRecords
from glsweep.sweep.scheduler import JournalScheduler, planned_id
from glsweep.sweep.searcher import PlannedSearcher
from glsweep.sweep.trainable import SplitRefs, train_trial
from glsweep.training.fit import Schedule

# A worker that was killed is tried again from its checkpoint.
FAILURES_PER_TRIAL = 3


@dataclass(frozen=True)
class Job:
    """Trials to be run, and how.

    `ledger_jsonl` and `checkpoints` belong to this job alone; running it again goes on from them.
    """

    trials: Sequence[PlannedTrial]
    schedule: Schedule
    stopping: Asha | NoStopping
    resources: Resources
    ledger_jsonl: Path
    checkpoints: Path


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
    KeyboardInterrupt
        When the run was interrupted; the same call goes on where it was.
    """
    job.ledger_jsonl.parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(
        Ledger(job.ledger_jsonl),
        stopping=job.stopping,
        epochs=job.schedule.epochs,
        figure=job.schedule.monitor,
        listeners=listeners,
    )
    if not all(journal.has_ended(trial.trial_id) for trial in job.trials):
        _tune(job, patches, journal)
    if not all(journal.has_ended(trial.trial_id) for trial in job.trials):
        # Tune returns as if nothing were amiss when it is interrupted.
        raise KeyboardInterrupt
    return journal.records


def _tune(job: Job, patches: Mapping[int, tuple[PatchArrays, PatchArrays]], journal: Journal) -> None:
    request = trial_request(job.resources)
    refs = {size: SplitRefs(ray.put(train), ray.put(val)) for size, (train, val) in patches.items()}
    checkpoints = CheckpointFolder(job.checkpoints)
    trainable = tune.with_parameters(
        train_trial, patches=refs, schedule=job.schedule, cpus=job.resources.cpus
    )
    tune.Tuner(
        tune.with_resources(trainable, request),
        tune_config=tune.TuneConfig(
            num_samples=-1,
            search_alg=PlannedSearcher(job.trials, journal, checkpoints.newest),
            scheduler=JournalScheduler(journal),
            reuse_actors=True,
            trial_dirname_creator=planned_id,
        ),
        run_config=tune.RunConfig(
            name=checkpoints.next_attempt(),
            storage_path=str(job.checkpoints.resolve()),
            failure_config=tune.FailureConfig(max_failures=FAILURES_PER_TRIAL),
            checkpoint_config=tune.CheckpointConfig(num_to_keep=1),
            callbacks=[FailureCallback(journal)],
            verbose=0,
        ),
    ).fit()
