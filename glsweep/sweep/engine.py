"""The stage `sweep`, and the engine that runs a plan's trials through Ray Tune until each is over."""

import logging
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import ray
from ray import tune
from ray.tune import TuneError
from rich.console import Console

from glsweep.config.space import Budget, Resources
from glsweep.config.stopping import Stopping
from glsweep.doctor.connection import connected, trial_request, trials_at_once
from glsweep.doctor.examine import check_before_sweep
from glsweep.doctor.memory import requirements_of
from glsweep.errors import ConfigError, ResourceError
from glsweep.patches import PatchArrays
from glsweep.patches.store import open_patches, record_training_windows
from glsweep.search.draws import trials_of
from glsweep.search.plan import Plan, patch_sizes_px
from glsweep.signals import kept_handlers
from glsweep.study import Study
from glsweep.study.artifacts import SweepSummary, Winners, write_artifact
from glsweep.sweep.checkpoints import CheckpointCleaner, CheckpointStore
from glsweep.sweep.journal import Journal, Listener
from glsweep.sweep.listener import ConsoleListener
from glsweep.sweep.mirror import mirrored
from glsweep.sweep.outcomes import failure_in_sweep, winners, write_trials
from glsweep.sweep.overview import SweepTerms
from glsweep.sweep.queue import TrialQueue, cohort_sizes, groupable_strata, planned_configurations
from glsweep.sweep.records import Ledger, SweepRecords, read_records
from glsweep.sweep.start import load_start, metrics_at_start
from glsweep.sweep.tune import HaltStopper, JournalScheduler, QueueSearcher, SplitRefs, train_cohort
from glsweep.training.fit import Schedule
from glsweep.training.state import Start
from glsweep.training.targets import check_reach

# Workers that may be starting up or waiting for a place on a cluster: an autoscaler starts nodes for them.
WORKERS_IN_WAITING = 32


@dataclass(frozen=True)
class Job:
    """Trials to be run, and how.

    `ledger_jsonl` and `storage`, where checkpoints are kept, belong to this job alone; running it
    again goes on from them. Checkpoints of trials that were stopped or failed are deleted unless all
    are kept; those of trials that ran in full stay, since more epochs may go on from them.
    `trainable` is what each worker runs; it reports as `train_cohort` does. `start` holds the weights
    that trials begin from, by what their own `start` says.
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
        Notified of every event.

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
        metric=job.schedule.monitor,
        planned=planned_configurations(job.plan),
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
            groupable=groupable_strata(job.plan, job.budget),
        )
        # With one trial waiting, a place that becomes free is taken at once.
        searcher = QueueSearcher(queue, journal, most_at_once=None if at_once is None else at_once + 1)
        _tune(job, patches, journal, searcher, request)
    if journal.halted is not None:
        raise ResourceError(journal.halted)
    if not queue.is_over():
        # Tune returns normally when it is interrupted.
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
    # Whatever happens to a trial is in the ledger, and reported from there.
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


# --- The stage `sweep`


def sweep(
    study: Study,
    plan: Plan,
    *,
    address: str | None,
    storage: str | None,
    console: Console,
    listeners: Sequence[Listener] = (),
) -> SweepSummary:
    """Run the trials, write `sweep/trials.csv` and `sweep/winners.json`, and return a summary.

    `listeners` are told of each event, besides the console and MLflow. A stratum without a winner is
    listed under `failed` in the summary, see `glsweep.sweep.outcomes`.
    """
    search = study.config.space.search
    check_trials_fit_patches(study, plan)
    job = Job(
        plan=plan,
        schedule=Schedule(search.epochs, search.tolerance_m, search.rank_by),
        stopping=search.scheduler,
        resources=study.config.space.resources,
        ledger_jsonl=study.ledger_jsonl,
        storage=study.checkpoints(storage, "sweep"),
        budget=search.budget,
        replicates=search.replicates,
        start=load_start(study),
    )
    terms = SweepTerms.of_search(plan, study.config.space)
    table = ConsoleListener(console, terms, title="Sweep", stage="sweep")
    with mirrored(study, console) as mirror:
        with connected(address, study.config.space.imported):
            requirements = requirements_of(study.config.space, study.config_yaml)
            check_before_sweep(requirements, storage_root=job.storage, console=console)
            record_training_windows(study, patch_sizes_px(plan.strata))
            with table, write_trials_table(study):
                records = run_trials(job, split_arrays(study, plan), [mirror, table, *listeners])
        best = winners(records, search.rank_by)
        at_start = metrics_at_start(study, plan, job.start, job.schedule)
        write_artifact(study.winners_json, Winners(by_stratum=best, at_start=at_start))
    failed = {
        stratum.key: failure_in_sweep(stratum, records.strata.get(stratum.key, []), study.config.space)
        for stratum in plan.strata
        if stratum.key not in best
    }
    outcomes = Counter(str(record.outcome) for record in records.trials.values())
    return SweepSummary(
        trials=len(records.trials),
        outcomes=dict(outcomes),
        epochs=sum(len(record.epochs) for record in records.trials.values()),
        winners={key: won.trial_id for key, won in best.items()},
        failed=dict(sorted(failed.items())),
    )


def check_trials_fit_patches(study: Study, plan: Plan) -> None:
    """Make sure that no trial asks for more scenes than are trained on, or for a label that reaches too far.

    Raises
    ------
    ConfigError
        When one does.
    StudyError
        When one's label reaches farther than distances are stored.
    """
    space, source = study.config.space, study.config_yaml
    stores = {size: open_patches(study, size) for size in patch_sizes_px(plan.strata)}
    there = {size: store.train_scenes for size, store in stores.items()}
    for trial in trials_of(space, plan, source):
        check_reach(trial, stores[trial.patch_size_px].posting_m)
        most = there[trial.patch_size_px]
        if (trial.train_scenes or 0) > most:
            raise ConfigError(
                f"{source}: train_scenes: {trial.train_scenes} are more than the {most} scenes that have "
                f"patches of {trial.patch_size_px} px for training; name fewer, or give more scenes"
            )


@contextmanager
def write_trials_table(study: Study) -> Iterator[None]:
    """Write the table of all trials when this block ends, however it ends."""
    try:
        yield
    except BaseException:
        # The disk may be what failed; then the first error is the one to report.
        with suppress(OSError):
            _write_table(study)
        raise
    _write_table(study)


def _write_table(study: Study) -> None:
    records = read_records(study.ledger_jsonl)
    write_trials(records, study.config.space.search.rank_by, study.trials_csv)


def split_arrays(study: Study, plan: Plan) -> dict[int, tuple[PatchArrays, PatchArrays]]:
    """Return training and validation patches of every size that the plan's trials need."""
    sizes = patch_sizes_px(plan.strata)
    stores = {size: open_patches(study, size) for size in sizes}
    return {size: (store.arrays("train"), store.arrays("val")) for size, store in stores.items()}
